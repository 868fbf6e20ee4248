//! Writing the files of an output: either all of them are at their address, or none.
//!
//! A file that an executor left on the disk is copied, also where a rename would do: a program that still has it open, as a
//! warm one may, could go on writing to a file that was renamed, and a file at its address never changes. The system copies it:
//! its bytes take no memory of this process, and no time where the file system shares them between copies.

use super::{MediaStore, PATH, is_file_name};
use crate::executors::{Content, MediaFile};
use crate::{blocking, failpoints, private};
use clipia_queue::RequestId;
use clipia_worker::regular;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The directory of files that are not complete yet.
pub(crate) const STAGING: &str = ".new";

/// Why files were not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// A name is not allowed, or two files have it. The executor is at fault.
    #[error("`{0}` cannot be the name of a file of an output, or is so twice")]
    Name(String),
    /// A file on the disk is not the one that the executor made. The executor is at fault.
    #[error("the file for `{0}` was changed or replaced before it was stored")]
    Changed(String),
    /// The files cannot be written now. The pause of the media begins.
    #[error("cannot write below `{}`: {source}", .directory.display())]
    Io {
        /// The directory of media.
        directory: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// The state of all writes.
#[derive(Debug, Default)]
pub(super) struct Writes {
    /// The staged directories in use, which the media sweeper must not remove.
    staged: Mutex<BTreeSet<PathBuf>>,
    /// Held while a request's directory gets its first file or loses its last.
    pub(super) moving: Mutex<()>,
    /// The bytes of the largest output that could not be written.
    failed_bytes: AtomicU64,
}

/// Files at their address. Dropping this removes the files, unless they were committed.
#[derive(Debug)]
#[must_use = "files that are not committed are removed"]
pub(crate) struct WrittenFiles {
    media: MediaStore,
    /// The directory to remove on drop; none where there are no files, or they stay.
    directory: Option<PathBuf>,
    address: String,
}

/// What happens to written files that are dropped without a commit.
#[derive(Clone, Copy)]
enum OnDrop {
    Remove,
    Keep,
}

impl WrittenFiles {
    /// The path of the files' directory on the server.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Keeps the files: an output that names them is about to be stored. Returns their directory, for
    /// [`MediaStore::discard`].
    pub(crate) fn commit(mut self) -> Option<PathBuf> {
        self.directory.take()
    }
}

impl Drop for WrittenFiles {
    fn drop(&mut self) {
        if let Some(directory) = &self.directory {
            self.media.remove(directory);
        }
    }
}

impl MediaStore {
    /// Writes the files of a request. They are on the disk when this returns.
    ///
    /// # Errors
    /// [`WriteError`]. No file is left then, or the media sweeper removes it.
    pub(crate) async fn write(
        &self,
        id: RequestId,
        files: Vec<MediaFile>,
    ) -> Result<WrittenFiles, WriteError> {
        let secret = hex::encode(rand::random::<[u8; 16]>());
        self.write_below(format!("{id}/{secret}"), files, OnDrop::Remove).await
    }

    /// Writes files that everybody may see to the directory `below`, and replaces files of the same name there. Returns the
    /// path of the directory on the server.
    ///
    /// # Errors
    /// [`WriteError`].
    pub(crate) async fn write_at(&self, below: String, files: Vec<MediaFile>) -> Result<String, WriteError> {
        Ok(self.write_below(below, files, OnDrop::Keep).await?.address.clone())
    }

    /// Removes files whose output the store refused.
    pub(crate) async fn discard(&self, directory: PathBuf) {
        let media = self.clone();
        // The media sweeper removes files that cannot be removed now.
        let _ = blocking::run(move || media.remove(&directory)).await;
    }

    /// Removes the files of all attempts at an ended request, except those at `kept`.
    pub(crate) async fn discard_others(&self, id: RequestId, kept: Option<PathBuf>) {
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

    async fn write_below(
        &self,
        below: String,
        files: Vec<MediaFile>,
        on_drop: OnDrop,
    ) -> Result<WrittenFiles, WriteError> {
        let mut names = BTreeSet::new();
        let is_invalid = |file: &&MediaFile| !is_file_name(&file.name) || !names.insert(file.name.clone());
        if let Some(file) = files.iter().find(is_invalid) {
            return Err(WriteError::Name(file.name.clone()));
        }
        let (media, directory) = (self.clone(), self.directory().join(&below));
        let address = format!("{PATH}/{below}");
        if files.is_empty() {
            return Ok(WrittenFiles { media, directory: None, address });
        }
        let bytes = files.iter().map(|file| file.content.len()).sum();
        // If the caller stops waiting, the result is dropped, which removes the files.
        let written = blocking::run(move || {
            let staged = Staged::write(&media, &files)?;
            let removed = matches!(on_drop, OnDrop::Remove).then(|| directory.clone());
            let written = WrittenFiles { media: media.clone(), directory: removed, address };
            staged.move_to(&directory)?;
            Ok::<_, Unwritten>(written)
        });
        let written = written.await.map_err(|lost| io::Error::other(lost).into()).and_then(|written| written);
        written.map_err(|unwritten| {
            let source = match unwritten {
                Unwritten::Changed(name) => return WriteError::Changed(name),
                Unwritten::Io(source) => source,
            };
            self.unwritable(bytes, source)
        })
    }

    /// Begins the pause of the media, since a file of so many bytes cannot be written.
    pub(crate) fn unwritable(&self, bytes: u64, source: io::Error) -> WriteError {
        self.writes.failed_bytes.fetch_max(bytes, Ordering::Relaxed);
        let reason = reason(&source);
        let failed = WriteError::Io { directory: self.directory().to_owned(), source };
        self.pause().begin(reason, &failed);
        failed
    }

    /// Writes as many bytes as the largest failed output, and removes them. Fails if the disk is still full.
    pub(super) fn probe(&self) -> io::Result<()> {
        /// The most bytes of a probe.
        const PROBE_BYTES_MAX: u64 = 64 * 1024 * 1024;
        /// The bytes that are written at once.
        static PIECE: [u8; 64 * 1024] = [0; 64 * 1024];
        let mut left = self.writes.failed_bytes.load(Ordering::Relaxed).clamp(1, PROBE_BYTES_MAX);
        let staged = Staged::begin(self)?;
        let mut probe = private::create_new(&staged.path.join("probe"))?;
        while left > 0 {
            let piece = usize::try_from(left).map_or(PIECE.len(), |left| left.min(PIECE.len()));
            failpoints::write(&mut probe, &PIECE[..piece])?;
            left -= piece as u64;
        }
        probe.sync_all()?;
        private::sync_directory(&staged.path)?;
        self.writes.failed_bytes.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// Removes a directory of files, and the request's directory above if that is empty then.
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

    /// Removes all files of a request.
    ///
    /// # Errors
    /// If there are files that cannot be removed.
    pub(crate) fn remove_request(&self, id: RequestId) -> io::Result<()> {
        match fs::remove_dir_all(self.directory.join(id.to_string())) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes a directory if it is empty.
    pub(crate) fn remove_empty(&self, directory: &Path) {
        let _moving = self.writes.moving.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = fs::remove_dir(directory);
    }

    /// Whether a write in progress uses this staged directory.
    pub(crate) fn is_being_staged(&self, directory: &Path) -> bool {
        self.writes.staged().contains(directory)
    }
}

impl Writes {
    /// The staged directories in use.
    pub(super) fn staged(&self) -> std::sync::MutexGuard<'_, BTreeSet<PathBuf>> {
        self.staged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why files were not written.
enum Unwritten {
    /// See [`WriteError::Changed`].
    Changed(String),
    Io(io::Error),
}

impl From<io::Error> for Unwritten {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A staged directory, whose files are not at their address yet. Dropping this removes files that were not moved.
struct Staged<'m> {
    media: &'m MediaStore,
    path: PathBuf,
}

impl<'m> Staged<'m> {
    /// A new staged directory.
    fn begin(media: &'m MediaStore) -> io::Result<Self> {
        let staging = media.directory().join(STAGING);
        let path = staging.join(hex::encode(rand::random::<[u8; 16]>()));
        media.writes.staged().insert(path.clone());
        let staged = Self { media, path };
        private::directory(&staging)?;
        private::directory(&staged.path)?;
        Ok(staged)
    }

    /// Writes files to a new staged directory, and flushes them to the disk.
    fn write(media: &'m MediaStore, files: &[MediaFile]) -> Result<Self, Unwritten> {
        let staged = Self::begin(media)?;
        for MediaFile { name, content } in files {
            let mut to = private::create_new(&staged.path.join(name))?;
            match content {
                Content::Bytes(bytes) => failpoints::write(&mut to, bytes)?,
                Content::File { path, bytes } => {
                    copy(path, *bytes, &mut to)?.ok_or_else(|| Unwritten::Changed(name.clone()))?;
                }
            }
            to.sync_all()?;
        }
        private::sync_directory(&staged.path)?;
        Ok(staged)
    }

    /// Moves the files to their address, and flushes the directories to the disk.
    fn move_to(self, to: &Path) -> io::Result<()> {
        let above = to.parent().unwrap_or(self.media.directory());
        let moving = self.media.writes.moving.lock().unwrap_or_else(PoisonError::into_inner);
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

/// Copies the file at `path`, which has `bytes` bytes. None if another file is there now, or its length is another.
fn copy(path: &Path, bytes: u64, to: &mut fs::File) -> io::Result<Option<()>> {
    use ErrorKind::{InvalidInput, NotADirectory, NotFound};
    let mut from = match regular::open(path) {
        Ok(from) => from,
        Err(error) if matches!(error.kind(), InvalidInput | NotADirectory | NotFound) => return Ok(None),
        Err(error) => return Err(error),
    };
    let whole = from.metadata()?.len() == bytes && failpoints::copy(&mut from, to, bytes)? == bytes;
    Ok(whole.then_some(()))
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        // A moved directory is gone already. The media sweeper removes one that cannot be removed now.
        let _ = fs::remove_dir_all(&self.path);
        self.media.writes.staged().remove(&self.path);
    }
}

/// The directories of files in a request's directory. Others, with names that this server does not make, are left out.
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

/// Why media cannot be written, in words for `/readyz`.
fn reason(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "no room for media",
        _ => "media cannot be written",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clipia_worker::work::Pause;
    use std::io::Write;
    use std::sync::Arc;

    fn file(path: &Path, bytes: u64) -> MediaFile {
        MediaFile { name: "a.bin".to_owned(), content: Content::File { path: path.to_owned(), bytes } }
    }

    fn store(data: &Path) -> (MediaStore, Arc<Pause>) {
        let pause = Pause::new("media", Default::default());
        (MediaStore::open(data, Arc::clone(&pause)).unwrap(), pause)
    }

    #[tokio::test]
    async fn a_stored_file_does_not_change_with_the_one_that_it_was_made_of() {
        let data = tempfile::tempdir().unwrap();
        let (media, _) = store(data.path());
        let path = data.path().join("made");
        let mut open = fs::File::create(&path).unwrap();
        open.write_all(b"0123456789").unwrap();
        let written = media.write_at("sample".to_owned(), vec![file(&path, 10)]).await.unwrap();
        assert_eq!(written, "/media/sample");
        open.write_all(b"and more").unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(fs::read(media.directory().join("sample/a.bin")).unwrap(), b"0123456789");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_file_that_was_replaced_is_the_executors_fault_and_pauses_nothing() {
        let data = tempfile::tempdir().unwrap();
        let (media, pause) = store(data.path());
        let secret = data.path().join("secret");
        fs::write(&secret, "0123456789").unwrap();
        let made = |name: &str| data.path().join(name);
        std::os::unix::fs::symlink(&secret, made("link")).unwrap();
        fs::create_dir(made("directory")).unwrap();
        fs::write(made("shorter"), "012").unwrap();
        fs::write(made("longer"), "0123456789ab").unwrap();
        fs::write(made("linked"), "0123456789").unwrap();
        fs::hard_link(made("linked"), made("hard link")).unwrap();
        for name in ["link", "directory", "shorter", "longer", "hard link", "none", "secret/below"] {
            let refused = media.write_at("sample".to_owned(), vec![file(&made(name), 10)]).await.unwrap_err();
            assert!(
                matches!(&refused, WriteError::Changed(changed) if changed == "a.bin"),
                "{name}: {refused}"
            );
        }
        assert!(!pause.is_on());
        assert_eq!(fs::read_dir(media.directory().join(STAGING)).unwrap().count(), 0);
        assert!(!media.directory().join("sample").exists());
    }

    #[tokio::test]
    async fn a_probe_leaves_nothing() {
        let data = tempfile::tempdir().unwrap();
        let (media, _) = store(data.path());
        media.writes.failed_bytes.store(200_000, Ordering::Relaxed);
        media.probe().unwrap();
        assert_eq!(media.writes.failed_bytes.load(Ordering::Relaxed), 0);
        assert_eq!(fs::read_dir(media.directory().join(STAGING)).unwrap().count(), 0);
    }
}
