//! The duration of compressed sounds.

use super::Media;
use lofty::config::ParseOptions;
use lofty::file::{AudioFile, FileType};
use lofty::probe::Probe;
use std::io::{Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A format of compressed sounds.
#[derive(Clone, Copy)]
pub(super) enum Format {
    Mp3,
    Vorbis,
    Opus,
    Flac,
    Aac,
}

/// The sound in a file; none where it has no sound of this format.
pub(super) fn of(format: Format, file: &mut (impl Read + Seek)) -> Option<Media> {
    let (kind, extensions): (FileType, &'static [&'static str]) = match format {
        Format::Mp3 => (FileType::Mpeg, &["mp3"]),
        Format::Vorbis => (FileType::Vorbis, &["ogg", "oga"]),
        Format::Opus => (FileType::Opus, &["ogg", "oga", "opus"]),
        Format::Flac => (FileType::Flac, &["flac"]),
        Format::Aac => (FileType::Aac, &["aac"]),
    };
    file.rewind().ok()?;
    // Tags and pictures of a cover may be large, and are not needed.
    let options = ParseOptions::new().read_tags(false).read_cover_art(false);
    // A panic on a hostile file is as good as an error: nothing that it leaves behind is used again.
    let read =
        catch_unwind(AssertUnwindSafe(|| Probe::with_file_type(file, kind).options(options).read().ok()));
    let seconds = read.ok()??.properties().duration().as_secs_f64();
    (seconds > 0.0).then_some(Media::Audio { extensions, duration: Some(seconds) })
}
