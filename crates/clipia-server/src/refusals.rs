//! Tokens that were refused: counted, and noted in the audit once a minute, so that whoever tries many fills no disk.

use crate::store::{Refusals, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often what was refused is noted.
const NOTED_EVERY: Duration = Duration::from_secs(60);

/// How many tokens were refused since that was last noted.
#[derive(Debug, Default)]
pub(crate) struct RefusalCount {
    keys: AtomicU64,
    administration: AtomicU64,
}

impl RefusalCount {
    /// An API key was refused.
    pub(crate) fn key(&self) {
        self.keys.fetch_add(1, Ordering::Relaxed);
    }

    /// A token of the administration was refused.
    pub(crate) fn administration(&self) {
        self.administration.fetch_add(1, Ordering::Relaxed);
    }

    fn take(&self) -> Refusals {
        let take = |count: &AtomicU64| count.swap(0, Ordering::Relaxed);
        Refusals { keys: take(&self.keys), administration: take(&self.administration) }
    }

    /// Notes what was refused.
    pub(crate) async fn note(&self, store: &dyn Store) {
        let refused = self.take();
        if refused == Refusals::default() {
            return;
        }
        if let Err(error) = store.record_refusals(refused).await {
            tracing::error!(%error, ?refused, "cannot note in the audit that tokens were refused");
        }
    }
}

/// Notes what was refused, every minute and once more at `stop`.
pub(crate) async fn note(count: Arc<RefusalCount>, store: Arc<dyn Store>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(NOTED_EVERY) => {}
        }
        count.note(store.as_ref()).await;
    }
}
