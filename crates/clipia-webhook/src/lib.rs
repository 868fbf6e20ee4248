//! The signature on a Clipia webhook: made by the server, verified by the receiver.
//!
//! A delivery is a JSON body with a header `X-Clipia-Signature: t=<unix seconds>,v1=<hex>`, where `v1` is the
//! HMAC-SHA256 of `{t}.{raw body}` under the account's secret (`contract.md`, "Webhooks"). A receiver makes one
//! [`Verifier`] and hands it the raw bytes, before anything has parsed them:
//!
//! ```
//! use clipia_webhook::{SIGNATURE_HEADER, Verifier, sign};
//!
//! let body = br#"{"request_id": "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de", "status": "ERROR",
//!                 "error": {"code": "GENERATION_FAILED", "message": "the image could not be read"}}"#;
//! let now = 1_700_000_000;
//! let secrets = ["whsec_the_new_one", "whsec_the_old_one"]; // the sender has both during a rotation
//! let header = sign(secrets, now, body);
//!
//! let verifier = Verifier::new(["whsec_the_old_one"])?;
//! let delivery = verifier.verify(&header, body, now + 2)?;
//! assert_eq!(delivery.error.unwrap().code.as_deref(), Some("GENERATION_FAILED"));
//! assert_eq!(SIGNATURE_HEADER, "x-clipia-signature");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The sender adds the headers of Standard Webhooks too ([`sign_standard`]), for receivers that use a library for it.
//! [`Verifier::verify_headers`] accepts either signature from the [`DeliveryHeaders`].
//!
//! What must never be here: a clock (the time is an argument), async or HTTP. A sender never learns why a receiver
//! refused its delivery.

mod delivery_headers;
mod header;
mod refusal;
mod secret;
mod signature;
mod signed_headers;
mod standard;
mod verifier;

pub use clipia_api::types::WebhookDelivery as Delivery;
pub use clipia_api::types::WebhookPayload as Payload;
pub use delivery_headers::DeliveryHeaders;
pub use refusal::Refusal;
pub use secret::{EMULATOR_SECRET, SECRET_LENGTH_MIN, SecretRefused, checked_secret};
pub use signature::sign;
pub use signed_headers::signed_headers;
pub use standard::{STANDARD_ID_HEADER, STANDARD_SIGNATURE_HEADER, STANDARD_TIMESTAMP_HEADER, sign_standard};
pub use verifier::Verifier;

/// The header that carries the signature, in lower case.
pub const SIGNATURE_HEADER: &str = "x-clipia-signature";

/// The same header as documentation spells it, for messages.
const SIGNATURE_HEADER_NAME: &str = "X-Clipia-Signature";

/// The prefix of a webhook secret. The base64 of the key follows it.
const SECRET_START: &str = "whsec_";

/// The header that names the delivery: a UUID, the same for each attempt of it.
pub const ID_HEADER: &str = "x-clipia-webhook-id";

/// The header with the time of the attempt, in Unix seconds. It is not signed: only the `t` of the signature counts.
pub const TIMESTAMP_HEADER: &str = "x-clipia-timestamp";

/// How far from now a signature's `t` may be, in seconds (`contract.md`, "Webhooks").
pub const TOLERANCE_SECONDS: u64 = 300;

/// Compiles and runs the README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
