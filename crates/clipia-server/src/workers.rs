//! Workers take requests out of the line and have an executor make them.

use crate::events::Canceled;
use crate::executors::{Executor, Job, Made, NotMade, Report};
use crate::failpoints;
use crate::living::{Alive, LivingAttempts};
use crate::media::{self, KeepError, Kept, MediaStore};
use crate::metrics::{Metrics, Outcome};
use crate::pause::{self, Pause};
use crate::preparing::Preparing;
use crate::store::{Claim, Failure, NodeId, Store, WorkRefused};
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

/// How often progress is looked at and, if it has grown, written.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// How long the worker that watches rests where it finds nothing, against a lost notice.
const REST: Duration = Duration::from_secs(1);

/// The epoch of the first claim. A later one may have come after an attempt that left files.
const FIRST: Epoch = Epoch(1);

/// From one try to the next to tell the store how a generation ended.
const TELL_AGAIN: Duration = Duration::from_millis(500);

/// How often that is tried where the store fails in a way that is not likely to pass.
const TELLS_MAX: u32 = 5;

/// What the workers of one queue share.
pub struct Workers {
    /// The line's name, which is the executor's.
    pub queue: String,
    /// What makes the outputs.
    pub executor: Arc<dyn Executor>,
    /// The process that they are in.
    pub node: NodeId,
    /// Where the requests are.
    pub store: Arc<dyn Store>,
    /// What can be generated.
    pub catalogue: Arc<Catalogue>,
    /// Where files are kept.
    pub media: MediaStore,
    /// Says that a request was submitted.
    pub submitted: Arc<Notify>,
    /// Says which request was called off.
    pub canceled: broadcast::Sender<Canceled>,
    /// Whether the executor cannot work now, as far as is known.
    pub pause: Arc<Pause>,
    /// Whether the last claim failed: the log is told of the first of many.
    pub claims_fail: AtomicBool,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The attempts in hand.
    pub living: LivingAttempts,
    /// Slots to work in, as many as there are workers. What was prepared waits for one of them too.
    pub slots: Semaphore,
    /// What is fetched before a worker's time is taken.
    pub preparing: Preparing,
    /// Held by the one idle worker that watches the line: a thousand that all look would be a load.
    pub watch: Mutex<()>,
}

/// A claimed request, and the epoch of its claim. While this value exists, the rescue leaves the request to its worker.
pub(crate) struct Attempt {
    pub(crate) id: RequestId,
    pub(crate) epoch: Epoch,
    model: String,
    canceled: broadcast::Receiver<Canceled>,
    _alive: Alive<(RequestId, Epoch)>,
}

impl Attempt {
    /// Comes when the request may have been called off. The store decides, also on another server; the word only spares
    /// the wait for the next beat.
    pub(crate) async fn called_off(&mut self) {
        while self.canceled.recv().await.is_ok_and(|canceled| canceled.is_some_and(|id| id != self.id)) {}
    }
}

impl Workers {
    /// Works until `drain`: then what runs may end, and is given back once `stop` comes.
    pub async fn run(self: Arc<Self>, drain: CancellationToken, stop: CancellationToken) {
        while !drain.is_cancelled() {
            let (trial, slot) = tokio::select! {
                () = drain.cancelled() => return,
                free = self.free() => free,
            };
            // From before the claim, so that none of what follows it is missed.
            let canceled = self.canceled.subscribe();
            match self.claim().await {
                Ok(Some(claim)) => {
                    if self.claims_fail.swap(false, Ordering::Relaxed) {
                        tracing::info!("requests are taken out of the line again");
                    }
                    // There may be more in line than notices were given.
                    self.submitted.notify_one();
                    let span =
                        tracing::info_span!("generation", request_id = %claim.id, key_id = claim.key_id);
                    let attempt = Attempt {
                        id: claim.id,
                        epoch: claim.epoch,
                        model: claim.model.clone(),
                        canceled,
                        _alive: self.living.enter((claim.id, claim.epoch)),
                    };
                    failpoints::reached("after-claim");
                    match self.job(claim) {
                        // It tries the executor once it is prepared.
                        Ok(job) if self.executor.needs_preparing(&job) => {
                            drop(trial);
                            let prepared = self.prepare(attempt, job, &drain, &stop);
                            self.preparing_tasks().spawn(prepared.instrument(span));
                        }
                        job => {
                            let worked = self.work(attempt, job, stop.child_token()).instrument(span).await;
                            self.tried(worked, trial);
                        }
                    }
                }
                Ok(None) => {
                    drop(slot);
                    // With nothing to try, whatever is submitted next will.
                    trial.iter().for_each(|_| self.pause.end());
                    drop(trial);
                    self.rest(&drain).await;
                }
                Err(error) => {
                    drop((slot, trial));
                    if !self.claims_fail.swap(true, Ordering::Relaxed) {
                        tracing::error!(%error, "cannot take requests out of the line");
                    }
                    self.rest(&drain).await;
                }
            }
        }
    }

