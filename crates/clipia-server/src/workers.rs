//! The workers of a queue. A worker claims a request, runs the executor, and reports the end of the attempt to the store.

use crate::events::Canceled;
use crate::executors::{Executor, Job, JobControl, JobError, JobOutput};
use crate::failpoints;
use crate::living::{Alive, LivingAttempts};
use crate::media::{self, MediaStore, WriteError, WrittenFiles};
use crate::metrics::{AttemptOutcome, Metrics};
use crate::pause::{self, Pause};
use crate::preparation::Preparation;
use crate::store::{Beat, Claim, Failure, NodeId, Store, WorkRefused};
use clipia_api::Progress;
use clipia_api::types::Output;
use clipia_queue::RequestId;
use clipia_queue::catalogue::Catalogue;
use clipia_queue::leases::HEARTBEAT;
use clipia_queue::lifecycle::Epoch;
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, Notify, Semaphore, SemaphorePermit, broadcast};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// How often a worker checks the progress and the log. It writes progress that has grown, and new lines.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// The longest wait for a request between two claims, in case a wake-up was lost.
const IDLE_MAX: Duration = Duration::from_secs(1);

/// The epoch of the first claim. Before a later one, an attempt may have left files.
const FIRST_EPOCH: Epoch = Epoch(1);

/// The pause before the end of an attempt is reported again.
const REPORT_PAUSE: Duration = Duration::from_millis(500);

/// The most reports of one end, where the store's error is not likely to pass.
const REPORTS_MAX: u32 = 5;

/// The state that the workers of one queue share.
pub(crate) struct Workers {
    /// The name of the queue and of its executor.
    pub(crate) queue: String,
    pub(crate) executor: Arc<dyn Executor>,
    /// The process of the workers.
    pub(crate) node: NodeId,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) catalogue: Arc<Catalogue>,
    /// The store of output files.
    pub(crate) media: MediaStore,
    /// Notified when a request was submitted to the queue.
    pub(crate) submitted: Arc<Notify>,
    /// Sends the requests that were canceled.
    pub(crate) canceled: broadcast::Sender<Canceled>,
    /// The pause of the executor.
    pub(crate) pause: Arc<Pause>,
    /// Whether the last claim failed: only the first failure of a series is logged.
    pub(crate) claims_fail: AtomicBool,
    pub(crate) metrics: Arc<Metrics>,
    /// The running attempts.
    pub(crate) living: LivingAttempts,
    /// A slot for each worker. Prepared requests wait for a slot too.
    pub(crate) slots: Semaphore,
    /// The requests that are being prepared.
    pub(crate) preparation: Preparation,
    /// Held by the one idle worker that polls the queue. If all polled, a thousand idle workers would be a load.
    pub(crate) watch: Mutex<()>,
}

/// An attempt at a claimed request. While this value exists, the rescuer does not take the request back.
pub(crate) struct Attempt {
    pub(crate) id: RequestId,
    pub(crate) epoch: Epoch,
    model: String,
    canceled: broadcast::Receiver<Canceled>,
    _alive: Alive<(RequestId, Epoch)>,
}

impl Attempt {
    /// Returns when the request may have been canceled. The next beat asks the store, which decides. Without this event a
    /// worker would see a cancel only at its next regular beat.
    pub(crate) async fn maybe_canceled(&mut self) {
        while self.canceled.recv().await.is_ok_and(|canceled| canceled.is_some_and(|id| id != self.id)) {}
    }
}

