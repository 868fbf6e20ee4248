//! A delivery that is ready to be sent.

use clipia::webhook::signed_headers;
use std::time::{SystemTime, UNIX_EPOCH};
use uuid::Uuid;

/// How the names of headers are spelled. HTTP/1.1 has no rule for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderCase {
    /// `x-clipia-signature`, as a server sends them.
    Lower,
    /// `X-Clipia-Signature`.
    Title,
}

/// The headers and the body of one attempt at a delivery.
#[derive(Clone, Debug)]
pub(crate) struct SignedDelivery {
    /// The headers that name and sign it.
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) header_case: HeaderCase,
}

impl SignedDelivery {
    /// The delivery `id` with `body`, signed at `t` (Unix seconds) as a server with these secrets signs it.
    pub(crate) fn new(secrets: &[&str], id: Uuid, t: u64, body: Vec<u8>) -> Self {
        let headers = signed_headers(secrets, &id.to_string(), t, &body);
        Self { headers, body, header_case: HeaderCase::Lower }
    }
}

/// The time by the system's clock, in Unix seconds.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