    /// A slot to work in, once media can be written and the executor can work, or with the right to try whether it can.
    pub(crate) async fn free(&self) -> (Option<pause::Trial<'_>>, Option<SemaphorePermit<'_>>) {
        let trial = match self.media.pause().is_on() || self.pause.is_on() {
            false => None,
            true => {
                self.media.pause().over().await;
                self.pause.trial().await
            }
        };
        // The semaphore is never closed.
        (trial, self.slots.acquire().await.ok())
    }

    /// Heeds why the executor could not work, if it could not, and what came of a trial.
    pub(crate) fn tried(&self, not_now: Option<String>, trial: Option<pause::Trial<'_>>) {
        match (not_now, trial) {
            (Some(why), None) => self.pause.begin("the executor cannot work now", &why),
            (Some(why), Some(_)) => self.pause.prolong(&why),
            (None, Some(_)) => self.pause.end(),
            (None, None) => {}
        }
    }

    async fn rest(&self, drain: &CancellationToken) {
        let _watch = tokio::select! {
            () = drain.cancelled() => return,
            watch = self.watch.lock() => watch,
        };
        tokio::select! {
            () = drain.cancelled() => {}
            () = self.submitted.notified() => {}
            () = tokio::time::sleep(REST) => {}
        }
    }

    /// Runs one request to its end, or gives it back. Tells why the executor cannot work now, where that is so.
    pub(crate) async fn work(
        &self,
        mut attempt: Attempt,
        job: Result<Job, NotMade>,
        stop: CancellationToken,
    ) -> Option<String> {
        let _running = self.metrics.begin();
        let (id, epoch, model) = (attempt.id, attempt.epoch, attempt.model.clone());
        tracing::info!(model, "generation started");
        let started = Instant::now();
        let report = Report::new(stop.clone());
        let made = tokio::select! {
            made = self.make(job, report.clone()) => made,
            // Only returns when the lease is lost, as by a cancel. The executor is told, and its output would be refused.
            () = self.beat(&mut attempt, &report) => {
                report.stop();
                return None;
            }
        };
        let (mut files, mut not_now) = (None, None);
        let end = match made {
            Ok((output, kept)) => {
                files = kept.stay();
                End::Output(output)
            }
            Err(Unmade::Executor(NotMade::Failed(why))) => {
                tracing::info!(why, "generation failed");
                End::Failure(Failure::generation(why))
            }
            Err(Unmade::Executor(NotMade::NotNow(why))) => {
                not_now = Some(why);
                End::GivenBack
            }
            Err(Unmade::Executor(NotMade::Stopped) | Unmade::NoRoom) => End::GivenBack,
        };
        match self.tell(id, epoch, &end, &stop).await {
            Ok(()) => {
                let (elapsed, outcome) = (started.elapsed(), end.outcome());
                self.metrics.ended(&model, outcome, elapsed);
                tracing::info!(outcome = outcome.name(), seconds = elapsed.as_secs_f64(), "generation ended");
                if epoch > FIRST && !matches!(end, End::GivenBack) {
                    self.media.discard_others(id, files).await;
                }
            }
            // Whether it was stored is not known: a sweep asks the store.
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
        not_now
    }

    /// Tells the store how an attempt ended, again and again while that fails for the store's own sake: what was made must not be
    /// lost for a full disk, nor made twice.
    async fn tell(
        &self,
        id: RequestId,
        epoch: Epoch,
        end: &End,
        stop: &CancellationToken,
    ) -> Result<(), WorkRefused> {
        let mut tries = 0;
        loop {
            let told = match end {
                End::Output(output) => self.store.complete(id, epoch, output.clone()).await,
                End::Failure(why) => self.store.fail(id, epoch, why.clone()).await,
                End::GivenBack => self.store.release(id, epoch).await,
            };
            tries += 1;
            match told {
                Err(WorkRefused::Store(error))
                    if !stop.is_cancelled() && (error.is_transient() || tries < TELLS_MAX) =>
                {
                    if tries == 1 {
                        tracing::error!(%error, "the end of a generation cannot be stored yet");
                    }
                    // Once the server stops, there is one more.
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = tokio::time::sleep(TELL_AGAIN) => {}
                    }
                }
                told => return told,
            }
        }
    }

