//! Chooses the extension of a file: by its content type, else by its URL, else by what the result says, else by its
//! first bytes. Only harmless extensions are possible, so that no file is saved as a program or a script.

use file_format::{FileFormat, Kind};
use url::Url;

/// First bytes by which an extension is chosen. The number is fixed, so that a resumed download chooses the same.
pub(super) const FIRST_BYTES: usize = 4096;

/// The extension of a file of unknown type.
pub(super) const UNKNOWN: &str = "bin";

/// Content types that the table of `file-format` lacks, or has under a less usual extension.
const BY_TYPE: [(&str, &str); 33] = [
    ("image/jpg", "jpg"),
    ("image/pjpeg", "jpg"),
    ("image/x-png", "png"),
    ("image/x-ms-bmp", "bmp"),
    ("image/x-icon", "ico"),
    ("video/mp4", "mp4"),
    ("video/quicktime", "mov"),
    ("video/x-matroska", "mkv"),
    ("video/matroska", "mkv"),
    ("video/mp2t", "ts"),
    ("video/ogg", "ogv"),
    ("audio/mpeg", "mp3"),
    ("audio/mpeg3", "mp3"),
    ("audio/x-pn-wav", "wav"),
    ("audio/wave", "wav"),
    ("audio/ogg", "ogg"),
    ("audio/vorbis", "ogg"),
    ("audio/aacp", "aac"),
    ("audio/mp4", "m4a"),
    ("audio/webm", "weba"),
    ("audio/mpegurl", "m3u8"),
    ("audio/x-mpegurl", "m3u8"),
    ("application/vnd.apple.mpegurl", "m3u8"),
    ("application/mp4", "mp4"),
    ("application/ogg", "ogg"),
    ("application/x-zip-compressed", "zip"),
    ("application/x-gzip", "gz"),
    ("application/pdf", "pdf"),
    ("application/json", "json"),
    ("text/csv", "csv"),
    ("model/gltf+json", "gltf"),
    ("model/x-ply", "ply"),
    ("model/x.stl-binary", "stl"),
];

/// Harmless extensions that `file-format` lacks, or has under a kind that is not harmless as a whole.
const HARMLESS: [&str; 26] = [
    "ass",
    "bin",
    "csv",
    "dng",
    "gltf",
    "json",
    "jsonl",
    "ksplat",
    "lottie",
    "m3u8",
    "mpd",
    "mtl",
    "npy",
    "npz",
    "obj",
    "onnx",
    "pdf",
    "safetensors",
    "splat",
    "spz",
    "tga",
    "txt",
    "usd",
    "vrm",
    "weba",
    "xyz",
];

/// Extensions with a more usual spelling.
const SPELT: [(&str, &str); 7] = [
    ("jpeg", "jpg"),
    ("jpe", "jpg"),
    ("jfif", "jpg"),
    ("tif", "tiff"),
    ("mpeg", "mpg"),
    ("aif", "aiff"),
    ("qt", "mov"),
];

/// What a result says of a file besides its URL.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Description<'a> {
    /// The container, such as `wav`.
    pub(super) format: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    pub(super) content_type: Option<&'a str>,
}

/// The extension, if it can be chosen without the first bytes.
pub(super) fn by_head(
    content_type: Option<&str>,
    url: &Url,
    description: Description<'_>,
) -> Option<&'static str> {
    let of_name = |name: &str| by_name(name.rsplit_once('.')?.1);
    // Only the last segment of the path is a file name.
    let last = url.path_segments().and_then(|mut segments| segments.next_back());
    content_type
        .and_then(by_type)
        .or_else(|| last.and_then(of_name))
        .or_else(|| description.format.and_then(by_name))
        .or_else(|| description.name.and_then(of_name))
        .or_else(|| description.content_type.and_then(by_type))
}

/// The extension by the first bytes of a file, of which at most [`FIRST_BYTES`] count.
pub(super) fn by_beginning(content_type: Option<&str>, bytes: &[u8]) -> &'static str {
    let bytes = &bytes[..bytes.len().min(FIRST_BYTES)];
    let has = |word: &[u8]| bytes.windows(word.len()).any(|window| window == word);
    // `file-format` would need the whole file to tell these formats apart.
    let by_bytes = match FileFormat::from_bytes(bytes) {
        FileFormat::Id3v2 => Some("mp3"),
        FileFormat::ExtensibleBinaryMetaLanguage => Some(if has(b"webm") { "webm" } else { "mkv" }),
        FileFormat::OggMultiplexedMedia => Some("ogg"),
        FileFormat::ExtensibleMarkupLanguage if has(b"<svg") => Some("svg"),
        format => by_name(format.extension()),
    };
    // Hosts send `text/plain` for unknown files, so the first bytes go before it.
    let plain = || content_type.is_some_and(|value| essence(value) == "text/plain").then_some("txt");
    by_bytes.or_else(plain).unwrap_or(UNKNOWN)
}

