//! The number of refused tokens. It goes to the audit once a minute, so that many attempts do not fill the disk.

use crate::store::{Refusals, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The time between two records in the audit.
const RECORD_INTERVAL: Duration = Duration::from_secs(60);

/// The tokens that were refused since the last record in the audit.
#[derive(Debug, Default)]
pub(crate) struct RefusedTokens {
    keys: AtomicU64,
    administration: AtomicU64,
}

impl RefusedTokens {
    /// Counts a refused API key.
    pub(crate) fn key(&self) {
        self.keys.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a refused token of the administration.
    pub(crate) fn administration(&self) {
        self.administration.fetch_add(1, Ordering::Relaxed);
    }

    fn take(&self) -> Refusals {
        let take = |count: &AtomicU64| count.swap(0, Ordering::Relaxed);
        Refusals { keys: take(&self.keys), administration: take(&self.administration) }
    }

    /// Records the counts in the audit, and sets them to zero.
    pub(crate) async fn record(&self, store: &dyn Store) {
        let refused = self.take();
        if refused == Refusals::default() {
            return;
        }
        if let Err(error) = store.record_refusals(refused).await {
            tracing::error!(%error, ?refused, "cannot record refused tokens in the audit");
        }
    }
}

/// Records the counts once a minute, and a last time at `stop`.
pub(crate) async fn record_until(count: Arc<RefusedTokens>, store: Arc<dyn Store>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(RECORD_INTERVAL) => {}
        }
        count.record(store.as_ref()).await;
    }
}
