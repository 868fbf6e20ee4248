//! Media in a bucket of an S3-compatible store.
//!
//! An object is there as a whole or not at all, but the files of an output are several objects. They are written to their secret
//! address before the store commits the output that names them; the media sweeper removes those that no output names. A file longer
//! than [`PART_BYTES`] is written in parts. The parts of a write that ended with its process are seen by nobody and cost room: a
//! rule of the bucket that removes incomplete uploads removes them.
//!
//! What the store responds may repeat a call's headers, and the paths of files are secret. So an error has neither.

use super::directory::Unwritten;
use super::object::Object;
use super::walk::{is_secret, request};
use super::{is_plain, upload_directory};
use crate::blocking;
use crate::executors::{Content, MediaFile};
use crate::outbound::client::{causes, install_tls_provider};
use bytes::Bytes;
use clipia_queue::RequestId;
use clipia_queue::uploads::{DIRECTORY, KEPT, UploadId};
use clipia_worker::regular;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path as Key;
use object_store::{
    BackoffConfig, ClientConfigKey, Error, ObjectMeta, ObjectStore, ObjectStoreExt, RetryConfig,
};
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::Semaphore;

/// The length of a part. All parts but the last have the same length, as some stores require.
const PART_BYTES: usize = 8 * 1024 * 1024;

/// The most parts of a file, by the rules of S3.
const PARTS_MAX: u64 = 10_000;

/// The files that are written at once. With as many parts in memory, these are 64 MiB.
const WRITES: usize = 8;

/// The directories that are removed at once.
const REMOVALS: usize = 8;

/// How long the store may send nothing. A part must be written in this time.
const SILENCE_MAX: &str = "60s";

/// The longest call: the length of a file and the client that reads it decide, and [`SILENCE_MAX`] ends what is stuck.
const CALL_MAX: &str = "1day";

/// How often a call is repeated, and for how long, before it has failed. Media pause then, and probes go on.
pub(super) const RETRIES_MAX: usize = 4;
const RETRY_MAX: Duration = Duration::from_secs(20);
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// The directory of probes.
const PROBES: &str = ".probe";

/// Media in a bucket.
pub(super) struct Bucket {
    store: AmazonS3,
    prefix: Key,
    /// The bucket and the prefix, for an operator.
    location: String,
    writes: Semaphore,
}

/// The settings of the store hold credentials.
impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("location", &self.location).finish_non_exhaustive()
    }
}

/// Why a call of the store failed, without what must not be told.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct BucketError(String);

impl Bucket {
    /// The media below `prefix` in a bucket. The address of the store and the credentials are in `settings`.
    ///
    /// # Errors
    /// If the settings contradict each other.
    pub(super) fn new(settings: AmazonS3Builder, bucket: &str, prefix: &str) -> io::Result<Self> {
        install_tls_provider();
        let client = |key| AmazonS3ConfigKey::Client(key);
        let backoff = BackoffConfig { max_backoff: BACKOFF_MAX, ..BackoffConfig::default() };
        let retry = RetryConfig { backoff, max_retries: RETRIES_MAX, retry_timeout: RETRY_MAX };
        let store = settings
            .with_config(client(ClientConfigKey::Timeout), CALL_MAX)
            .with_config(client(ClientConfigKey::ReadTimeout), SILENCE_MAX)
            .with_retry(retry)
            .with_bucket_name(bucket)
            .build()
            .map_err(failed)?;
        let prefix = Key::parse(prefix).map_err(io::Error::other)?;
        let location = super::MediaLocation::S3 { bucket: bucket.to_owned(), prefix: prefix.to_string() };
        let (location, writes) = (location.to_string(), Semaphore::new(WRITES));
        Ok(Self { store, prefix, location, writes })
    }

    pub(super) fn location(&self) -> &str {
        &self.location
    }

    pub(super) fn store(&self) -> &AmazonS3 {
        &self.store
    }

    /// The key of the file or directory `below`, whose parts are plain names.
    fn key(&self, below: &str) -> Key {
        below.split('/').fold(self.prefix.clone(), Key::join)
    }

    /// The file `name`; none where no file has such a name.
    pub(super) fn file(self: &Arc<Self>, name: &str) -> Option<Object> {
        let plain = name.split('/').all(is_plain);
        plain.then(|| Object::new(Arc::clone(self), self.key(name)))
    }

