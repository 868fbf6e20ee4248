//! The samples of the sandbox, drawn.

use super::rendering::{Order, draw};
use super::sandbox::Sampler;
use super::{Made, NotMade, Report};
use async_trait::async_trait;
use clipia_api::ModelType;
use clipia_render::{ClipOrder, PictureOrder, SoundOrder};

/// Draws the samples.
pub struct DrawnSamples;

#[async_trait]
impl Sampler for DrawnSamples {
    async fn sample(&self, model: &ModelType) -> Result<Made, NotMade> {
        draw(order(model), Report::default()).await
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
