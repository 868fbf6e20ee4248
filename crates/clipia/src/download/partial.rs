//! A partial file: locked, with the version of the file that it belongs to.
//!
//! The partial file and the file of its version are written only if they are regular files with one name each. A link
//! in their place would redirect the writes to another file.

use super::existing;
use super::extension::FIRST_BYTES;
use super::response::Version;
use same_file::Handle;
use std::fs::{self, TryLockError};
use std::io::{self, Read, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempPath;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tokio::time::Instant;

/// The pause between two attempts to lock a file that another download has locked.
const LOCK_POLL: Duration = Duration::from_millis(100);

/// How long the other download may make no progress. It may be stopped, or may wait for a download that waits for this
/// one. No host may be silent for so long, unless the client's timeout is longer.
const LOCK_SILENCE_MAX: Duration = Duration::from_secs(60);

/// Bytes of a version file that are read. No version is longer.
const VERSION_BYTES_MAX: u64 = 1 << 16;

/// A partial file, locked while this exists. When this is dropped, the file stays if it can be resumed.
pub(super) struct Partial {
    path: PathBuf,
    sidecar: PathBuf,
    /// Holds the lock, also while its last write goes on after everything else was dropped.
    file: File,
    version: Option<Version>,
    /// The first bytes, no more than [`FIRST_BYTES`].
    beginning: Vec<u8>,
    bytes: u64,
    whole: bool,
}

/// The outcome of an attempt to lock a file.
enum LockOutcome {
    Locked(fs::File),
    /// Another download has locked it. The file has this length.
    Held(u64),
    /// The other download renamed or removed the file, or the file was removed here.
    Gone,
}

impl Partial {
    /// Opens or creates the partial file, once no other download has locked it.
    pub(super) async fn open(path: &Path) -> io::Result<Self> {
        let (path, sidecar) = (path.to_owned(), path.with_added_extension("json"));
        let (mut length_seen, mut since) = (None, Instant::now());
        let locked = loop {
            let path = path.clone();
            match blocking(move || lock(&path)).await? {
                LockOutcome::Locked(file) => break file,
                LockOutcome::Gone => continue,
                LockOutcome::Held(length) if length_seen != Some(length) => {
                    (length_seen, since) = (Some(length), Instant::now());
                }
                LockOutcome::Held(_) if since.elapsed() >= LOCK_SILENCE_MAX => {
                    let silence = LOCK_SILENCE_MAX.as_secs();
                    let reason =
                        format!("another download has locked it, and made no progress for {silence} s");
                    return Err(io::Error::new(io::ErrorKind::ResourceBusy, reason));
                }
                LockOutcome::Held(_) => {}
            }
            tokio::time::sleep(LOCK_POLL).await;
        };
        let read = sidecar.clone();
        let version = blocking(move || read_version(&read)).await.ok();
        let (mut file, mut beginning) = (File::from_std(locked), Vec::new());
        (&mut file).take(FIRST_BYTES as u64).read_to_end(&mut beginning).await?;
        let bytes = file.seek(SeekFrom::End(0)).await?;
        Ok(Self { path, sidecar, file, version, beginning, bytes, whole: false })
    }

    /// The version of the partial file and its length; `None` if it cannot be resumed.
    pub(super) fn kept(&self) -> Option<(&Version, u64)> {
        let version = self.version.as_ref()?;
        let sound = self.bytes > 0 && version.size.is_none_or(|size| self.bytes <= size);
        sound.then_some((version, self.bytes))
    }

    /// Starts again, as the beginning of `version`.
    pub(super) async fn begin(&mut self, version: Option<Version>) -> io::Result<()> {
        // The order matters: the old content must never pass for the new version.
        self.clear().await?;
        if let Some(version) = &version {
            // Created as a new file, so that no link is followed.
            let mut sidecar = File::options().write(true).create_new(true).open(&self.sidecar).await?;
            sidecar.write_all(&serde_json::to_vec(version)?).await?;
            sidecar.flush().await?;
        }
        self.version = version;
        Ok(())
    }

    /// Empties the partial file.
    pub(super) async fn clear(&mut self) -> io::Result<()> {
        self.version = None;
        absent(tokio::fs::remove_file(&self.sidecar).await)?;
        self.file.flush().await?;
        self.file.set_len(0).await?;
        self.file.rewind().await?;
        self.beginning.clear();
        self.bytes = 0;
        Ok(())
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).await?;
        let first = bytes.len().min(FIRST_BYTES - self.beginning.len());
        self.beginning.extend_from_slice(&bytes[..first]);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// The first bytes, at most [`FIRST_BYTES`].
    pub(super) fn beginning(&self) -> &[u8] {
        &self.beginning
    }

    /// Gives a whole file its name, once the system has it on disk. Continues even if the future is dropped.
    ///
    /// # Errors
    /// `AlreadyExists` if a file with other content has the name, unless `overwrite`. Then nothing changes.
    pub(super) async fn finish(&mut self, name: &Path, overwrite: bool) -> io::Result<()> {
        self.file.flush().await?;
        let file = self.file.try_clone().await?.into_std().await;
        let (path, sidecar, name) = (self.path.clone(), self.sidecar.clone(), name.to_owned());
        blocking(move || {
            file.sync_all()?;
            if overwrite {
                fs::rename(path, name)?;
            } else if let Err(error) = rename_to_new(&path, &name) {
                if error.kind() != io::ErrorKind::AlreadyExists {
                    return Err(error);
                }
                if !existing::is_same(&path, &name)? {
                    return Err(existing::name_taken());
                }
                fs::remove_file(path)?;
            }
            absent(fs::remove_file(sidecar))
        })
        .await?;
        self.whole = true;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.whole && self.kept().is_none() {
            // Removed while the lock is held. A failure cannot be reported from here.
            let _ = fs::remove_file(&self.sidecar);
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn lock(path: &Path) -> io::Result<LockOutcome> {
    let file = open_regular(fs::File::options().read(true).write(true).create(true).truncate(false), path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(LockOutcome::Held(file.metadata()?.len())),
        // A file system without locks is used without.
        Err(TryLockError::Error(_)) => {}
    }
    // The previous holder of the lock may have renamed or removed the file that was opened here.
    match Handle::from_path(path) {
        Ok(there) if there == Handle::from_file(file.try_clone()?)? => {}
        Ok(_) => return Ok(LockOutcome::Gone),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(LockOutcome::Gone),
        Err(error) => return Err(error),
    }
    if names(&file.metadata()?) > 1 {
        // The process was killed between the two steps of a rename by a second link, or someone else made the link.
        // Truncating the file would truncate it under the other name, too.
        absent(fs::remove_file(path))?;
        return Ok(LockOutcome::Gone);
    }
    Ok(LockOutcome::Locked(file))
}

/// Opens a regular file. Follows no symbolic link.
fn open_regular(options: &mut fs::OpenOptions, path: &Path) -> io::Result<fs::File> {
    let irregular =
        || io::Error::new(io::ErrorKind::InvalidInput, "it is a link or not a regular file: remove it");
    // Checked before opening: opening a pipe blocks, and not every system can refuse links when it opens.
    match fs::symlink_metadata(path) {
        Ok(there) if !there.is_file() => return Err(irregular()),
        _ => {}
    }
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        std::os::unix::fs::OpenOptionsExt::custom_flags(options, flags);
    }
    let file = options.open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(irregular()) }
}

/// The number of names of the file.
#[cfg(unix)]
fn names(file: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(file)
}

#[cfg(not(unix))]
fn names(_: &fs::Metadata) -> u64 {
    1
}

fn read_version(path: &Path) -> io::Result<Version> {
    let mut text = Vec::new();
    open_regular(fs::File::options().read(true), path)?.take(VERSION_BYTES_MAX).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// Renames a file if the new name is free.
fn rename_to_new(path: &Path, name: &Path) -> io::Result<()> {
    let Err(failed) = TempPath::try_from_path(path)?.persist_noclobber(name) else { return Ok(()) };
    // A dropped `TempPath` removes its file.
    failed.path.keep()?;
    match failed.error.kind() {
        io::ErrorKind::AlreadyExists => Err(failed.error),
        // Some network file systems have neither a rename that replaces nothing nor links.
        _ if fs::symlink_metadata(name).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) => {
            fs::rename(path, name)
        }
        _ => Err(failed.error),
    }
}

/// Ignores that a file to be removed does not exist.
fn absent(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_that_waited_never_gets_a_file_that_was_finished() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("part");
        let finish_some = &|thread| {
            let mut finished = 0;
            while finished < 200 {
                if let LockOutcome::Locked(mut file) = lock(&path).unwrap() {
                    assert_eq!(file.metadata().unwrap().len(), 0, "the file is new");
                    io::Write::write_all(&mut file, b"whole").unwrap();
                    fs::rename(&path, dir.path().join(format!("{thread}"))).unwrap();
                    finished += 1;
                }
            }
        };
        std::thread::scope(|scope| (0..4).for_each(|thread| drop(scope.spawn(move || finish_some(thread)))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_download_without_progress_is_not_waited_for_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("part");
        let mut first = Partial::open(&path).await.unwrap();
        let begun = Instant::now();
        let error = Partial::open(&path).await.err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
        assert!(begun.elapsed() >= LOCK_SILENCE_MAX);

        // A download with progress is waited for.
        let second = tokio::spawn(async move { Partial::open(&path).await.map(|part| part.bytes) });
        for _ in 0..5 {
            tokio::time::sleep(LOCK_SILENCE_MAX - LOCK_POLL * 2).await;
            first.write(b"more").await.unwrap();
            first.file.flush().await.unwrap();
        }
        assert!(!second.is_finished());
        drop(first);
        assert_eq!(second.await.unwrap().unwrap(), 0);
    }
}
