//! The wire between a Clipia queue and its workers on other machines.
//!
//! [`types`] holds every order and response, and [`Operation`] every call, generated from `spec/workers.yaml`. [`Remote`] (feature
//! `client`) is the client generated from the same document.
//!
//! What must never be here: the server, a store, a rule of the queue, a worker's loop; and, without the feature `client`, anything
//! of HTTP.

#[cfg(feature = "client")]
mod address;
#[cfg(feature = "client")]
mod connection;
#[cfg(feature = "client")]
#[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all, clippy::unwrap_used)] // generated
#[rustfmt::skip]
mod generated_client;
#[rustfmt::skip]
mod generated_operation;
#[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all)] // generated; meanings stand in the spec
#[rustfmt::skip]
mod generated_types;
#[cfg(feature = "client")]
mod input;
#[cfg(feature = "client")]
mod response;

/// Every order and response of the wire.
pub mod types {
    pub use crate::generated_types::*;
}

#[cfg(feature = "client")]
pub use address::{NotAServer, server_url};
#[cfg(feature = "client")]
pub use connection::NotAToken;
#[cfg(feature = "client")]
pub use generated_client::Client as Remote;
pub use generated_operation::Operation;
#[cfg(feature = "client")]
pub use input::InputPart;
#[cfg(feature = "client")]
pub use response::CallError;

/// What the tokens of workers begin with.
pub const TOKEN_PREFIX: &str = "clipia_worker_";

/// The header that names the session of a call.
pub const SESSION_HEADER: &str = "clipia-session";

/// Compiles what the README shows.
#[cfg(all(doctest, feature = "client"))]
#[doc = include_str!("../README.md")]
struct Readme;
