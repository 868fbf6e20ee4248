//! What makes the output of a request.
//!
//! An [`Executor`] gets a [`Job`] and gives back files and what they are. It knows nothing of leases, credits or
//! deliveries: its worker does ([`crate::workers`]).

mod needs;
pub mod render;
mod rendering;
pub mod sandbox;
mod source;

pub use rendering::Render;

use crate::media::MediaFile;
use async_trait::async_trait;
use clipia_api::types::{Model, Output};
use clipia_queue::RequestId;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use tokio_util::sync::CancellationToken;

/// Makes outputs.
#[async_trait]
pub trait Executor: Send + Sync {
    /// Makes what `job` asks for, saying in `report` how far it is and stopping soon once it is told to.
    async fn run(&self, job: Job, report: Report) -> Result<Made, NotMade>;
}

/// What to make.
#[derive(Clone, Debug)]
pub struct Job {
    /// The request.
    pub id: RequestId,
    /// The model.
    pub model: Arc<Model>,
    /// The input, checked and with defaults.
    pub input: Map<String, Value>,
    /// The address that the submit was made under.
    pub base_url: String,
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
    /// It cannot be made; the sentence is for the caller.
    #[error("{0}")]
    Failed(String),
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
