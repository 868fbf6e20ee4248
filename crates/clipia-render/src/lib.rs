//! Draws pictures and clips, speaks texts and plays music, without a model, a key or a network.
//!
//! A prompt is read for the words it knows (`prompt`), composed into a scene of layers (`scene`) and drawn; words it
//! does not know still decide colours, shapes and places. The same order gives the same bytes: nothing in here reads a
//! clock, a file or a source of chance. Everything runs on the calling thread and is bounded by the limits below.
//!
//! ```
//! use clipia_render::{PictureOrder, picture};
//! use std::ops::ControlFlow;
//!
//! let order = PictureOrder {
//!     prompt: "a lighthouse in a storm".to_owned(),
//!     negative_prompt: None,
//!     seed: 1,
//!     width: 96,
//!     height: 64,
//! };
//! let picture = picture(&order, &mut |_percent| ControlFlow::Continue(()))?;
//! assert!(picture.png.starts_with(b"\x89PNG"));
//! # Ok::<(), clipia_render::RenderError>(())
//! ```
//!
//! What this crate must never know: a queue, HTTP, a store.

mod animals;
mod birds;
mod camera;
mod canvas;
mod city;
mod clip;
mod clouds;
mod colour;
mod cosmos;
mod craft;
mod figures;
mod flowers;
mod ground;
mod lands;
mod lighthouse;
mod mp4;
mod music;
mod objects;
mod palette;
mod patterns;
mod picture;
mod places;
mod plants;
mod prompt;
mod random;
mod ridges;
mod scene;
mod setting;
mod sky;
mod sound;
mod source;
mod speech;
mod vocabulary;
mod voice;
mod water;
mod waves;
mod weather;
mod whale;

use clip::frame_size;
use std::ops::ControlFlow;

pub use clip::clip;
pub use music::music;
pub use picture::picture;
pub use sound::{SOUND_SECONDS_MAX, sound};
pub use source::{SOURCE_BYTES_MAX, SOURCE_MEMORY_MAX, Source, cover};

/// Longest edge of a picture, in pixels.
pub const PICTURE_EDGE_MAX: u32 = 4096;
/// Longest edge of a clip, in pixels; the shorter one is at most [`CLIP_SHORT_EDGE_MAX`].
pub const CLIP_EDGE_MAX: u32 = 1920;
/// Longest shorter edge of a clip, in pixels.
pub const CLIP_SHORT_EDGE_MAX: u32 = 1080;
/// Shortest edge of a picture or clip, in pixels: below it there is nothing to see, and encoders refuse.
pub const EDGE_MIN: u32 = 16;
/// Frames in a second of a clip.
pub const CLIP_FRAMES_PER_SECOND: u32 = 24;
/// Longest clip, in seconds.
pub const CLIP_SECONDS_MAX: f64 = 12.0;
/// Most characters of a prompt that are read; the rest is ignored.
pub const PROMPT_CHARS_MAX: usize = 4_000;

/// What the renderer reports to: percent 0..=100, never falling, the share of the work really done. Returning
/// `ControlFlow::Break(())` stops the work soon, with [`RenderError::Stopped`].
pub type Progress<'a> = &'a mut dyn FnMut(u8) -> ControlFlow<()>;

/// What to draw as a picture.
#[derive(Clone, Debug)]
pub struct PictureOrder {
    /// The words to draw, in any language.
    pub prompt: String,
    /// Words for what must not appear.
    pub negative_prompt: Option<String>,
    /// Chooses among the many pictures of one prompt.
    pub seed: u64,
    /// Width in pixels, [`EDGE_MIN`]..=[`PICTURE_EDGE_MAX`].
    pub width: u32,
    /// Height in pixels, [`EDGE_MIN`]..=[`PICTURE_EDGE_MAX`].
    pub height: u32,
}

/// What to draw as a clip.
#[derive(Clone, Debug)]
pub struct ClipOrder {
    /// The words to draw, in any language.
    pub prompt: String,
    /// Chooses among the many clips of one prompt.
    pub seed: u64,
    /// Width in pixels, even, [`EDGE_MIN`]..=[`CLIP_EDGE_MAX`].
    pub width: u32,
    /// Height in pixels, even, [`EDGE_MIN`]..=[`CLIP_EDGE_MAX`].
    pub height: u32,
    /// Length in seconds, above zero and at most [`CLIP_SECONDS_MAX`].
    pub duration_seconds: f64,
    /// An image to set in motion instead of a scene drawn from the prompt.
    pub source: Option<Source>,
}

/// What to speak.
#[derive(Clone, Debug)]
pub struct SoundOrder {
    /// The text, in any language.
    pub text: String,
    /// Name of the voice; any name gives a voice of its own.
    pub voice: String,
    /// Varies the intonation.
    pub seed: u64,
    /// Pace, 1.0 being normal; brought into 0.25..=4.0.
    pub speed: f64,
}

/// What to play.
#[derive(Clone, Debug)]
pub struct MusicOrder {
    /// The words to compose from, in any language; some decide the pace and the scale.
    pub prompt: String,
    /// Chooses among the many pieces of one prompt.
    pub seed: u64,
    /// Whether it has no voice. A voice has no words.
    pub instrumental: bool,
}

/// A drawn picture in two renditions.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Width in pixels, as ordered.
    pub width: u32,
    /// Height in pixels, as ordered.
    pub height: u32,
    /// The original, lossless.
    pub png: Vec<u8>,
    /// The rendition to show, lossy and several times smaller.
    pub webp: Vec<u8>,
}

/// A drawn clip: H.264 in an MP4 that starts playing before it is loaded.
#[derive(Clone, Debug)]
pub struct Clip {
    /// Width in pixels, as ordered.
    pub width: u32,
    /// Height in pixels, as ordered.
    pub height: u32,
    /// Length in seconds: the ordered one, to the nearest frame.
    pub duration_seconds: f64,
    /// The file.
    pub mp4: Vec<u8>,
}

/// A spoken text or a piece of music: 16-bit mono WAV.
#[derive(Clone, Debug)]
pub struct Sound {
    /// Length in seconds.
    pub duration_seconds: f64,
    /// The file.
    pub wav: Vec<u8>,
}

/// Why nothing was rendered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// The progress callback asked to stop.
    #[error("the rendering was stopped")]
    Stopped,
    /// The order asks for a size or length outside the limits.
    #[error("{0}")]
    Size(String),
    /// The source image cannot be used.
    #[error("the source image {0}")]
    SourceImage(String),
    /// An encoder refused what was drawn.
    #[error("the {format} encoder failed: {reason}")]
    Encode {
        /// The file format being written.
        format: &'static str,
        /// What the encoder said.
        reason: String,
    },
}

impl RenderError {
    fn encode(format: &'static str, reason: impl std::fmt::Display) -> Self {
        Self::Encode { format, reason: reason.to_string() }
    }
}

/// Tells how far the work is; errs when the listener wants it to stop.
fn report(progress: &mut dyn FnMut(u8) -> ControlFlow<()>, percent: u8) -> Result<(), RenderError> {
    match progress(percent.min(100)) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(RenderError::Stopped),
    }
}

/// Compiles and runs what the README shows.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
