//! The line between workers and the queue that they work for.

use crate::executor::JobError;
use crate::job::Job;
use crate::output::JobOutput;
use async_trait::async_trait;
use clipia_api::types::Output;
use clipia_queue::lifecycle::Epoch;
use clipia_queue::logs::LogLines;
use clipia_queue::{AccountId, Failure, RequestId};
#[cfg(any(test, feature = "remote"))]
use futures_util::future::{self, FutureExt};
use futures_util::future::{BoxFuture, Shared};
use std::any::Any;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;

/// An attempt: a request, and the number of the claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttemptId {
    /// The request.
    pub id: RequestId,
    /// The claim.
    pub epoch: Epoch,
}

/// The request that was canceled; none where events were missed, so that it may be any request.
pub type Canceled = Option<RequestId>;

/// A claimed request.
pub struct Claimed {
    /// The attempt.
    pub attempt: AttemptId,
    /// The account of the request. It uses its share of the preparation.
    pub account: AccountId,
    /// The public name of the key that submitted the request, for the log; none if the line does not tell it.
    pub key_id: Option<String>,
    /// The slug of the model.
    pub model: String,
    /// The work, or why there is none, as when the model is no longer offered.
    pub job: Result<Job, JobError>,
    /// Whether the queue has recorded the claim. The work may begin before; if the claim cannot be recorded, the attempt never was.
    pub recorded: ClaimRecorded,
    /// What the line keeps as long as the attempt lasts.
    pub alive: Box<dyn Any + Send + Sync>,
}

/// Ends once the queue has recorded a claim, or with the reason why it has not.
pub type ClaimRecorded = Shared<BoxFuture<'static, Result<(), Arc<dyn Error + Send + Sync>>>>;

/// A claim that the queue has recorded already.
#[cfg(any(test, feature = "remote"))]
pub(crate) fn recorded() -> ClaimRecorded {
    future::ready(Ok(())).boxed().shared()
}

/// What becomes of the preparation slots of each account.
pub trait PreparationRoom: Sync {
    /// The accounts that use their whole share. Their requests that name a file elsewhere are passed over.
    fn full(&self) -> Vec<AccountId>;

    /// How many more requests of the account can be prepared now.
    fn free_for(&self, account: &AccountId) -> usize;
}

/// An output whose files the queue has. Nothing is charged until the end of the attempt is [reported](Line::end).
pub struct KeptOutput {
    /// The output. Its URLs are those that callers read, as far as the line knows them.
    pub output: Box<Output>,
    /// What the line needs to complete the attempt or to remove the files.
    pub files: Box<dyn Any + Send + Sync>,
}

impl fmt::Debug for KeptOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptOutput").finish_non_exhaustive()
    }
}

/// Why an output's files were not kept.
#[derive(Debug)]
pub enum KeepError {
    /// The files cannot be kept at all. The generation fails with this sentence.
    Unfit(String),
    /// There is no room for files now. The request is released.
    NoRoom,
    /// The lease was lost: the attempt ends without a report.
    Lost,
}

/// Why a report was not accepted.
#[derive(Clone, Debug)]
pub enum ReportRefused {
    /// The attempt is not this worker's any more, as after a cancel. Its work ends at once and nothing more is reported.
    Lost(Arc<dyn Error + Send + Sync>),
    /// The report did not arrive, or could not be recorded. It can be repeated.
    Unrecorded {
        /// Why.
        error: Arc<dyn Error + Send + Sync>,
        /// Whether the cause passes by itself, or an operator can end it.
        transient: bool,
    },
}

impl fmt::Display for ReportRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(error) | Self::Unrecorded { error, .. } => error.fmt(f),
        }
    }
}

/// How an attempt ended, for the line.
#[derive(Debug)]
pub enum End {
    /// It has this output, whose files were kept.
    Completed(KeptOutput),
    /// The input cannot be made, now or later.
    Failed(Failure),
    /// It died. It is spent, and the request goes back to its queue, or fails if it was the last one.
    Lost(Failure),
    /// The request goes back to its queue, and no attempt is spent.
    Released,
}

impl End {
    /// The name, for the log and for metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Completed(_) => "completed",
            Self::Failed(_) => "failed",
            Self::Lost(_) => "lost",
            Self::Released => "released",
        }
    }
}

/// The line between the workers of one executor and its queue: the store of the server's process, or HTTP to a server elsewhere.
///
/// The reports may be repeated. A repeated report of an end that was recorded is accepted again, or refused as
/// [lost](ReportRefused::Lost) where the line cannot tell.
#[async_trait]
pub trait Line: Send + Sync {
    /// Claims the first request that can run. `room` says which accounts have their whole share of the preparation.
    ///
    /// Several workers claim at once, and no worker drops the call before it returns: a claim whose result nobody takes would hold
    /// its request until the lease expires. So a line that waits for a request within the call ends the wait by itself when its
    /// workers drain.
    ///
    /// # Errors
    /// Why nothing can be claimed now, for the log. The next claim comes after [`work_submitted`](Self::work_submitted).
    async fn claim(
        &self,
        room: &dyn PreparationRoom,
    ) -> Result<Option<Claimed>, Arc<dyn Error + Send + Sync>>;

    /// Waits until there may be something to claim, or until it is time to look again. One of the workers waits here for all that
    /// are idle.
    async fn work_submitted(&self);

    /// Says that there may be something to claim, as when a preparation slot is free again.
    fn wake(&self);

    /// Tells of cancels, as far as the line hears of them before the next beat.
    fn canceled(&self) -> broadcast::Receiver<Canceled>;

    /// How often an attempt beats at least.
    fn heartbeat(&self) -> Duration;

    /// Waits until files can be kept. Nothing is claimed before.
    async fn until_files_can_be_kept(&self) {}

    /// Whether files cannot be kept now.
    fn cannot_keep_files(&self) -> bool {
        false
    }

    /// Reports that a request is still being prepared: its attempt has not begun, and its time starts now.
    async fn hold(&self, attempt: AttemptId) -> Result<(), ReportRefused>;

    /// Prolongs the lease, and reports progress in percent and log lines.
    async fn beat(&self, attempt: AttemptId, percent: u8, logs: LogLines) -> Result<(), ReportRefused>;

    /// Has the files of an output kept, so that nothing of it is lost once the attempt is completed. The attempt beats meanwhile. If
    /// the lease is lost, the call is dropped.
    async fn keep_files(&self, attempt: AttemptId, made: JobOutput) -> Result<KeptOutput, KeepError>;

    /// Reports the end of an attempt, with the log lines that no beat has reported. The caller repeats a report that was not recorded,
    /// with the same lines.
    async fn end(&self, attempt: AttemptId, end: &End, logs: LogLines) -> Result<(), ReportRefused>;

    /// The end of an attempt was recorded: the files of other attempts at the request can go, unless it goes back to its queue.
    async fn recorded(&self, _attempt: AttemptId, _end: End) {}

    /// The end of an attempt was refused for good: its files can go.
    async fn discard(&self, _kept: KeptOutput) {}

    /// An attempt began. The returned value is dropped at its end.
    fn began(&self) -> Box<dyn Any + Send + Sync> {
        Box::new(())
    }

    /// The end of an attempt at a generation of `model` was recorded, so long after the attempt began.
    fn ended(&self, _model: &str, _end: &End, _after: Duration) {}
}
