//! Files of media that are read.

use super::bucket::BucketError;
use super::object::Object;
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use std::io;
use std::path::PathBuf;
use tokio::fs::File;
use tokio::io::AsyncReadExt;

/// The bytes of a file on the disk that are read at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// Where a file is.
pub(crate) enum Located {
    /// On a disk.
    Path(PathBuf),
    /// In a bucket.
    Object(Object),
}

/// A file that is read from its beginning to its end.
pub(crate) struct OpenFile {
    length: u64,
    content: Content,
}

enum Content {
    Disk(File),
    Bucket(BoxStream<'static, io::Result<Bytes>>),
}

impl Located {
    /// Opens the file.
    ///
    /// # Errors
    /// `NotFound` or `IsADirectory` if there is no file; others if it cannot be read.
    pub(crate) async fn open(self) -> io::Result<OpenFile> {
        match self {
            Self::Path(path) => {
                let file = File::open(path).await?;
                let found = file.metadata().await?;
                if !found.is_file() {
                    return Err(io::ErrorKind::IsADirectory.into());
                }
                Ok(OpenFile { length: found.len(), content: Content::Disk(file) })
            }
            Self::Object(object) => {
                let found = object.find(true).await?;
                let length = found.length();
                Ok(OpenFile { length, content: Content::Bucket(found.bytes(0..length).await?) })
            }
        }
    }
}

impl OpenFile {
    /// The length in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The next bytes; none at the end.
    ///
    /// # Errors
    /// If they cannot be read.
    pub(crate) async fn chunk(&mut self) -> io::Result<Option<Bytes>> {
        match &mut self.content {
            Content::Disk(file) => {
                let mut bytes = BytesMut::with_capacity(CHUNK_BYTES);
                let read = file.read_buf(&mut bytes).await?;
                Ok((read > 0).then(|| bytes.freeze()))
            }
            Content::Bucket(chunks) => chunks.try_next().await,
        }
    }
}

/// Whether an error says that the bucket cannot be asked now, which is no fault of a file.
pub(crate) fn is_away(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inside| inside.is::<BucketError>())
}
