//! Why a file is not decoded.

use std::fmt;

/// Why a file is not decoded. Shown, it goes on from the name of the file: "is too large: …".
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The file has another format.
    Format,
    /// The file would cost too much memory or time.
    Cost(String),
    /// The file is not damaged as far as is known, but uses what the decoder does not know.
    Unsupported(String),
    /// The file is damaged.
    Damage(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format => f.write_str("is not a PNG, JPEG or WebP file"),
            Self::Cost(why) | Self::Unsupported(why) | Self::Damage(why) => f.write_str(why),
        }
    }
}
