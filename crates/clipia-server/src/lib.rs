//! The queue as a service.
//!
//! [`Service::start`] recovers the work that a crash interrupted, and takes calls. [`Service::stop`] drains the work and closes
//! the store. A submit comes in over HTTP. The rules of `clipia-queue` decide it, and the [`store`] keeps it. A worker claims
//! the request, and one of the [`executors`] makes its output. The [`deliveries`] send the result to the caller's webhook.
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
//! [`Service::builder`] adds executors of your own.
//!
//! What must never be here: the SDK, and an implementation of [`store::Store`]. No code here knows which store it uses.

mod admin;
mod api_error;
mod aside;
mod builder;
mod config;
pub mod credentials;
pub mod dashboard;
pub mod deliveries;
mod events;
pub mod executors;
mod health;
mod http;
mod listener;
mod log;
mod maintenance;
mod media;
mod metrics;
mod models_file;
pub mod outbound;
mod queues;
mod refused_tokens;
mod remote;
mod runtime;
mod served_models;
mod service;
mod store_line;
mod supervisor;

pub use api_error::ApiError;
pub use builder::{Builder, Programs};
use clipia_queue::ids;
pub use clipia_queue::lifecycle::Phase;
pub use clipia_queue::limits::{KeyLimits, RateLimit};
pub use clipia_queue::mistakes::{Mistake, Mistakes};
pub use clipia_queue::position::Order;
pub use clipia_queue::retention::Keep;
pub use clipia_queue::{Credits, RequestId};
pub use clipia_store as store;
use clipia_store::{blocking, failpoints, private};
pub use clipia_store::{clock, living};
pub use config::{
    Config, ConfigError, ConfigKey, ConfigValueError, DatabaseUrl, DatabaseUrlInvalid, LogFormat, PathPrefix,
    PathPrefixInvalid, PublicUrl, PublicUrlInvalid, Role, Roles, RolesInvalid, ValueForm,
};
pub use listener::{Client, Reset};
pub use log::{LevelRefused, LogWriter};
pub use media::{MediaLocation, NoMediaLocation};
pub use models_file::{ExecutorSettings, ModelsFile};
pub use runtime::runtime;
pub use served_models::ReloadRefused;
pub use service::{FirstKeys, Service, StartError};

/// Compiles and runs the README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
