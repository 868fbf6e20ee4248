//! The preparation of requests that need something from another host, before a worker spends time on them.
//!
//! A worker that claims such a request hands it to a task, and claims the next request. The task waits for one of its
//! account's preparation slots, fetches, and then waits for a worker slot. While an account uses its whole share of preparation
//! slots, no more such requests of the account are claimed: the claim sets them aside. So a host that hangs delays neither
//! other accounts, nor requests of the same account that need no host.

use crate::executors::{Job, JobError};
use crate::metrics::Metrics;
use crate::pause;
use crate::shared_slots::{Party, SharedSlots};
use crate::store::{AccountId, Claim, StoreError, WorkRefused};
use crate::workers::{Attempt, Workers, catch_panic};
use clipia_queue::shares::Share;
use prometheus_client::metrics::gauge::Gauge;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::SemaphorePermit;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The preparation slots of one queue. A request holds one while it fetches and while it waits for a worker. What it fetched is
/// kept meanwhile: 20 MiB in memory at most for the built-in model, and files on the disk for a program.
const SLOTS: usize = 16;

/// How often the lease of a request in preparation is prolonged: well before the shortest lease expires.
const HOLD_INTERVAL: Duration = Duration::from_secs(1);

/// The preparation of one queue's requests.
pub(crate) struct Preparation {
    slots: Arc<SharedSlots<AccountId>>,
    /// The accounts with requests that were set aside.
    aside: Mutex<HashSet<AccountId>>,
    /// The metric of these accounts.
    accounts_aside: Gauge,
    tasks: TaskTracker,
}

impl Party for AccountId {
    fn share(&self) -> Share {
        Share::Whole
    }
}

impl Preparation {
    /// A preparation whose tasks are tracked in `tasks`.
    pub(crate) fn new(metrics: &Metrics, tasks: TaskTracker) -> Self {
        Self {
            slots: SharedSlots::new(SLOTS, metrics.fetches.clone(), metrics.fetches_waiting.clone()),
            aside: Mutex::default(),
            accounts_aside: metrics.accounts_aside.clone(),
            tasks,
        }
    }

    fn aside(&self) -> MutexGuard<'_, HashSet<AccountId>> {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tracker of the tasks that prepare.
    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// Notes that requests of these accounts were set aside.
    fn note_aside(&self, accounts: impl IntoIterator<Item = AccountId>) {
        let mut aside = self.aside();
        for account in accounts {
            if aside.insert(account) {
                self.accounts_aside.inc();
            }
        }
    }

    /// Removes an account with requests set aside and with free slots; returns it with the number of free slots.
    fn take_account_with_slots(&self) -> Option<(AccountId, u32)> {
        let mut aside = self.aside();
        let free = |account: &AccountId| u32::try_from(self.slots.free_for(account)).unwrap_or(u32::MAX);
        let (account, free) =
            aside.iter().map(|account| (account.clone(), free(account))).find(|(_, free)| *free > 0)?;
        aside.remove(&account);
        self.accounts_aside.dec();
        Some((account, free))
    }
}

/// A prepared job, a trial if the executor is paused, and a worker slot.
type Ready<'w> = (Job, Option<pause::Trial<'w>>, Option<SemaphorePermit<'w>>);

impl Workers {
    /// Claims the first request of the queue that can run.
    pub(crate) async fn claim(&self) -> Result<Option<Claim>, StoreError> {
        self.put_back().await?;
        loop {
            let full = self.preparation.slots.full();
            let mut past = self.store.claim_past(&self.queue, self.node.into(), 1, full).await?;
            self.preparation.note_aside(past.aside);
            let claim = past.claims.pop();
            if claim.is_some() || !past.more {
                return Ok(claim);
            }
        }
    }

    /// Puts requests that were set aside back into the queue, as many as their accounts have free slots.
    async fn put_back(&self) -> Result<(), StoreError> {
        let mut still_aside = Vec::new();
        let mut result = Ok(());
        // An account is removed before its requests are put back. So a request that another worker sets aside meanwhile is
        // noted afterwards, and not lost.
        while let Some((account, free)) = self.preparation.take_account_with_slots() {
            let put_back = self.store.put_back(&self.queue, &account, free).await;
            if !put_back.as_ref().is_ok_and(|count| *count < free) {
                still_aside.push(account);
            }
            if let Err(error) = put_back {
                result = Err(error);
                break;
            }
        }
        self.preparation.note_aside(still_aside);
        result
    }

    /// Prepares a request and then runs its attempt, for a task of its own.
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
            // A slot is free again, perhaps for a request that was set aside.
            workers.submitted.notify_one();
        }
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
            // The request is released at once: the host may never respond.
            () = drain.cancelled() => Err(JobError::Stopped),
            // The hold only ends when the lease is lost, as by a cancel.
            () = self.hold(&mut attempt) => return,
        };
        let (job, trial, _slot) = match ready {
            Ok((job, trial, slot)) => (Ok(job), trial, slot),
            Err(why) => (Err(why), None, None),
        };
        if job.is_ok() {
            match self.store.hold(attempt.id, attempt.epoch).await {
                Ok(()) => {}
                // The attempt goes on: its lease was prolonged a moment ago, and its beats prolong it again.
                Err(WorkRefused::Store(error)) => tracing::error!(%error, "cannot hold a request"),
                Err(error) => {
                    tracing::warn!(%error, "a generation was lost while it was prepared");
                    return;
                }
            }
        }
        let unavailable = self.work(attempt, job, stop).await;
        self.update_pause(unavailable, trial);
    }

    /// Prepares a job, and waits for a worker slot.
    async fn ready(&self, job: Job) -> Result<Ready<'_>, JobError> {
        let preparation_slot = self.preparation.slots.wait(job.account.clone()).await;
        let job = catch_panic(self.executor.prepare(job)).await?;
        let (trial, slot) = self.free_slot().await;
        drop(preparation_slot);
        // The account's next request can be prepared while this one runs.
        self.submitted.notify_one();
        Ok((job, trial, slot))
    }

    /// Prolongs the lease of a request whose attempt has not begun. Returns when the lease is lost.
    async fn hold(&self, attempt: &mut Attempt) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(HOLD_INTERVAL) => {}
                () = attempt.maybe_canceled() => {}
            }
            match self.store.hold(attempt.id, attempt.epoch).await {
                Ok(()) => {}
                Err(WorkRefused::Store(error)) => tracing::error!(%error, "cannot hold a request"),
                Err(error) => {
                    tracing::info!(%error, "a generation was lost while it was prepared");
                    return;
                }
            }
        }
    }
}
