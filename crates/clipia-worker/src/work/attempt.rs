//! One attempt: the executor's run with its beats, and the report of its end.

use super::activity::UnderWay;
use super::line::{AttemptId, Canceled, ClaimRecorded, End, KeepError, KeptOutput, ReportRefused};
use super::workers::Workers;
use crate::control::JobControl;
use crate::executor::JobError;
use crate::job::Job;
use clipia_queue::Failure;
use futures_util::FutureExt;
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often a worker checks the progress and the log. It reports progress that has grown, and new lines.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// The pause before the end of an attempt is reported again.
const REPORT_PAUSE: Duration = Duration::from_millis(500);

/// The most reports of one end, where the cause is not likely to pass.
const REPORTS_MAX: u32 = 5;

/// An attempt at a claimed request.
pub(super) struct Attempt {
    pub(super) id: AttemptId,
    model: String,
    canceled: broadcast::Receiver<Canceled>,
    /// Whether the queue has recorded the claim.
    pub(super) recorded: ClaimRecorded,
    /// What the line keeps as long as the attempt lasts.
    _alive: Box<dyn Any + Send + Sync>,
    _under_way: UnderWay,
}

impl Attempt {
    pub(super) fn new(
        id: AttemptId,
        model: String,
        canceled: broadcast::Receiver<Canceled>,
        recorded: ClaimRecorded,
        alive: Box<dyn Any + Send + Sync>,
        under_way: UnderWay,
    ) -> Self {
        Self { id, model, canceled, recorded, _alive: alive, _under_way: under_way }
    }

    /// Returns if the claim cannot be recorded: then there is no attempt.
    fn undone(&self) -> impl Future<Output = ()> + use<> {
        let recorded = self.recorded.clone();
        async move {
            match recorded.await {
                Ok(()) => std::future::pending().await,
                Err(error) => tracing::warn!(%error, "a claim could not be recorded: its attempt ends"),
            }
        }
    }

    /// Returns when the request may have been canceled. The next beat asks the line, which decides. Without this event a worker
    /// would see a cancel only at its next regular beat.
    pub(super) async fn maybe_canceled(&mut self) {
        let id = self.id.id;
        loop {
            match self.canceled.recv().await {
                Ok(Some(canceled)) if canceled != id => {}
                // A line that tells of no more cancels does not make the beats faster.
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
                _ => return,
            }
        }
    }
}

/// Why there is no end to report yet.
enum Unmade {
    Executor(JobError),
    /// The executor made an output, and there was no room for its files.
    NoRoom,
    /// The lease was lost.
    Lost,
}

impl From<JobError> for Unmade {
    fn from(error: JobError) -> Self {
        Self::Executor(error)
    }
}

/// An attempt that has ended, and whose end is not recorded yet.
pub(super) struct Ended {
    /// It is under way until its end is recorded.
    attempt: Attempt,
    control: JobControl,
    end: End,
    started: Instant,
    stop: CancellationToken,
    _running: Box<dyn Any + Send + Sync>,
}

/// What is left to do once an attempt has run.
pub(super) struct Worked {
    /// The end to report; none where the lease was lost.
    pub(super) ended: Option<Ended>,
    /// Why the executor cannot work now, if it cannot.
    pub(super) unavailable: Option<String>,
}

impl Ended {
    /// Whether the request goes back to its queue. Then its end is recorded before its worker claims again.
    pub(super) fn goes_back(&self) -> bool {
        matches!(self.end, End::Lost(_) | End::Released)
    }
}

impl Workers {
    /// Runs one attempt to its end, which is to be [reported](Self::report).
    pub(super) async fn work(
        &self,
        mut attempt: Attempt,
        job: Result<Job, JobError>,
        stop: CancellationToken,
    ) -> Worked {
        let running = self.line.began();
        let id = attempt.id;
        tracing::info!(model = attempt.model, "generation started");
        let started = Instant::now();
        let control = JobControl::new(stop.clone());
        let recorded = attempt.recorded.clone();
        let made = tokio::select! {
            biased;
            () = attempt.undone() => Err(Unmade::Lost),
            // Nothing is reported of a claim that is not recorded.
            made = self.make(id, job, control.clone()) => match (recorded.await, made) {
                (Ok(()), made) => made,
                (Err(_), made) => {
                    if let Ok(kept) = made {
                        self.line.discard(kept).await;
                    }
                    Err(Unmade::Lost)
                }
            },
            // The beats only end when the lease is lost, as by a cancel. The line would refuse the executor's output.
            () = self.beat(&mut attempt, &control) => Err(Unmade::Lost),
        };
        let mut unavailable = None;
        let end = match made {
            Ok(kept) => End::Completed(kept),
            Err(Unmade::Executor(JobError::Failed(why))) => {
                tracing::info!(why, "generation failed");
                End::Failed(Failure::generation(why))
            }
            Err(Unmade::Executor(JobError::FailedWithCode { why, code })) => {
                tracing::info!(why, code, "generation failed");
                End::Failed(Failure::coded(code, why))
            }
            Err(Unmade::Executor(JobError::Lost(why))) => {
                tracing::warn!(why, "an attempt was lost");
                End::Lost(Failure::generation(why))
            }
            Err(Unmade::Executor(JobError::Unavailable(why))) => {
                unavailable = Some(why);
                End::Released
            }
            Err(Unmade::Executor(JobError::Stopped) | Unmade::NoRoom) => End::Released,
            Err(Unmade::Lost) => {
                control.stop();
                return Worked { ended: None, unavailable: None };
            }
        };
        let ended = Ended { attempt, control, end, started, stop, _running: running };
        Worked { ended: Some(ended), unavailable }
    }

