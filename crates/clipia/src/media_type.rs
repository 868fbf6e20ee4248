//! The media type of a file, by its first bytes.

use file_format::FileFormat;
use std::borrow::Cow;

/// The first bytes that show what a container holds.
const BEGINNING: usize = 4096;

/// The media type that the first bytes of a file show, such as `image/png`; none if they show none. A `data:` URL has it in
/// front.
///
/// ```
/// assert_eq!(clipia::media_type(b"\x89PNG\r\n\x1a\n").as_deref(), Some("image/png"));
/// assert_eq!(clipia::media_type(b"a fox"), None);
/// ```
pub fn media_type(bytes: &[u8]) -> Option<Cow<'static, str>> {
    let beginning = &bytes[..bytes.len().min(BEGINNING)];
    let has = |word: &[u8]| beginning.windows(word.len()).any(|window| window == word);
    // A container gets the type of its usual content. Audio types are those of browsers.
    let media_type = match FileFormat::from_bytes(bytes) {
        FileFormat::ArbitraryBinaryData | FileFormat::Empty | FileFormat::PlainText => return None,
        FileFormat::AppleItunesAudio => "audio/m4a",
        FileFormat::AudioInterchangeFileFormat => "audio/aiff",
        FileFormat::ExtensibleBinaryMetaLanguage if has(b"webm") => "video/webm",
        FileFormat::ExtensibleBinaryMetaLanguage => "video/x-matroska",
        FileFormat::ExtensibleMarkupLanguage if has(b"<svg") => "image/svg+xml",
        FileFormat::Id3v2 => "audio/mpeg",
        FileFormat::Mpeg4Part14 => "video/mp4",
        FileFormat::OggMultiplexedMedia => "audio/ogg",
        FileFormat::WaveformAudio => "audio/wav",
        format => return Some(format.media_type().to_owned().into()),
    };
    Some(media_type.into())
}
