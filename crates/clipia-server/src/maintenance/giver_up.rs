//! The giver-up gives up deliveries that are too old: their hosts stayed down for as long as a delivery may be attempted.

use super::{DoneBy, RoundError, Service};
use crate::deliveries::DeliveryStatistics;
use crate::store::Store;
use clipia_queue::schedules::DELIVERY_AGE_MAX;
use std::sync::Arc;
use std::time::Duration;

/// The pause between two rounds.
const INTERVAL: Duration = Duration::from_secs(60);

pub(crate) struct GiverUp {
    store: Arc<dyn Store>,
    statistics: Arc<DeliveryStatistics>,
}

impl GiverUp {
    pub(crate) fn new(store: Arc<dyn Store>, statistics: Arc<DeliveryStatistics>) -> Self {
        Self { store, statistics }
    }
}

impl Service for GiverUp {
    const NAME: &'static str = "giver_up";
    const DONE_BY: DoneBy = DoneBy::OneNode;

    fn pause(&self) -> Duration {
        INTERVAL
    }

    async fn round(&self, _paused: Duration) -> Result<u64, RoundError> {
        let count = self.store.give_up_deliveries(DELIVERY_AGE_MAX).await?;
        if count > 0 {
            self.statistics.gave_up(count);
            tracing::warn!(count, "gave up webhooks whose hosts stayed down");
        }
        Ok(count)
    }
}
