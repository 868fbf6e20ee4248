//! The queue as a service.
//!
//! [`Service::start`] recovers what a crash interrupted, and takes calls; [`Service::stop`] drains and
//! closes. A call comes in by [`http`], is decided by `clipia-queue`, kept by the [`store`], [prepared](preparing), made by
//! one of the [`executors`] under a [worker](workers), and told to the caller's webhook by the [`deliveries`].
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use clipia_server::{Config, Service};
//! use clipia_store::clock::SystemClock;
//! use clipia_store_sqlite::SqliteStore;
//! use std::sync::Arc;
//!
//! let store = Arc::new(SqliteStore::open("clipia-data".as_ref(), Arc::new(SystemClock))?);
//! let service = Service::start(Config::new("clipia-data"), store).await?;
//! println!("listening on {}", service.url());
//! service.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! [`Service::builder`] takes executors of your own beside the built-in one.
//!
//! What must never be here: the SDK, and a store. What is above the trait [`store::Store`] never knows which store it is.

mod admin;
mod builder;
mod config;
mod credentials;
pub mod deliveries;
mod events;
pub mod executors;
mod exposition;
mod health;
pub mod http;
pub mod lines;
mod listener;
mod log;
mod maintenance;
pub mod media;
pub mod metrics;
mod models_file;
pub mod outbound;
pub mod pause;
pub mod preparing;
mod readings;
mod refusals;
mod runtime;
mod service;
pub mod shares;
mod supervisor;
pub mod workers;

pub use builder::Builder;
use clipia_queue::ids;
pub use clipia_queue::lifecycle::Phase;
pub use clipia_queue::limits::{KeyLimits, RateLimit};
pub use clipia_queue::retention::Keep;
pub use clipia_queue::{Credits, RequestId};
pub use clipia_store as store;
use clipia_store::{blocking, failpoints, private};
pub use clipia_store::{clock, living};
pub use config::{Config, ConfigError, ConfigKey, ConfigValueError, LogFormat, ValueForm};
pub use log::LogWriter;
pub use runtime::runtime;
pub use service::{FirstKeys, Service, StartError};

/// Compiles and runs what the README shows.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
