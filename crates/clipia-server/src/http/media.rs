//! `GET` of the files of generations and of uploads, with type, length and ranges. A call needs no key: the path is the secret.

use super::conditions::{self, Selected, Validators};
use crate::api_error::ApiError;
use crate::api_error::{no_such_method, no_such_path};
use crate::blocking;
use crate::media::MediaStore;
use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path as Segments, Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::{BufMut, Bytes, BytesMut};
use clipia_queue::uploads::DIRECTORY;
use clipia_worker::content_type;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

/// The bytes of a file that are read at once. A response that its client does not read holds a few times as much.
const CHUNK_BYTES: usize = 32 * 1024;

/// The `Cache-Control` of a file. A file never changes. It belongs to an account, so only the client may cache it.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");

/// The `Content-Security-Policy` of a file. A browser may show or play the file, and runs no script in it: an executor may
/// make a type that can hold scripts.
const SANDBOX: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox",
);

/// The `Content-Disposition` of an upload: a caller chose its type, so a browser saves it and does not show it.
const ATTACHMENT: HeaderValue = HeaderValue::from_static("attachment");

pub(super) fn router<S>(media: &MediaStore) -> Router<S> {
    Router::new()
        .route("/{*file}", get(file))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(from_fn(finish))
        .with_state(media.clone())
}

/// Adds headers to each response. A browser must not guess a type, and must not cache a 404: the file may be written later.
async fn finish(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn file(
    State(media): State<MediaStore>,
    method: Method,
    name: Result<Segments<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    // A path that is not UTF-8 names no file.
    let located = name.ok().and_then(|Segments(name)| Some((path(&media, &name)?, name)));
    let Some((path, name)) = located else {
        return Err(no_such_path().await);
    };
    // One task opens the file, reads its metadata and its first bytes: each switch to another thread costs a wait.
    let response = blocking::run(move || respond(&method, &headers, &name, &path)).await;
    match response.map_err(|lost| ApiError::internal(&lost))? {
        Ok(response) => Ok(response),
        Err(error) if is_no_such_file(&error) => Err(no_such_path().await),
        Err(error) => Err(ApiError::internal(&error)),
    }
}

/// The path of the file `name`; none where a part of the name would lead out of the directory.
fn path(media: &MediaStore, name: &str) -> Option<PathBuf> {
    let plain = |part: &str| {
        let mut components = Path::new(part).components();
        matches!((components.next(), components.next()), (Some(Component::Normal(only)), None) if only == part)
    };
    name.split('/').all(plain).then(|| media.directory().join(name))
}

/// Whether an error means that no file has this name. Any other error is a failure of the server.
fn is_no_such_file(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, InvalidInput, IsADirectory, NotADirectory, NotFound};
    matches!(error.kind(), InvalidFilename | InvalidInput | IsADirectory | NotADirectory | NotFound)
}

/// The response to a call for the file at `path`. The first bytes are read before the response begins, so that a failure
/// still gets an error response.
///
/// # Errors
/// If the file cannot be read.
fn respond(method: &Method, headers: &HeaderMap, name: &str, path: &Path) -> io::Result<Response> {
    let content_type = content_type(name);
    let file = fs::File::open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let length = found.len();
    let modified = found.modified().ok().and_then(conditions::whole_seconds);
    let validators = Validators { etag: etag(name, length), modified, length };
    let selected = conditions::select(method, headers, &validators);
    let sent = match &selected {
        Selected::Whole => 0..length,
        Selected::Part(part) => *part.start()..*part.end() + 1,
        Selected::NotModified => 0..0,
        Selected::ConditionFailed => {
            let refused =
                ApiError::invalid("the file is not the one that `If-Match` or `If-Unmodified-Since` names");
            return Ok(refused.with_status(StatusCode::PRECONDITION_FAILED).into_response());
        }
        Selected::Unsatisfiable => {
            let refused = ApiError::invalid(format!("the file has {length} bytes, and none of this `Range`"));
            let total = [(header::CONTENT_RANGE, format!("bytes */{length}"))];
            return Ok((total, refused.with_status(StatusCode::RANGE_NOT_SATISFIABLE)).into_response());
        }
    };
    let size = sent.end - sent.start;
    let body =
        if *method == Method::HEAD || size == 0 { Body::empty() } else { body(file, sent.start, size)? };
    let mut response = Response::new(body);
    *response.status_mut() = selected.status();
    let headers = response.headers_mut();
    if selected != Selected::NotModified {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        if !is_shown(content_type) {
            headers.insert(header::CONTENT_DISPOSITION, ATTACHMENT);
        }
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    }
    if name.split('/').next() == Some(DIRECTORY) {
        headers.insert(header::CONTENT_DISPOSITION, ATTACHMENT);
    }
    insert_validators(headers, validators, &selected)?;
    Ok(response)
}

