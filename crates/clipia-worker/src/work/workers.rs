//! The workers of an executor. A worker claims a request, runs the executor, and reports the end of the attempt to the line.

use super::activity::{Activity, ClaimsLeft, UnderWay};
use super::attempt::{Attempt, Ended, Worked};
use super::line::{Canceled, Claimed, Line};
use super::pause::{Pause, Trial};
use super::preparation::Preparation;
use crate::executor::Executor;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit, broadcast, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// How many ends of each worker may wait to be recorded while it claims again. The claim of the next request may be answered before the end
/// of the last one is recorded, and a short attempt may end before it is, too.
const REPORTS_PER_WORKER: usize = 2;

/// The workers of one executor, which share its line.
pub struct Workers {
    pub(super) line: Arc<dyn Line>,
    pub(super) executor: Arc<dyn Executor>,
    /// The pause of the executor.
    pub(super) pause: Arc<Pause>,
    /// How many attempts run at once.
    count: usize,
    /// A slot for each worker. Prepared requests wait for a slot too.
    slots: Semaphore,
    /// The requests that are being prepared.
    pub(super) preparation: Preparation,
    /// A place for each end that is reported beside its worker: [`REPORTS_PER_WORKER`] for each.
    reports: Arc<Semaphore>,
    claims_left: ClaimsLeft,
    activity: watch::Sender<Activity>,
    /// Whether the last claim failed: only the first failure of a series is logged.
    claims_fail: AtomicBool,
    /// Held by the one idle worker that waits for the line. If all did, a thousand idle workers would be a load.
    watch: Mutex<()>,
}

impl Workers {
    /// `count` workers, which let `executor` make what comes over `line`. They claim nothing while `pause` is on, except for
    /// trials.
    pub fn new(
        line: Arc<dyn Line>,
        executor: Arc<dyn Executor>,
        count: usize,
        pause: Arc<Pause>,
        preparation: Preparation,
    ) -> Self {
        Self {
            line,
            executor,
            pause,
            count,
            slots: Semaphore::new(count),
            preparation,
            reports: Arc::new(Semaphore::new(REPORTS_PER_WORKER * count)),
            claims_left: ClaimsLeft::default(),
            activity: watch::Sender::default(),
            claims_fail: AtomicBool::default(),
            watch: Mutex::default(),
        }
    }

    /// Workers that claim `most` requests in all, and then no more.
    #[must_use]
    pub fn claim_at_most(self, most: usize) -> Self {
        Self { claims_left: ClaimsLeft::new(most), ..self }
    }

    /// What the workers are doing, as it changes.
    pub fn activity(&self) -> watch::Receiver<Activity> {
        self.activity.subscribe()
    }

    /// Waits until no attempt has been under way for `time`.
    pub async fn idle_for(&self, time: Duration) {
        let mut activity = self.activity();
        // `self` owns the sender, so neither wait fails.
        while activity.wait_for(|activity| activity.under_way == 0).await.is_ok()
            && tokio::time::timeout(time, activity.changed()).await.is_ok()
        {}
    }

    /// Runs all workers, until `drain` or until they have claimed [all that they may](Self::claim_at_most), and waits for their
    /// attempts. `stop` comes after `drain`: attempts that still run end, and their requests are released.
    ///
    /// # Panics
    /// If a worker panics, which is a fault of this program: a panic of the executor is not one.
    pub async fn run(self: Arc<Self>, drain: CancellationToken, stop: CancellationToken) {
        let mut workers = JoinSet::new();
        for _ in 0..self.count {
            workers.spawn(Arc::clone(&self).run_one(drain.clone(), stop.clone()));
        }
        workers.join_all().await;
        self.preparation.tasks().close();
        self.preparation.tasks().wait().await;
    }

