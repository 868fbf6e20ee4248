//! What a store tells of its commits, so that nobody has to look again and again.

use clipia_queue::RequestId;
use std::sync::Arc;

/// How many events a store keeps for a receiver that is slow.
pub const EVENTS_KEPT: usize = 256;

/// What a commit has changed. A store sends an event after the commit and before the answer to the command: one for many commands
/// of a commit where they say the same.
///
/// An event only spares its receiver the wait for its next look. Events may be sent twice, and a receiver that lags misses
/// some: it must look at everything again then.
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
    /// A request was canceled, which a worker may have.
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
