//! Gives up deliveries whose hosts stayed down for as long as a delivery may be attempted.

use super::{Service, Trouble};
use crate::deliveries::Statistics;
use crate::store::Store;
use clipia_queue::schedules::DELIVERY_AGE_MAX;
use std::sync::Arc;
use std::time::Duration;

/// From one look at the old deliveries to the next.
const EVERY: Duration = Duration::from_secs(60);

pub(crate) struct GiverUp {
    store: Arc<dyn Store>,
    statistics: Arc<Statistics>,
}

impl GiverUp {
    pub(crate) fn new(store: Arc<dyn Store>, statistics: Arc<Statistics>) -> Self {
        Self { store, statistics }
    }
}

impl Service for GiverUp {
    const NAME: &'static str = "giver_up";

    fn pause(&self) -> Duration {
        EVERY
    }

    async fn round(&self, _rested: Duration) -> Result<u64, Trouble> {
        let count = self.store.give_up_deliveries(DELIVERY_AGE_MAX).await?;
        if count > 0 {
            self.statistics.gave_up(count);
            tracing::warn!(count, "webhooks given up whose hosts stayed down");
        }
        Ok(count)
    }
}
