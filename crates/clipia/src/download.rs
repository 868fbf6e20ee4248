//! Saving the files of a result.
//!
//! A file is streamed to a temporary name beside its own and renamed once it is whole, so that its name never
//! stands for half a file. Media hosts get no API key, and have no say in what a file is called.

use crate::client::Inner;
use crate::error::Error;
use crate::request::{Operation, retrying};
use crate::retry::Bounds;
use clipia_api::types::{Output, RequestId};
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::header::CONTENT_TYPE;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::fs;
use tokio::io::{AsyncWriteExt, BufWriter};
use url::Url;

/// Files of one result fetched at once.
const FILES_AT_ONCE: usize = 4;

/// Bytes gathered before each write.
const WRITE_BUFFER: usize = 256 * 1024;

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

/// For a file of a type that is none of these.
const EXTENSION_UNKNOWN: &str = "bin";

/// One file of a result.
#[derive(Debug, PartialEq)]
struct File<'a> {
    kind: &'static str,
    /// From 1, within its kind.
    number: usize,
    url: &'a str,
    /// What the result says its container is.
    format: Option<&'a str>,
}

/// Saves every file of `output` in `dir`.
pub(crate) async fn save(
    inner: &Inner,
    id: RequestId,
    output: &Output,
    dir: &Path,
) -> Result<Vec<PathBuf>, Error> {
    fs::create_dir_all(dir).await.map_err(|source| io(id, dir, source))?;
    let saving: Vec<_> = files(output).into_iter().map(|file| save_one(inner, id, file, dir)).collect();
    stream::iter(saving).buffered(FILES_AT_ONCE).try_collect().await
}

async fn save_one(inner: &Inner, id: RequestId, file: File<'_>, dir: &Path) -> Result<PathBuf, Error> {
    let refused = |reason: &str| Error::Download {
        request_id: id,
        url: file.url.split(['?', '#']).next().unwrap_or_default().to_owned(),
        reason: reason.to_owned(),
        transient: false,
    };
    let mut url = inner.base_url.join(file.url).map_err(|_| refused("it is not a URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused("it is neither https nor http"));
    }
    url.set_fragment(None);
    let (media, url, file) = (inner.media()?, &url, &file);
    let bounds = Bounds { retries: inner.max_retries, within: Duration::MAX };
    retrying(Operation::about("download", id), bounds, |_| fetch(media, id, url, file, dir)).await
}

async fn fetch(
    media: &reqwest::Client,
    id: RequestId,
    url: &Url,
    file: &File<'_>,
    dir: &Path,
) -> Result<PathBuf, Error> {
    let failed = |reason: String, transient| {
        let mut url = url.clone();
        url.set_query(None);
        Error::Download { request_id: id, url: url.into(), reason, transient }
    };
    let broken = |error: reqwest::Error| failed(crate::error::deepest(&error), !error.is_builder());
    let response = media.get(url.clone()).send().await.map_err(broken)?;
    let status = response.status();
    if status != reqwest::StatusCode::OK {
        let transient = status.is_server_error() || status == reqwest::StatusCode::TOO_MANY_REQUESTS;
        return Err(failed(format!("the media host answered {status}"), transient));
    }
    let size = response.content_length();
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let name = format!("{id}-{}-{}.{}", file.kind, file.number, extension(content_type, url, file.format));
    let path = dir.join(&name);
    let partial = Partial(dir.join(format!(".{name}.{}.part", uuid::Uuid::new_v4().simple())));

    let unwritten = |source| io(id, &path, source);
    let created =
        fs::File::options().write(true).create_new(true).open(&partial.0).await.map_err(unwritten)?;
    let mut writer = BufWriter::with_capacity(WRITE_BUFFER, created);
    let (mut body, mut written) = (response.bytes_stream(), 0);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(broken)?;
        written += chunk.len() as u64;
        writer.write_all(&chunk).await.map_err(unwritten)?;
    }
    writer.flush().await.map_err(unwritten)?;
    if let Some(size) = size.filter(|size| *size != written) {
        return Err(failed(format!("{written} bytes came of {size}"), true));
    }
    drop(writer);
    fs::rename(&partial.0, &path).await.map_err(unwritten)?;
    tracing::debug!(request_id = %id, bytes = written, path = %path.display(), "downloaded");
    Ok(path)
}

/// A file that is not whole yet, removed unless it was renamed.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // Gone already where it was renamed, and nobody to tell where it cannot be removed.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Every file of an output, in its order: the original where there is one.
fn files(output: &Output) -> Vec<File<'_>> {
    let images = output.images.iter().map(|image| ("image", &image.url, image.original_url.as_ref(), None));
    let video = output.video.iter().map(|video| ("video", &video.url, video.original_url.as_ref(), None));
    let audio = output.audio.iter().chain(&output.audios);
    let audio = audio.map(|audio| ("audio", &audio.url, None, audio.format.as_deref()));
    let mut files: Vec<File<'_>> = Vec::new();
    for (kind, url, original, format) in images.chain(video).chain(audio) {
        let url = original.unwrap_or(url).as_str();
        // `audio` is often the first of `audios`, too.
        if files.iter().any(|file| file.kind == kind && file.url == url) {
            continue;
        }
        let number = 1 + files.iter().filter(|file| file.kind == kind).count();
        files.push(File { kind, number, url, format });
    }
    files
}

/// What ends a file's name: by its media type, else by the end of its URL, else by what the result says. Only
/// endings of media: whatever a host says, no program is saved.
fn extension(content_type: Option<&str>, url: &Url, format: Option<&str>) -> &'static str {
    let essence = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    let of_url = url.path().rsplit_once('.').map(|(_, end)| end);
    let by_type = || EXTENSIONS.iter().find(|(name, _)| essence.eq_ignore_ascii_case(name));
    let by_name = |end: &str| EXTENSIONS.iter().find(|(_, known)| known.eq_ignore_ascii_case(end));
    by_type()
        .or_else(|| of_url.and_then(by_name))
        .or_else(|| format.and_then(by_name))
        .map_or(EXTENSION_UNKNOWN, |(_, extension)| extension)
}

fn io(request_id: RequestId, path: &Path, source: std::io::Error) -> Error {
    Error::Io { request_id, path: path.to_owned(), source }
}
