//! The rescuer queues requests again whose lease expired.

use super::{DoneBy, RoundError, Service};
use crate::living::LivingAttempts;
use crate::store::{Rescued, Store};
use std::sync::Arc;
use std::time::Duration;

/// The pause between two rounds.
const INTERVAL: Duration = Duration::from_secs(5);

pub(crate) struct Rescuer {
    store: Arc<dyn Store>,
    /// The running attempts of this process. Their requests are not rescued before the attempt's deadline.
    living: LivingAttempts,
}

impl Rescuer {
    pub(crate) fn new(store: Arc<dyn Store>, living: LivingAttempts) -> Self {
        Self { store, living }
    }
}

impl Service for Rescuer {
    const NAME: &'static str = "rescuer";
    // It knows the attempts of its own process. And the node that leads may be the one whose requests wait for their rescue.
    const DONE_BY: DoneBy = DoneBy::EachNode;

    fn pause(&self) -> Duration {
        INTERVAL
    }

    async fn round(&self, paused: Duration) -> Result<u64, RoundError> {
        // The process itself was stopped for a while. Its workers get the time to prolong their leases first.
        if paused >= 2 * INTERVAL {
            return Ok(0);
        }
        let Rescued { requeued, failed } = self.store.rescue(&self.living).await?;
        if requeued + failed > 0 {
            tracing::warn!(requeued, failed, "rescued requests whose lease expired");
        }
        Ok(requeued + failed)
    }
}
