//! Takes requests back from workers whose lease expired.

use super::{Service, Trouble};
use crate::living::LivingAttempts;
use crate::store::{Rescued, Store};
use std::sync::Arc;
use std::time::Duration;

/// From one look at the leases to the next.
const EVERY: Duration = Duration::from_secs(5);

pub(crate) struct Rescuer {
    store: Arc<dyn Store>,
    /// The attempts of this process, which keep their requests up to their deadline.
    living: LivingAttempts,
}

impl Rescuer {
    pub(crate) fn new(store: Arc<dyn Store>, living: LivingAttempts) -> Self {
        Self { store, living }
    }
}

impl Service for Rescuer {
    const NAME: &'static str = "rescuer";

    fn pause(&self) -> Duration {
        EVERY
    }

    async fn round(&self, rested: Duration) -> Result<u64, Trouble> {
        // The process stood still, and a worker may be about to say that it has what was claimed for it.
        if rested >= 2 * EVERY {
            return Ok(0);
        }
        let Rescued { requeued, failed } = self.store.rescue(&self.living).await?;
        if requeued + failed > 0 {
            tracing::warn!(requeued, failed, "took requests back from workers that fell silent");
        }
        Ok(requeued + failed)
    }
}
