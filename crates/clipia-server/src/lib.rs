//! The queue as a service.
//!
//! [`Service::start`] opens the store, recovers what a crash interrupted, and takes calls; [`Service::stop`] drains and
//! closes. A call comes in by [`http`], is decided by `clipia-queue`, kept by the [`store`], [prepared](preparing), made by
//! one of the [`executors`] under a [worker](workers), and told to the caller's webhook by the [`deliveries`].
//!
//! ```no_run
//! # async fn run() -> Result<(), clipia_server::StartError> {
//! use clipia_server::{Config, Service};
//!
//! let service = Service::start(Config::new("clipia-data")).await?;
//! println!("listening on {}", service.url());
//! service.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! [`Service::builder`] takes executors of your own beside the built-in one.
//!
//! What must never be here: the SDK. What is above the trait [`store::Store`] never knows which store it is.

pub mod admin;
mod blocking;
mod builder;
pub mod clock;
mod config;
mod credentials;
pub mod deliveries;
pub mod executors;
mod exposition;
mod failpoints;
mod health;
pub mod http;
mod ids;
pub mod lines;
mod listener;
pub mod living;
mod log;
pub mod media;
pub mod metrics;
mod models_file;
pub mod outbound;
pub mod pause;
pub mod preparing;
mod private;
mod readings;
mod refusals;
mod runtime;
mod service;
pub mod shares;
pub mod store;
mod supervisor;
pub mod workers;

pub use builder::Builder;
pub use clipia_queue::lifecycle::Phase;
pub use clipia_queue::limits::{KeyLimits, RateLimit};
pub use clipia_queue::{Credits, RequestId};
pub use config::{Config, ConfigError, ConfigKey, ConfigValueError, LogFormat, ValueForm};
pub use log::LogWriter;
pub use runtime::runtime;
pub use service::{FirstKeys, Service, StartError};
