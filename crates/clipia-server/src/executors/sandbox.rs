//! What a sandbox key gets: one fixed sample for each type of model, made at its first use.

use super::rendering::{Order, draw};
use super::{NotMade, Report};
use crate::media::{self, MediaStore};
use clipia_api::ModelType;
use clipia_api::types::Output;
use clipia_render::{ClipOrder, PictureOrder, SoundOrder};
use tokio::sync::OnceCell;

/// The samples.
pub struct Samples {
    media: MediaStore,
    image: OnceCell<Output>,
    video: OnceCell<Output>,
    audio: OnceCell<Output>,
}

impl Samples {
    /// Samples that are kept in `media`.
    pub fn new(media: MediaStore) -> Self {
        Self { media, image: OnceCell::new(), video: OnceCell::new(), audio: OnceCell::new() }
    }

    /// The sample of a type of model.
    ///
    /// # Errors
    /// [`NotMade`], most often [`NotMade::NotNow`] where there is no room for it.
    pub async fn of(&self, model: &ModelType) -> Result<Output, NotMade> {
        let (cell, name) = match model {
            ModelType::Video => (&self.video, "video"),
            ModelType::Audio => (&self.audio, "audio"),
            _ => (&self.image, "image"),
        };
        cell.get_or_try_init(|| self.draw(name, order(model))).await.cloned()
    }

    async fn draw(&self, name: &str, order: Order) -> Result<Output, NotMade> {
        // It would be drawn for nothing, and for each call anew.
        if let Some(reason) = self.media.pause().reason() {
            return Err(NotMade::NotNow(reason.to_owned()));
        }
        let made = draw(order, Report::default()).await?;
        let kept = self.media.keep_at(format!("sandbox/{name}"), made.files).await;
        let kept = kept.map_err(|error| NotMade::NotNow(error.to_string()))?;
        Ok(media::placed(made.output, &kept))
    }
}

fn order(model: &ModelType) -> Order {
    match model {
        ModelType::Video => Order::Clip(ClipOrder {
            prompt: "waves at dusk".to_owned(),
            seed: 1,
            width: 640,
            height: 360,
            duration_seconds: 2.0,
            source: None,
        }),
        ModelType::Audio => Order::Sound(SoundOrder {
            text: "this is a sample of the sandbox".to_owned(),
            voice: String::new(),
            seed: 1,
            speed: 1.0,
        }),
        _ => Order::Pictures(vec![PictureOrder {
            prompt: "a lighthouse in a storm".to_owned(),
            negative_prompt: None,
            seed: 1,
            width: 768,
            height: 512,
        }]),
    }
}
