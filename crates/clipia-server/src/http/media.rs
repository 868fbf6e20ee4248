//! `GET` of the files of generations and of uploads, with type, length and ranges. A call needs no key: the path is the secret.

use super::conditions::{Validators, whole_seconds};
use super::file_response::FileResponse;
use crate::api_error::ApiError;
use crate::api_error::{no_such_method, no_such_path};
use crate::blocking;
use crate::media::{FoundObject, Located, MediaStore};
use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path as Segments, Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use bytes::{BufMut, Bytes, BytesMut};
use clipia_queue::uploads::DIRECTORY;
use clipia_worker::content_type;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use http::{HeaderMap, HeaderValue, Method, header};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::time::SystemTime;
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

/// The headers that choose what of a file a call gets.
const SELECTING: [header::HeaderName; 5] = [
    header::RANGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
];

pub(crate) fn router<S>(media: &MediaStore) -> Router<S> {
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
    let located = name.ok().and_then(|Segments(name)| Some((media.located(&name)?, name)));
    let Some((located, name)) = located else {
        return Err(no_such_path().await);
    };
    let response = match located {
        // One task opens the file, reads its metadata and its first bytes: each switch to another thread costs a wait.
        Located::Path(path) => {
            let response = blocking::run(move || respond(&method, &headers, &name, &path)).await;
            response.map_err(|lost| ApiError::internal(&lost))?
        }
        Located::Object(object) => {
            // A call with a condition or a range may get another part than the whole file.
            let all = method == Method::GET && !SELECTING.iter().any(|name| headers.contains_key(name));
            respond_from_bucket(&method, &headers, &name, object.find(all).await).await
        }
    };
    match response {
        Ok(response) => Ok(response),
        Err(error) if is_no_such_file(&error) => Err(no_such_path().await),
        Err(error) => Err(ApiError::internal(&error)),
    }
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
    let file = fs::File::open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let response =
        match FileResponse::to(method, headers, validators(name, found.len(), found.modified().ok())) {
            Ok(response) => response,
            Err(refused) => return Ok(refused),
        };
    let body = body(file, response.body())?;
    Ok(finished(response, name, body))
}

/// The response with a file of a bucket, as [`respond`].
async fn respond_from_bucket(
    method: &Method,
    headers: &HeaderMap,
    name: &str,
    found: io::Result<FoundObject>,
) -> io::Result<Response> {
    let found = found?;
    let validators = validators(name, found.length(), Some(found.modified()));
    let response = match FileResponse::to(method, headers, validators) {
        Ok(response) => response,
        Err(refused) => return Ok(refused),
    };
    let body = match response.body() {
        none if none.is_empty() => Body::empty(),
        bytes => Body::from_stream(found.bytes(bytes).await?.inspect_err(broken_off)),
    };
    Ok(finished(response, name, body))
}

fn validators(name: &str, length: u64, modified: Option<SystemTime>) -> Validators {
    Validators { etag: etag(name, length), modified: modified.and_then(whole_seconds), length }
}

/// The response with the headers of media.
fn finished(response: FileResponse, name: &str, body: Body) -> Response {
    let content_type = content_type(name);
    let mut response = response.with(HeaderValue::from_static(content_type), body);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, IMMUTABLE);
    let has_type = headers.contains_key(header::CONTENT_TYPE);
    if has_type {
        headers.insert(header::CONTENT_SECURITY_POLICY, SANDBOX);
    }
    if has_type && !is_shown(content_type) || name.split('/').next() == Some(DIRECTORY) {
        headers.insert(header::CONTENT_DISPOSITION, ATTACHMENT);
    }
    response
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

/// A body of these bytes of a file. The first are read at once, the others as the client reads.
pub(crate) fn body(mut file: fs::File, bytes: Range<u64>) -> io::Result<Body> {
    let size = bytes.end - bytes.start;
    if size == 0 {
        return Ok(Body::empty());
    }
    if bytes.start > 0 {
        file.seek(SeekFrom::Start(bytes.start))?;
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
    Ok(Body::from_stream(stream::iter([Ok(first)]).chain(rest.inspect_err(broken_off))))
}

fn broken_off(error: &io::Error) {
    tracing::error!(%error, route = super::observe::FILE, "a file could not be read to its end");
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
