//! Deliveries that are to be attempted.

use crate::writing::Writing;
use crate::{SqliteStore, deliveries, delivery_log, held_deliveries};
use async_trait::async_trait;
use clipia_queue::Moment;
use clipia_store::{
    ClaimedDeliveries, DeliveryAttempt, DeliveryClaim, DeliveryHost, Outbox, Replayed, StoreError,
};
use rusqlite::Connection;
use std::time::Duration;
use uuid::Uuid;

impl SqliteStore {
    /// Runs a command by which deliveries become due.
    async fn changing<T: Send + 'static>(
        &self,
        command: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let changing = move |w: &Writing<'_>| {
            let changed = command(w)?;
            w.outbox_changed();
            Ok(changed)
        };
        self.writer.write(changing).await
    }
}

#[async_trait]
impl Outbox for SqliteStore {
    async fn postponed_hosts(&self) -> Result<Vec<DeliveryHost>, StoreError> {
        self.read(deliveries::postponed_hosts).await
    }

    async fn claim_deliveries(&self, claim: DeliveryClaim) -> Result<ClaimedDeliveries, StoreError> {
        let now = self.clock.now();
        self.writer.write(move |c| deliveries::claim(c, &claim, now)).await
    }

    async fn next_delivery(&self) -> Result<Option<Moment>, StoreError> {
        self.read(deliveries::next).await
    }

    async fn record_attempt(&self, attempt: DeliveryAttempt) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.writer.write(move |c| deliveries::record(c, &attempt, now)).await
    }

    async fn give_up_deliveries(&self, age: Duration) -> Result<u64, StoreError> {
        let now = self.clock.now();
        self.writer.write(move |c| deliveries::give_up(c, now - age, now)).await
    }

    async fn replay(&self, id: Uuid) -> Result<bool, StoreError> {
        let now = self.clock.now();
        self.changing(move |c| delivery_log::replay(c, id, now)).await
    }

    async fn replay_failed(&self, since: Moment, most: u32) -> Result<Replayed, StoreError> {
        let now = self.clock.now();
        self.changing(move |c| delivery_log::replay_failed(c, since, now, most)).await
    }

    async fn resume_deliveries(&self, most: u32) -> Result<u64, StoreError> {
        let now = self.clock.now();
        self.changing(move |c| held_deliveries::resume(c, now, most)).await
    }

    async fn abandon_deliveries(&self, most: u32) -> Result<u64, StoreError> {
        let now = self.clock.now();
        self.writer.write(move |c| held_deliveries::abandon(c, now, most)).await
    }
}