    /// Writes files to the directory `below`. They are in the store when this returns.
    pub(super) async fn write(&self, files: Vec<MediaFile>, below: &str) -> Result<(), Unwritten> {
        for MediaFile { name, content } in files {
            let (length, is_ours) = (content.len(), matches!(content, Content::Sealed { .. }));
            let source = match content {
                Content::Bytes(bytes) => Source::Memory(bytes.into()),
                Content::File { path, .. } | Content::Sealed { path, .. } => {
                    let opening = move || if is_ours { File::open(path) } else { regular::open(&path) };
                    match super::run(move || opening().and_then(|file| Ok((file.metadata()?.len(), file))))
                        .await
                    {
                        Ok((found, file)) if found == length => Source::Disk(file),
                        Err(error) if !is_changed(&error) => return Err(error.into()),
                        _ => return Err(Unwritten::Changed(name)),
                    }
                }
            };
            let written = self.put(&self.key(&format!("{below}/{name}")), source, length).await;
            written.map_err(|error| match error.kind() {
                ErrorKind::UnexpectedEof => Unwritten::Changed(name),
                _ => error.into(),
            })?;
        }
        Ok(())
    }

    /// Writes a staged file to the address of an upload.
    pub(super) async fn place(&self, staged: &Path, id: UploadId, name: &str) -> io::Result<()> {
        let path = staged.to_owned();
        let (length, file) = super::run(move || {
            let file = File::open(path)?;
            Ok((file.metadata()?.len(), file))
        })
        .await?;
        self.put(&self.key(&format!("{}/{name}", upload_directory(id))), Source::Disk(file), length).await
    }

    /// Writes one file, in parts if it is long.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file is shorter than `length`; others if it cannot be read or written.
    async fn put(&self, key: &Key, mut source: Source, length: u64) -> io::Result<()> {
        let _write = self.writes.acquire().await;
        if length <= PART_BYTES as u64 {
            let bytes = source.next(length).await?;
            return self.store.put(key, bytes.into()).await.map(drop).map_err(failed);
        }
        let part = (PART_BYTES as u64).max(length.div_ceil(PARTS_MAX));
        let mut upload = self.store.put_multipart(key).await.map_err(failed)?;
        let put = async {
            let mut left = length;
            while left > 0 {
                let bytes = source.next(left.min(part)).await?;
                left -= bytes.len() as u64;
                upload.put_part(bytes.into()).await.map_err(failed)?;
            }
            upload.complete().await.map_err(failed)
        };
        match put.await {
            Ok(_) => Ok(()),
            Err(error) => {
                // Parts that stay are removed by the rule of the bucket.
                let _ = upload.abort().await;
                Err(error)
            }
        }
    }

    /// Writes, reads and removes an object.
    pub(super) async fn probe(&self) -> io::Result<()> {
        const PROBE: &[u8] = b"clipia";
        let key = self.key(&format!("{PROBES}/{}", hex::encode(rand::random::<[u8; 16]>())));
        self.store.put(&key, Bytes::from_static(PROBE).into()).await.map_err(failed)?;
        let read = async { self.store.get(&key).await?.bytes().await }.await.map_err(failed);
        self.store.delete(&key).await.map_err(failed)?;
        match read? == PROBE {
            true => Ok(()),
            false => {
                Err(io::Error::other(BucketError("the store does not return what was written".to_owned())))
            }
        }
    }

    /// Removes the files of a directory. The media sweeper removes those that cannot be removed now.
    pub(super) async fn remove(&self, below: &str) {
        if let Err(error) = self.try_remove(below).await {
            tracing::warn!(%error, "cannot remove files that no output names");
        }
    }

    /// Removes the files of directories.
    ///
    /// # Errors
    /// If there are files that cannot be removed.
    pub(super) async fn remove_all(&self, below: impl Iterator<Item = String>) -> io::Result<()> {
        let removing = stream::iter(below.map(Ok));
        removing.try_for_each_concurrent(REMOVALS, async |below| self.try_remove(&below).await).await
    }

    async fn try_remove(&self, below: &str) -> io::Result<()> {
        let found = self.list(below).map_ok(|object| object.location).boxed();
        let removed = self.store.delete_stream(found).try_for_each(async |_| Ok(())).await;
        match removed {
            // Another server was faster.
            Err(Error::NotFound { .. }) => Ok(()),
            removed => removed.map_err(failed),
        }
    }

    /// Removes the files of all attempts at a request, except those at `kept`.
    pub(super) async fn remove_others(&self, id: RequestId, kept: Option<&str>) {
        let of_request = id.to_string();
        let kept = kept.map(|below| self.key(below));
        let others = self.list(&of_request).map_ok(|object| object.location).try_filter(move |key| {
            let is_kept = kept.as_ref().is_some_and(|kept| key.prefix_matches(kept));
            std::future::ready(!is_kept)
        });
        let removed = self.store.delete_stream(others.boxed()).try_for_each(async |_| Ok(())).await;
        if let Err(error) = removed.map_err(failed) {
            tracing::warn!(%error, "cannot remove files that no output names");
        }
    }

