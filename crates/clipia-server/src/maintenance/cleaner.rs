//! The cleaner deletes what has been kept for its time: media, inputs and attempts of ended requests, and then the requests.

use super::{DoneBy, RoundError, Service};
use crate::media::MediaStore;
use crate::store::{DueOf, DuePage, Store, StoreError};
use clipia_queue::retention::{Horizon, Part, Retention};
use clipia_queue::{RequestId, ids};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// The most requests of one step, and so of one commit.
const STEP: usize = 128;

/// The pause between two steps, in which the store runs other commands.
const STEP_PAUSE: Duration = Duration::from_millis(2);

/// The parts in the order of their deletion: the other parts of a request go before the request itself.
const PARTS: [Part; 4] = [Part::Media, Part::Input, Part::Attempts, Part::Request];

pub(crate) struct Cleaner {
    store: Arc<dyn Store>,
    media: MediaStore,
    retention: Retention,
    /// The progress in each part since the server started.
    progress: Mutex<HashMap<Part, Progress>>,
}

#[derive(Default)]
struct Progress {
    /// The last request that was checked; all before it were checked too.
    through: Option<RequestId>,
    /// The checked requests whose part is not deleted yet. Each round checks them again.
    late: BTreeSet<RequestId>,
}

impl Cleaner {
    pub(crate) fn new(store: Arc<dyn Store>, media: MediaStore, retention: Retention) -> Self {
        Self { store, media, retention, progress: Mutex::default() }
    }

    async fn clean(&self, part: Part, horizon: Horizon, progress: &mut Progress) -> Result<u64, RoundError> {
        let mut gone = 0;
        let late: Vec<RequestId> = progress.late.iter().copied().collect();
        for ids in late.chunks(STEP) {
            let page = self.store.due(part, horizon, DueOf::These(ids.to_vec())).await?;
            ids.iter().for_each(|id| {
                progress.late.remove(id);
            });
            gone += self.step(part, horizon, page, progress).await?;
        }
        loop {
            let of = DueOf::After { after: progress.through, limit: STEP };
            let page = self.store.due(part, horizon, of).await?;
            let next = page.next;
            gone += self.step(part, horizon, page, progress).await?;
            let Some(next) = next else { break };
            progress.through = Some(next);
        }
        let end = RequestId(ids::last_before(horizon.ended));
        progress.through = progress.through.max(Some(end));
        Ok(gone)
    }

    async fn step(
        &self,
        part: Part,
        horizon: Horizon,
        page: DuePage,
        progress: &mut Progress,
    ) -> Result<u64, RoundError> {
        let DuePage { due, late, .. } = page;
        progress.late.extend(late);
        if due.is_empty() {
            return Ok(0);
        }
        // A request that this step fails to delete is checked again.
        progress.late.extend(&due);
        if matches!(part, Part::Media | Part::Request) {
            self.media.remove_requests(due.clone()).await?;
        }
        let gone = self.store.let_go(part, horizon, due).await?;
        gone.iter().for_each(|id| {
            progress.late.remove(id);
        });
        tokio::time::sleep(STEP_PAUSE).await;
        Ok(gone.len() as u64)
    }

    /// Returns the store's free space to the file system.
    async fn give_back(&self) -> Result<u64, StoreError> {
        let mut bytes = 0;
        loop {
            let given = self.store.give_back().await?;
            bytes += given.bytes;
            if !given.more {
                return Ok(bytes);
            }
            tokio::time::sleep(STEP_PAUSE).await;
        }
    }
}

impl Service for Cleaner {
    const NAME: &'static str = "cleaner";
    const DONE_BY: DoneBy = DoneBy::OneNode;

    fn pause(&self) -> Duration {
        self.retention.pause()
    }

    async fn round(&self, _paused: Duration) -> Result<u64, RoundError> {
        let (now, mut progress, mut all) = (self.store.now(), self.progress.lock().await, 0);
        for part in PARTS {
            let Some(horizon) = self.retention.horizon(part, now) else { continue };
            let gone = self.clean(part, horizon, progress.entry(part).or_default()).await?;
            if gone > 0 {
                tracing::info!(part = part.name(), gone, "deleted what was kept for its time");
            }
            all += gone;
        }
        let bytes = self.give_back().await?;
        if bytes > 0 {
            tracing::info!(bytes, "returned free space of the store to the file system");
        }
        Ok(all)
    }
}