/// The media type in a `Content-Type`: lower case, without parameters.
pub(super) fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The extension of a media type. `None` for a type that says nothing, such as `application/octet-stream`, and for
/// types that are not media.
fn by_type(content_type: &str) -> Option<&'static str> {
    let essence = essence(content_type);
    if let Some((_, extension)) = BY_TYPE.iter().find(|(name, _)| *name == essence) {
        return Some(extension);
    }
    let formats = FileFormat::from_media_type(&essence);
    if let Some(format) = formats.iter().find(|format| is_harmless(format.kind())) {
        return Some(format.extension());
    }
    let (family, subtype) = essence.split_once('/')?;
    let media = matches!(family, "image" | "video" | "audio" | "model" | "font");
    by_name(subtype.strip_prefix("x-").unwrap_or(subtype)).filter(|_| media)
}

/// The extension in its usual spelling, if it is one of media or other harmless data.
fn by_name(extension: &str) -> Option<&'static str> {
    let extension = extension.to_ascii_lowercase();
    if let Some((_, usual)) = SPELT.iter().find(|(name, _)| *name == extension) {
        return Some(usual);
    }
    let formats = FileFormat::from_extension(&extension);
    let known = formats.iter().find(|format| is_harmless(format.kind())).map(FileFormat::extension);
    known.or_else(|| HARMLESS.into_iter().find(|name| *name == extension)).filter(|name| *name != UNKNOWN)
}

