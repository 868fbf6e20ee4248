//! A file that is not whole yet: locked, and kept with what it takes to go on with it.
//!
//! The partial file and the file of its version are written only if they are regular files with one name each: a link
//! in their place would lead the writes to a file of somebody else.

use super::answer::Version;
use super::existing;
use super::extension::FIRST_BYTES;
use same_file::Handle;
use std::fs::{self, TryLockError};
use std::io::{self, Read, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempPath;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tokio::time::Instant;

/// How often a file that another download holds is looked at.
const LOCK_POLL: Duration = Duration::from_millis(100);

/// How long another download may hold a file and come no further. It may be stopped, or waited for by the one
/// who waits for us; a host is not let be silent for so long, unless the client's timeout is longer.
const LOCK_SILENCE_MAX: Duration = Duration::from_secs(60);

/// Bytes of a version that are read. No version is longer.
const VERSION_BYTES_MAX: u64 = 1 << 16;

/// A partial file, written by no other download while this exists. Dropped, it stays if it is of use.
pub(super) struct Partial {
    path: PathBuf,
    sidecar: PathBuf,
    /// Holds the lock, also while its last write goes on after all else was dropped.
    file: File,
    version: Option<Version>,
    /// The first bytes, no more than [`FIRST_BYTES`].
    beginning: Vec<u8>,
    bytes: u64,
    whole: bool,
}

/// What came of an attempt to lock a file.
enum Attempt {
    Locked(fs::File),
    /// Another download has it, and got this far.
    Held(u64),
    /// It was renamed or removed by the one who had it, or removed here.
    Gone,
}

impl Partial {
    /// Opens or makes it once no other download has it.
    pub(super) async fn open(path: &Path) -> io::Result<Self> {
        let (path, sidecar) = (path.to_owned(), path.with_added_extension("json"));
        let (mut length_seen, mut since) = (None, Instant::now());
        let locked = loop {
            let path = path.clone();
            match blocking(move || lock(&path)).await? {
                Attempt::Locked(file) => break file,
                Attempt::Gone => continue,
                Attempt::Held(length) if length_seen != Some(length) => {
                    (length_seen, since) = (Some(length), Instant::now());
                }
                Attempt::Held(_) if since.elapsed() >= LOCK_SILENCE_MAX => {
                    let silence = LOCK_SILENCE_MAX.as_secs();
                    let reason = format!("another download has it, and came no further for {silence} s");
                    return Err(io::Error::new(io::ErrorKind::ResourceBusy, reason));
                }
                Attempt::Held(_) => {}
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

    /// Which file this is the beginning of, and how much of it is here; `None` where it is of no use.
    pub(super) fn kept(&self) -> Option<(&Version, u64)> {
        let version = self.version.as_ref()?;
        let sound = self.bytes > 0 && version.size.is_none_or(|size| self.bytes <= size);
        sound.then_some((version, self.bytes))
    }

    /// Begins anew, as the beginning of `version`.
    pub(super) async fn begin(&mut self, version: Option<Version>) -> io::Result<()> {
        // In this order, so that what is here never passes for a version that it isn't of.
        self.clear().await?;
        if let Some(version) = &version {
            // A new file, so that no link is followed.
            let mut sidecar = File::options().write(true).create_new(true).open(&self.sidecar).await?;
            sidecar.write_all(&serde_json::to_vec(version)?).await?;
            sidecar.flush().await?;
        }
        self.version = version;
        Ok(())
    }

    /// Forgets all that is here.
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

    /// The first bytes, as many as decide the name of a file or all that are here.
    pub(super) fn beginning(&self) -> &[u8] {
        &self.beginning
    }

    /// It is whole: gives it its name, once the system has it on disk. Dropped in between, this goes on.
    ///
    /// # Errors
    /// `AlreadyExists` if a file of other content has the name, unless `overwrite`: all stays as it is.
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
                    return Err(existing::taken());
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
            // Before the lock is given up with the file, and nobody to tell where it cannot be.
            let _ = fs::remove_file(&self.sidecar);
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn lock(path: &Path) -> io::Result<Attempt> {
    let file = open_regular(fs::File::options().read(true).write(true).create(true).truncate(false), path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Attempt::Held(file.metadata()?.len())),
        // A file system that knows no locks has to do without.
        Err(TryLockError::Error(_)) => {}
    }
    // Who had the lock may have renamed what was opened here, or removed it.
    match Handle::from_path(path) {
        Ok(there) if there == Handle::from_file(file.try_clone()?)? => {}
        Ok(_) => return Ok(Attempt::Gone),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Attempt::Gone),
        Err(error) => return Err(error),
    }
    if names(&file.metadata()?) > 1 {
        // The process was killed between the two steps of a rename by a second link, or the link is somebody else's.
        // To empty this file would empty the file under the other name.
        absent(fs::remove_file(path))?;
        return Ok(Attempt::Gone);
    }
    Ok(Attempt::Locked(file))
}

/// Opens a regular file, not by way of a symbolic link.
fn open_regular(options: &mut fs::OpenOptions, path: &Path) -> io::Result<fs::File> {
    let irregular = || io::Error::new(io::ErrorKind::InvalidInput, "there is a link or no file: remove it");
    // Looked at before the file is opened: opening a pipe waits, and not every system has a flag against links.
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

/// How many names the file has.
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

/// Renames a file, unless the new name is taken.
fn rename_to_new(path: &Path, name: &Path) -> io::Result<()> {
    let Err(failed) = TempPath::try_from_path(path)?.persist_noclobber(name) else { return Ok(()) };
    // A dropped `TempPath` removes its file.
    failed.path.keep()?;
    match failed.error.kind() {
        io::ErrorKind::AlreadyExists => Err(failed.error),
        // Some file systems, over a network, have neither a rename that replaces nothing nor links.
        _ if fs::symlink_metadata(name).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) => {
            fs::rename(path, name)
        }
        _ => Err(failed.error),
    }
}

/// Of a removal: that there was nothing is no failure.
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
    fn who_waited_never_gets_a_file_that_was_finished() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("part");
        let finish_some = &|thread| {
            let mut finished = 0;
            while finished < 200 {
                if let Attempt::Locked(mut file) = lock(&path).unwrap() {
                    assert_eq!(file.metadata().unwrap().len(), 0, "it is new");
                    io::Write::write_all(&mut file, b"whole").unwrap();
                    fs::rename(&path, dir.path().join(format!("{thread}"))).unwrap();
                    finished += 1;
                }
            }
        };
        std::thread::scope(|scope| (0..4).for_each(|thread| drop(scope.spawn(move || finish_some(thread)))));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_comes_no_further_is_not_waited_for_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("part");
        let mut first = Partial::open(&path).await.unwrap();
        let begun = Instant::now();
        let error = Partial::open(&path).await.err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
        assert!(begun.elapsed() >= LOCK_SILENCE_MAX);

        // One that moves is.
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
