//! Writing uploads: a file that comes in pieces, and is at its address once all of it is on the disk.
//!
//! An upload is at `media/uploads/{id}/{name}`. It is staged like the files of an output, so that the media sweeper removes what
//! a process that was killed has left.

use super::{MediaStore, STAGING};
use crate::{blocking, failpoints, private};
use bytes::Bytes;
use clipia_queue::uploads::{DIRECTORY, UploadId, path};
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::PoisonError;

/// The name of a staged file. The file gets its own name when it is placed.
const STAGED: &str = "upload";

/// A file that is being received. Dropping this removes what has come so far.
pub(crate) struct Incoming {
    staged: Staged,
    /// The open file; none while a piece is being written, and after a write that was given up.
    file: Option<File>,
    bytes: u64,
}

/// A staged directory, which is removed on drop unless it was moved.
struct Staged {
    media: MediaStore,
    path: PathBuf,
}

/// An upload at its address. Dropping this removes the file, unless it is kept.
#[must_use = "an upload that is not kept is removed"]
pub(crate) struct Placed {
    media: MediaStore,
    /// The directory to remove on drop.
    directory: Option<PathBuf>,
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
        let beginning = blocking::run(move || {
            let staging = media.directory().join(STAGING);
            let path = staging.join(hex::encode(rand::random::<[u8; 16]>()));
            media.writes.staged().insert(path.clone());
            let staged = Staged { media, path };
            private::directory(&staging)?;
            private::directory(&staged.path)?;
            let file = private::create_new(&staged.path.join(STAGED))?;
            Ok(Incoming { staged, file: Some(file), bytes: 0 })
        });
        beginning.await.map_err(io::Error::other)?
    }

    /// The directory of an upload.
    pub(crate) fn upload_directory(&self, id: UploadId) -> PathBuf {
        self.uploads_directory().join(id.to_string())
    }

    /// The directory of all uploads.
    pub(crate) fn uploads_directory(&self) -> PathBuf {
        self.directory().join(DIRECTORY)
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

    /// Moves the file to its address. It is on the disk when this returns.
    ///
    /// # Errors
    /// If it cannot be flushed or moved. Nothing is left then.
    pub(crate) async fn place(mut self, id: UploadId, name: String) -> io::Result<Placed> {
        let file = self.file.take().ok_or_else(given_up)?;
        // If the caller stops waiting, the result is dropped, which removes the file.
        let placing = blocking::run(move || {
            let Staged { media, path: staged } = &self.staged;
            file.sync_all()?;
            drop(file);
            fs::rename(staged.join(STAGED), staged.join(&name))?;
            private::sync_directory(staged)?;
            let (above, to) = (media.uploads_directory(), media.upload_directory(id));
            let moving = media.writes.moving.lock().unwrap_or_else(PoisonError::into_inner);
            private::directory(&above)?;
            fs::rename(staged, &to)?;
            drop(moving);
            let placed = Placed { media: media.clone(), directory: Some(to), address: path(id, &name) };
            private::sync_directory(&above)?;
            private::sync_directory(media.directory())?;
            Ok(placed)
        });
        placing.await.map_err(io::Error::other)?
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
        if let Some(directory) = &self.directory {
            self.media.remove(directory);
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // A moved directory is gone already. The media sweeper removes one that cannot be removed now.
        let _ = fs::remove_dir_all(&self.path);
        self.media.writes.staged().remove(&self.path);
    }
}
