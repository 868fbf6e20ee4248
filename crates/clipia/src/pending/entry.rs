//! A pending generation, and what changes it.

use clipia_api::types::RequestId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A generation that was submitted and was not seen to end. [`Clipia::pending`](crate::Clipia::pending) lists them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Pending {
    /// The slug of the model.
    pub model: String,
    /// The idempotency key of the submit. The same submit with this key within 24 hours finds the generation.
    pub idempotency_key: String,
    /// The id, once the server has accepted the submit. Without it nobody knows whether it was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// When it was submitted, by this machine's clock.
    pub submitted_at: Timestamp,
}

/// A change: a line of the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    /// A submit is about to be sent.
    Begun(Pending),
    /// It was accepted.
    Accepted { idempotency_key: String, request_id: RequestId },
    /// It was refused, or was never sent.
    Refused { idempotency_key: String },
    /// The generation was seen to end.
    Ended { request_id: RequestId },
}
