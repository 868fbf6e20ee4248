//! Uploads: files of the caller, for inputs.
//!
//! A file is streamed from the disk, and its call has no time limit of its own: only silences are bounded. A retry sends the
//! file again from its start.

use crate::client::Clipia;
use crate::error::Error;
use crate::media_type::media_type;
use crate::request::{Operation, Priority};
use crate::retrying::retrying;
use crate::shared_budget::now;
use crate::wait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use clipia_api::types::Upload;
use http_body::{Body as HttpBody, Frame, SizeHint};
use reqwest::Body;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

/// The bytes that are read from a file at once.
const PIECE_BYTES: usize = 64 * 1024;

/// The largest file that is sent inside the input to a server that takes no uploads: in base64 it leaves some room in a body of
/// 6 MiB.
const INLINE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The file name of bytes without one.
const NAME: &str = "file";

impl Clipia {
    /// Uploads a file. Its `url` is the value of a parameter of the type `image`, `video` or `audio`.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), clipia::Error> {
    /// use clipia::{Clipia, json};
    ///
    /// let clipia = Clipia::from_env()?;
    /// let fox = clipia.upload("fox.png").await?;
    /// let input = json!({ "image_url": fox.url, "prompt": "the fox runs" });
    /// let clip = clipia.subscribe("seedance-2-fast-i2v", input).await?.completed()?;
    /// # Ok(()) }
    /// ```
    ///
    /// The file is streamed, and never held in memory. It is retried like every call, from its start: a server may then keep it
    /// twice, under two URLs, which costs nothing. A self-hosted server keeps a file for 24 hours, and longer for a request that
    /// names it and has not ended. Whoever knows the URL can read the file.
    ///
    /// Uploads are an extension of self-hosted servers. For a server without them, such as Clipia itself, a file of at most
    /// 4 MiB becomes a `data:` URL, which has the file in it and no `expires_at`.
    ///
    /// # Errors
    /// [`Error::UploadFile`] if the file cannot be read. [`Error::UploadTooLarge`] and [`Error::UploadLimitExceeded`] if the server
    /// does not keep it. [`Error::UploadUnsupported`] if the server takes no uploads and the file is too large for an input.
    pub async fn upload(&self, path: impl AsRef<Path>) -> Result<Upload, Error> {
        let path = path.as_ref();
        let name = path.file_name().map_or_else(|| NAME.into(), |name| name.to_string_lossy());
        self.upload_source(&Source::File(path.to_owned()), &name).await
    }

    /// Uploads bytes under a file name. The extension of the name tells the server the media type; a name without one gets that
    /// of the first bytes. As [`upload`](Self::upload) otherwise.
    ///
    /// # Errors
    /// Those of [`upload`](Self::upload), but [`Error::UploadFile`].
    pub async fn upload_bytes(&self, bytes: impl Into<Bytes>, file_name: &str) -> Result<Upload, Error> {
        self.upload_source(&Source::Bytes(bytes.into()), file_name).await
    }

    async fn upload_source(&self, source: &Source, name: &str) -> Result<Upload, Error> {
        let length = source.length().await?;
        if length == 0 {
            return Err(Error::argument("file", format!("`{name}` is empty"), "pass a file with content"));
        }
        match self.send_upload(source, length, name).await {
            Err(error) if takes_no_uploads(&error) => self.inline(source, length, name).await,
            uploaded => uploaded,
        }
    }

    /// The file as a `data:` URL.
    async fn inline(&self, source: &Source, length: u64, name: &str) -> Result<Upload, Error> {
        if length > INLINE_BYTES_MAX {
            let server = self.base_url().trim_end_matches('/').to_owned();
            return Err(Error::UploadUnsupported { server, file_name: name.to_owned(), bytes: length });
        }
        let bytes = source.read(length).await?;
        let media_type = media_type(&bytes).unwrap_or_else(|| "application/octet-stream".into());
        let mut url = format!("data:{media_type};base64,");
        STANDARD.encode_string(&bytes, &mut url);
        let mut upload = Upload::at(url);
        upload.file_name = Some(name.to_owned());
        upload.content_type = Some(media_type.into_owned());
        upload.file_size = Some(length);
        Ok(upload)
    }
}

/// Whether a response means that the server has no such call.
fn takes_no_uploads(error: &Error) -> bool {
    matches!(error.http_status(), Some(404 | 405))
}