    fn list(&self, below: &str) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.store.list(Some(&self.key(below)))
    }

    /// The names of all directories with files of requests.
    pub(super) fn names(&self) -> Names {
        let all = (!self.prefix.as_ref().is_empty()).then_some(&self.prefix);
        Names { found: self.store.list(all).fuse().boxed(), prefix: self.prefix.clone() }
    }

    /// The uploads that are as old at `now` as one gets.
    pub(super) async fn old_uploads(&self, now: SystemTime) -> io::Result<Vec<UploadId>> {
        let uploads = self.key(DIRECTORY);
        let (mut found, mut old) = (self.list(DIRECTORY), Vec::new());
        while let Some(object) = found.try_next().await.map_err(failed)? {
            let age = now.duration_since(object.last_modified.into());
            if age.is_ok_and(|age| age >= KEPT)
                && let Some(id) = first_below(&object.location, &uploads).and_then(|name| name.parse().ok())
            {
                old.push(id);
            }
        }
        old.dedup();
        Ok(old)
    }
}

/// The first part of a key below `prefix`.
fn first_below(key: &Key, prefix: &Key) -> Option<String> {
    Some(key.prefix_match(prefix)?.next()?.as_ref().to_owned())
}

/// The names of directories with files of requests, one for each file.
pub(crate) struct Names {
    found: BoxStream<'static, object_store::Result<ObjectMeta>>,
    prefix: Key,
}

impl Names {
    /// The next request and directory; none at the end.
    pub(super) async fn next(&mut self) -> io::Result<Option<(RequestId, String)>> {
        while let Some(object) = self.found.try_next().await.map_err(failed)? {
            let mut parts = object.location.prefix_match(&self.prefix).into_iter().flatten();
            if let (Some(id), Some(secret)) = (parts.next(), parts.next())
                && let Some(id) = request(id.as_ref())
                && is_secret(secret.as_ref())
            {
                return Ok(Some((id, secret.as_ref().to_owned())));
            }
        }
        Ok(None)
    }
}

/// Whether a file that cannot be opened is not the one that an executor made.
fn is_changed(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::NotADirectory | ErrorKind::NotFound)
}

/// What a file is written from.
enum Source {
    Memory(Bytes),
    Disk(File),
}

impl Source {
    /// The next `bytes` bytes.
    async fn next(&mut self, bytes: u64) -> io::Result<Bytes> {
        let bytes = usize::try_from(bytes).map_err(io::Error::other)?;
        match self {
            Self::Memory(left) if left.len() >= bytes => Ok(left.split_to(bytes)),
            Self::Memory(_) => Err(ErrorKind::UnexpectedEof.into()),
            Self::Disk(file) => {
                let mut file = file.try_clone()?;
                let reading = blocking::run(move || {
                    let mut part = vec![0; bytes];
                    file.read_exact(&mut part).map(|()| part.into())
                });
                reading.await.map_err(io::Error::other)?
            }
        }
    }
}

/// The error of a call that failed.
pub(super) fn failed(error: Error) -> io::Error {
    let kind = match &error {
        Error::NotFound { .. } => ErrorKind::NotFound,
        _ => ErrorKind::Other,
    };
    io::Error::new(kind, BucketError(told(&error)))
}

/// What may be told of an error: not the URL, which has the secret path of a file, and of the response no more than the code and
/// the message, since it may repeat the signed headers.
fn told(error: &Error) -> String {
    let (what, cause) = match error {
        Error::PermissionDenied { source, .. } => ("the credentials do not allow this: ", source),
        Error::Unauthenticated { source, .. } => ("the credentials are not valid: ", source),
        Error::Generic { source, .. }
        | Error::NotFound { source, .. }
        | Error::AlreadyExists { source, .. }
        | Error::Precondition { source, .. }
        | Error::NotModified { source, .. }
        | Error::NotSupported { source } => ("", source),
        _ => return "the store cannot be used".to_owned(),
    };
    let text = cause.to_string();
    let (head, response) = text.split_at(text.find('<').unwrap_or(text.len()));
    let is_url = |word: &&str| word.contains("://");
    let mut told =
        what.to_owned() + &head.split_whitespace().filter(|word| !is_url(word)).collect::<Vec<_>>().join(" ");
    for name in ["Code", "Message"] {
        let value = response.split_once(&format!("<{name}>")).and_then(|(_, rest)| rest.split_once('<'));
        if let Some((value, _)) = value {
            told = told + " " + value;
        }
    }
    // The system's reason is the innermost cause, such as a refused connection.
    let innermost = causes(cause.as_ref()).last().map(ToString::to_string).unwrap_or_default();
    if !told.contains(&innermost) && !innermost.contains("://") && !innermost.contains('<') {
        told = told + ": " + &innermost;
    }
    told
}