    /// What a claim asks to make.
    fn job(&self, claim: Claim) -> Result<Job, NotMade> {
        let entry = self
            .catalogue
            .get(&claim.model)
            .ok_or_else(|| NotMade::Failed(format!("the model `{}` is no longer offered", claim.model)))?;
        Ok(Job {
            id: claim.id,
            account: claim.account,
            model: Arc::new(entry.model.clone()),
            input: claim.input,
            base_url: claim.base_url,
            source: None,
        })
    }

    async fn make(&self, job: Result<Job, NotMade>, report: Report) -> Result<(Output, Kept), Unmade> {
        let job = job?;
        let id = job.id;
        let Made { output, files } = unbroken(self.executor.run(job, report)).await?;
        let kept = self.media.keep(id, files).await.map_err(|error| match error {
            KeepError::Name(_) => {
                tracing::error!(%error, "an executor made files that cannot be kept");
                NotMade::Failed("the files could not be stored".to_owned()).into()
            }
            // The media pause, and say why.
            KeepError::NoRoom { .. } => Unmade::NoRoom,
        })?;
        failpoints::reached("after-output");
        Ok((media::placed(output, kept.address()), kept))
    }

    /// Keeps the lease and writes progress, until the lease is lost.
    async fn beat(&self, attempt: &mut Attempt, report: &Report) {
        let (mut written, mut last, mut fails) = (0, Instant::now(), false);
        loop {
            let called_off = tokio::select! {
                () = tokio::time::sleep(PROGRESS_EVERY) => false,
                () = attempt.called_off() => true,
            };
            let percent = report.percent();
            if !called_off && percent == written && last.elapsed() < HEARTBEAT {
                continue;
            }
            match self.store.beat(attempt.id, attempt.epoch, Progress::new(percent)).await {
                Ok(()) => (written, last, fails) = (percent, Instant::now(), false),
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

/// What an executor answers, or that it panicked. Somebody else's program may. The same input would most likely panic again: the
/// generation fails, as that of an executor does which says so, and the worker goes on.
pub(crate) async fn unbroken<T>(answer: impl Future<Output = Result<T, NotMade>>) -> Result<T, NotMade> {
    AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!("the executor panicked");
        Err(NotMade::Failed("the executor broke down on this input".to_owned()))
    })
}

/// Why a worker has no output.
enum Unmade {
    Executor(NotMade),
    /// There was one, and its files could not be written.
    NoRoom,
}

impl From<NotMade> for Unmade {
    fn from(not_made: NotMade) -> Self {
        Self::Executor(not_made)
    }
}

/// How an attempt ended.
enum End {
    Output(Output),
    Failure(Failure),
    /// For another attempt.
    GivenBack,
}

impl End {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Output(_) => Outcome::Completed,
            Self::Failure(_) => Outcome::Failed,
            Self::GivenBack => Outcome::Released,
        }
    }
}