impl Clipia {
    async fn send_upload(&self, source: &Source, length: u64, name: &str) -> Result<Upload, Error> {
        let (scheduler, connection) = (&self.0.scheduler, &self.0.connection);
        let (api, silence) = (connection.uploads()?, connection.http.timeout());
        let operation = Operation::named("upload");
        let attempt = |_| async move {
            let token = wait::token(scheduler, Priority::Call).await;
            let progress = Progress::default();
            let unread = Unread::default();
            let body = source.body(length, progress.clone(), unread.clone()).await?;
            let sending = scheduler.attempt(token, operation, || api.upload(Some(name), body));
            let result = tokio::select! {
                result = sending => result,
                () = progress.stalled(silence) => {
                    Err(Error::Timeout { request_id: None, attempts: 1, elapsed: Duration::ZERO })
                }
            };
            // A file that cannot be read breaks the connection: its own error says more.
            match (result, unread.take(), source) {
                (Err(_), Some(error), Source::File(path)) => Err(unreadable(path, error)),
                (result, ..) => result,
            }
        };
        let span = operation.span();
        let retried = retrying(operation, connection.bounds, attempt);
        let uploaded = tracing::Instrument::instrument(retried, span.clone()).await?;
        span.in_scope(|| tracing::debug!(bytes = length, "uploaded"));
        Ok(uploaded)
    }
}

/// What is uploaded.
enum Source {
    File(PathBuf),
    Bytes(Bytes),
}

impl Source {
    async fn length(&self) -> Result<u64, Error> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.len() as u64),
            Self::File(path) => {
                // Checked before it is opened: opening a pipe would wait for its writer.
                let found = tokio::fs::metadata(path).await.map_err(|error| unreadable(path, error))?;
                match found.is_file() {
                    true => Ok(found.len()),
                    false => Err(unreadable(
                        path,
                        io::Error::new(ErrorKind::InvalidInput, "it is no regular file"),
                    )),
                }
            }
        }
    }

    /// The body of one attempt.
    async fn body(&self, length: u64, progress: Progress, unread: Unread) -> Result<Body, Error> {
        match self {
            Self::Bytes(bytes) => {
                let pieces = Pieces::Bytes(bytes.clone());
                Ok(Body::wrap(FileBody { pieces, left: length, progress, unread }))
            }
            Self::File(path) => {
                let file = File::open(path).await.map_err(|error| unreadable(path, error))?;
                let pieces = Pieces::File(file, BytesMut::new());
                Ok(Body::wrap(FileBody { pieces, left: length, progress, unread }))
            }
        }
    }

    async fn read(&self, length: u64) -> Result<Bytes, Error> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.clone()),
            Self::File(path) => {
                let mut bytes = Vec::new();
                let read = async { File::open(path).await?.take(length).read_to_end(&mut bytes).await };
                read.await.map_err(|error| unreadable(path, error))?;
                Ok(bytes.into())
            }
        }
    }
}

fn unreadable(path: &Path, cause: io::Error) -> Error {
    Error::UploadFile { path: path.to_owned(), cause }
}

/// When a body was last read, for a bound on silences.
#[derive(Clone)]
struct Progress {
    begun: Instant,
    /// Milliseconds since `begun`.
    last: Arc<AtomicU64>,
}

impl Default for Progress {
    fn default() -> Self {
        Self { begun: now(), last: Arc::default() }
    }
}

impl Progress {
    fn note(&self) {
        let since = now().saturating_duration_since(self.begun).as_millis();
        self.last.store(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Waits until nothing was read for so long.
    async fn stalled(&self, silence: Duration) {
        loop {
            let end = self.begun + Duration::from_millis(self.last.load(Ordering::Relaxed)) + silence;
            let left = end.saturating_duration_since(now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }
}

/// Why the file could not be read to its end.
#[derive(Clone, Default)]
struct Unread(Arc<Mutex<Option<io::Error>>>);

impl Unread {
    fn put(&self, error: io::Error) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    fn take(&self) -> Option<io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The body of an upload. Its length is known before it is read.
struct FileBody {
    pieces: Pieces,
    left: u64,
    progress: Progress,
    unread: Unread,
}

enum Pieces {
    Bytes(Bytes),
    File(File, BytesMut),
}

impl HttpBody for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let most = usize::try_from(self.left).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
        let piece = match &mut self.pieces {
            Pieces::Bytes(bytes) => Ok(bytes.split_to(most.min(bytes.len()))),
            Pieces::File(file, buffer) => {
                buffer.resize(most, 0);
                let mut into = ReadBuf::new(buffer);
                match ready!(Pin::new(file).poll_read(context, &mut into)) {
                    Ok(()) => {
                        let read = into.filled().len();
                        Ok(buffer.split_to(read).freeze())
                    }
                    Err(error) => Err(error),
                }
            }
        };
        self.progress.note();
        let piece = piece.and_then(|piece| match piece.is_empty() {
            true => Err(io::Error::new(ErrorKind::UnexpectedEof, "it became shorter while it was read")),
            false => Ok(piece),
        });
        Poll::Ready(Some(match piece {
            Ok(piece) => {
                self.left -= piece.len() as u64;
                Ok(Frame::data(piece))
            }
            Err(error) => {
                let kind = error.kind();
                self.unread.put(error);
                Err(kind.into())
            }
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
