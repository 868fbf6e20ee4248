//! The line from the server's own workers to its store.

use crate::failpoints;
use crate::living::LivingAttempts;
use crate::media::{self, MediaStore, WriteError};
use crate::metrics::Metrics;
use crate::queues::Queue;
use crate::served_models::ServedModels;
use crate::store::{Beat, Claim, Holder, Store, WorkRefused};
use async_trait::async_trait;
use clipia_api::Progress;
use clipia_queue::leases::HEARTBEAT;
use clipia_queue::lifecycle::Epoch;
use clipia_queue::logs::LogLines;
use clipia_worker::work::{
    AttemptId, Canceled, Claimed, End, KeepError, KeptOutput, Line, PreparationRoom, ReportRefused,
};
use clipia_worker::{Job, JobError, JobOutput};
use futures_util::{FutureExt, TryFutureExt};
use std::any::Any;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;

/// The longest wait for a request between two claims, in case a wake-up was lost.
const IDLE_MAX: Duration = Duration::from_secs(1);

/// The epoch of the first claim. Before a later one, an attempt may have left files.
const FIRST_EPOCH: Epoch = Epoch(1);

/// The line from workers to one queue of the store.
pub(crate) struct StoreLine {
    /// The name of the queue and of its executor.
    pub(crate) name: String,
    pub(crate) queue: Queue,
    /// Who claims.
    pub(crate) holder: Holder,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) catalogue: Arc<ServedModels>,
    /// The store of output files.
    pub(crate) media: MediaStore,
    /// Sends the requests that were canceled.
    pub(crate) canceled: broadcast::Sender<Canceled>,
    /// The running attempts.
    pub(crate) living: LivingAttempts,
    pub(crate) metrics: Arc<Metrics>,
}

/// The directory of an output's files; none where it has no files.
type Kept = Option<String>;

#[async_trait]
impl Line for StoreLine {
    async fn claim(
        &self,
        room: &dyn PreparationRoom,
    ) -> Result<Option<Claimed>, Arc<dyn Error + Send + Sync>> {
        let claims = self.queue.aside.claim(self.store.as_ref(), &self.name, &self.holder, room, 1).await;
        let (claim, recorded) = match claims.map(|(mut claims, recorded)| (claims.pop(), recorded)) {
            Ok((Some(claim), recorded)) => (claim, recorded),
            Ok((None, _)) => return Ok(None),
            Err(error) => return Err(Arc::new(error)),
        };
        // The rescuer does not take the request back while this exists.
        let alive = Box::new(self.living.enter((claim.id, claim.epoch)));
        failpoints::reached("after-claim");
        Ok(Some(Claimed {
            attempt: AttemptId { id: claim.id, epoch: claim.epoch },
            account: claim.account.clone(),
            key_id: Some(claim.key_id.clone()),
            model: claim.model.clone(),
            job: self.job(claim),
            recorded: recorded.wait().map_err(|error| Arc::new(error) as _).boxed().shared(),
            alive,
        }))
    }

    async fn work_submitted(&self) {
        // A wait that is over its time is a wake-up, too.
        let _ = tokio::time::timeout(IDLE_MAX, self.queue.submitted.notified()).await;
    }

    fn wake(&self) {
        self.queue.submitted.notify_one();
    }

    fn canceled(&self) -> broadcast::Receiver<Canceled> {
        self.canceled.subscribe()
    }

    fn heartbeat(&self) -> Duration {
        HEARTBEAT
    }

    async fn until_files_can_be_kept(&self) {
        self.media.pause().until_over().await;
    }

    fn cannot_keep_files(&self) -> bool {
        self.media.pause().is_on()
    }

    async fn hold(&self, AttemptId { id, epoch }: AttemptId) -> Result<(), ReportRefused> {
        self.store.hold(id, epoch).await.map_err(refused)
    }

    async fn beat(
        &self,
        AttemptId { id, epoch }: AttemptId,
        percent: u8,
        logs: LogLines,
    ) -> Result<(), ReportRefused> {
        let beat = Beat { id, epoch, progress: Progress::new(percent), logs };
        self.store.beat_one(beat).await.map_err(refused)
    }

    async fn keep_files(&self, attempt: AttemptId, made: JobOutput) -> Result<KeptOutput, KeepError> {
        let JobOutput { output, files } = made;
        let written = self.media.write(attempt.id, files).await.map_err(|error| match error {
            WriteError::Name(_) | WriteError::Changed(_) => {
                tracing::error!(%error, "an executor made files that cannot be kept");
                KeepError::Unfit("the files could not be stored".to_owned())
            }
            // The pause of the media has begun, with the reason.
            WriteError::Io { .. } => KeepError::NoRoom,
        })?;
        failpoints::reached("after-output");
        let output = media::placed(output, written.address());
        // The files stay from here on, since the end that names them may be in the store whatever comes of its report.
        let kept: Kept = written.commit();
        Ok(KeptOutput { output: Box::new(output), files: Box::new(kept) })
    }

    async fn end(&self, attempt: AttemptId, end: &End, logs: LogLines) -> Result<(), ReportRefused> {
        let AttemptId { id, epoch } = attempt;
        self.report_last_lines(attempt, logs).await?;
        let recorded = match end {
            End::Completed(kept) => self.store.complete(id, epoch, (*kept.output).clone()).await,
            End::Failed(why) => self.store.fail(id, epoch, why.clone()).await,
            End::Lost(why) => self.store.lose(id, epoch, why.clone()).await,
            End::Released => self.store.release(id, epoch).await,
        };
        recorded.map_err(refused)
    }

    async fn recorded(&self, attempt: AttemptId, end: End) {
        let kept = match end {
            End::Completed(kept) => directory(kept),
            End::Failed(_) => None,
            End::Lost(_) | End::Released => return,
        };
        if attempt.epoch > FIRST_EPOCH {
            self.media.discard_others(attempt.id, kept).await;
        }
    }

    async fn discard(&self, kept: KeptOutput) {
        if let Some(directory) = directory(kept) {
            self.media.discard(directory).await;
        }
    }

    fn began(&self) -> Box<dyn Any + Send + Sync> {
        Box::new(self.metrics.begin())
    }

    fn ended(&self, model: &str, end: &End, after: Duration) {
        self.metrics.ended(model, end, after);
    }
}

impl StoreLine {
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

    /// Reports the lines that no beat has reported. An error that would not pass costs the lines, not the output.
    async fn report_last_lines(
        &self,
        AttemptId { id, epoch }: AttemptId,
        logs: LogLines,
    ) -> Result<(), ReportRefused> {
        if logs.lines.is_empty() {
            return Ok(());
        }
        match self.store.log(id, epoch, logs).await {
            Err(WorkRefused::Store(error)) if !error.is_transient() => {
                tracing::error!(%error, "the last log lines of a generation could not be stored");
                Ok(())
            }
            reported => reported.map_err(refused),
        }
    }
}

/// The directory of an output that a [`StoreLine`] has kept.
fn directory(kept: KeptOutput) -> Kept {
    kept.files.downcast::<Kept>().ok().and_then(|directory| *directory)
}

/// Why the store did not accept a report.
fn refused(error: WorkRefused) -> ReportRefused {
    match error {
        WorkRefused::Store(error) => {
            ReportRefused::Unrecorded { transient: error.is_transient(), error: Arc::new(error) }
        }
        error => ReportRefused::Lost(Arc::new(error)),
    }
}
