//! A file of a bucket that is read.

use super::bucket::{Bucket, RETRIES_MAX, failed};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use object_store::path::Path as Key;
use object_store::{GetOptions, GetRange, GetResult, ObjectMeta, ObjectStore};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

/// A file of a bucket.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    bucket: Arc<Bucket>,
    key: Key,
}

/// A file of a bucket that was found.
pub(crate) struct FoundObject {
    object: Object,
    meta: ObjectMeta,
    /// All of its bytes, which the store sends already; none where it was only asked for the properties.
    all: Option<GetResult>,
}

impl Object {
    pub(super) fn new(bucket: Arc<Bucket>, key: Key) -> Self {
        Self { bucket, key }
    }

    /// Asks for the file. `all` says that all of its bytes are most likely wanted: the call for the properties then gets them, too.
    ///
    /// # Errors
    /// `NotFound` if there is none; others if the store cannot be asked.
    pub(crate) async fn find(self, all: bool) -> io::Result<FoundObject> {
        let options = GetOptions { head: !all, ..GetOptions::default() };
        let got = self.bucket.store().get_opts(&self.key, options).await.map_err(failed)?;
        Ok(FoundObject { object: self, meta: got.meta.clone(), all: all.then_some(got) })
    }

    async fn get(&self, range: Range<u64>, of: Option<&String>) -> io::Result<Chunks> {
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            if_match: of.cloned(),
            ..GetOptions::default()
        };
        let got = self.bucket.store().get_opts(&self.key, options).await.map_err(failed)?;
        Ok(got.into_stream())
    }
}

type Chunks = BoxStream<'static, object_store::Result<Bytes>>;

impl FoundObject {
    /// The length in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.meta.size
    }

    /// The time of the last change.
    pub(crate) fn modified(&self) -> SystemTime {
        self.meta.last_modified.into()
    }

    /// These bytes of the file. The first of them have come when this returns. Where the connection breaks, the rest is asked for
    /// again: a slow client may read for longer than the store keeps a connection.
    ///
    /// # Errors
    /// If the store sends none.
    pub(crate) async fn bytes(self, range: Range<u64>) -> io::Result<BoxStream<'static, io::Result<Bytes>>> {
        if range.is_empty() {
            return Ok(stream::empty().boxed());
        }
        let chunks = match self.all {
            Some(got) if range == (0..self.meta.size) => Some(got.into_stream()),
            _ => None,
        };
        let mut reading = Reading { object: self.object, e_tag: self.meta.e_tag, left: range, chunks };
        let first = reading.next().await?;
        let rest = stream::try_unfold(reading, async |mut reading| {
            Ok(match reading.left.is_empty() {
                true => None,
                false => Some((reading.next().await?, reading)),
            })
        });
        Ok(stream::iter([Ok(first)]).chain(rest).boxed())
    }
}

/// A file that is being read.
struct Reading {
    object: Object,
    e_tag: Option<String>,
    left: Range<u64>,
    chunks: Option<Chunks>,
}

impl Reading {
    /// The next bytes of a file that has more.
    async fn next(&mut self) -> io::Result<Bytes> {
        let mut broken = 0;
        loop {
            let chunks = match &mut self.chunks {
                Some(chunks) => chunks,
                none => none.insert(self.object.get(self.left.clone(), self.e_tag.as_ref()).await?),
            };
            match chunks.next().await {
                Some(Ok(bytes)) if bytes.is_empty() => {}
                Some(Ok(mut bytes)) => {
                    let left = usize::try_from(self.left.end - self.left.start).unwrap_or(usize::MAX);
                    bytes.truncate(left);
                    self.left.start += bytes.len() as u64;
                    return Ok(bytes);
                }
                end if broken < RETRIES_MAX => {
                    tracing::debug!(
                        is_error = end.is_some(),
                        "a file of the bucket broke off, and is asked for again"
                    );
                    broken += 1;
                    self.chunks = None;
                }
                Some(Err(error)) => return Err(failed(error)),
                None => return Err(ErrorKind::UnexpectedEof.into()),
            }
        }
    }
}
