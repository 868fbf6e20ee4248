//! The samples of the sandbox. A sandbox request gets a fixed sample of its model's type, which is made at the first use.

use super::{JobError, JobOutput};
use crate::media::{self, MediaStore};
use async_trait::async_trait;
use clipia_api::ModelType;
use clipia_api::types::Output;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// Makes the samples.
#[async_trait]
pub trait Sampler: Send + Sync {
    /// The sample for a type of model.
    ///
    /// # Errors
    /// [`JobError`] says why there is none.
    async fn sample(&self, model: &ModelType) -> Result<JobOutput, JobError>;
}

/// Why a sandbox request has no sample.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoSample {
    /// The server was given no [`Sampler`].
    #[error("this server has no samples for the sandbox: use a live key")]
    NoSampler,
    /// The sample could not be made or stored, most often because the disk is full.
    #[error("the sample of the sandbox was not made")]
    Failed(JobError),
}

/// The samples that were made so far.
pub(crate) struct Samples {
    media: MediaStore,
    sampler: Option<Arc<dyn Sampler>>,
    image: OnceCell<Output>,
    video: OnceCell<Output>,
    audio: OnceCell<Output>,
}

impl Samples {
    /// Samples that `sampler` makes, with their files in `media`.
    pub(crate) fn new(media: MediaStore, sampler: Option<Arc<dyn Sampler>>) -> Self {
        Self { media, sampler, image: OnceCell::new(), video: OnceCell::new(), audio: OnceCell::new() }
    }

    /// The sample for a type of model. The first call makes it.
    ///
    /// # Errors
    /// [`NoSample`] says why there is none.
    pub(crate) async fn of(&self, model: &ModelType) -> Result<Output, NoSample> {
        let sampler = self.sampler.as_ref().ok_or(NoSample::NoSampler)?;
        let (cell, name) = match model {
            ModelType::Video => (&self.video, "video"),
            ModelType::Audio => (&self.audio, "audio"),
            _ => (&self.image, "image"),
        };
        let sample = cell.get_or_try_init(|| self.make(name, sampler.as_ref(), model)).await;
        sample.cloned().map_err(NoSample::Failed)
    }

    async fn make(&self, name: &str, sampler: &dyn Sampler, model: &ModelType) -> Result<Output, JobError> {
        // While media cannot be written, each call would make the sample in vain.
        if let Some(reason) = self.media.pause().reason() {
            return Err(JobError::Unavailable(reason.to_owned()));
        }
        let made = sampler.sample(model).await?;
        let address = self.media.write_at(format!("sandbox/{name}"), made.files).await;
        let address = address.map_err(|error| JobError::Unavailable(error.to_string()))?;
        Ok(media::placed(made.output, &address))
    }
}
