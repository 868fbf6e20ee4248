//! What a file is, by its content: its first bytes, and then its headers.

mod bytes;
mod clip;
mod matroska;
mod mp4;
mod sound;
mod wav;

use file_format::FileFormat;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};

/// The first bytes by which the format is told.
const FIRST_BYTES: u64 = 4 * 1024;

/// The bytes that are read at once. Headers are small and far apart.
const BUFFER_BYTES: usize = 4 * 1024;

/// What a file is.
#[derive(Debug, PartialEq)]
pub(super) enum Media {
    /// A picture, by its size in pixels.
    Picture { format: Picture, width: u32, height: u32 },
    /// A clip.
    Video {
        extensions: &'static [&'static str],
        width: Option<u32>,
        height: Option<u32>,
        duration: Option<f64>,
    },
    /// A sound. The first of its extensions is its format.
    Audio { extensions: &'static [&'static str], duration: Option<f64> },
    /// Anything else, and a file whose headers cannot be read.
    Other,
}

/// The format of a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Picture {
    Png,
    Jpeg,
    WebP,
    Gif,
}

impl Picture {
    /// Whether a WebP rendition is worth its making. A WebP is small already, and a GIF may be an animation.
    #[cfg(feature = "renditions")]
    pub(super) fn has_rendition(self) -> bool {
        matches!(self, Self::Png | Self::Jpeg)
    }
}

impl Media {
    /// The extensions that a name of such a file may have, the usual one first; none where any is right.
    pub(super) fn extensions(&self) -> &'static [&'static str] {
        match self {
            Self::Picture { format: Picture::Png, .. } => &["png", "apng"],
            Self::Picture { format: Picture::Jpeg, .. } => &["jpg", "jpeg"],
            Self::Picture { format: Picture::WebP, .. } => &["webp"],
            Self::Picture { format: Picture::Gif, .. } => &["gif"],
            Self::Video { extensions, .. } | Self::Audio { extensions, .. } => extensions,
            Self::Other => &[],
        }
    }
}

/// What `file` of `length` bytes is. Leaves the file at its beginning.
///
/// # Errors
/// If the file cannot be read. A header that cannot be understood is no error.
pub(super) fn of(file: &mut File, length: u64) -> io::Result<Media> {
    let mut first = Vec::new();
    file.take(FIRST_BYTES).read_to_end(&mut first)?;
    file.rewind()?;
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, &mut *file);
    let media = by_headers(&first, &mut reader, length);
    file.rewind()?;
    Ok(media.unwrap_or(Media::Other))
}

/// What a file is; none where its format is another, or its headers cannot be read.
fn by_headers(first: &[u8], file: &mut BufReader<&mut File>, length: u64) -> Option<Media> {
    use FileFormat as Is;
    match FileFormat::from_bytes(first) {
        Is::PortableNetworkGraphics | Is::AnimatedPortableNetworkGraphics => picture(Picture::Png, file),
        Is::JointPhotographicExpertsGroup => picture(Picture::Jpeg, file),
        Is::Webp => picture(Picture::WebP, file),
        Is::GraphicsInterchangeFormat => picture(Picture::Gif, file),
        Is::WaveformAudio => {
            Some(Media::Audio { extensions: &["wav"], duration: Some(wav::seconds(file, length)?) })
        }
        Is::Id3v2 | Is::Mpeg12AudioLayer3 => sound::of(sound::Format::Mp3, file),
        Is::OggMultiplexedMedia | Is::OggVorbis => {
            sound::of(sound::Format::Vorbis, file).or_else(|| sound::of(sound::Format::Opus, file))
        }
        Is::OggOpus => sound::of(sound::Format::Opus, file),
        Is::FreeLosslessAudioCodec => sound::of(sound::Format::Flac, file),
        Is::AdvancedAudioCoding => sound::of(sound::Format::Aac, file),
        Is::ExtensibleBinaryMetaLanguage | Is::Webm | Is::MatroskaVideo | Is::MatroskaAudio => {
            matroska::read(file, length)?.media()
        }
        _ if mp4::is_possible(first) => mp4::read(file, length)?.media(),
        _ => None,
    }
}

fn picture(format: Picture, file: &mut BufReader<&mut File>) -> Option<Media> {
    let size = imagesize::reader_size(file).ok()?;
    let edge = |pixels: usize| u32::try_from(pixels).ok().filter(|pixels| *pixels > 0);
    Some(Media::Picture { format, width: edge(size.width)?, height: edge(size.height)? })
}

#[cfg(test)]
mod tests;