/// Whether no file of this kind is executed when it is opened.
fn is_harmless(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Archive
            | Kind::Audio
            | Kind::Compressed
            | Kind::Font
            | Kind::Image
            | Kind::Model
            | Kind::Subtitle
            | Kind::Video
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(content_type: &str, url: &str, description: Description<'_>, bytes: &[u8]) -> &'static str {
        let url = Url::parse("https://media.example/").unwrap().join(url).unwrap();
        let content_type = Some(content_type).filter(|value| !value.is_empty());
        by_head(content_type, &url, description).unwrap_or_else(|| by_beginning(content_type, bytes))
    }

    #[test]
    fn a_content_type_names_a_file() {
        for (content_type, want) in [
            ("image/png", "png"),
            ("image/jpeg", "jpg"),
            ("image/jpg", "jpg"),
            ("IMAGE/JPG; quality=1", "jpg"),
            ("image/webp", "webp"),
            ("image/gif", "gif"),
            ("image/avif", "avif"),
            ("image/heic", "heic"),
            ("image/heif", "heif"),
            ("image/svg+xml", "svg"),
            ("image/bmp", "bmp"),
            ("image/x-ms-bmp", "bmp"),
            ("image/tiff", "tiff"),
            ("image/jxl", "jxl"),
            ("image/x-exr", "exr"),
            ("image/vnd.adobe.photoshop", "psd"),
            ("image/x-icon", "ico"),
            ("video/mp4", "mp4"),
            ("video/webm", "webm"),
            ("video/quicktime", "mov"),
            ("video/x-matroska", "mkv"),
            ("video/mpeg", "mpg"),
            ("video/x-msvideo", "avi"),
            ("video/mp2t", "ts"),
            ("audio/mpeg", "mp3"),
            ("audio/mp3", "mp3"),
            ("audio/wav", "wav"),
            ("audio/x-wav", "wav"),
            ("audio/wave", "wav"),
            ("audio/vnd.wave", "wav"),
            ("audio/ogg", "ogg"),
            ("audio/opus", "opus"),
            ("audio/flac", "flac"),
            ("audio/x-flac", "flac"),
            ("audio/aac", "aac"),
            ("audio/mp4", "m4a"),
            ("audio/x-m4a", "m4a"),
            ("audio/m4a", "m4a"),
            ("audio/webm", "weba"),
            ("audio/aiff", "aiff"),
            ("audio/midi", "mid"),
            ("model/gltf-binary", "glb"),
            ("model/gltf+json", "gltf"),
            ("model/obj", "obj"),
            ("model/stl", "stl"),
            ("model/vnd.usdz+zip", "usdz"),
            ("application/zip", "zip"),
            ("application/x-zip-compressed", "zip"),
            ("application/gzip", "gz"),
            ("application/pdf", "pdf"),
            ("application/json", "json"),
            ("text/vtt", "vtt"),
            ("text/plain", "txt"),
            ("application/octet-stream", "bin"),
            ("application/x-msdownload", "bin"),
            ("application/x-sh", "bin"),
            ("application/java-archive", "bin"),
            ("text/javascript", "bin"),
            ("text/html", "bin"),
            ("image/exe", "bin"),
            ("image/../x", "bin"),
            ("", "bin"),
        ] {
            assert_eq!(chosen(content_type, "1", Description::default(), b""), want, "{content_type}");
        }
    }

    #[test]
    fn a_url_names_a_file_whose_type_says_nothing() {
        for (url, want) in [
            ("1.jpeg", "jpg"),
            ("1.JPG?x=y.exe#z.sh", "jpg"),
            ("1.tif", "tiff"),
            ("1.heic", "heic"),
            ("1.svg", "svg"),
            ("1.glb", "glb"),
            ("1.obj", "obj"),
            ("1.tar.gz", "gz"),
            ("1.safetensors", "safetensors"),
            ("1.mp4/", "bin"),
            ("1.mp4/2", "bin"),
            ("1", "bin"),
            ("1.", "bin"),
            ("1.png%00", "bin"),
            ("1.pn%2e%2e", "bin"),
            ("1.unheard", "bin"),
        ] {
            for content_type in
                ["", "application/octet-stream", "binary/octet-stream", "text/plain;charset=x"]
            {
                let want = if want == "bin" && content_type.starts_with("text") { "txt" } else { want };
                assert_eq!(
                    chosen(content_type, url, Description::default(), b""),
                    want,
                    "{url} {content_type}"
                );
            }
        }
        // Extensions of programs, of scripts, and of pages that run one.
        for name in "exe sh bat cmd com js mjs html htm xhtml php py pl rb ps1 psm1 dll so dylib jar app lnk url \
            desktop vbs vbe wsf hta msi msp scr pif cpl reg scf inf jse swf apk deb rpm dmg pkg iso img command \
            docm xlsm chm class wasm elf run bin website application gadget mht svgz asp aspx jsp cgi"
            .split_whitespace()
        {
            assert_eq!(chosen("", &format!("1.{name}"), Description::default(), b""), "bin", "{name}");
            assert_eq!(chosen(&format!("image/{name}"), "1", Description::default(), b""), "bin", "{name}");
        }
    }

    #[test]
    fn the_result_and_the_first_bytes_name_a_file_without_a_type() {
        let description = |format, name, content_type| Description { format, name, content_type };
        let nothing = Description::default();
        for (description, want) in [
            (description(Some("wav"), Some("1.mp3"), None), "wav"),
            (description(Some("sh"), Some("a.b.GLB"), None), "glb"),
            (description(None, Some("1.exe"), Some("model/gltf-binary")), "glb"),
            (description(None, Some("exe"), Some("application/x-sh")), "png"),
        ] {
            assert_eq!(chosen("", "1", description, b"\x89PNG\r\n\x1a\n"), want, "{description:?}");
        }
        for (bytes, want) in [
            (b"\x89PNG\r\n\x1a\n".as_slice(), "png"),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", "jpg"),
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "heic"),
            (b"\0\0\0\x1cftypavif\0\0\0\0mif1avif", "avif"),
            (b"RIFF\x10\0\0\0WEBPVP8 ", "webp"),
            (b"GIF89a", "gif"),
            (b"II*\0\x08\0\0\0", "tiff"),
            (b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x18\0", "bmp"),
            (b"<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>", "svg"),
            (b"<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"></svg>", "svg"),
            (b"\0\0\0\x18ftypisom\0\0\0\0isomavc1", "mp4"),
            (b"\0\0\0\x18ftypmp42\0\0\0\0mp42iso5", "mp4"),
            (b"\0\0\0\x18ftypiso5\0\0\0\0iso5dash", "mp4"),
            (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "mov"),
            (b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42", "m4a"),
            (b"\x1aE\xdf\xa3\x8fB\x86\x81\x01B\xf7\x81\x01B\x82\x84webm", "webm"),
            (b"\x1aE\xdf\xa3\x8bB\x82\x88matroska", "mkv"),
            (b"\x1aE\xdf\xa3", "mkv"),
            (b"ID3\x03\0\0\0\0\0\0", "mp3"),
            (b"\xff\xfb\x90\x64", "mp3"),
            (b"RIFF\x10\0\0\0WAVEfmt ", "wav"),
            (b"OggS\0\x02", "ogg"),
            (b"fLaC", "flac"),
            (b"glTF\x02\0\0\0", "glb"),
            (b"PK\x03\x04\x14\0\0\0", "zip"),
            (b"%PDF-1.4", "pdf"),
            (b"MZ\x90\0", "bin"),
            (b"\x7fELF\x02\x01\x01", "bin"),
            (b"#!/bin/sh\n", "bin"),
            (b"<!DOCTYPE html><html>", "bin"),
            (b"anything", "bin"),
            (b"", "bin"),
        ] {
            let shown = String::from_utf8_lossy(bytes);
            assert_eq!(chosen("binary/octet-stream", "1", nothing, bytes), want, "{shown:?}");
            let mut long = bytes.to_vec();
            long.resize(3 * FIRST_BYTES, 0);
            assert_eq!(chosen("", "1", nothing, &long), chosen("", "1", nothing, &long[..FIRST_BYTES]));
        }
    }
}
