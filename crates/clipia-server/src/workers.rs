//! Workers take requests out of the line and have an executor make them.

use crate::clock::now;
use crate::executors::{Executor, Job, Made, NotMade, Report};
use crate::failpoints;
use crate::lines::Lines;
use crate::living::LivingAttempts;
use crate::media::{self, MediaStore};
use crate::metrics::{Metrics, Outcome};
use crate::store::{Claim, Failure, Rescue, Store, WorkRefused};
use clipia_api::Progress;
use clipia_api::types::Output;
use clipia_queue::RequestId;
use clipia_queue::catalogue::Catalogue;
use clipia_queue::leases::HEARTBEAT;
use clipia_queue::lifecycle::Epoch;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, Notify, broadcast};
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
    /// The attempts in hand.
    pub living: LivingAttempts,
    /// Held by the one idle worker that watches the line: a thousand that all look would be a load.
    pub watch: Mutex<()>,
}

impl Workers {
    /// Works until `drain`: then what runs may end, and is given back once `stop` comes.
    pub async fn run(self: Arc<Self>, drain: CancellationToken, stop: CancellationToken) {
        while !drain.is_cancelled() {
            // From before the claim, so that none of what follows it is missed.
            let canceled = self.canceled.subscribe();
            match self.store.claim(&self.queue, now()).await {
                Ok(Some(claim)) => {
                    // There may be more in line than notices were given.
                    self.submitted.notify_one();
                    let span =
                        tracing::info_span!("generation", request_id = %claim.id, key_id = claim.key_id);
                    self.metrics.running.inc();
                    self.work(claim, canceled, stop.child_token()).instrument(span).await;
                    self.metrics.running.dec();
                }
                Ok(None) => self.rest(&drain).await,
                Err(error) => {
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
    async fn work(&self, claim: Claim, canceled: broadcast::Receiver<RequestId>, stop: CancellationToken) {
        let (id, epoch) = (claim.id, claim.epoch);
        let _living = self.living.enter((id, epoch));
        failpoints::reached("after-claim");
        let model = claim.model.clone();
        tracing::info!(model, "generation started");
        let started = Instant::now();
        let report = Report::new(stop);
        let made = tokio::select! {
            made = self.make(claim, report.clone()) => made,
            // Only returns when the lease is lost, as by a cancel. The executor is told, and its output would be refused.
            () = self.beat(id, epoch, &report, canceled) => {
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

    async fn make(&self, claim: Claim, report: Report) -> Result<Output, NotMade> {
        let entry = self
            .catalogue
            .get(&claim.model)
            .ok_or_else(|| NotMade::Failed(format!("the model `{}` is no longer offered", claim.model)))?;
        let job = Job {
            id: claim.id,
            model: Arc::new(entry.model.clone()),
            input: claim.input,
            base_url: claim.base_url,
        };
        let Made { output, files } = self.executor.run(job, report).await?;
        let directory = self.media.keep(claim.id, files).await.map_err(|error| {
            tracing::error!(%error, "cannot keep the files of a generation");
            NotMade::Failed("the files could not be stored".to_owned())
        })?;
        failpoints::reached("after-output");
        Ok(media::placed(output, &directory))
    }

    /// Keeps the lease and writes progress, until the lease is lost.
    async fn beat(
        &self,
        id: RequestId,
        epoch: Epoch,
        report: &Report,
        mut canceled: broadcast::Receiver<RequestId>,
    ) {
        let (mut written, mut last) = (0, Instant::now());
        loop {
            // The store decides, also on another server; the word only spares the wait for the next beat.
            let called_off = tokio::select! {
                () = tokio::time::sleep(PROGRESS_EVERY) => false,
                word = canceled.recv() => word.map_or(true, |canceled| canceled == id),
            };
            let percent = report.percent();
            if !called_off && percent == written && last.elapsed() < HEARTBEAT {
                continue;
            }
            match self.store.beat(id, epoch, Progress::new(percent), now()).await {
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

/// Takes back requests whose worker has fallen silent and is none of the `living`, until `stop`.
pub async fn rescue(
    store: Arc<dyn Store>,
    living: LivingAttempts,
    lines: Lines,
    ended: Arc<Notify>,
    stop: CancellationToken,
) {
    loop {
        let rested = Instant::now();
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(RESCUE_EVERY) => {}
        }
        // All stood still, and a worker may be about to say that it has what was claimed for it.
        if rested.elapsed() >= 2 * RESCUE_EVERY {
            continue;
        }
        match store.rescue(Rescue::Silent(living.clone()), now()).await {
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