    /// Runs one worker, for a caller that watches each: see [`run`](Self::run). The caller runs as many as the workers are, and
    /// waits for the tasks of the [`Preparation`] itself, which report ends too.
    pub async fn run_one(self: Arc<Self>, drain: CancellationToken, stop: CancellationToken) {
        while !drain.is_cancelled() {
            let (right, (trial, slot)) = tokio::select! {
                () = drain.cancelled() => return,
                right = self.claims_left.right() => match right {
                    None => return,
                    Some(right) => tokio::select! {
                        () = drain.cancelled() => return,
                        free = self.free_slot() => (right, free),
                    },
                },
            };
            // The subscription begins before the claim, so that no cancel after the claim is missed.
            let canceled = self.line.canceled();
            match self.line.claim(&self.preparation).await {
                Ok(Some(claimed)) => {
                    right.use_up();
                    if self.claims_fail.swap(false, Ordering::Relaxed) {
                        tracing::info!("requests can be claimed again");
                    }
                    // One wake-up may stand for several submits.
                    self.line.wake();
                    self.start_attempt(claimed, canceled, trial, &drain, &stop).await;
                }
                Ok(None) => {
                    drop((slot, right));
                    // No request can try the executor now. The next one that is submitted does.
                    trial.iter().for_each(|_| self.pause.end());
                    drop(trial);
                    self.wait_for_work(&drain).await;
                }
                Err(error) => {
                    drop((slot, trial, right));
                    if !self.claims_fail.swap(true, Ordering::Relaxed) {
                        tracing::error!(%error, "cannot claim requests");
                    }
                    self.wait_for_work(&drain).await;
                }
            }
        }
    }

    /// Runs the attempt at a claimed request, or hands it to a task that prepares it first.
    async fn start_attempt(
        self: &Arc<Self>,
        claimed: Claimed,
        canceled: broadcast::Receiver<Canceled>,
        trial: Option<Trial<'_>>,
        drain: &CancellationToken,
        stop: &CancellationToken,
    ) {
        let Claimed { attempt: id, key_id, model, job, recorded, alive, .. } = claimed;
        let span = tracing::info_span!("generation", request_id = %id.id, key_id);
        let attempt = Attempt::new(id, model, canceled, recorded, alive, UnderWay::begin(&self.activity));
        match job {
            Ok(job) if self.executor.needs_preparing(&job) => {
                // The task takes a trial of its own once the request is prepared.
                drop(trial);
                let prepared = self.prepare(attempt, job, drain, stop);
                self.preparation.tasks().spawn(prepared.instrument(span));
            }
            job => {
                let working = self.work(attempt, job, stop.child_token());
                let Worked { ended, unavailable } = working.instrument(span.clone()).await;
                self.update_pause(unavailable, trial);
                if let Some(ended) = ended {
                    self.report_beside(ended).instrument(span).await;
                }
            }
        }
    }

    /// Has a task report an end, so that the worker can claim again: a store records the end and the claim in one commit. Returns
    /// when the end was reported if the request goes back to its queue, where the next claim may find it, or if too many ends wait.
    async fn report_beside(self: &Arc<Self>, ended: Ended) {
        // The semaphore is never closed.
        let place = Arc::clone(&self.reports).try_acquire_owned().ok();
        match place {
            Some(place) if !ended.goes_back() => {
                let workers = Arc::clone(self);
                let report = async move {
                    workers.report(ended).await;
                    drop(place);
                };
                self.preparation.tasks().spawn(report.in_current_span());
            }
            _ => self.report(ended).await,
        }
    }

    /// A free worker slot, once files can be kept, the executor is not paused and can begin a job. During a pause of the executor
    /// it comes with a trial, which is the right to try the executor.
    pub(super) async fn free_slot(&self) -> (Option<Trial<'_>>, Option<SemaphorePermit<'_>>) {
        loop {
            let trial = match self.line.cannot_keep_files() || self.pause.is_on() {
                false => None,
                true => {
                    self.line.until_files_can_be_kept().await;
                    self.pause.trial().await
                }
            };
            // The semaphore is never closed.
            let slot = self.slots.acquire().await.ok();
            match self.executor.ready(trial.is_some()).await {
                Ok(()) => return (trial, slot),
                Err(why) => {
                    drop(slot);
                    self.update_pause(Some(why), trial);
                }
            }
        }
    }

    /// Begins, prolongs or ends the executor's pause after an attempt. `unavailable` is why the executor could not work.
    pub(super) fn update_pause(&self, unavailable: Option<String>, trial: Option<Trial<'_>>) {
        match (unavailable, trial) {
            (Some(why), None) => self.pause.begin("the executor cannot work now", &why),
            (Some(why), Some(_)) => self.pause.prolong(&why),
            (None, Some(_)) => self.pause.end(),
            (None, None) => {}
        }
    }

    async fn wait_for_work(&self, drain: &CancellationToken) {
        let _watch = tokio::select! {
            () = drain.cancelled() => return,
            watch = self.watch.lock() => watch,
        };
        tokio::select! {
            () = drain.cancelled() => {}
            () = self.line.work_submitted() => {}
        }
    }
}
