//! What an operator sets.

use clipia::Credits;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The settings of a server of tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether the tools that submit generations are left out.
    pub read_only: bool,
    /// The directory in which the files of every completed generation are saved; by default only their URLs are told.
    pub save_to: Option<PathBuf>,
    /// The directories whose files may go into inputs, and in which a call may save files. [`save_to`](Self::save_to) is one of them.
    pub allowed: Vec<PathBuf>,
    /// A generation that costs more credits than this is confirmed by a person first; 50 by default.
    pub confirm_above: Credits,
    /// The kinds of generations that there are tools for; all by default.
    pub kinds: Vec<Kind>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            read_only: false,
            save_to: None,
            allowed: Vec::new(),
            confirm_above: Credits::new(50),
            kinds: Kind::ALL.to_vec(),
        }
    }
}

/// A kind of generations. Each has a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Images: `generate_image`.
    Image,
    /// Clips: `generate_video`.
    Video,
    /// Speech: `generate_audio`.
    Audio,
    /// Music: `generate_music`.
    Music,
}

impl Kind {
    /// Every kind, in the order of the tools.
    pub const ALL: [Self; 4] = [Self::Image, Self::Video, Self::Audio, Self::Music];

    /// The name: `image`, `video`, `audio` or `music`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Music => "music",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of no kind.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is none of image, video, audio and music")]
pub struct KindInvalid(String);

impl FromStr for Kind {
    type Err = KindInvalid;

    fn from_str(text: &str) -> Result<Self, KindInvalid> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text.trim());
        found.ok_or_else(|| KindInvalid(text.to_owned()))
    }
}
