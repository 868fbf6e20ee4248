//! Which files an output has, and what they are called. A media host has no say in the names beyond the type.

use clipia_api::types::{Output, RequestId};
use url::Url;

/// What media types are called in file names.
const EXTENSIONS: [(&str, &str); 20] = [
    ("image/png", "png"),
    ("image/jpeg", "jpg"),
    ("image/webp", "webp"),
    ("image/gif", "gif"),
    ("image/avif", "avif"),
    ("video/mp4", "mp4"),
    ("video/webm", "webm"),
    ("video/quicktime", "mov"),
    ("audio/mpeg", "mp3"),
    ("audio/mp3", "mp3"),
    ("audio/wav", "wav"),
    ("audio/x-wav", "wav"),
    ("audio/wave", "wav"),
    ("audio/vnd.wave", "wav"),
    ("audio/ogg", "ogg"),
    ("audio/opus", "opus"),
    ("audio/flac", "flac"),
    ("audio/aac", "aac"),
    ("audio/mp4", "m4a"),
    ("audio/x-m4a", "m4a"),
];

/// Characters of an id in a name; a UUID has 36.
const ID_MAX: usize = 100;

/// For a file of a type that is none of these.
const EXTENSION_UNKNOWN: &str = "bin";

/// One file of a result.
#[derive(Debug, PartialEq)]
pub(super) struct File<'a> {
    kind: &'static str,
    /// From 1, within its kind.
    number: usize,
    pub(super) url: &'a str,
    /// Whether it stands for an original that is another file.
    rendition: bool,
    /// What the result says its container is.
    pub(super) format: Option<&'a str>,
}

impl File<'_> {
    /// Its name without the extension, which only its host knows: letters, digits, hyphens and underscores.
    pub(super) fn stem(&self, id: &RequestId) -> String {
        let rendition = if self.rendition { "-rendition" } else { "" };
        // An id is what a server says: none is a path, and no name is too long for a file system.
        let is_safe = |next: char| next.is_ascii_alphanumeric() || next == '-' || next == '_';
        let id = id.as_str().chars().map(|next| if is_safe(next) { next } else { '_' });
        let id: String = id.take(ID_MAX).collect();
        format!("{id}-{}-{}{rendition}", self.kind, self.number)
    }
}

/// Every file of an output, in its order: the original where there is one, unless `renditions` are wanted.
pub(super) fn of(output: &Output, renditions: bool) -> Vec<File<'_>> {
    let images = output.images.iter().map(|image| ("image", &image.url, image.original_url.as_ref(), None));
    let video = output.video.iter().map(|video| ("video", &video.url, video.original_url.as_ref(), None));
    let audio = output.audio.iter().chain(&output.audios);
    let audio = audio.map(|audio| ("audio", &audio.url, None, audio.format.as_deref()));
    let mut files: Vec<File<'_>> = Vec::new();
    for (kind, url, original, format) in images.chain(video).chain(audio) {
        let rendition = renditions && original.is_some_and(|original| original != url);
        let url = if rendition { url } else { original.unwrap_or(url) }.as_str();
        // `audio` is often the first of `audios`, too.
        if files.iter().any(|file| file.kind == kind && file.url == url) {
            continue;
        }
        let number = 1 + files.iter().filter(|file| file.kind == kind).count();
        files.push(File { kind, number, url, rendition, format });
    }
    files
}

/// What ends a file's name: by its media type, else by the end of its URL, else by what the result says. Only
/// endings of media: whatever a host says, no program is saved.
pub(super) fn extension(content_type: Option<&str>, url: &Url, format: Option<&str>) -> &'static str {
    let essence = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    let of_url = url.path().rsplit_once('.').map(|(_, end)| end);
    let by_type = || EXTENSIONS.iter().find(|(name, _)| essence.eq_ignore_ascii_case(name));
    let by_name = |end: &str| EXTENSIONS.iter().find(|(_, known)| known.eq_ignore_ascii_case(end));
    by_type()
        .or_else(|| of_url.and_then(by_name))
        .or_else(|| format.and_then(by_name))
        .map_or(EXTENSION_UNKNOWN, |(_, extension)| extension)
}
