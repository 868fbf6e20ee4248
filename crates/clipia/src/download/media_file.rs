//! A file of an output that is read without a directory: as bytes, or piece by piece.

use super::files;
use super::pieces::{Piece, Pieces};
use super::source::Source;
use crate::connection::Connection;
use crate::error::Error;
use crate::outcome::Completed;
use crate::request::Operation;
use bytes::{Bytes, BytesMut};
use clipia_api::types::RequestId;
use futures_util::{Stream, StreamExt, stream};
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tracing::Instrument;

impl Completed {
    /// The files of the output in full quality, in the order of [`download`](Self::download). Nothing is fetched.
    ///
    /// ```no_run
    /// # async fn show(picture: clipia::Completed) -> Result<(), clipia::Error> {
    /// for file in picture.files() {
    ///     let bytes = file.bytes(64 * 1024 * 1024).await?;
    ///     println!("{}: {} bytes", file.name(), bytes.len());
    /// }
    /// # Ok(()) }
    /// ```
    pub fn files(&self) -> Vec<MediaFile> {
        self.media_files(false)
    }

    /// The same files as optimised renditions, which are smaller, where the output has them.
    pub fn renditions(&self) -> Vec<MediaFile> {
        self.media_files(true)
    }

    fn media_files(&self, renditions: bool) -> Vec<MediaFile> {
        let files = files::of(self.output(), self.response().extra.get("output"), renditions);
        let of = |file: &files::File<'_>| MediaFile {
            connection: Arc::clone(self.connection()),
            request_id: self.id().clone(),
            name: file.stem(self.id()),
            url: file.url.to_owned(),
            is_media: file.is_media(),
        };
        files.all.iter().map(of).collect()
    }
}

/// A file of an output. Made by [`Completed::files`].
///
/// It is fetched with the checks of a file that is [downloaded](Completed::download): an error page, an empty body or another size than the
/// host announced is an [`Error::Download`]. A transfer that breaks is resumed if the host can prove that the file is still the same.
#[derive(Clone)]
pub struct MediaFile {
    connection: Arc<Connection>,
    request_id: RequestId,
    name: String,
    url: String,
    is_media: bool,
}

impl MediaFile {
    /// A name for the file, without an extension: the id, the kind and a number, as in `0198c2…-image-1`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The URL, as in the output. It may hold a signature.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Fetches the file into memory. A file that has to start again after a break is fetched again.
    ///
    /// # Errors
    /// [`Error::Download`], also if the file has more than `bytes_max` bytes.
    pub async fn bytes(&self, bytes_max: usize) -> Result<Bytes, Error> {
        let span = Operation::about("download", &self.request_id).span();
        self.collect(bytes_max).instrument(span).await
    }

    async fn collect(&self, bytes_max: usize) -> Result<Bytes, Error> {
        let (mut pieces, mut all) = (self.pieces(true)?, BytesMut::new());
        while let Some(piece) = pieces.next().await? {
            let Piece::Bytes(bytes) = piece else {
                all.clear();
                continue;
            };
            let announced = pieces.size().is_some_and(|size| size > bytes_max as u64);
            if announced || bytes.len() > bytes_max - all.len() {
                return Err(pieces.too_long(bytes_max));
            }
            all.extend_from_slice(&bytes);
        }
        Ok(all.freeze())
    }

    /// Fetches the file piece by piece: a stream of bytes, which is whole if it ends without an error. An error is the last item.
    ///
    /// Pieces that were handed out cannot be taken back. So a transfer that breaks ends the stream if the host cannot prove that the
    /// rest is of the same file.
    ///
    /// ```no_run
    /// # async fn show(clip: clipia::Completed, mut to: impl std::io::Write) -> Result<(), Box<dyn std::error::Error>> {
    /// for file in clip.files() {
    ///     let mut pieces = file.stream();
    ///     while let Some(bytes) = pieces.next().await {
    ///         to.write_all(&bytes?)?;
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub fn stream(&self) -> MediaStream {
        let span = Operation::about("download", &self.request_id).span();
        let pieces = stream::unfold(Some(self.pieces(false)), move |pieces| {
            async move {
                let mut pieces = match pieces? {
                    Ok(pieces) => pieces,
                    Err(error) => return Some((Err(error), None)),
                };
                match pieces.next().await {
                    Ok(Some(Piece::Bytes(bytes))) => Some((Ok(bytes), Some(Ok(pieces)))),
                    Ok(Some(Piece::Restart) | None) => None,
                    Err(error) => Some((Err(error), None)),
                }
            }
            .instrument(span.clone())
        });
        MediaStream { name: self.name.clone(), pieces: Box::pin(pieces.fuse()) }
    }

    fn pieces(&self, can_restart: bool) -> Result<Pieces, Error> {
        let source = Source::new(&self.connection, &self.request_id, &self.url, self.is_media)?;
        Ok(Pieces::of(source, can_restart))
    }
}

impl fmt::Debug for MediaFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaFile").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The bytes of a file, piece by piece. Made by [`MediaFile::stream`].
#[must_use = "nothing is fetched until it is read"]
pub struct MediaStream {
    name: String,
    pieces: Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>,
}

impl MediaStream {
    /// The next piece, or `None` after the last. As `StreamExt::next`, without its import.
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl Stream for MediaStream {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.pieces.as_mut().poll_next(context)
    }
}

impl fmt::Debug for MediaStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaStream").field("name", &self.name).finish_non_exhaustive()
    }
}
