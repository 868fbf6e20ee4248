//! The cleaner deletes what has been kept for its time: media, inputs and attempts of ended requests, and then the requests.
//!
//! A store may keep the requests of each month apart, and drop a month at once. A month is dropped when all its requests have had their
//! time. Where requests are kept for long, they wait for that. If one of a month stays much longer, the others are deleted one by one.

use super::{DoneBy, RoundError, Service};
use crate::media::MediaStore;
use crate::store::{DueOf, DuePage, Month, Store, StoreError};
use clipia_queue::RequestId;
use clipia_queue::retention::{Horizon, Part, Retention};
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
    /// The progress since the server started.
    progress: Mutex<AllProgress>,
}

#[derive(Default)]
struct AllProgress {
    parts: HashMap<Part, Progress>,
    /// In each month that may be dropped, by the highest id before it.
    months: HashMap<RequestId, Progress>,
}

#[derive(Default)]
struct Progress {
    /// The last request that was checked; all before it were checked too.
    through: Option<RequestId>,
    /// The checked requests whose part is not deleted yet. Each round checks them again.
    late: BTreeSet<RequestId>,
}

/// What becomes of requests whose part has had its time.
#[derive(Clone, Copy)]
enum Aim {
    /// The part of each is deleted.
    Each,
    /// Their month is dropped later on: only their media are deleted here, which are not in the store.
    Month,
}

impl Cleaner {
    pub(crate) fn new(store: Arc<dyn Store>, media: MediaStore, retention: Retention) -> Self {
        Self { store, media, retention, progress: Mutex::default() }
    }

    /// Looks at all requests up to `through`.
    async fn clean(
        &self,
        aim: Aim,
        part: Part,
        horizon: Horizon,
        through: RequestId,
        progress: &mut Progress,
    ) -> Result<u64, RoundError> {
        let mut gone = 0;
        let late: Vec<RequestId> = progress.late.iter().copied().collect();
        for ids in late.chunks(STEP) {
            let page = self.store.due(part, horizon, DueOf::These(ids.to_vec())).await?;
            ids.iter().for_each(|id| {
                progress.late.remove(id);
            });
            gone += self.step(aim, part, horizon, page, progress).await?;
        }
        loop {
            let of = DueOf::After { after: progress.through, through, limit: STEP };
            let page = self.store.due(part, horizon, of).await?;
            let next = page.next;
            gone += self.step(aim, part, horizon, page, progress).await?;
            let Some(next) = next else { break };
            progress.through = Some(next);
        }
        progress.through = progress.through.max(Some(through));
        Ok(gone)
    }

    async fn step(
        &self,
        aim: Aim,
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
        let gone = match aim {
            Aim::Each => self.store.let_go(part, horizon, due).await?,
            Aim::Month => due,
        };
        gone.iter().for_each(|id| {
            progress.late.remove(id);
        });
        tokio::time::sleep(STEP_PAUSE).await;
        Ok(match aim {
            Aim::Each => gone.len() as u64,
            Aim::Month => 0,
        })
    }

    /// Deletes requests, by whole months as far as that is possible.
    async fn clean_requests(
        &self,
        horizon: Horizon,
        months: &[Month],
        all: &mut AllProgress,
    ) -> Result<u64, RoundError> {
        let mut gone = 0;
        let over = months.iter().take_while(|month| month.last <= horizon.last());
        for month in over.clone() {
            gone += self.drop_month(*month, horizon, &mut all.months).await?.unwrap_or(0);
        }
        let through = if months.is_empty() || !self.retention.goes_by_month() {
            horizon.last()
        } else {
            let waited = over.take_while(|month| month.last <= horizon.last_that_waited());
            waited.last().map_or(months[0].before, |month| month.last)
        };
        let progress = all.parts.entry(Part::Request).or_default();
        Ok(gone + self.clean(Aim::Each, Part::Request, horizon, through, progress).await?)
    }

    /// Drops a month if all its requests have had their time. Returns how many there were; nothing where it stays.
    async fn drop_month(
        &self,
        month: Month,
        horizon: Horizon,
        all: &mut HashMap<RequestId, Progress>,
    ) -> Result<Option<u64>, RoundError> {
        let begin = || Progress { through: Some(month.before), late: BTreeSet::new() };
        let progress = all.entry(month.before).or_insert_with(begin);
        self.clean(Aim::Month, Part::Request, horizon, month.last, progress).await?;
        if !progress.late.is_empty() {
            return Ok(None);
        }
        let gone = self.store.drop_month(month, horizon).await?;
        if gone.is_some() {
            all.remove(&month.before);
        }
        Ok(gone)
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
        let months = self.store.months().await?;
        for part in PARTS {
            let Some(horizon) = self.retention.horizon(part, now) else { continue };
            let gone = match part {
                Part::Request => self.clean_requests(horizon, &months, &mut progress).await?,
                _ if !months.is_empty() && self.retention.goes_with_month(part) => 0,
                _ => {
                    let progress = progress.parts.entry(part).or_default();
                    self.clean(Aim::Each, part, horizon, horizon.last(), progress).await?
                }
            };
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
