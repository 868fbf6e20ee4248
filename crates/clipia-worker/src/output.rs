//! What an executor made.

use clipia_api::types::Output;
use std::path::PathBuf;

/// An output and its files.
pub struct JobOutput {
    /// The output. Its URLs are the names of `files`.
    pub output: Output,
    /// The files.
    pub files: Vec<MediaFile>,
}

/// A file of an output.
pub struct MediaFile {
    /// The name, such as `image-1.png`: of letters, digits, `-`, `_` and `.`, and unique in the output.
    pub name: String,
    /// The content.
    pub content: Content,
}

impl MediaFile {
    /// A file of these bytes.
    pub fn new(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self { name: name.into(), content: Content::Bytes(bytes) }
    }
}

/// The content type of a file by its name, as the server says it.
pub fn content_type(name: &str) -> &'static str {
    mime_guess::from_path(name).first_raw().unwrap_or("application/octet-stream")
}

/// The content of a file.
pub enum Content {
    /// Bytes in memory.
    Bytes(Vec<u8>),
    /// A file on this machine, which is read piece by piece. The executor may remove it once the output is stored or dropped.
    File {
        /// Its path.
        path: PathBuf,
        /// Its length in bytes.
        bytes: u64,
    },
    /// A file on this machine that nobody writes any more, so that it may get a second name instead of being copied.
    Sealed {
        /// Its path.
        path: PathBuf,
        /// Its length in bytes.
        bytes: u64,
    },
}

impl Content {
    /// The length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { bytes, .. } | Self::Sealed { bytes, .. } => *bytes,
        }
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
