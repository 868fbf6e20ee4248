//! Writing the files of an output: all of them at their address, or none.

use super::{MediaFile, MediaStore, PATH, is_plain};
use crate::{blocking, failpoints, private};
use clipia_queue::RequestId;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Where files are until they are whole.
pub(crate) const PARTS: &str = ".new";

/// The longest name of a file that common file systems take, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// Why files were not kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// No file can have this name, or two have it: a fault of the executor's.
    #[error("`{0}` cannot be the name of a file of an output, or is so twice")]
    Name(String),
    /// They cannot be written now; the media pause.
    #[error("cannot write below `{}`: {source}", .directory.display())]
    NoRoom {
        /// Where.
        directory: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What is being written.
#[derive(Debug, Default)]
pub(super) struct Writing {
    /// The parts that somebody writes: a sweep leaves them.
    parts: Mutex<BTreeSet<PathBuf>>,
    /// Held while a directory of a request gets its first file or loses its last.
    moving: Mutex<()>,
    /// The bytes of the largest output that there was no room for.
    wanted: AtomicU64,
}

/// Files that are at their address, and are removed again unless they are made to stay.
#[derive(Debug)]
#[must_use = "what is dropped is removed"]
pub struct Kept {
    media: MediaStore,
    /// Nothing where there are no files, or they stay.
    directory: Option<PathBuf>,
    address: String,
}

impl Kept {
    /// The path of their directory on the server.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Lets the files stay from now on: an output that names them is about to be stored. Tells where they are, for
    /// [`MediaStore::discard`].
    pub fn stay(mut self) -> Option<PathBuf> {
        self.directory.take()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(directory) = &self.directory {
            self.media.remove(directory);
        }
    }
}

impl MediaStore {
    /// Keeps the files of a request, on the disk before it returns.
    ///
    /// # Errors
    /// [`KeepError`]; nothing is left of them then, or it is swept.
    pub async fn keep(&self, id: RequestId, files: Vec<MediaFile>) -> Result<Kept, KeepError> {
        let secret = hex::encode(rand::random::<[u8; 16]>());
        self.write(format!("{id}/{secret}"), files, false).await
    }

    /// Keeps files in a directory of a name that everybody may know, in the place of any that are there; tells the path of
    /// their directory on the server.
    ///
    /// # Errors
    /// [`KeepError`].
    pub async fn keep_at(&self, below: String, files: Vec<MediaFile>) -> Result<String, KeepError> {
        Ok(self.write(below, files, true).await?.address.clone())
    }

    /// Removes files whose output was not stored and never will be.
    pub async fn discard(&self, directory: PathBuf) {
        let media = self.clone();
        // What cannot be removed now is swept.
        let _ = blocking::run(move || media.remove(&directory)).await;
    }

    /// Removes the files of all attempts at a request that has ended, but those at `kept`.
    pub async fn discard_others(&self, id: RequestId, kept: Option<PathBuf>) {
        let media = self.clone();
        let removing = blocking::run(move || {
            let of_request = media.directory().join(id.to_string());
            for name in directories(&of_request).unwrap_or_default() {
                let directory = of_request.join(name);
                if Some(&directory) != kept.as_ref() {
                    media.remove(&directory);
                }
            }
        });
        let _ = removing.await;
    }

    async fn write(&self, below: String, files: Vec<MediaFile>, stay: bool) -> Result<Kept, KeepError> {
        let mut names = BTreeSet::new();
        let unfit = |file: &&MediaFile| {
            !is_plain(&file.name) || file.name.len() > NAME_BYTES_MAX || !names.insert(file.name.clone())
        };
        if let Some(file) = files.iter().find(unfit) {
            return Err(KeepError::Name(file.name.clone()));
        }
        let (media, directory) = (self.clone(), self.directory().join(&below));
        let address = format!("{PATH}/{below}");
        if files.is_empty() {
            return Ok(Kept { media, directory: None, address });
        }
        let wanted = files.iter().map(|file| file.bytes.len() as u64).sum();
        // Where the caller no longer waits, what was written is dropped, and so removed.
        let written = blocking::run(move || {
            let part = Part::write(&media, &files)?;
            let kept = Kept { media: media.clone(), directory: (!stay).then(|| directory.clone()), address };
            part.place(&directory)?;
            Ok(kept)
        });
        let written = written.await.map_err(io::Error::other).and_then(|written| written);
        written.map_err(|source| {
            self.writing.wanted.fetch_max(wanted, Ordering::Relaxed);
            let reason = reason(&source);
            let failed = KeepError::NoRoom { directory: self.directory().to_owned(), source };
            self.pause().begin(reason, &failed);
            failed
        })
    }

    /// Writes as much as there was no room for, and removes it again: whether there is room now.
    pub(super) fn probe(&self) -> io::Result<()> {
        /// More is not written only to see whether it can be.
        const PROBE_BYTES_MAX: u64 = 64 * 1024 * 1024;
        let wanted = self.writing.wanted.load(Ordering::Relaxed).clamp(1, PROBE_BYTES_MAX);
        let bytes = vec![0; usize::try_from(wanted).unwrap_or(1)];
        Part::write(self, &[MediaFile { name: "probe".to_owned(), bytes }])?;
        self.writing.wanted.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// Removes a directory of files, and that of its request where nothing else is in it.
    pub(crate) fn remove(&self, directory: &Path) {
        if let Err(error) = self.try_remove(directory) {
            tracing::warn!(%error, path = %directory.display(), "cannot remove files that no output names");
        }
    }

    fn try_remove(&self, directory: &Path) -> io::Result<()> {
        match fs::remove_dir_all(directory) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if let Some(above) = directory.parent().filter(|above| *above != self.directory()) {
            self.remove_empty(above);
        }
        Ok(())
    }

    /// Removes every file of a request, if there is any.
    ///
    /// # Errors
    /// If there are files that cannot be removed.
    pub(crate) fn remove_request(&self, id: RequestId) -> io::Result<()> {
        match fs::remove_dir_all(self.directory.join(id.to_string())) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes a directory that holds nothing.
    pub(crate) fn remove_empty(&self, directory: &Path) {
        let _moving = self.writing.moving.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = fs::remove_dir(directory);
    }

    /// Whether somebody writes this part.
    pub(crate) fn is_being_written(&self, part: &Path) -> bool {
        self.writing.parts().contains(part)
    }
}

impl Writing {
    fn parts(&self) -> std::sync::MutexGuard<'_, BTreeSet<PathBuf>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A directory of files that are not at their address yet. It is removed if they never come there.
struct Part<'m> {
    media: &'m MediaStore,
    path: PathBuf,
}

impl<'m> Part<'m> {
    /// Writes files, down to the disk.
    fn write(media: &'m MediaStore, files: &[MediaFile]) -> io::Result<Self> {
        let parts = media.directory().join(PARTS);
        let path = parts.join(hex::encode(rand::random::<[u8; 16]>()));
        media.writing.parts().insert(path.clone());
        let part = Self { media, path };
        private::directory(&parts)?;
        private::directory(&part.path)?;
        for file in files {
            let mut to = private::create_new(&part.path.join(&file.name))?;
            failpoints::write(&mut to, &file.bytes)?;
            to.sync_all()?;
        }
        private::sync_directory(&part.path)?;
        Ok(part)
    }

    /// Moves the files to their address, for good.
    fn place(self, to: &Path) -> io::Result<()> {
        let above = to.parent().unwrap_or(self.media.directory());
        let moving = self.media.writing.moving.lock().unwrap_or_else(PoisonError::into_inner);
        private::directory(above)?;
        if to.try_exists()? {
            for file in fs::read_dir(&self.path)? {
                let file = file?;
                fs::rename(file.path(), to.join(file.file_name()))?;
            }
            private::sync_directory(to)?;
        } else {
            fs::rename(&self.path, to)?;
        }
        drop(moving);
        private::sync_directory(above)?;
        private::sync_directory(self.media.directory())
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        // It is gone where it was moved; what cannot be removed now is swept.
        let _ = fs::remove_dir_all(&self.path);
        self.media.writing.parts().remove(&self.path);
    }
}

/// The directories in that of a request which are named as this server names them.
pub(crate) fn directories(of_request: &Path) -> io::Result<Vec<String>> {
    const SECRET_CHARACTERS: usize = 32;
    let entries = match fs::read_dir(of_request) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let is_ours = |name: &String| {
        name.len() == SECRET_CHARACTERS && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    Ok(names.filter(is_ours).collect())
}

/// Why nothing can be written, in words for `/readyz`.
fn reason(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "no room for media",
        _ => "media cannot be written",
    }
}
