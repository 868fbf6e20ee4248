//! The line of a session.

use super::beats::Beats;
use super::calls::{CALL_MAX, CallFailed, within};
use super::claims::Claims;
use super::files::{Files, Sent};
use super::inputs::RemoteInputs;
use super::session::{Over, Session, Settings};
use super::wire;
use crate::inputs::Inputs;
use crate::output::JobOutput;
use crate::work::{
    AttemptId, Canceled, Claimed, End, KeepError, KeptOutput, Line, PreparationRoom, ReportRefused,
};
use async_trait::async_trait;
use clipia_api::Progress;
use clipia_queue::Failure;
use clipia_queue::logs::LogLines;
use clipia_remote::CallError;
use clipia_remote::types::{CompleteOrder, FailOrder, JobBeat, LoggedLines, ReleaseOrder};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// How often an attempt beats: a canceled attempt learns it in its next beat.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// The status of a complete whose files the server does not have whole.
const NOT_WHOLE: u16 = 400;

/// The line of a session to a server on another machine.
pub struct HttpLine {
    session: Arc<Session>,
    claims: Arc<Claims>,
    beats: Arc<Beats>,
    files: Files,
    /// Nothing is ever sent: a cancel is heard in the next beat.
    canceled: broadcast::Sender<Canceled>,
}

impl HttpLine {
    /// Begins a session. It claims nothing more after `drain`, and sends no more files after `stop`.
    ///
    /// # Errors
    /// [`CallError::Token`] if the token cannot be sent; [`CallError::Call`] if TLS cannot be set up.
    pub fn start(
        settings: Settings,
        drain: CancellationToken,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, CallError> {
        let session = Session::new(settings, drain, stop)?;
        Ok(Arc::new(Self {
            claims: Claims::start(Arc::clone(&session)),
            beats: Beats::new(Arc::clone(&session)),
            files: Files::new(Arc::clone(&session)),
            canceled: broadcast::Sender::new(1),
            session,
        }))
    }

    /// The inputs of the session's requests, which the server fetches and passes on.
    pub fn inputs(&self) -> Arc<dyn Inputs> {
        Arc::new(RemoteInputs::new(Arc::clone(&self.session)))
    }

    /// Waits until a worker has been ready for a request.
    pub async fn ready(&self) {
        self.claims.asked().await;
    }

    /// Waits until the session claims nothing more by itself; returns why.
    pub async fn over(&self) -> Over {
        self.session.over().await
    }

    /// Waits, after the drain, until each claimed request has a worker or was given back.
    pub async fn all_claims_given(&self) {
        self.claims.ended().await;
    }

    async fn complete(
        &self,
        attempt: AttemptId,
        kept: &KeptOutput,
        logs: Option<LoggedLines>,
    ) -> Result<(), CallFailed> {
        let sent = kept.files.downcast_ref::<Sent>();
        let order = CompleteOrder {
            epoch: attempt.epoch.0,
            files: sent.map(Sent::names).unwrap_or_default(),
            logs,
            output: (*kept.output).clone(),
            request_id: wire::request(attempt),
        };
        let complete = || within(CALL_MAX, self.session.remote.complete(&order));
        match (complete().await, sent) {
            // The server may have lost files, as after a restore of its disk. It says what it has, so this costs little.
            (Err(error), Some(sent)) if error.refused() == Some(NOT_WHOLE) => {
                match self.files.send_again(attempt, sent).await {
                    Ok(()) => complete().await,
                    Err(_) => Err(error),
                }
            }
            (completed, _) => completed,
        }
    }

    /// What a failed report means for its attempt.
    fn refused(&self, error: CallFailed) -> ReportRefused {
        let is_lost = error.is_stale() || self.session.is_revoked(error.refused(), &error);
        let transient = error.is_transient();
        match is_lost {
            true => ReportRefused::Lost(Arc::new(error)),
            false => ReportRefused::Unrecorded { error: Arc::new(error), transient },
        }
    }
}

#[async_trait]
impl Line for HttpLine {
    async fn claim(
        &self,
        room: &dyn PreparationRoom,
    ) -> Result<Option<Claimed>, Arc<dyn Error + Send + Sync>> {
        // The claimer repeats what fails, and logs it.
        Ok(self.claims.next(room).await)
    }

    async fn work_submitted(&self) {
        self.claims.until_next().await;
    }

    fn wake(&self) {
        self.claims.wake();
    }

    fn canceled(&self) -> broadcast::Receiver<Canceled> {
        self.canceled.subscribe()
    }

    fn heartbeat(&self) -> Duration {
        HEARTBEAT
    }

    async fn hold(&self, attempt: AttemptId) -> Result<(), ReportRefused> {
        let beat = JobBeat {
            epoch: attempt.epoch.0,
            logs: None,
            preparing: true,
            progress: None,
            request_id: wire::request(attempt),
        };
        self.beats.send(attempt, beat).await
    }

    async fn beat(&self, attempt: AttemptId, percent: u8, logs: LogLines) -> Result<(), ReportRefused> {
        let beat = JobBeat {
            epoch: attempt.epoch.0,
            logs: wire::lines(logs),
            preparing: false,
            progress: Some(Progress::new(percent)),
            request_id: wire::request(attempt),
        };
        self.beats.send(attempt, beat).await
    }

    async fn keep_files(&self, attempt: AttemptId, made: JobOutput) -> Result<KeptOutput, KeepError> {
        let sent = self.files.send(attempt, made.files).await?;
        Ok(KeptOutput { output: Box::new(made.output), files: Box::new(sent) })
    }

    async fn end(&self, attempt: AttemptId, end: &End, logs: LogLines) -> Result<(), ReportRefused> {
        let (logs, epoch, request_id) = (wire::lines(logs), attempt.epoch.0, wire::request(attempt));
        let failed = |why: &Failure, logs| FailOrder {
            code: Some(why.code.clone()),
            epoch,
            logs,
            message: why.message.clone(),
            request_id: request_id.clone(),
        };
        let remote = &self.session.remote;
        let ended = match end {
            End::Completed(kept) => self.complete(attempt, kept, logs).await,
            End::Failed(why) => within(CALL_MAX, remote.fail(&failed(why, logs))).await,
            End::Lost(why) => within(CALL_MAX, remote.lose(&failed(why, logs))).await,
            End::Released => {
                within(CALL_MAX, remote.release(&ReleaseOrder { epoch, logs, request_id })).await
            }
        };
        ended.map_err(|error| self.refused(error))
    }
}
