//! Executors make the outputs of requests.
//!
//! An [`Executor`] gets a [`Job`] and returns a [`JobOutput`]. It knows nothing of leases, credits or deliveries: its worker
//! takes care of them.

#[cfg(feature = "render")]
mod drawn_samples;
#[cfg(feature = "render")]
mod needs;
#[cfg(feature = "render")]
mod rendering;
pub mod sandbox;
#[cfg(feature = "render")]
mod source;
#[cfg(feature = "render")]
mod source_hosts;

#[cfg(feature = "render")]
pub(crate) use drawn_samples::DrawnSamples;
#[cfg(feature = "render")]
pub(crate) use rendering::Render;

use crate::media::MediaFile;
use crate::store::AccountId;
use async_trait::async_trait;
use bytes::Bytes;
use clipia_api::types::{Model, Output};
use clipia_queue::RequestId;
use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use tokio_util::sync::CancellationToken;

/// Makes outputs.
///
/// The executor's result decides what happens to the request and to its credits:
///
/// | the executor | returns | the request |
/// |---|---|---|
/// | has made the output | `Ok` | is completed once its files are on the disk; its credits are charged |
/// | cannot make this input, now or later | [`JobError::Failed`] | fails with the error's sentence; its credits are returned |
/// | cannot make any input now, because its machine is away, or has no memory, thread or open file left | [`JobError::Unavailable`] | is queued again, ahead of requests that never ran, and spends no attempt; the whole queue pauses, and one request tries again after a backoff |
/// | was asked to stop | [`JobError::Stopped`] | is queued again, and spends no attempt |
///
/// In doubt, return `Failed`. After [`JobError::Unavailable`] the same request is tried first. If its own input is the cause, it
/// delays all other requests.
#[async_trait]
pub trait Executor: Send + Sync {
    /// Makes the output of `job`. It reports its progress to `control`, and stops soon once `control` says so.
    async fn run(&self, job: Job, control: JobControl) -> Result<JobOutput, JobError>;

    /// Whether `job` needs something from another host. If so, it is [prepared](Self::prepare) before a worker runs it.
    fn needs_preparing(&self, _job: &Job) -> bool {
        false
    }

    /// Fetches what `job` needs from another host. The job has no worker meanwhile, and the attempt's time has not begun. It uses
    /// one preparation slot of its account's share.
    async fn prepare(&self, job: Job) -> Result<Job, JobError> {
        Ok(job)
    }
}

/// One attempt's work: the model and the input.
#[derive(Clone, Debug)]
pub struct Job {
    /// The id of the request.
    pub id: RequestId,
    /// The account of the request.
    pub account: AccountId,
    /// The model.
    pub model: Arc<Model>,
    /// The input, checked and with defaults.
    pub input: Map<String, Value>,
    /// The URL of the server, as the submit named it.
    pub base_url: String,
    /// The encoded image that the preparation fetched.
    pub source: Option<Source>,
}

/// An encoded image. `Debug` shows only its length.
#[derive(Clone)]
pub struct Source(pub Bytes);

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({} bytes)", self.0.len())
    }
}

/// An output and its files.
pub struct JobOutput {
    /// The output. Its URLs are the names of `files`.
    pub output: Output,
    /// The files.
    pub files: Vec<MediaFile>,
}

/// Why a job has no output.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The executor was asked to stop.
    #[error("the executor was asked to stop")]
    Stopped,
    /// The output cannot be made, now or later. The sentence is for the caller.
    #[error("{0}")]
    Failed(String),
    /// The executor cannot make anything now, and the request is not at fault. The sentence is for the log.
    #[error("{0}")]
    Unavailable(String),
}

/// The connection between a running executor and its worker: progress one way, the stop the other way.
#[derive(Clone, Debug, Default)]
pub struct JobControl {
    percent: Arc<AtomicU8>,
    stop: CancellationToken,
}

impl JobControl {
    /// A control that says stop when `stop` is canceled.
    pub fn new(stop: CancellationToken) -> Self {
        Self { percent: Arc::default(), stop }
    }

    /// Reports that `percent` of the work is done. Progress never goes back.
    pub fn progress(&self, percent: u8) {
        self.percent.fetch_max(percent, Ordering::Relaxed);
    }

    /// The reported percent.
    pub fn percent(&self) -> u8 {
        self.percent.load(Ordering::Relaxed)
    }

    /// Whether the executor must stop.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Waits until the executor must stop.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Asks the executor to stop.
    pub fn stop(&self) {
        self.stop.cancel();
    }
}
