//! The executor `render`, which draws on this machine with the built-in model.

use super::input_hosts::InputHosts;
use super::needs::{self, SOURCES_AT_ONCE_MAX};
use super::source;
use super::{Executor, Job, JobControl, JobError, JobOutput, MediaFile, Source};
use crate::blocking::{self, Lost};
use crate::media::MediaStore;
use crate::outbound::Outbound;
use async_trait::async_trait;
use clipia_api::ModelType;
use clipia_api::types::{Audio, Image, InputWarning, Model, Output, Video};
use clipia_queue::media_address::is_elsewhere;
use clipia_render::{Clip, ClipOrder, MusicOrder, Picture, PictureOrder, RenderError, Sound, SoundOrder};
use serde_json::{Map, Value};
use std::ops::ControlFlow;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// The parameters of the words to draw. The first one that an input has counts.
const PROMPTS: [&str; 2] = ["prompt", "text"];

/// The code of a warning about words that are not drawn.
const NOT_DRAWN: &str = "not_drawn";

/// The bounds of a seed for a model without the parameter, or without bounds of its own.
const SEED_MAX: u64 = u32::MAX as u64;

/// The largest integer up to which each one is exact in every reader of JSON.
const EXACT_MAX: f64 = 9_007_199_254_740_991.0;

/// The executor that makes pictures, clips, speech and music.
#[derive(Clone)]
pub(crate) struct Render {
    media: MediaStore,
    outbound: Outbound,
    hosts: InputHosts,
    /// A permit for each source that may be decoded at the same time.
    decoding: Arc<Semaphore>,
}

/// An order for the renderer.
pub(crate) enum Order {
    Pictures(Vec<PictureOrder>),
    Clip(ClipOrder),
    Sound(SoundOrder),
    Music(MusicOrder),
}

impl Render {
    /// A renderer that reads source images from `media`, and fetches those of other hosts by `outbound`.
    pub(crate) fn new(media: MediaStore, outbound: Outbound) -> Self {
        let decoding = Arc::new(Semaphore::new(SOURCES_AT_ONCE_MAX));
        Self { media, outbound, hosts: InputHosts::default(), decoding }
    }
}

#[async_trait]
impl Executor for Render {
    async fn run(&self, mut job: Job, control: JobControl) -> Result<JobOutput, JobError> {
        let source = match (job.source.take(), image_url(&job)) {
            (Some(Source(fetched)), _) => Some(fetched.into()),
            (None, Some(url)) => Some(source::local(url, &job.base_url, &self.media).await?),
            (None, None) => None,
        };
        // A request without a seed gets one from the random part of its id, so that another attempt has the same.
        let seeds = Seeds::of(&job.model);
        let seed = seeds.given(&job.input).unwrap_or_else(|| seeds.by_chance(job.id.0.as_u64_pair().1));
        let mut order = match makes_music(&job.model) {
            true => Order::Music(music_order(&job.input, seed)),
            false => order(&job.model.type_, &job.input, &seeds, seed)?,
        };
        needs::check(&order)?;
        if let (Order::Clip(clip), Some(file)) = (&mut order, source) {
            clip.source = Some(self.decode(file, (clip.width, clip.height), &control).await?);
        }
        let image_seeds = match &order {
            Order::Pictures(pictures) => pictures.iter().map(|picture| picture.seed).collect(),
            _ => Vec::new(),
        };
        let mut made = draw(order, control).await?;
        if seeds.are_taken {
            made.output.seed = Some(seed);
            for (image, seed) in made.output.images.iter_mut().zip(image_seeds) {
                image.seed = Some(seed);
            }
        }
        Ok(made)
    }

    fn is_procedural(&self) -> bool {
        true
    }

    fn warnings(&self, model: &Model, input: &Map<String, Value>) -> Vec<InputWarning> {
        let text = |name: &str| input.get(name).and_then(Value::as_str);
        let Some((name, prompt)) = PROMPTS.into_iter().find_map(|name| Some((name, text(name)?))) else {
            return Vec::new();
        };
        let missing = match model.type_ {
            ModelType::Video if text("image_url").is_some() => clipia_render::not_drawn_over_source(prompt),
            ModelType::Image => clipia_render::not_drawn(prompt, text("negative_prompt")),
            ModelType::Video => clipia_render::not_drawn(prompt, None),
            _ => Vec::new(),
        };
        missing.iter().map(|missing| InputWarning::new(NOT_DRAWN, name, missing.to_string())).collect()
    }

    fn needs_preparing(&self, job: &Job) -> bool {
        image_url(job).is_some_and(|url| is_elsewhere(url, &job.base_url))
    }