    /// Reports the end of an attempt to the line.
    pub(super) async fn report(&self, ended: Ended) {
        let Ended { attempt, control, end, started, stop, _running } = ended;
        let id = attempt.id;
        match self.report_end(id, &control, &end, &stop).await {
            Ok(()) => {
                let elapsed = started.elapsed();
                self.line.ended(&attempt.model, &end, elapsed);
                tracing::info!(outcome = end.name(), seconds = elapsed.as_secs_f64(), "generation ended");
                self.line.recorded(id, end).await;
            }
            // The queue may have the end or not, so its files stay.
            Err(error @ ReportRefused::Unrecorded { .. }) => {
                tracing::error!(%error, "the end of a generation could not be stored");
            }
            Err(error @ ReportRefused::Lost(_)) => {
                tracing::warn!(%error, "the end of a generation was refused");
                if let End::Completed(kept) = end {
                    self.line.discard(kept).await;
                }
            }
        }
    }

    /// Reports the end of an attempt, with the last lines that it logged. While the end cannot be recorded, the report is repeated:
    /// an output must not be lost, nor made again, because of a full disk.
    async fn report_end(
        &self,
        id: AttemptId,
        control: &JobControl,
        end: &End,
        stop: &CancellationToken,
    ) -> Result<(), ReportRefused> {
        let mut reports = 0;
        loop {
            let result = self.line.end(id, end, control.unreported_logs()).await;
            reports += 1;
            match result {
                Err(ReportRefused::Unrecorded { error, transient })
                    if !stop.is_cancelled() && (transient || reports < REPORTS_MAX) =>
                {
                    if reports == 1 {
                        tracing::error!(%error, "the end of a generation cannot be stored yet");
                    }
                    // When the workers stop, the wait ends and there is one more report.
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = tokio::time::sleep(REPORT_PAUSE) => {}
                    }
                }
                result => return result,
            }
        }
    }

    /// Runs the executor, and has the output's files kept.
    async fn make(
        &self,
        id: AttemptId,
        job: Result<Job, JobError>,
        control: JobControl,
    ) -> Result<KeptOutput, Unmade> {
        let made = catch_panic(self.executor.run(job?, control)).await?;
        self.line.keep_files(id, made).await.map_err(|error| match error {
            KeepError::Unfit(why) => JobError::Failed(why).into(),
            KeepError::NoRoom => Unmade::NoRoom,
            KeepError::Lost => Unmade::Lost,
        })
    }

    /// Prolongs the lease, and reports the progress and the log lines. Returns when the lease is lost.
    async fn beat(&self, attempt: &mut Attempt, control: &JobControl) {
        let (mut reported, mut last, mut fails) = (0, Instant::now(), false);
        loop {
            let maybe_canceled = tokio::select! {
                () = tokio::time::sleep(PROGRESS_INTERVAL) => false,
                () = attempt.maybe_canceled() => true,
            };
            let (percent, logs) = (control.percent(), control.unreported_logs());
            let is_new = percent != reported || !logs.lines.is_empty();
            if !maybe_canceled && !is_new && last.elapsed() < self.line.heartbeat() {
                continue;
            }
            let end = logs.end();
            match self.line.beat(attempt.id, percent, logs).await {
                Ok(()) => {
                    control.logs_reported(end);
                    (reported, last, fails) = (percent, Instant::now(), false);
                }
                Err(ReportRefused::Unrecorded { error, .. }) => {
                    if !std::mem::replace(&mut fails, true) {
                        tracing::error!(%error, "cannot prolong a lease");
                    }
                }
                Err(ReportRefused::Lost(error)) => {
                    tracing::warn!(%error, "a lease was lost");
                    return;
                }
            }
        }
    }
}

/// The result of an executor's call; a failure if the call panics. The same input would most likely panic again, so the
/// generation fails for good. The worker goes on.
pub(super) async fn catch_panic<T>(call: impl Future<Output = Result<T, JobError>>) -> Result<T, JobError> {
    AssertUnwindSafe(call).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!("the executor panicked");
        Err(JobError::Failed("the executor broke down on this input".to_owned()))
    })
}