impl Workers {
    /// Claims and makes requests until `drain`. A running attempt may end after that; at `stop` its request is released.
    pub(crate) async fn run(self: Arc<Self>, drain: CancellationToken, stop: CancellationToken) {
        while !drain.is_cancelled() {
            let (trial, slot) = tokio::select! {
                () = drain.cancelled() => return,
                free = self.free_slot() => free,
            };
            // The subscription begins before the claim, so that no cancel after the claim is missed.
            let canceled = self.canceled.subscribe();
            match self.claim().await {
                Ok(Some(claim)) => {
                    if self.claims_fail.swap(false, Ordering::Relaxed) {
                        tracing::info!("requests can be claimed again");
                    }
                    // One wake-up may stand for several submits.
                    self.submitted.notify_one();
                    self.start_attempt(claim, canceled, trial, &drain, &stop).await;
                }
                Ok(None) => {
                    drop(slot);
                    // No request can try the executor now. The next one that is submitted does.
                    trial.iter().for_each(|_| self.pause.end());
                    drop(trial);
                    self.wait_for_work(&drain).await;
                }
                Err(error) => {
                    drop((slot, trial));
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
        claim: Claim,
        canceled: broadcast::Receiver<Canceled>,
        trial: Option<pause::Trial<'_>>,
        drain: &CancellationToken,
        stop: &CancellationToken,
    ) {
        let span = tracing::info_span!("generation", request_id = %claim.id, key_id = claim.key_id);
        let attempt = Attempt {
            id: claim.id,
            epoch: claim.epoch,
            model: claim.model.clone(),
            canceled,
            _alive: self.living.enter((claim.id, claim.epoch)),
        };
        failpoints::reached("after-claim");
        match self.job(claim) {
            Ok(job) if self.executor.needs_preparing(&job) => {
                // The task takes a trial of its own once the request is prepared.
                drop(trial);
                let prepared = self.prepare(attempt, job, drain, stop);
                self.preparation.tasks().spawn(prepared.instrument(span));
            }
            job => {
                let unavailable = self.work(attempt, job, stop.child_token()).instrument(span).await;
                self.update_pause(unavailable, trial);
            }
        }
    }

    /// A free worker slot, once media can be written, the executor is not paused and can begin a job. During a pause of the executor it comes
    /// with a trial, which is the right to try the executor.
    pub(crate) async fn free_slot(&self) -> (Option<pause::Trial<'_>>, Option<SemaphorePermit<'_>>) {
        loop {
            let trial = match self.media.pause().is_on() || self.pause.is_on() {
                false => None,
                true => {
                    self.media.pause().until_over().await;
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
    pub(crate) fn update_pause(&self, unavailable: Option<String>, trial: Option<pause::Trial<'_>>) {
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
            () = self.submitted.notified() => {}
            () = tokio::time::sleep(IDLE_MAX) => {}
        }
    }

    /// Runs one attempt to its end, and reports the end to the store. Returns why the executor cannot work now, if it cannot.
    pub(crate) async fn work(
        &self,
        mut attempt: Attempt,
        job: Result<Job, JobError>,
        stop: CancellationToken,
    ) -> Option<String> {
        let _running = self.metrics.begin();
        let (id, epoch, model) = (attempt.id, attempt.epoch, attempt.model.clone());
        tracing::info!(model, "generation started");
        let started = Instant::now();
        let control = JobControl::new(stop.clone());
        let made = tokio::select! {
            made = self.make(job, control.clone()) => made,
            // The beats only end when the lease is lost, as by a cancel. The store would refuse the executor's output.
            () = self.beat(&mut attempt, &control) => {
                control.stop();
                return None;
            }
        };
        let (mut files, mut unavailable) = (None, None);
        let end = match made {
            Ok((output, written)) => {
                files = written.commit();
                AttemptEnd::Completed(Box::new(output))
            }
            Err(MakeError::Executor(JobError::Failed(why))) => {
                tracing::info!(why, "generation failed");
                AttemptEnd::Failed(Failure::generation(why))
            }
            Err(MakeError::Executor(JobError::FailedWithCode { why, code })) => {
                tracing::info!(why, code, "generation failed");
                AttemptEnd::Failed(Failure::coded(code, why))
            }
            Err(MakeError::Executor(JobError::Lost(why))) => {
                tracing::warn!(why, "an attempt was lost");
                AttemptEnd::Lost(Failure::generation(why))
            }
            Err(MakeError::Executor(JobError::Unavailable(why))) => {
                unavailable = Some(why);
                AttemptEnd::Released
            }
            Err(MakeError::Executor(JobError::Stopped) | MakeError::MediaUnwritable) => AttemptEnd::Released,
        };
        match self.report_end(id, epoch, &control, &end, &stop).await {
            Ok(()) => {
                let (elapsed, outcome) = (started.elapsed(), end.outcome());
                self.metrics.ended(&model, outcome, elapsed);
                tracing::info!(outcome = outcome.name(), seconds = elapsed.as_secs_f64(), "generation ended");
                if epoch > FIRST_EPOCH && !matches!(end, AttemptEnd::Released | AttemptEnd::Lost(_)) {
                    self.media.discard_others(id, files).await;
                }
            }
            // The store may have the end or not. The media sweeper asks the store, and removes files that no output names.
            Err(error @ WorkRefused::Store(_)) => {
                tracing::error!(%error, "the end of a generation could not be stored");
            }
            Err(error) => {
                tracing::warn!(%error, "the end of a generation was refused");
                if let Some(directory) = files {
                    self.media.discard(directory).await;
                }
            }
        }
        unavailable
    }

    /// Reports the end of an attempt to the store, after the last lines that it logged. While the store itself fails, the report is
    /// repeated: an output must not be lost, nor made again, because of a full disk.
    async fn report_end(
        &self,
        id: RequestId,
        epoch: Epoch,
        control: &JobControl,
        end: &AttemptEnd,
        stop: &CancellationToken,
    ) -> Result<(), WorkRefused> {
        let mut reports = 0;
        loop {
            let result = match (self.report_last_lines(id, epoch, control).await, end) {
                (Err(refused), _) => Err(refused),
                (Ok(()), AttemptEnd::Completed(output)) => {
                    self.store.complete(id, epoch, Output::clone(output)).await
                }
                (Ok(()), AttemptEnd::Failed(why)) => self.store.fail(id, epoch, why.clone()).await,
                (Ok(()), AttemptEnd::Lost(why)) => self.store.lose(id, epoch, why.clone()).await,
                (Ok(()), AttemptEnd::Released) => self.store.release(id, epoch).await,
            };
            reports += 1;
            match result {
                Err(WorkRefused::Store(error))
                    if !stop.is_cancelled() && (error.is_transient() || reports < REPORTS_MAX) =>
                {
                    if reports == 1 {
                        tracing::error!(%error, "the end of a generation cannot be stored yet");
                    }
                    // When the server stops, the wait ends and there is one more report.
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = tokio::time::sleep(REPORT_PAUSE) => {}
                    }
                }
                result => return result,
            }
        }
    }

    /// Reports the lines that no beat has reported. An error that would not pass costs the lines, not the output.
    async fn report_last_lines(
        &self,
        id: RequestId,
        epoch: Epoch,
        control: &JobControl,
    ) -> Result<(), WorkRefused> {
        let logs = control.unreported_logs();
        let end = logs.end();
        if logs.lines.is_empty() {
            return Ok(());
        }
        match self.store.log(id, epoch, logs).await {
            Err(WorkRefused::Store(error)) if !error.is_transient() => {
                tracing::error!(%error, "the last log lines of a generation could not be stored");
            }
            result => result?,
        }
        control.logs_reported(end);
        Ok(())
    }

    /// The job of a claim.
    fn job(&self, claim: Claim) -> Result<Job, JobError> {
        let entry = self
            .catalogue
            .get(&claim.model)
            .ok_or_else(|| JobError::Failed(format!("the model `{}` is no longer offered", claim.model)))?;
        Ok(Job {
            id: claim.id,
            account: claim.account,
            model: Arc::new(entry.model.clone()),
            input: claim.input,
            base_url: claim.base_url,
            source: None,
            directory: None,
        })
    }

    /// Runs the executor, and writes the output's files.
    async fn make(
        &self,
        job: Result<Job, JobError>,
        control: JobControl,
    ) -> Result<(Output, WrittenFiles), MakeError> {
        let job = job?;
        let id = job.id;
        let JobOutput { output, files } = catch_panic(self.executor.run(job, control)).await?;
        let written = self.media.write(id, files).await.map_err(|error| match error {
            WriteError::Name(_) | WriteError::Changed(_) => {
                tracing::error!(%error, "an executor made files that cannot be kept");
                JobError::Failed("the files could not be stored".to_owned()).into()
            }
            // The pause of the media has begun, with the reason.
            WriteError::Io { .. } => MakeError::MediaUnwritable,
        })?;
        failpoints::reached("after-output");
        Ok((media::placed(output, written.address()), written))
    }

    /// Prolongs the lease, and writes the progress and the log lines. Returns when the lease is lost.
    async fn beat(&self, attempt: &mut Attempt, control: &JobControl) {
        let (mut written, mut last, mut fails) = (0, Instant::now(), false);
        loop {
            let maybe_canceled = tokio::select! {
                () = tokio::time::sleep(PROGRESS_INTERVAL) => false,
                () = attempt.maybe_canceled() => true,
            };
            let (percent, logs) = (control.percent(), control.unreported_logs());
            let is_new = percent != written || !logs.lines.is_empty();
            if !maybe_canceled && !is_new && last.elapsed() < HEARTBEAT {
                continue;
            }
            let end = logs.end();
            let beat = Beat { id: attempt.id, epoch: attempt.epoch, progress: Progress::new(percent), logs };
            match self.store.beat_one(beat).await {
                Ok(()) => {
                    control.logs_reported(end);
                    (written, last, fails) = (percent, Instant::now(), false);
                }
                Err(WorkRefused::Store(error)) => {
                    if !std::mem::replace(&mut fails, true) {
                        tracing::error!(%error, "cannot prolong a lease");
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a lease was lost");
                    return;
                }
            }
        }
    }
}

/// The result of an executor's call; a failure if the call panics. The same input would most likely panic again, so the
/// generation fails for good. The worker goes on.
pub(crate) async fn catch_panic<T>(call: impl Future<Output = Result<T, JobError>>) -> Result<T, JobError> {
    AssertUnwindSafe(call).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!("the executor panicked");
        Err(JobError::Failed("the executor broke down on this input".to_owned()))
    })
}

/// Why an attempt has no output.
enum MakeError {
    Executor(JobError),
    /// The executor made an output, and its files could not be written.
    MediaUnwritable,
}

impl From<JobError> for MakeError {
    fn from(error: JobError) -> Self {
        Self::Executor(error)
    }
}

/// How an attempt ended.
enum AttemptEnd {
    Completed(Box<Output>),
    Failed(Failure),
    /// The attempt is spent. The request goes back to its queue, or fails if it was the last one.
    Lost(Failure),
    /// The request goes back to its queue.
    Released,
}

impl AttemptEnd {
    fn outcome(&self) -> AttemptOutcome {
        match self {
            Self::Completed(_) => AttemptOutcome::Completed,
            Self::Failed(_) => AttemptOutcome::Failed,
            Self::Lost(_) => AttemptOutcome::Lost,
            Self::Released => AttemptOutcome::Released,
        }
    }
}