    async fn prepare(&self, mut job: Job) -> Result<Job, JobError> {
        if let Some(url) = image_url(&job).filter(|url| is_elsewhere(url, &job.base_url)) {
            let fetched = source::fetch(url, &job.account, &self.hosts, &self.outbound).await?;
            job.source = Some(Source(fetched));
        }
        Ok(job)
    }
}

/// The URL of the image that a job starts from.
fn image_url(job: &Job) -> Option<&str> {
    job.input.get(source::PARAMETER).and_then(Value::as_str)
}

/// Draws an order on a thread of its own.
pub(crate) async fn draw(order: Order, control: JobControl) -> Result<JobOutput, JobError> {
    let drawn = blocking::run(move || make(order, &control)).await;
    drawn.unwrap_or_else(|lost| match lost {
        Lost::NoThread => Err(JobError::Unavailable(lost.to_string())),
        Lost::Ending => Err(JobError::Stopped),
        Lost::Panicked => {
            tracing::error!("the renderer panicked");
            Err(JobError::Failed("the renderer failed on this input".to_owned()))
        }
    })
}

impl Render {
    /// Decodes the source image for a clip of this size.
    async fn decode(
        &self,
        file: Vec<u8>,
        size: (u32, u32),
        control: &JobControl,
    ) -> Result<clipia_render::Source, JobError> {
        let permit = tokio::select! {
            permit = Arc::clone(&self.decoding).acquire_owned() => permit.map_err(|_| JobError::Stopped)?,
            () = control.stopped() => return Err(JobError::Stopped),
        };
        let control = control.clone();
        let decoded = blocking::run(move || {
            // Held until the memory is free again, also if the attempt has ended by then.
            let _permit = permit;
            clipia_render::cover(&file, size.0, size.1, &mut |_| control_flow(&control))
        });
        match decoded.await {
            Ok(decoded) => decoded.map_err(job_error),
            Err(lost @ Lost::NoThread) => Err(JobError::Unavailable(lost.to_string())),
            Err(Lost::Ending) => Err(JobError::Stopped),
            Err(Lost::Panicked) => {
                tracing::error!("a decoder panicked");
                Err(JobError::Failed("`image_url` cannot be decoded".to_owned()))
            }
        }
    }
}

