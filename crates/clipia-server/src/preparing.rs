//! What generations need from elsewhere is fetched before they take a worker's time.
//!
//! A worker that has claimed such a request leaves it to a task of its own and goes on to the next. The task waits for a
//! place of its account's share, fetches, and then waits for a worker's slot. Of an account that has its whole share, no
//! more such requests are claimed: they are passed over and stay in line, so that its hosts, which may hang, hold up
//! neither the others nor what it asks for without them.

use crate::executors::{Job, NotMade};
use crate::metrics::Metrics;
use crate::pause;
use crate::shares::{Party, Places};
use crate::store::{AccountId, Claim, StoreError, WorkRefused};
use crate::workers::{Attempt, Workers, unbroken};
use clipia_queue::shares::Share;
use prometheus_client::metrics::gauge::Gauge;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::SemaphorePermit;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Generations of one queue that fetch, or have fetched and wait for a worker: the images of all of them are in memory,
/// 20 MiB each at most.
const PLACES: usize = 16;

/// How often a request is held that is being prepared: well before the lease of the shortest attempt is over.
const HOLD_EVERY: Duration = Duration::from_secs(1);

/// What the workers of one queue share to prepare requests.
pub struct Preparing {
    places: Arc<Places<AccountId>>,
    /// Accounts of which requests were set aside.
    aside: Mutex<HashSet<AccountId>>,
    /// How many these are, for metrics.
    accounts_aside: Gauge,
    tasks: TaskTracker,
}

impl Party for AccountId {
    fn share(&self) -> Share {
        Share::Whole
    }
}

impl Preparing {
    /// Prepares in tasks that are counted in `tasks`.
    pub fn new(metrics: &Metrics, tasks: TaskTracker) -> Self {
        Self {
            places: Places::new(PLACES, metrics.fetches.clone(), metrics.fetches_waiting.clone()),
            aside: Mutex::default(),
            accounts_aside: metrics.accounts_aside.clone(),
            tasks,
        }
    }

    fn aside(&self) -> MutexGuard<'_, HashSet<AccountId>> {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers that requests of these accounts stand aside.
    fn note(&self, accounts: impl IntoIterator<Item = AccountId>) {
        let mut aside = self.aside();
        for account in accounts {
            if aside.insert(account) {
                self.accounts_aside.inc();
            }
        }
    }

    /// Takes out an account that has room and of which requests stand aside, with how much room it has.
    fn next_with_room(&self) -> Option<(AccountId, u32)> {
        let mut aside = self.aside();
        let room = |account: &AccountId| u32::try_from(self.places.room(account)).unwrap_or(u32::MAX);
        let (account, room) =
            aside.iter().map(|account| (account.clone(), room(account))).find(|(_, room)| *room > 0)?;
        aside.remove(&account);
        self.accounts_aside.dec();
        Some((account, room))
    }
}

/// A prepared job, the right to try the executor if that pauses, and a slot.
type Ready<'w> = (Job, Option<pause::Trial<'w>>, Option<SemaphorePermit<'w>>);

impl Workers {
    /// Claims the next request in line that may run.
    pub(crate) async fn claim(&self) -> Result<Option<Claim>, StoreError> {
        self.put_back().await?;
        loop {
            let full = self.preparing.places.full();
            let mut past = self.store.claim_past(&self.queue, self.node, 1, full).await?;
            self.preparing.note(past.aside);
            let claim = past.claims.pop();
            if claim.is_some() || !past.more {
                return Ok(claim);
            }
        }
    }

    /// Puts requests back in line that were set aside, as far as their accounts have room now.
    async fn put_back(&self) -> Result<(), StoreError> {
        let mut again = Vec::new();
        let mut result = Ok(());
        // Each account is taken out before its requests are put back: what another worker sets aside meanwhile is noted
        // after that.
        while let Some((account, room)) = self.preparing.next_with_room() {
            let put_back = self.store.put_back(&self.queue, &account, room).await;
            if !put_back.as_ref().is_ok_and(|count| *count < room) {
                again.push(account);
            }
            if let Err(error) = put_back {
                result = Err(error);
                break;
            }
        }
        self.preparing.note(again);
        result
    }

    /// Leaves a request to a task that prepares it and then works on it.
    pub(crate) fn prepare(
        self: &Arc<Self>,
        attempt: Attempt,
        job: Job,
        drain: &CancellationToken,
        stop: &CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (workers, drain, stop) = (Arc::clone(self), drain.clone(), stop.child_token());
        async move {
            workers.prepare_and_work(attempt, job, drain, stop).await;
            // There may be room for what was set aside.
            workers.submitted.notify_one();
        }
    }

    /// Where tasks that prepare are counted.
    pub(crate) fn preparing_tasks(&self) -> &TaskTracker {
        &self.preparing.tasks
    }

    async fn prepare_and_work(
        &self,
        mut attempt: Attempt,
        job: Job,
        drain: CancellationToken,
        stop: CancellationToken,
    ) {
        let ready = tokio::select! {
            ready = self.ready(job) => ready,
            // It is given back at once: what it waits for may never come.
            () = drain.cancelled() => Err(NotMade::Stopped),
            // Only returns when the request is no longer this worker's, as by a cancel.
            () = self.hold(&mut attempt) => return,
        };
        let (job, trial, _slot) = match ready {
            Ok((job, trial, slot)) => (Ok(job), trial, slot),
            Err(why) => (Err(why), None, None),
        };
        if job.is_ok() {
            match self.store.hold(attempt.id, attempt.epoch).await {
                Ok(()) => {}
                // The lease was prolonged a moment ago, and the attempt prolongs it: what was fetched is not lost for this.
                Err(WorkRefused::Store(error)) => tracing::error!(%error, "cannot hold a request"),
                Err(error) => {
                    tracing::warn!(%error, "a generation was lost while it was prepared");
                    return;
                }
            }
        }
        let worked = self.work(attempt, job, stop).await;
        self.tried(worked, trial);
    }

    /// The prepared job, and a worker's slot for it.
    async fn ready(&self, job: Job) -> Result<Ready<'_>, NotMade> {
        let place = self.preparing.places.wait(job.account.clone()).await;
        let job = unbroken(self.executor.prepare(job)).await?;
        let (trial, slot) = self.free().await;
        drop(place);
        // The next one of the account can be fetched while this one is made.
        self.submitted.notify_one();
        Ok((job, trial, slot))
    }

    /// Holds a request whose attempt has not begun, until it is lost.
    async fn hold(&self, attempt: &mut Attempt) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(HOLD_EVERY) => {}
                () = attempt.called_off() => {}
            }
            match self.store.hold(attempt.id, attempt.epoch).await {
                Ok(()) => {}
                Err(WorkRefused::Store(error)) => tracing::error!(%error, "cannot hold a request"),
                Err(error) => {
                    tracing::info!(%error, "a generation was called off while it was prepared");
                    return;
                }
            }
        }
    }
}
