//! Deliveries that are to be attempted.

use crate::{ClaimedDeliveries, DeliveryAttempt, DeliveryClaim, DeliveryHost, Replayed, StoreError};
use async_trait::async_trait;
use clipia_queue::Moment;
use std::time::Duration;
use uuid::Uuid;

/// Deliveries that are to be attempted. They are written by the command that ends their request.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// The hosts of which deliveries are postponed.
    async fn postponed_hosts(&self) -> Result<Vec<DeliveryHost>, StoreError>;
    /// Takes deliveries that are due, as far as their hosts and their owners' shares have room. Nobody else sends them before
    /// their lease expires. A store that knows at its opening that every other node is gone frees theirs then. Deliveries
    /// without room are postponed until a claim has room for them.
    async fn claim_deliveries(&self, claim: DeliveryClaim) -> Result<ClaimedDeliveries, StoreError>;
    /// When the next delivery is due that is not postponed, if there is one.
    async fn next_delivery(&self) -> Result<Option<Moment>, StoreError>;
    /// Records an attempt at a delivery, and what comes next.
    async fn record_attempt(&self, attempt: DeliveryAttempt) -> Result<(), StoreError>;
    /// Gives up deliveries that were postponed and have been due for longer than `age`. Returns how many.
    async fn give_up_deliveries(&self, age: Duration) -> Result<u64, StoreError>;

    /// Replays a delivery: one attempt now. The schedule goes on as it was unless that attempt arrives. False where there is no
    /// delivery of this id.
    async fn replay(&self, id: Uuid) -> Result<bool, StoreError>;
    /// Replays deliveries that were given up since `since`, the oldest first, at most `most` and
    /// [`DELIVERIES_MAX`](crate::DELIVERIES_MAX).
    async fn replay_failed(&self, since: Moment, most: u32) -> Result<Replayed, StoreError>;
    /// Resumes [held](crate::DeliveryState::Held) deliveries, the oldest first, at most `most`. Returns how many.
    async fn resume_deliveries(&self, most: u32) -> Result<u64, StoreError>;
    /// Abandons held deliveries, the oldest first, at most `most`. Returns how many.
    async fn abandon_deliveries(&self, most: u32) -> Result<u64, StoreError>;
}
