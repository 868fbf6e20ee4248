//! Events: what commits have changed, so that nobody has to poll the store.

use clipia_queue::RequestId;
use std::sync::Arc;

/// How many events a store keeps for a receiver that is slow.
pub const EVENTS_KEPT: usize = 256;

/// What a commit has changed. A store sends an event after the commit and before the command returns. Equal events of one commit
/// are sent once.
///
/// An event only spares its receiver the wait for its next look. Events may be sent twice. A receiver that lags misses some: it
/// must then look at everything again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreEvent {
    /// Requests came into a queue: new ones, or ones whose worker lost its lease.
    WorkSubmitted {
        /// The queue's name.
        queue: Arc<str>,
    },
    /// Deliveries may be due.
    OutboxChanged,
    /// A request was canceled. A worker may have it.
    RequestCanceled {
        /// The request.
        id: RequestId,
    },
    /// A key was taken out of force.
    KeyRevoked {
        /// The key's public name.
        id: Arc<str>,
    },
}
