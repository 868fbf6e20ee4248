//! The indexer has the store take the texts of requests into its index, so that they are found. No submit does it, and none waits for it.

use super::{DoneBy, RoundError, Service};
use crate::store::Store;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// The pause between two rounds: for so long a new request is not found.
const INTERVAL: Duration = Duration::from_secs(1);

/// The pause after a round that failed: a disk stays full for a while.
const AFTER_FAULT: Duration = Duration::from_secs(30);

/// The pause between two steps, in which the store runs other commands. An index that is made anew takes thousands of steps.
const STEP_PAUSE: Duration = Duration::from_millis(2);

pub(crate) struct Indexer {
    store: Arc<dyn Store>,
    /// Whether the latest round failed.
    failed: AtomicBool,
}

impl Indexer {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, failed: AtomicBool::new(false) }
    }
}

impl Service for Indexer {
    const NAME: &'static str = "indexer";
    const DONE_BY: DoneBy = DoneBy::OneNode;

    fn pause(&self) -> Duration {
        if self.failed.load(Relaxed) { AFTER_FAULT } else { INTERVAL }
    }

    async fn round(&self, _paused: Duration) -> Result<u64, RoundError> {
        self.failed.store(true, Relaxed);
        while self.store.index_texts().await? {
            tokio::time::sleep(STEP_PAUSE).await;
        }
        self.failed.store(false, Relaxed);
        // The store does not say how many there were.
        Ok(0)
    }
}
