//! The sandbox's samples, drawn by the built-in model.

use super::rendering::{Order, draw};
use super::sandbox::Sampler;
use super::{JobControl, JobError, JobOutput};
use async_trait::async_trait;
use clipia_api::ModelType;
use clipia_render::{ClipOrder, PictureOrder, SoundOrder};

/// A sampler that draws its samples.
pub(crate) struct DrawnSamples;

#[async_trait]
impl Sampler for DrawnSamples {
    async fn sample(&self, model: &ModelType) -> Result<JobOutput, JobError> {
        draw(order(model), JobControl::default()).await
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
