//! Draws pictures and clips, speaks texts and plays music, without a model, a key or a network.
//!
//! It is procedural: a program draws what it knows from the words of a prompt. `prompt` reads the known words. `scene` composes
//! them into layers, which are drawn. Unknown words still decide colours, shapes and positions, and [`not_drawn`] names them. A text
//! in quotes is drawn as letters. Files say that they are procedural, and do not contain the prompt. The same order gives the same bytes: nothing here reads a clock, a file or a source of
//! randomness. Everything runs on the calling thread, within the limits below.
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
mod font;
mod ground;
mod lands;
mod lettering;
mod lighthouse;
mod mp4;
mod music;
mod not_drawn;
mod objects;
mod ordinary;
mod palette;
mod patterns;
mod picture;
mod places;
mod plants;
mod prompt;
mod provenance;
mod quotes;
mod random;
mod rendition;
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
pub use not_drawn::{Names, NotDrawn, not_drawn, not_drawn_over_source};
pub use picture::picture;
pub use rendition::{NoRendition, rendition};
pub use sound::{SILENCE_SECONDS_MAX, SOUND_SECONDS_MAX, silence, sound};
pub use source::{SOURCE_BYTES_MAX, SOURCE_MEMORY_MAX, Source, cover};

/// The longest edge of a picture, in pixels.
pub const PICTURE_EDGE_MAX: u32 = 4096;
/// The longest edge of a clip, in pixels. The other edge is at most [`CLIP_SHORT_EDGE_MAX`].
pub const CLIP_EDGE_MAX: u32 = 1920;
/// The largest size of a clip's shorter edge, in pixels.
pub const CLIP_SHORT_EDGE_MAX: u32 = 1080;
/// The shortest edge of a picture or clip, in pixels. Encoders refuse smaller ones.
pub const EDGE_MIN: u32 = 16;
/// The frames per second of a clip.
pub const CLIP_FRAMES_PER_SECOND: u32 = 24;
/// The longest clip, in seconds.
pub const CLIP_SECONDS_MAX: f64 = 12.0;
/// The most characters of a prompt that are read. Further characters are ignored.
pub const PROMPT_CHARS_MAX: usize = 4_000;

/// The callback for progress. The renderer calls it with the share of the work that is done, in percent. The percent never
/// falls. If the callback returns `ControlFlow::Break(())`, the work stops soon with [`RenderError::Stopped`].
pub type Progress<'a> = &'a mut dyn FnMut(u8) -> ControlFlow<()>;

/// The order of a picture.
#[derive(Clone, Debug)]
pub struct PictureOrder {
    /// The words to draw, in any language. A text in quotes is drawn as letters.
    pub prompt: String,
    /// The words for things that must not appear.
    pub negative_prompt: Option<String>,
    /// Chooses among the many pictures of one prompt.
    pub seed: u64,
    /// Width in pixels, [`EDGE_MIN`]..=[`PICTURE_EDGE_MAX`].
    pub width: u32,
    /// Height in pixels, [`EDGE_MIN`]..=[`PICTURE_EDGE_MAX`].
    pub height: u32,
}

/// The order of a clip.
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

/// The order of a spoken text.
#[derive(Clone, Debug)]
pub struct SoundOrder {
    /// The text, in any language.
    pub text: String,
    /// The name of the voice. Each name gives another voice.
    pub voice: String,
    /// Varies the intonation.
    pub seed: u64,
    /// The speed; 1.0 is normal. It is clamped to 0.25..=4.0.
    pub speed: f64,
}

/// The order of a piece of music.
#[derive(Clone, Debug)]
pub struct MusicOrder {
    /// The words to compose from, in any language. Some words decide the tempo and the scale.
    pub prompt: String,
    /// Chooses among the many pieces of one prompt.
    pub seed: u64,
    /// Whether the piece has no singing voice. A voice sings no words.
    pub instrumental: bool,
}

/// A drawn picture, as a lossless and as a lossy file.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Width in pixels, as ordered.
    pub width: u32,
    /// Height in pixels, as ordered.
    pub height: u32,
    /// The lossless original, as PNG.
    pub png: Vec<u8>,
    /// The lossy rendition, as WebP. It is several times smaller.
    pub webp: Vec<u8>,
}

/// A drawn clip: H.264 in an MP4 that a player can start before it is loaded.
#[derive(Clone, Debug)]
pub struct Clip {
    /// Width in pixels, as ordered.
    pub width: u32,
    /// Height in pixels, as ordered.
    pub height: u32,
    /// The ordered length in seconds, rounded to a frame.
    pub duration_seconds: f64,
    /// The file.
    pub mp4: Vec<u8>,
}

/// A spoken text, a piece of music or a silence: 16-bit mono WAV.
#[derive(Clone, Debug)]
pub struct Sound {
    /// Length in seconds.
    pub duration_seconds: f64,
    /// The file.
    pub wav: Vec<u8>,
}

/// Why an order was not rendered.
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
    /// An encoder failed.
    #[error("the {format} encoder failed: {reason}")]
    Encode {
        /// The file format.
        format: &'static str,
        /// The encoder's message.
        reason: String,
    },
}

impl RenderError {
    fn encode(format: &'static str, reason: impl std::fmt::Display) -> Self {
        Self::Encode { format, reason: reason.to_string() }
    }
}

/// Reports the progress.
///
/// # Errors
/// [`RenderError::Stopped`] if the callback asks for it.
fn report(progress: &mut dyn FnMut(u8) -> ControlFlow<()>, percent: u8) -> Result<(), RenderError> {
    match progress(percent.min(100)) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(RenderError::Stopped),
    }
}

/// Compiles and runs the README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
