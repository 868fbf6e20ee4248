//! Lets go of what has had its time: media, inputs and attempts of requests that ended, and then the requests.

use super::{Service, Trouble};
use crate::blocking;
use crate::media::MediaStore;
use crate::store::{DueOf, DuePage, Store, StoreError};
use clipia_queue::retention::{Horizon, Part, Retention};
use clipia_queue::{RequestId, ids};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// Requests that one step looks at, and one commit lets go.
const STEP: usize = 128;

/// From one step to the next: other commands of the store go between.
const REST: Duration = Duration::from_millis(2);

/// A part goes before the request that it is of.
const PARTS: [Part; 4] = [Part::Media, Part::Input, Part::Attempts, Part::Request];

pub(crate) struct Cleaner {
    store: Arc<dyn Store>,
    media: MediaStore,
    retention: Retention,
    /// How far each part was looked at since the server started.
    looked_at: Mutex<HashMap<Part, LookedAt>>,
}

#[derive(Default)]
struct LookedAt {
    /// All requests up to this one were looked at.
    through: Option<RequestId>,
    /// Those of them that had not had their time: each is looked at again.
    late: BTreeSet<RequestId>,
}

impl Cleaner {
    pub(crate) fn new(store: Arc<dyn Store>, media: MediaStore, retention: Retention) -> Self {
        Self { store, media, retention, looked_at: Mutex::default() }
    }

    async fn clean(&self, part: Part, horizon: Horizon, looked_at: &mut LookedAt) -> Result<u64, Trouble> {
        let mut gone = 0;
        let late: Vec<RequestId> = looked_at.late.iter().copied().collect();
        for ids in late.chunks(STEP) {
            let page = self.store.due(part, horizon, DueOf::These(ids.to_vec())).await?;
            ids.iter().for_each(|id| {
                looked_at.late.remove(id);
            });
            gone += self.step(part, horizon, page, looked_at).await?;
        }
        loop {
            let of = DueOf::After { after: looked_at.through, limit: STEP };
            let page = self.store.due(part, horizon, of).await?;
            let next = page.next;
            gone += self.step(part, horizon, page, looked_at).await?;
            let Some(next) = next else { break };
            looked_at.through = Some(next);
        }
        let end = RequestId(ids::last_before(horizon.ended));
        looked_at.through = looked_at.through.max(Some(end));
        Ok(gone)
    }

    async fn step(
        &self,
        part: Part,
        horizon: Horizon,
        page: DuePage,
        looked_at: &mut LookedAt,
    ) -> Result<u64, Trouble> {
        let DuePage { due, late, .. } = page;
        looked_at.late.extend(late);
        if due.is_empty() {
            return Ok(0);
        }
        // What is not let go by this step is looked at again.
        looked_at.late.extend(&due);
        if matches!(part, Part::Media | Part::Request) {
            let (media, of) = (self.media.clone(), due.clone());
            blocking::run(move || of.iter().try_for_each(|id| media.remove_request(*id))).await??;
        }
        let gone = self.store.let_go(part, horizon, due).await?;
        gone.iter().for_each(|id| {
            looked_at.late.remove(id);
        });
        tokio::time::sleep(REST).await;
        Ok(gone.len() as u64)
    }

    async fn give_back(&self) -> Result<u64, StoreError> {
        let mut bytes = 0;
        loop {
            let given = self.store.give_back().await?;
            bytes += given.bytes;
            if !given.more {
                return Ok(bytes);
            }
            tokio::time::sleep(REST).await;
        }
    }
}

impl Service for Cleaner {
    const NAME: &'static str = "cleaner";

    fn pause(&self) -> Duration {
        self.retention.pause()
    }

    async fn round(&self, _rested: Duration) -> Result<u64, Trouble> {
        let (now, mut looked_at, mut all) = (self.store.now(), self.looked_at.lock().await, 0);
        for part in PARTS {
            let Some(horizon) = self.retention.horizon(part, now) else { continue };
            let gone = self.clean(part, horizon, looked_at.entry(part).or_default()).await?;
            if gone > 0 {
                tracing::info!(part = part.name(), gone, "let go what was kept for its time");
            }
            all += gone;
        }
        let bytes = self.give_back().await?;
        if bytes > 0 {
            tracing::info!(bytes, "gave space of the store back");
        }
        Ok(all)
    }
}
