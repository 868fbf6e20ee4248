//! The wire of the Clipia queue API.
//!
//! [`types`] holds every request, answer, error and delivery, generated from `spec/openapi.yaml`;
//! [`Client`] (feature `client`) is the low-level client generated from the same document. Use the crate
//! `clipia` to talk to a queue: it waits, retries and verifies; this one only spells.
//!
//! Fields that this version does not know are kept in `extra`, and values that it does not know
//! ([`Status::Unknown`]) come through as they were sent. A field that is not what it should be costs no answer: it
//! stays in `extra`, too ([`Lenient`]).
//!
//! What must never be here: a decision (when to ask, what to retry, what a thing costs) and, without the
//! feature `client`, anything of HTTP.
//!
//! ```
//! use clipia_api::{Status, types::StatusResponse};
//!
//! let answer: StatusResponse = serde_json::from_str(
//!     r#"{"request_id": "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de", "status": "PAUSED", "reason": "maintenance"}"#,
//! )?;
//! assert_eq!(answer.status, Status::Unknown("PAUSED".into()));
//! assert!(!answer.status.is_terminal());
//! assert_eq!(answer.extra["reason"], "maintenance");
//! # Ok::<(), serde_json::Error>(())
//! ```

#[cfg(feature = "client")]
mod answer;
mod credits;
mod defaults;
pub mod error_code;
#[cfg(feature = "client")]
pub mod foreign;
#[cfg(feature = "client")]
#[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all, clippy::unwrap_used)] // generated
#[rustfmt::skip]
mod generated_client;
#[rustfmt::skip]
mod generated_error_code;
#[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all)] // generated; meanings stand in the spec
#[rustfmt::skip]
mod generated_types;
mod json;
mod lenient;
mod model_names;
mod open_enum;
mod progress;
mod request_id;

/// Every request, answer, error and delivery of the wire.
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

/// Reads the JSON of a stranger as an answer or a delivery, which may be odd in all that is not essential.
///
/// # Errors
/// Where it is not JSON, or lacks what is essential.
pub fn read<T: Lenient>(document: &[u8]) -> Result<T, serde_json::Error> {
    if let Some(read) = T::read_regular(document) {
        return Ok(read);
    }
    let value = json::parse(document)?;
    T::read(value).map_err(|_| serde::de::Error::custom("it lacks what is essential"))
}

/// Compiles and runs what the README shows.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
