//! Workers take requests out of the line and have an executor make them.

use crate::clock::now;
use crate::executors::{Executor, Job, Made, NotMade, Report};
use crate::failpoints;
use crate::lines::Lines;
use crate::media::{self, MediaStore};
use crate::store::{Claim, Failure, Store, WorkRefused};
use clipia_api::Progress;
use clipia_api::types::Output;
use clipia_queue::catalogue::Catalogue;
use clipia_queue::leases::HEARTBEAT;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

/// How often progress is looked at and, if it has grown, written.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// How long the worker that watches rests where it finds nothing, against a lost notice.
const REST: Duration = Duration::from_secs(1);

/// How often leases are looked at that may have been lost.
const RESCUE_EVERY: Duration = Duration::from_secs(5);

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
    /// Held by the one idle worker that watches the line: a thousand that all look would be a load.
    pub watch: Mutex<()>,
}

impl Workers {
    /// Works until `drain`: then what runs may end, and is given back once `stop` comes.
    pub async fn run(self: Arc<Self>, drain: CancellationToken, stop: CancellationToken) {
        while !drain.is_cancelled() {
            match self.store.claim(&self.queue, now()).await {
                Ok(Some(claim)) => {
                    // There may be more in line than notices were given.
                    self.submitted.notify_one();
                    self.work(claim, stop.child_token()).await;
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
    async fn work(&self, claim: Claim, stop: CancellationToken) {
        let (id, epoch) = (claim.id, claim.epoch);
        failpoints::reached("after-claim");
        tracing::info!(request_id = %id, model = claim.model, "generation started");
        let started = Instant::now();
        let report = Report::new(stop);
        let made = tokio::select! {
            made = self.make(claim, report.clone()) => made,
            // Only returns when the lease is lost. The executor is told, and its output would be refused.
            () = self.beat(id, epoch, &report) => {
                report.stop();
                return;
            }
        };
        let told = match made {
            Ok(output) => self.store.complete(id, epoch, output, now()).await,
            Err(NotMade::Failed(why)) => {
                tracing::info!(request_id = %id, why, "generation failed");
                self.store.fail(id, epoch, Failure::generation(why), now()).await
            }
            Err(NotMade::Stopped) => self.store.release(id, epoch).await,
        };
        match told {
            Ok(()) => {
                tracing::info!(request_id = %id, seconds = started.elapsed().as_secs_f64(), "generation ended");
                self.ended.notify_one();
            }
            Err(error) => tracing::warn!(request_id = %id, %error, "the end of a generation was refused"),
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
            tracing::error!(request_id = %claim.id, %error, "cannot keep the files of a generation");
            NotMade::Failed("the files could not be stored".to_owned())
        })?;
        failpoints::reached("after-output");
        Ok(media::placed(output, &directory))
    }

    /// Keeps the lease and writes progress, until the lease is lost.
    async fn beat(&self, id: clipia_api::RequestId, epoch: clipia_queue::lifecycle::Epoch, report: &Report) {
        let (mut written, mut last) = (0, Instant::now());
        loop {
            tokio::time::sleep(PROGRESS_EVERY).await;
            let percent = report.percent();
            if percent == written && last.elapsed() < HEARTBEAT {
                continue;
            }
            match self.store.beat(id, epoch, Progress::new(percent), now()).await {
                Ok(()) => (written, last) = (percent, Instant::now()),
                Err(WorkRefused::Store(error)) => {
                    tracing::error!(request_id = %id, %error, "cannot prolong a lease");
                }
                Err(error) => {
                    tracing::warn!(request_id = %id, %error, "a lease was lost");
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
