//! The minute recorder has the store record what this process counted of its queues, minute by minute.

use super::{DoneBy, RoundError, Service};
use crate::store::{NodeId, Store};
use std::sync::Arc;
use std::time::Duration;

/// The pause between two rounds: a process that is killed loses what it counted in it.
const INTERVAL: Duration = Duration::from_secs(60);

pub(crate) struct MinuteRecorder {
    store: Arc<dyn Store>,
    node: NodeId,
}

impl MinuteRecorder {
    pub(crate) fn new(store: Arc<dyn Store>, node: NodeId) -> Self {
        Self { store, node }
    }
}

impl Service for MinuteRecorder {
    const NAME: &'static str = "minute_recorder";
    // Each has counted its own.
    const DONE_BY: DoneBy = DoneBy::EachNode;

    fn pause(&self) -> Duration {
        INTERVAL
    }

    async fn round(&self, _paused: Duration) -> Result<u64, RoundError> {
        self.store.record_minutes(self.node).await?;
        Ok(0)
    }
}
