//! Deliveries that are to be attempted.

use crate::{PostgresStore, deliveries, delivery_log, held_deliveries};
use async_trait::async_trait;
use clipia_queue::Moment;
use clipia_store::{
    ClaimedDeliveries, DeliveryAttempt, DeliveryClaim, DeliveryHost, Outbox, Replayed, StoreError,
};
use std::time::Duration;
use uuid::Uuid;

#[async_trait]
impl Outbox for PostgresStore {
    async fn postponed_hosts(&self) -> Result<Vec<DeliveryHost>, StoreError> {
        deliveries::postponed_hosts(&self.connection().await?).await
    }

    async fn claim_deliveries(&self, claim: DeliveryClaim) -> Result<ClaimedDeliveries, StoreError> {
        self.write(move |w| async move { deliveries::claim(&w, &claim).await }).await
    }

    async fn next_delivery(&self) -> Result<Option<Moment>, StoreError> {
        deliveries::next(&self.connection().await?).await
    }

    async fn record_attempt(&self, attempt: DeliveryAttempt) -> Result<(), StoreError> {
        self.write(move |w| async move { deliveries::record(&w, &attempt).await }).await
    }

    async fn give_up_deliveries(&self, age: Duration) -> Result<u64, StoreError> {
        self.write(move |w| async move { deliveries::give_up(&w, age).await }).await
    }

    async fn replay(&self, id: Uuid) -> Result<bool, StoreError> {
        let replay = move |w: std::sync::Arc<crate::Writing>| async move {
            w.outbox_changed();
            delivery_log::replay(&w, id).await
        };
        self.write(replay).await
    }

    async fn replay_failed(&self, since: Moment, most: u32) -> Result<Replayed, StoreError> {
        let replay = move |w: std::sync::Arc<crate::Writing>| async move {
            w.outbox_changed();
            delivery_log::replay_failed(&w, since, most).await
        };
        self.write(replay).await
    }

    async fn resume_deliveries(&self, most: u32) -> Result<u64, StoreError> {
        let resume = move |w: std::sync::Arc<crate::Writing>| async move {
            w.outbox_changed();
            held_deliveries::resume(&w, most).await
        };
        self.write(resume).await
    }

    async fn abandon_deliveries(&self, most: u32) -> Result<u64, StoreError> {
        self.write(move |w| async move { held_deliveries::abandon(&w, most).await }).await
    }
}
