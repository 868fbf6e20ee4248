//! Writing uploads: a file that comes in pieces, and is at its address once all of it is there.
//!
//! An upload is at `media/uploads/{id}/{name}`. It is staged on a disk of this server, also where media are in a bucket: a client
//! that sends slowly holds no memory and no call of the store meanwhile. The media sweeper removes what a process that was killed
//! has left.

use super::staging::Staged;
use super::{MediaStore, Place, run, upload_directory};
use crate::clock::wall;
use crate::{blocking, failpoints, private};
use bytes::Bytes;
use clipia_queue::Moment;
use clipia_queue::uploads::{UploadId, path};
use std::fs::{self, File};
use std::io;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// The name of a staged file. The file gets its own name when it is placed.
const STAGED: &str = "upload";

/// A file that is being received. Dropping this removes what has come so far.
pub(crate) struct Incoming {
    media: MediaStore,
    staged: Staged,
    /// The open file; none while a piece is being written, and after a write that was given up.
    file: Option<File>,
    bytes: u64,
}

/// An upload at its address. Dropping this removes the file, unless it is kept.
#[must_use = "an upload that is not kept is removed"]
pub(crate) struct Placed {
    media: MediaStore,
    /// The directory to remove on drop.
    directory: Option<String>,
    /// The path of the file on the server.
    address: String,
}

impl MediaStore {
    /// Begins an upload.
    ///
    /// # Errors
    /// If its file cannot be made.
    pub(crate) async fn receive(&self) -> io::Result<Incoming> {
        let media = self.clone();
        run(move || {
            let staged = media.staging.begin()?;
            let file = private::create_new(&staged.path().join(STAGED))?;
            Ok(Incoming { media, staged, file: Some(file), bytes: 0 })
        })
        .await
    }

    /// The uploads that are as old as one gets.
    ///
    /// # Errors
    /// If the place of media cannot be read.
    pub(crate) async fn old_uploads(&self) -> io::Result<Vec<UploadId>> {
        let now = UNIX_EPOCH + wall().since(Moment::from_micros(0));
        match &self.place {
            Place::Directory(directory) => {
                let directory = Arc::clone(directory);
                run(move || directory.old_uploads(now)).await
            }
            Place::Bucket(bucket) => bucket.old_uploads(now).await,
        }
    }
}

impl Incoming {
    /// The bytes that have come so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Writes the next piece.
    ///
    /// # Errors
    /// If it cannot be written. The upload is lost then.
    pub(crate) async fn write(&mut self, piece: Bytes) -> io::Result<()> {
        let mut file = self.file.take().ok_or_else(given_up)?;
        let length = piece.len() as u64;
        let writing = blocking::run(move || failpoints::write(&mut file, &piece).map(|()| file));
        self.file = Some(writing.await.map_err(io::Error::other)??);
        self.bytes += length;
        Ok(())
    }

    /// Brings the file to its address. It survives a crash when this returns.
    ///
    /// # Errors
    /// If it cannot be flushed, moved or written. Nothing is left then, or the upload sweeper removes it.
    pub(crate) async fn place(mut self, id: UploadId, name: String) -> io::Result<Placed> {
        let file = self.file.take().ok_or_else(given_up)?;
        let Self { media, staged, .. } = self;
        // If the caller stops waiting, the result is dropped, which removes the file.
        let placed = Placed { media, directory: Some(upload_directory(id)), address: path(id, &name) };
        match placed.media.place.clone() {
            Place::Directory(directory) => {
                run(move || {
                    file.sync_all()?;
                    drop(file);
                    fs::rename(staged.path().join(STAGED), staged.path().join(&name))?;
                    directory.place(&staged, id)?;
                    Ok(placed)
                })
                .await
            }
            Place::Bucket(bucket) => {
                drop(file);
                let placing = tokio::spawn(async move {
                    bucket.place(&staged.path().join(STAGED), id, &name).await?;
                    Ok(placed)
                });
                placing.await.map_err(io::Error::other)?
            }
        }
    }
}

/// The error of an upload of which a piece was lost.
fn given_up() -> io::Error {
    io::Error::other("a piece of the upload was not written")
}

impl Placed {
    /// Keeps the file: the store knows of it. Returns its path on the server.
    pub(crate) fn keep(mut self) -> String {
        self.directory = None;
        std::mem::take(&mut self.address)
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        if let Some(directory) = self.directory.take() {
            self.media.remove_on_drop(directory);
        }
    }
}
