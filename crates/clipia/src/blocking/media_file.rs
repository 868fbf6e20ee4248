//! A file of an output that is read without a directory.

use super::runtime::Runtime;
use crate::download::MediaStream;
use crate::error::Error;
use bytes::{Buf, Bytes};
use std::fmt;
use std::io::{self, Read};

/// A file of an output. As the async [`MediaFile`](crate::MediaFile). Made by [`Completed::files`](super::Completed::files).
#[derive(Clone)]
pub struct MediaFile {
    pub(super) runtime: Runtime,
    pub(super) file: crate::MediaFile,
}

impl MediaFile {
    /// As the async [`name`](crate::MediaFile::name).
    pub fn name(&self) -> &str {
        self.file.name()
    }

    /// As the async [`url`](crate::MediaFile::url).
    pub fn url(&self) -> &str {
        self.file.url()
    }

    /// As the async [`bytes`](crate::MediaFile::bytes).
    ///
    /// # Errors
    /// The same.
    #[track_caller]
    pub fn bytes(&self, bytes_max: usize) -> Result<Bytes, Error> {
        self.runtime.block_on(self.file.bytes(bytes_max))
    }

    /// As the async [`stream`](crate::MediaFile::stream), to be read as any file. The error of a read holds the [`Error`].
    pub fn reader(&self) -> MediaReader {
        MediaReader { runtime: self.runtime.clone(), stream: self.file.stream(), piece: Bytes::new() }
    }
}

impl fmt::Debug for MediaFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.file.fmt(f)
    }
}

/// The bytes of a file as they arrive. Made by [`MediaFile::reader`].
#[must_use = "nothing is fetched until it is read"]
pub struct MediaReader {
    runtime: Runtime,
    stream: MediaStream,
    /// What was received and not read yet.
    piece: Bytes,
}

impl Read for MediaReader {
    #[track_caller]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() && !buffer.is_empty() {
            match self.runtime.block_on(self.stream.next()) {
                Some(piece) => self.piece = piece.map_err(io::Error::other)?,
                None => return Ok(0),
            }
        }
        let length = self.piece.len().min(buffer.len());
        self.piece.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

impl fmt::Debug for MediaReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stream.fmt(f)
    }
}