/// Adds the headers of a response with a file, or with a part of one, that follow from its validators.
fn insert_validators(headers: &mut HeaderMap, file: Validators, selected: &Selected) -> io::Result<()> {
    let text = |text: String| HeaderValue::try_from(text).map_err(io::Error::other);
    headers.insert(header::ETAG, file.etag);
    headers.insert(header::CACHE_CONTROL, IMMUTABLE);
    if *selected != Selected::NotModified {
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(header::CONTENT_SECURITY_POLICY, SANDBOX);
    }
    if let (Some(modified), Selected::Whole | Selected::Part(_)) = (file.modified, selected) {
        headers.insert(header::LAST_MODIFIED, text(httpdate::fmt_http_date(modified))?);
    }
    if let Selected::Part(part) = selected {
        let range = format!("bytes {}-{}/{}", part.start(), part.end(), file.length);
        headers.insert(header::CONTENT_RANGE, text(range)?);
    }
    Ok(())
}

/// Whether a browser shows or plays a file of this type. It saves any other: a page and an SVG can hold scripts, which would run
/// at the address of this server if the policy [`SANDBOX`] were not kept.
fn is_shown(content_type: &str) -> bool {
    let family = content_type.split('/').next().unwrap_or_default();
    matches!(family, "image" | "video" | "audio") && content_type != "image/svg+xml"
        || matches!(content_type, "text/plain" | "application/json")
}

/// The entity tag of a file. A name belongs to one file for ever. The length tells a truncated copy from the whole file.
fn etag(name: &str, length: u64) -> HeaderValue {
    let hash = Sha256::new().chain_update(name).chain_update(length.to_be_bytes()).finalize();
    let tag = format!("\"{}\"", hex::encode(&hash[..16]));
    // Hexadecimal digits are always a valid header value.
    HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\""))
}

/// A body of `size` bytes of a file, from `start` on. The first bytes are read at once, the others as the client reads.
pub(crate) fn body(mut file: fs::File, start: u64, size: u64) -> io::Result<Body> {
    if start > 0 {
        file.seek(SeekFrom::Start(start))?;
    }
    let mut first = vec![0; chunk_bytes(size)];
    let read = match file.read(&mut first)? {
        0 => return Err(io::ErrorKind::UnexpectedEof.into()),
        read => read,
    };
    first.truncate(read);
    let first = Bytes::from(first);
    let left = size - first.len() as u64;
    if left == 0 {
        return Ok(first.into());
    }
    let rest = stream::try_unfold((File::from_std(file), left), async |(mut file, left)| {
        if left == 0 {
            return Ok(None);
        }
        let next = chunk(&mut file, left).await?;
        let left = left - next.len() as u64;
        Ok(Some((next, (file, left))))
    });
    let rest = rest.inspect_err(|error: &io::Error| {
        tracing::error!(%error, route = super::observe::FILE, "a file could not be read to its end");
    });
    Ok(Body::from_stream(stream::iter([Ok(first)]).chain(rest)))
}

/// The bytes to read at once where `left` bytes are left.
fn chunk_bytes(left: u64) -> usize {
    usize::try_from(left).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES))
}

/// The next bytes of a file that should have `left` more.
async fn chunk(file: &mut File, left: u64) -> io::Result<Bytes> {
    let most = chunk_bytes(left);
    let mut bytes = BytesMut::with_capacity(most).limit(most);
    match file.read_buf(&mut bytes).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(bytes.into_inner().freeze()),
    }
}