/// Whether the renderer goes on.
fn control_flow(control: &JobControl) -> ControlFlow<()> {
    if control.is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// Whether a model makes music. Other models of the type audio speak.
fn makes_music(model: &Model) -> bool {
    model.type_ == ModelType::Audio && model.capabilities.iter().any(|name| name == "text-to-music")
}

/// The seeds that a model takes.
struct Seeds {
    /// Whether the model has the parameter `seed`. If not, a seed cannot be submitted again.
    are_taken: bool,
    min: u64,
    step: u64,
    /// How many there are.
    count: u64,
}

impl Seeds {
    fn of(model: &Model) -> Self {
        let parameters = model.input_schema.iter().flat_map(|schema| &schema.parameters);
        let parameter = parameters.into_iter().find(|parameter| parameter.name == "seed");
        let step = parameter.and_then(|seed| seed.step).unwrap_or(1.0).trunc().max(1.0);
        let least = parameter.and_then(|seed| seed.min).unwrap_or(0.0);
        // The first one that is not negative.
        let least = least + (-least / step).ceil().max(0.0) * step;
        let (min, step) = (least.ceil().clamp(0.0, EXACT_MAX) as u64, step as u64);
        let most = parameter.and_then(|seed| seed.max).map(|most| most.clamp(0.0, EXACT_MAX) as u64);
        let max = most.unwrap_or_else(|| min.saturating_add(SEED_MAX).min(EXACT_MAX as u64));
        Self { are_taken: parameter.is_some(), min, step, count: max.saturating_sub(min) / step + 1 }
    }

    /// The seed of an input.
    fn given(&self, input: &Map<String, Value>) -> Option<u64> {
        // A float-to-integer cast saturates.
        input.get("seed").and_then(Value::as_f64).map(|seed| seed as u64)
    }

    /// One of the seeds, chosen by a random number.
    fn by_chance(&self, chance: u64) -> u64 {
        self.min + chance % self.count * self.step
    }

    /// The seed of an image of several, of which the first has `seed`. After the last seed comes the first one again.
    fn after(&self, seed: u64, index: u64) -> u64 {
        match seed.checked_sub(self.min).map(|above| above / self.step) {
            Some(at) if at < self.count => self.min + (at + index) % self.count * self.step,
            _ => seed.wrapping_add(index),
        }
    }
}

/// The order of an input of a music model.
fn music_order(input: &Map<String, Value>, seed: u64) -> MusicOrder {
    MusicOrder {
        prompt: input.get("prompt").and_then(Value::as_str).unwrap_or_default().to_owned(),
        seed,
        instrumental: input.get("instrumental") == Some(&Value::Bool(true)),
    }
}

/// The order of an input of a model of this type.
fn order(model: &ModelType, input: &Map<String, Value>, seeds: &Seeds, seed: u64) -> Result<Order, JobError> {
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let number = |name: &str| input.get(name).and_then(Value::as_f64);
    let prompt = PROMPTS.into_iter().find_map(text).unwrap_or_default().to_owned();
    match model {
        ModelType::Image => {
            let (width, height) =
                size(text("aspect_ratio").unwrap_or("1:1"), Edge::Longer(image_edge(input)))?;
            let images = number("num_images").map_or(1, |images| images.clamp(1.0, 8.0) as u64);
            let picture = |index| PictureOrder {
                prompt: prompt.clone(),
                negative_prompt: text("negative_prompt").map(str::to_owned),
                seed: seeds.after(seed, index),
                width,
                height,
            };
            Ok(Order::Pictures((0..images).map(picture).collect()))
        }
        ModelType::Video => {
            let (width, height) =
                size(text("aspect_ratio").unwrap_or("16:9"), Edge::Shorter(video_edge(input)))?;
            let duration_seconds = number("duration").unwrap_or(5.0);
            Ok(Order::Clip(ClipOrder { prompt, seed, width, height, duration_seconds, source: None }))
        }
        ModelType::Audio => {
            let voice = text("voice").unwrap_or_default().to_owned();
            Ok(Order::Sound(SoundOrder { text: prompt, voice, seed, speed: number("speed").unwrap_or(1.0) }))
        }
        other => Err(JobError::Failed(format!("the executor `render` makes no {other}"))),
    }
}

/// The longer edge of an image in pixels, from a resolution such as `2K`.
fn image_edge(input: &Map<String, Value>) -> u32 {
    match input.get("resolution").and_then(Value::as_str) {
        Some("0.5K") => 512,
        Some("2K") => 2_048,
        Some("4K") => 4_096,
        _ => 1_024,
    }
}

/// The shorter edge of a clip in pixels, from a resolution such as `480p`.
fn video_edge(input: &Map<String, Value>) -> u32 {
    match input.get("resolution").and_then(Value::as_str) {
        Some("240p") => 240,
        Some("480p") => 480,
        Some("1080p") => 1_080,
        _ => 720,
    }
}

enum Edge {
    Longer(u32),
    Shorter(u32),
}

/// Width and height in pixels, both even, of an aspect ratio such as `16:9`.
fn size(ratio: &str, edge: Edge) -> Result<(u32, u32), JobError> {
    let sides = ratio.split_once(':').and_then(|(width, height)| {
        let side = |text: &str| text.parse::<u32>().ok().filter(|side| (1..=100).contains(side));
        Some((f64::from(side(width)?), f64::from(side(height)?)))
    });
    let (width, height) =
        sides.ok_or_else(|| JobError::Failed(format!("`aspect_ratio` cannot be `{ratio}`")))?;
    let scale = match edge {
        Edge::Longer(pixels) => f64::from(pixels) / width.max(height),
        Edge::Shorter(pixels) => f64::from(pixels) / width.min(height),
    };
    let even = |side: f64| ((side * scale / 2.0).round() as u32 * 2).max(2);
    Ok((even(width), even(height)))
}

/// Draws an order, and reports its progress.
fn make(order: Order, control: &JobControl) -> Result<JobOutput, JobError> {
    let mut progress = |percent: u8| {
        control.progress(percent);
        control_flow(control)
    };
    let made = match order {
        Order::Pictures(orders) => pictures(&orders, &mut progress),
        Order::Clip(order) => clipia_render::clip(&order, &mut progress).map(clip).map_err(job_error),
        Order::Sound(order) => clipia_render::sound(&order, &mut progress).map(sound).map_err(job_error),
        Order::Music(order) => clipia_render::music(&order, &mut progress).map(sound).map_err(job_error),
    };
    made.map(|mut made| {
        made.output.procedural = Some(true);
        made
    })
}

fn job_error(error: RenderError) -> JobError {
    match error {
        RenderError::Stopped => JobError::Stopped,
        RenderError::SourceImage(why) => JobError::Failed(format!("`image_url` {why}")),
        other => JobError::Failed(other.to_string()),
    }
}

fn pictures(
    orders: &[PictureOrder],
    progress: &mut dyn FnMut(u8) -> ControlFlow<()>,
) -> Result<JobOutput, JobError> {
    let mut made = JobOutput { output: Output::default(), files: Vec::new() };
    for (index, order) in orders.iter().enumerate() {
        let mut of_all = |percent: u8| {
            let done = (index * 100 + usize::from(percent)) / orders.len();
            progress(u8::try_from(done).unwrap_or(100))
        };
        let Picture { width, height, png, webp } =
            clipia_render::picture(order, &mut of_all).map_err(job_error)?;
        let original = format!("image-{}.png", index + 1);
        let rendition = format!("image-{}.webp", index + 1);
        made.output.images.push(Image {
            original_url: Some(original.clone()),
            width: Some(width),
            height: Some(height),
            ..Image::at(rendition.clone())
        });
        made.files.push(MediaFile::new(original, png));
        made.files.push(MediaFile::new(rendition, webp));
    }
    Ok(made)
}

fn clip(clip: Clip) -> JobOutput {
    let name = "video-1.mp4".to_owned();
    let video = Video {
        original_url: Some(name.clone()),
        width: Some(clip.width),
        height: Some(clip.height),
        duration: Some(clip.duration_seconds),
        ..Video::at(name.clone())
    };
    JobOutput {
        output: Output { video: Some(video), ..Output::default() },
        files: vec![MediaFile::new(name, clip.mp4)],
    }
}

fn sound(sound: Sound) -> JobOutput {
    let name = "audio-1.wav".to_owned();
    let extra = Map::from_iter([("duration".to_owned(), Value::from(sound.duration_seconds))]);
    let audio = Audio { url: name.clone(), format: Some("wav".to_owned()), extra };
    JobOutput {
        output: Output { audio: Some(audio), ..Output::default() },
        files: vec![MediaFile::new(name, sound.wav)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn sizes_follow_ratio_and_resolution() {
        for (model, input, expected) in [
            (ModelType::Image, json!({}), (1_024, 1_024)),
            (ModelType::Image, json!({"aspect_ratio": "16:9"}), (1_024, 576)),
            (ModelType::Image, json!({"aspect_ratio": "3:4", "resolution": "2K"}), (1_536, 2_048)),
            (ModelType::Video, json!({}), (1_280, 720)),
            (ModelType::Video, json!({"aspect_ratio": "9:16", "resolution": "480p"}), (480, 854)),
            (ModelType::Video, json!({"aspect_ratio": "1:1", "resolution": "1080p"}), (1_080, 1_080)),
        ] {
            let order = order(&model, input.as_object().unwrap(), &seeds(json!({})), 0).unwrap();
            let size = match order {
                Order::Pictures(pictures) => (pictures[0].width, pictures[0].height),
                Order::Clip(clip) => (clip.width, clip.height),
                Order::Sound(_) | Order::Music(_) => unreachable!(),
            };
            assert_eq!(size, expected, "{input}");
        }
    }

    #[test]
    fn several_images_differ_in_their_seed() {
        let input = json!({"prompt": "fox", "seed": 7, "num_images": 3});
        for (bounds, first, expected) in [
            (json!({}), 7, [7, 8, 9]),
            (json!({ "min": 0, "max": 9 }), 8, [8, 9, 0]),
            (json!({ "min": 2, "max": 9, "step": 3 }), 5, [5, 8, 2]),
            // A seed outside the bounds is in an input of an older catalogue.
            (json!({ "max": 9 }), 10, [10, 11, 12]),
        ] {
            let of_order = order(&ModelType::Image, input.as_object().unwrap(), &seeds(bounds), first);
            let Order::Pictures(orders) = of_order.unwrap() else { panic!("pictures") };
            assert_eq!(orders.iter().map(|order| order.seed).collect::<Vec<_>>(), expected);
        }
    }

    /// The seeds of a model whose parameter `seed` has these bounds.
    fn seeds(bounds: Value) -> Seeds {
        let mut parameter = json!({ "name": "seed", "type": "integer", "required": false });
        parameter.as_object_mut().unwrap().extend(bounds.as_object().unwrap().clone());
        Seeds::of(&model(json!([parameter])))
    }

    fn model(parameters: Value) -> Model {
        let model = json!({ "slug": "m", "type": "image", "input_schema": { "parameters": parameters } });
        serde_json::from_value(model).unwrap()
    }

    #[test]
    fn a_model_without_the_parameter_takes_no_seed() {
        assert!(!Seeds::of(&model(json!([]))).are_taken);
        assert!(seeds(json!({})).are_taken);
    }

    #[test]
    fn a_prompt_of_known_words_has_no_warning_and_others_name_the_words() {
        let data = tempfile::tempdir().unwrap();
        let media = MediaStore::of_test(data.path());
        let outbound = Outbound::new(false).unwrap();
        let render = Render::new(media, outbound);
        let messages = |type_: &str, input: Value| -> Vec<(String, String)> {
            let model = serde_json::from_value(json!({ "slug": "m", "type": type_ })).unwrap();
            let warnings = render.warnings(&model, input.as_object().unwrap());
            warnings.into_iter().map(|warning| (warning.parameter, warning.message)).collect()
        };
        assert_eq!(messages("image", json!({ "prompt": "a red fox" })), []);
        assert_eq!(messages("audio", json!({ "prompt": "a dragon" })), []);
        assert_eq!(messages("video", json!({})), []);
        let [(parameter, message)] = &messages("image", json!({ "prompt": "a dragon" }))[..] else {
            panic!()
        };
        assert!(parameter == "prompt" && message.contains("`dragon`"), "{message}");
        let input = json!({ "prompt": "a fox", "image_url": "https://a.example/1.png" });
        assert_eq!(messages("video", input).len(), 1);
    }

    /// Numbers at the limits of JSON, and near the allowed ones.
    fn number() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<f64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-2.0..20.0_f64).prop_map(Value::from),
            proptest::sample::select(vec![
                json!(0),
                json!(-0.0),
                json!(1e308),
                json!(u64::MAX),
                json!(null),
                json!("9")
            ]),
        ]
    }

    proptest! {
        /// A returned seed is exact in JSON, and the model takes it again.
        #[test]
        fn a_drawn_seed_is_one_that_the_model_takes(
            min in proptest::option::of(-5_i64..1_000),
            max in proptest::option::of(prop_oneof![0_u64..2_000, any::<u64>()]),
            step in proptest::option::of(1_u64..9),
            chance: u64,
            index in 0_u64..8,
        ) {
            let (least, most) = (min.unwrap_or(0) as f64, max.unwrap_or(u64::MAX) as f64);
            // A model that takes no seed from 0 on is none of a renderer's.
            prop_assume!(least.max(0.0) + 9.0 <= most);
            let bounds = json!({ "min": min, "max": max, "step": step });
            let parameter = json!({ "name": "seed", "type": "integer", "required": false, "min": min, "max": max, "step": step });
            let seeds = seeds(bounds);
            let seed = seeds.after(seeds.by_chance(chance), index);
            prop_assert!(seed < 1 << 53);
            let input = Map::from_iter([("seed".to_owned(), Value::from(seed))]);
            let checked = clipia_queue::input::check(&model(json!([parameter])), &input).unwrap();
            prop_assert_eq!(seeds.given(&checked.input), Some(seed));
        }

        /// The memory of any order is bounded.
        #[test]
        fn any_input_takes_a_bounded_memory(
            model in proptest::sample::select(vec![ModelType::Image, ModelType::Video, ModelType::Audio]),
            [duration, images, speed, seed] in [number(), number(), number(), number()],
            ratio in prop_oneof!["[0-9]{0,12}:[0-9]{0,12}", "[1-9]{1,2}:[1-9]{1,2}", any::<String>()],
            resolution in "(0.5|1|2|4|8|99999999)[Kk]|(240|480|720|1080|4294967295)p|.{0,9}",
        ) {
            let input = json!({
                "duration": duration, "num_images": images, "speed": speed, "seed": seed,
                "aspect_ratio": ratio, "resolution": resolution, "prompt": "fox",
            });
            let Ok(order) = order(&model, input.as_object().unwrap(), &seeds(json!({})), 0) else { return Ok(()) };
            let sizes = match &order {
                Order::Pictures(orders) => {
                    prop_assert!(orders.len() <= 8);
                    orders.iter().map(|order| (order.width, order.height)).collect()
                }
                Order::Clip(clip) => vec![(clip.width, clip.height)],
                Order::Sound(_) | Order::Music(_) => vec![],
            };
            // The renderer refuses longer edges before it allocates anything.
            let drawn = sizes.iter().all(|(width, height)| *width.max(height) <= clipia_render::PICTURE_EDGE_MAX);
            if drawn && needs::check(&order).is_err() {
                let clip = matches!(order, Order::Clip(_));
                prop_assert!(clip && sizes.iter().any(|(width, height)| *width.max(height) > clipia_render::CLIP_EDGE_MAX), "{input}");
            }
        }
    }

    #[test]
    fn an_invalid_ratio_is_refused() {
        for ratio in ["", "16", "0:1", "a:b", "1:999"] {
            assert!(size(ratio, Edge::Longer(512)).is_err(), "{ratio}");
        }
    }
}
