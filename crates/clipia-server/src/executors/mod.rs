//! What makes the output of a request.
//!
//! An [`Executor`] gets a [`Job`] and gives back files and what they are. It knows nothing of leases, credits or
//! deliveries: its worker does ([`crate::workers`]).

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
pub use drawn_samples::DrawnSamples;
#[cfg(feature = "render")]
pub use rendering::Render;

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
/// What an executor answers decides what becomes of the request and of its credits:
///
/// | the executor | answers | the request |
/// |---|---|---|
/// | has the output | `Ok` | is completed once its files are on the disk; its credits are charged |
/// | finds that this input cannot be made, now or later | [`NotMade::Failed`] | fails with that sentence; its credits are returned |
/// | cannot make anything now, whatever the input: the machine behind it is away or has no memory, no thread, no file to give | [`NotMade::NotNow`] | goes back in line, ahead of those that never ran, and has spent no attempt; the whole queue pauses, and one request tries again after a backoff |
/// | was told to stop | [`NotMade::Stopped`] | goes back in line and has spent no attempt |
///
/// In doubt between the last but one and `Failed`: the request that met with [`NotMade::NotNow`] is the next to be tried, so
/// that one which meets with it for its own sake holds up all others.
#[async_trait]
pub trait Executor: Send + Sync {
    /// Makes what `job` asks for, saying in `report` how far it is and stopping soon once it is told to.
    async fn run(&self, job: Job, report: Report) -> Result<Made, NotMade>;

    /// Whether `job` needs something from elsewhere first: then it is [prepared](Self::prepare) before a worker has it.
    fn needs_preparing(&self, _job: &Job) -> bool {
        false
    }

    /// Gets what `job` needs from elsewhere. This takes no worker's time and none of the attempt's, but a place of its
    /// account's share.
    async fn prepare(&self, job: Job) -> Result<Job, NotMade> {
        Ok(job)
    }
}

/// What to make.
#[derive(Clone, Debug)]
pub struct Job {
    /// The request.
    pub id: RequestId,
    /// Whose it is.
    pub account: AccountId,
    /// The model.
    pub model: Arc<Model>,
    /// The input, checked and with defaults.
    pub input: Map<String, Value>,
    /// The address that the submit was made under.
    pub base_url: String,
    /// The encoded image that was fetched for it.
    pub source: Option<Source>,
}

/// An encoded image, which no log shows.
#[derive(Clone)]
pub struct Source(pub Bytes);

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({} bytes)", self.0.len())
    }
}

/// An output and its files.
pub struct Made {
    /// The output; its URLs are names of `files`.
    pub output: Output,
    /// The files.
    pub files: Vec<MediaFile>,
}

/// Why there is no output.
#[derive(Debug, thiserror::Error)]
pub enum NotMade {
    /// It was told to stop.
    #[error("it was told to stop")]
    Stopped,
    /// It cannot be made, now or later; the sentence is for the caller.
    #[error("{0}")]
    Failed(String),
    /// Nothing can be made now, through no fault of the request's; the sentence is for the log.
    #[error("{0}")]
    NotNow(String),
}

/// Between an executor and its worker.
#[derive(Clone, Debug, Default)]
pub struct Report {
    percent: Arc<AtomicU8>,
    stop: CancellationToken,
}

impl Report {
    /// A report that ends when `stop` does.
    pub fn new(stop: CancellationToken) -> Self {
        Self { percent: Arc::default(), stop }
    }

    /// Says that `percent` of the work is done.
    pub fn progress(&self, percent: u8) {
        self.percent.fetch_max(percent, Ordering::Relaxed);
    }

    /// The percent said last.
    pub fn percent(&self) -> u8 {
        self.percent.load(Ordering::Relaxed)
    }

    /// Whether to stop.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Comes when it is time to stop.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Tells the executor to stop.
    pub fn stop(&self) {
        self.stop.cancel();
    }
}
