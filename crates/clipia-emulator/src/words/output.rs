//! A file of a scripted output.

use super::lexer::{in_quotes, number, quoted};
use crate::duration;
use std::fmt;
use std::time::Duration;

/// The longest side of a picture, in pixels.
const SIDE_MAX: u32 = 16_384;

/// A file that a script puts into an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScriptedOutput {
    /// A file on this machine: its path as it was written.
    File(String),
    /// A picture of this size.
    Image {
        /// Its width in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
    },
    /// A clip of this size and duration.
    Video {
        /// Its width in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
        /// How long it plays.
        duration: Duration,
    },
    /// A sound of this duration.
    Audio {
        /// How long it plays.
        duration: Duration,
    },
}

impl ScriptedOutput {
    /// The file that a text says; none if it says none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.starts_with('"') {
            return quoted(text).filter(|path| !path.is_empty()).map(Self::File);
        }
        match text.split_once(':') {
            Some(("image", size)) => {
                let (width, height) = sides(size)?;
                Some(Self::Image { width, height })
            }
            Some(("video", form)) => {
                let (size, time) = form.split_once(':')?;
                let ((width, height), duration) = (sides(size)?, playing_time(time)?);
                Some(Self::Video { width, height, duration })
            }
            Some(("audio", time)) => Some(Self::Audio { duration: playing_time(time)? }),
            _ if text.is_empty() || text.contains('"') => None,
            _ => Some(Self::File(text.to_owned())),
        }
    }
}

/// The sides of `2048x1024`.
fn sides(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.split_once('x')?;
    Some((number(width, 1..=SIDE_MAX)?, number(height, 1..=SIDE_MAX)?))
}

/// How long a clip or a sound plays: not nothing.
fn playing_time(text: &str) -> Option<Duration> {
    duration::parse(text).filter(|time| !time.is_zero())
}

impl fmt::Display for ScriptedOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => {
                let is_plain = !path.contains(|char: char| char.is_whitespace() || ":\"".contains(char));
                f.write_str(&if is_plain { path.clone() } else { in_quotes(path) })
            }
            Self::Image { width, height } => write!(f, "image:{width}x{height}"),
            Self::Video { width, height, duration } => {
                write!(f, "video:{width}x{height}:{}", duration::shown(*duration))
            }
            Self::Audio { duration } => write!(f, "audio:{}", duration::shown(*duration)),
        }
    }
}
