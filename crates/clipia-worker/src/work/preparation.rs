//! The preparation of requests that need something from another host, before a worker spends time on them.
//!
//! A worker that claims such a request hands it to a task, and claims the next request. The task waits for one of its
//! account's preparation slots, fetches, and then waits for a worker slot. While an account uses its whole share of preparation
//! slots, no more such requests of the account are claimed: the claim sets them aside. So a host that hangs delays neither
//! other accounts, nor requests of the same account that need no host.

use super::attempt::{Attempt, Worked, catch_panic};
use super::line::{PreparationRoom, ReportRefused};
use super::pause::Trial;
use super::shared_slots::SharedSlots;
use super::workers::Workers;
use crate::executor::JobError;
use crate::job::Job;
use clipia_queue::AccountId;
use prometheus_client::metrics::gauge::Gauge;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::SemaphorePermit;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The preparation slots of one executor. A request holds one while it fetches and while it waits for a worker. What it fetched is
/// kept meanwhile: 20 MiB in memory at most for the built-in model, and files on the disk for a program.
const SLOTS: usize = 16;

/// How often the lease of a request in preparation is prolonged: well before the shortest lease expires.
const HOLD_INTERVAL: Duration = Duration::from_secs(1);

/// The preparation of one executor's requests.
pub struct Preparation {
    slots: Arc<SharedSlots<AccountId>>,
    tasks: TaskTracker,
}

impl Preparation {
    /// A preparation whose tasks are tracked in `tasks`. `in_use` counts the slots in use, and `waiting` the requests that wait for
    /// one.
    pub fn new(in_use: Gauge, waiting: Gauge, tasks: TaskTracker) -> Self {
        Self { slots: SharedSlots::new(SLOTS, in_use, waiting), tasks }
    }

    /// The tracker of the tasks that prepare.
    pub(super) fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }
}

impl Default for Preparation {
    /// A preparation that is not counted, with a tracker of its own.
    fn default() -> Self {
        Self::new(Gauge::default(), Gauge::default(), TaskTracker::new())
    }
}

impl PreparationRoom for Preparation {
    fn full(&self) -> Vec<AccountId> {
        self.slots.full()
    }

    fn free_for(&self, account: &AccountId) -> usize {
        self.slots.free_for(account)
    }
}

/// A prepared job, a trial if the executor is paused, and a worker slot.
type Ready<'w> = (Job, Option<Trial<'w>>, Option<SemaphorePermit<'w>>);

impl Workers {
    /// Prepares a request and then runs its attempt, for a task of its own.
    pub(super) fn prepare(
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
            workers.line.wake();
        }
    }

    async fn prepare_and_work(
        &self,
        mut attempt: Attempt,
        job: Job,
        drain: CancellationToken,
        stop: CancellationToken,
    ) {
        if let Err(error) = attempt.recorded.clone().await {
            tracing::warn!(%error, "a claim could not be recorded");
            return;
        }
        let ready = tokio::select! {
            ready = self.ready(job) => ready,
            // The request is released at once: the host may never respond.
            () = drain.cancelled() => Err(JobError::Stopped),
            // The hold only ends when the lease is lost, as by a cancel.
            () = self.hold(&mut attempt) => return,
        };
        let (job, trial, slot) = match ready {
            Ok((job, trial, slot)) => (Ok(job), trial, slot),
            Err(why) => (Err(why), None, None),
        };
        if job.is_ok() {
            match self.line.hold(attempt.id).await {
                Ok(()) => {}
                // The attempt goes on: its lease was prolonged a moment ago, and its beats prolong it again.
                Err(ReportRefused::Unrecorded { error, .. }) => {
                    tracing::error!(%error, "cannot hold a request");
                }
                Err(ReportRefused::Lost(error)) => {
                    tracing::warn!(%error, "a generation was lost while it was prepared");
                    return;
                }
            }
        }
        let Worked { ended, unavailable } = self.work(attempt, job, stop).await;
        self.update_pause(unavailable, trial);
        if let Some(ended) = ended {
            // A request that goes back to its queue keeps the slot until it is there.
            let _slot = slot.filter(|_| ended.goes_back());
            self.report(ended).await;
        }
    }

    /// Prepares a job, and waits for a worker slot.
    async fn ready(&self, job: Job) -> Result<Ready<'_>, JobError> {
        let preparation_slot = self.preparation.slots.wait(job.account.clone()).await;
        let job = catch_panic(self.executor.prepare(job)).await?;
        let (trial, slot) = self.free_slot().await;
        drop(preparation_slot);
        // The account's next request can be prepared while this one runs.
        self.line.wake();
        Ok((job, trial, slot))
    }

    /// Prolongs the lease of a request whose attempt has not begun. Returns when the lease is lost.
    async fn hold(&self, attempt: &mut Attempt) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(HOLD_INTERVAL) => {}
                () = attempt.maybe_canceled() => {}
            }
            match self.line.hold(attempt.id).await {
                Ok(()) => {}
                Err(ReportRefused::Unrecorded { error, .. }) => {
                    tracing::error!(%error, "cannot hold a request");
                }
                Err(ReportRefused::Lost(error)) => {
                    tracing::info!(%error, "a generation was lost while it was prepared");
                    return;
                }
            }
        }
    }
}
