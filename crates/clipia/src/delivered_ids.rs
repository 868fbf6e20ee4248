//! The requests whose deliveries have arrived.

use crate::recent::Recent;
use clipia_api::types::RequestId;
use std::sync::{Mutex, PoisonError};

/// Requests that are remembered to recognise repeated deliveries: more than end while one is repeated. They take some 5
/// MB.
const SEEN_MAX: usize = 100_000;

/// The requests whose end was delivered to a client.
#[derive(Debug, Default)]
pub(crate) struct DeliveredIds(Mutex<Recent<(), SEEN_MAX>>);

impl DeliveredIds {
    /// Whether this is the first delivery of the request's end.
    pub(crate) fn is_first(&self, id: &RequestId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), ())
    }
}
