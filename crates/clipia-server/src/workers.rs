//! Workers take requests out of the line and have an executor make them.

use crate::clock::now;
use crate::executors::{Executor, Job, Made, NotMade, Report};
use crate::failpoints;
use crate::lines::Lines;
use crate::media::{self, MediaStore};
use crate::metrics::{Metrics, Outcome};
use crate::preparing::Preparing;
use crate::store::{Claim, Failure, Store, WorkRefused};
use clipia_api::Progress;
use clipia_api::types::Output;
use clipia_queue::RequestId;
use clipia_queue::catalogue::Catalogue;
use clipia_queue::leases::HEARTBEAT;
use clipia_queue::lifecycle::Epoch;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, Notify, Semaphore, broadcast};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// How often progress is looked at and, if it has grown, written.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// How long the worker that watches rests where it finds nothing, against a lost notice.
const REST: Duration = Duration::from_secs(1);

/// How often leases are looked at that may have been lost.
const RESCUE_EVERY: Duration = Duration::from_secs(5);

/// How many requests that were called off are remembered for workers that are slow to hear it. One that has missed some
/// asks the store.
pub const CANCELED_KEPT: usize = 64;

/// What the workers of one queue share.
pub struct Workers {
    /// The line's name, which is the executor's.
    pub queue: String,
    /// What makes the outputs.
    pub executor: Arc<dyn Executor>,
    /// Where the requests are.
    pub store: Arc<dyn Store>,
    /// What can be generated.
    pub catalogue: Arc<Catalogue>,
    /// Where files are kept.
    pub media: MediaStore,
    /// Says that a request was submitted.
    pub submitted: Arc<Notify>,
    /// Says that a request has ended.
    pub ended: Arc<Notify>,
    /// Says which request was called off.
    pub canceled: broadcast::Sender<RequestId>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Slots to work in, as many as there are workers. What was prepared waits for one of them too.
    pub slots: Semaphore,
    /// What is fetched before a worker's time is taken.
    pub preparing: Preparing,
    /// Held by the one idle worker that watches the line: a thousand that all look would be a load.
    pub watch: Mutex<()>,
}

/// A worker's turn at a request.
pub(crate) struct Turn {
    pub(crate) id: RequestId,
    pub(crate) epoch: Epoch,
    model: String,
    canceled: broadcast::Receiver<RequestId>,
}

impl Turn {
    /// Comes when the request may have been called off. The store decides, also on another server; the word only spares
    /// the wait for the next beat.
    pub(crate) async fn called_off(&mut self) {
        while self.canceled.recv().await.is_ok_and(|canceled| canceled != self.id) {}
    }
}

impl Workers {
    /// Works until `drain`: then what runs may end, and is given back once `stop` comes.
    pub async fn run(self: Arc<Self>, drain: CancellationToken, stop: CancellationToken) {
        while !drain.is_cancelled() {
            let slot = tokio::select! {
                () = drain.cancelled() => return,
                slot = self.slots.acquire() => slot,
            };
            // From before the claim, so that none of what follows it is missed.
            let canceled = self.canceled.subscribe();
            match self.claim().await {
                Ok(Some(claim)) => {
                    // There may be more in line than notices were given.
                    self.submitted.notify_one();
                    let span =
                        tracing::info_span!("generation", request_id = %claim.id, key_id = claim.key_id);
                    let turn =
                        Turn { id: claim.id, epoch: claim.epoch, model: claim.model.clone(), canceled };
                    failpoints::reached("after-claim");
                    match self.job(claim) {
                        Ok(job) if self.executor.needs_preparing(&job) => {
                            let prepared = self.prepare(turn, job, &drain, &stop);
                            self.preparing_tasks().spawn(prepared.instrument(span));
                        }
                        job => self.work(turn, job, stop.child_token()).instrument(span).await,
                    }
                }
                Ok(None) => {
                    drop(slot);
                    self.rest(&drain).await;
                }
                Err(error) => {
                    drop(slot);
                    tracing::error!(%error, "cannot take a request out of the line");
                    self.rest(&drain).await;
                }
            }
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

    /// Runs one request to its end, or gives it back.
    pub(crate) async fn work(&self, turn: Turn, job: Result<Job, NotMade>, stop: CancellationToken) {
        self.metrics.running.inc();
        self.run_one(turn, job, stop).await;
        self.metrics.running.dec();
    }

    async fn run_one(&self, turn: Turn, job: Result<Job, NotMade>, stop: CancellationToken) {
        let (id, epoch, model) = (turn.id, turn.epoch, turn.model.clone());
        tracing::info!(model, "generation started");
        let started = Instant::now();
        let report = Report::new(stop);
        let made = tokio::select! {
            made = self.make(job, report.clone()) => made,
            // Only returns when the lease is lost, as by a cancel. The executor is told, and its output would be refused.
            () = self.beat(turn, &report) => {
                report.stop();
                return;
            }
        };
        let (outcome, told) = match made {
            Ok(output) => (Outcome::Completed, self.store.complete(id, epoch, output, now()).await),
            Err(NotMade::Failed(why)) => {
                tracing::info!(why, "generation failed");
                (Outcome::Failed, self.store.fail(id, epoch, Failure::generation(why), now()).await)
            }
            Err(NotMade::Stopped) => (Outcome::Released, self.store.release(id, epoch, now()).await),
        };
        match told {
            Ok(()) => {
                let elapsed = started.elapsed();
                self.metrics.ended(&model, outcome, elapsed);
                tracing::info!(outcome = outcome.name(), seconds = elapsed.as_secs_f64(), "generation ended");
                self.ended.notify_one();
            }
            Err(error) => tracing::warn!(%error, "the end of a generation was refused"),
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

    async fn make(&self, job: Result<Job, NotMade>, report: Report) -> Result<Output, NotMade> {
        let job = job?;
        let id = job.id;
        let Made { output, files } = self.executor.run(job, report).await?;
        let directory = self.media.keep(id, files).await.map_err(|error| {
            tracing::error!(%error, "cannot keep the files of a generation");
            NotMade::Failed("the files could not be stored".to_owned())
        })?;
        failpoints::reached("after-output");
        Ok(media::placed(output, &directory))
    }

    /// Keeps the lease and writes progress, until the lease is lost.
    async fn beat(&self, mut turn: Turn, report: &Report) {
        let (mut written, mut last) = (0, Instant::now());
        loop {
            let called_off = tokio::select! {
                () = tokio::time::sleep(PROGRESS_EVERY) => false,
                () = turn.called_off() => true,
            };
            let percent = report.percent();
            if !called_off && percent == written && last.elapsed() < HEARTBEAT {
                continue;
            }
            match self.store.beat(turn.id, turn.epoch, Progress::new(percent), now()).await {
                Ok(()) => (written, last) = (percent, Instant::now()),
                Err(WorkRefused::Store(error)) => {
                    tracing::error!(%error, "cannot prolong a lease");
                }
                Err(error) => {
                    tracing::warn!(%error, "a lease was lost");
                    return;
                }
            }
        }
    }
}

/// Takes back requests whose worker has fallen silent, until `stop`.
pub async fn rescue(store: Arc<dyn Store>, lines: Lines, ended: Arc<Notify>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(RESCUE_EVERY) => {}
        }
        match store.rescue(false, now()).await {
            Ok(rescued) if rescued.requeued + rescued.failed > 0 => {
                tracing::warn!(?rescued, "took requests back from workers that fell silent");
                lines.wake_all();
                ended.notify_one();
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "cannot look for lost leases"),
        }
    }
}
