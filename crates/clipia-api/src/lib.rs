//! The wire of the Clipia queue API.
//!
//! [`types`] holds every request, response, error and delivery, generated from `spec/openapi.yaml`. [`Client`] (feature
//! `client`) is the low-level client generated from the same document. Use the crate `clipia` to talk to a queue: it
//! waits, retries and verifies. This crate only reads and writes.
//!
//! Fields that this version does not know are kept in `extra`. Values that it does not know stay as they were sent
//! ([`Status::Unknown`]). A field of a wrong type does not make a response unreadable: the field stays in `extra`, too
//! ([`Lenient`]).
//!
//! [`input`] is the check of an input against the parameters of its model: the SDK makes it before a call, and the server decides by it.
//!
//! What must never be here: a decision (when to poll, what to retry, what a generation costs) and, without the feature
//! `client`, anything of HTTP.
//!
//! ```
//! use clipia_api::{Status, types::StatusResponse};
//!
//! let response: StatusResponse = serde_json::from_str(
//!     r#"{"request_id": "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de", "status": "PAUSED", "reason": "maintenance"}"#,
//! )?;
//! assert_eq!(response.status, Status::Unknown("PAUSED".into()));
//! assert!(!response.status.is_terminal());
//! assert_eq!(response.extra["reason"], "maintenance");
//! # Ok::<(), serde_json::Error>(())
//! ```

mod credits;
mod defaults;
pub mod error_code;
#[cfg(feature = "client")]
pub mod foreign;
#[cfg(feature = "client")]
mod response;
#[cfg(feature = "client")]
#[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all, clippy::unwrap_used)] // generated
#[rustfmt::skip]
mod generated_client;
#[rustfmt::skip]
mod generated_error_code;
#[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all)] // generated; the spec says what each field means
#[rustfmt::skip]
mod generated_types;
pub mod input;
mod json;
mod lenient;
mod model_names;
mod open_enum;
#[cfg(feature = "client")]
pub mod per_call;
mod progress;
mod request_id;

/// Every request, response, error and delivery of the wire.
pub mod types {
    pub use crate::RequestId;
    pub use crate::generated_types::*;
}

pub use credits::Credits;
#[cfg(feature = "client")]
pub use generated_client::{Client, Error, ResponseValue};
pub use lenient::{Lenient, Unreadable};
pub use open_enum::{ModelType, Status, WebhookStatus};
pub use progress::Progress;
pub use request_id::RequestId;

/// Reads JSON from outside as a response or a delivery. Fields that are not essential may be odd.
///
/// # Errors
/// The document is not JSON, or an essential field is missing.
pub fn read<T: Lenient>(document: &[u8]) -> Result<T, serde_json::Error> {
    if let Some(read) = T::read_regular(document) {
        return Ok(read);
    }
    let value = json::parse(document)?;
    T::read(value).map_err(|_| serde::de::Error::custom("an essential field is missing"))
}

/// Compiles and runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
