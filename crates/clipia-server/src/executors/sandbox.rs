//! What a sandbox key gets: one fixed sample for each type of model, made at its first use.

use super::{Made, NotMade};
use crate::media::{self, MediaStore};
use async_trait::async_trait;
use clipia_api::ModelType;
use clipia_api::types::Output;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// Makes samples.
#[async_trait]
pub trait Sampler: Send + Sync {
    /// The sample of a type of model.
    ///
    /// # Errors
    /// [`NotMade`] says why there is none.
    async fn sample(&self, model: &ModelType) -> Result<Made, NotMade>;
}

/// Why a sandbox key gets nothing.
#[derive(Debug, thiserror::Error)]
pub enum NoSample {
    /// The server was given no [`Sampler`].
    #[error("this server has no samples for the sandbox: use a live key")]
    NoSampler,
    /// The sample was not made, most often because there is no room for it.
    #[error("the sample of the sandbox was not made")]
    NotMade(NotMade),
}

/// The samples.
pub struct Samples {
    media: MediaStore,
    sampler: Option<Arc<dyn Sampler>>,
    image: OnceCell<Output>,
    video: OnceCell<Output>,
    audio: OnceCell<Output>,
}

impl Samples {
    /// Samples that `sampler` makes, and that are kept in `media`.
    pub fn new(media: MediaStore, sampler: Option<Arc<dyn Sampler>>) -> Self {
        Self { media, sampler, image: OnceCell::new(), video: OnceCell::new(), audio: OnceCell::new() }
    }

    /// The sample of a type of model.
    ///
    /// # Errors
    /// [`NoSample`].
    pub async fn of(&self, model: &ModelType) -> Result<Output, NoSample> {
        let sampler = self.sampler.as_ref().ok_or(NoSample::NoSampler)?;
        let (cell, name) = match model {
            ModelType::Video => (&self.video, "video"),
            ModelType::Audio => (&self.audio, "audio"),
            _ => (&self.image, "image"),
        };
        let sample = cell.get_or_try_init(|| self.make(name, sampler.as_ref(), model)).await;
        sample.cloned().map_err(NoSample::NotMade)
    }

    async fn make(&self, name: &str, sampler: &dyn Sampler, model: &ModelType) -> Result<Output, NotMade> {
        // It would be made for nothing, and for each call anew.
        if let Some(reason) = self.media.pause().reason() {
            return Err(NotMade::NotNow(reason.to_owned()));
        }
        let made = sampler.sample(model).await?;
        let kept = self.media.keep_at(format!("sandbox/{name}"), made.files).await;
        let kept = kept.map_err(|error| NotMade::NotNow(error.to_string()))?;
        Ok(media::placed(made.output, &kept))
    }
}
