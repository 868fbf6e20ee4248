//! A file that is not whole yet: locked, and kept with what it takes to go on with it.

use super::answer::Version;
use same_file::Handle;
use std::fs::{self, TryLockError};
use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::fs::File;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};
use tokio::time::Instant;

/// How often a file that another download holds is looked at.
const LOCK_POLL: Duration = Duration::from_millis(100);

/// How long another download may hold a file and come no further. It may be stopped, or waited for by the one
/// who waits for us; a host is not let be silent for so long, unless the client's timeout is longer.
const LOCK_SILENCE_MAX: Duration = Duration::from_secs(60);

/// A partial file, written by no other download while this exists. Dropped, it stays if it is of use.
pub(super) struct Partial {
    path: PathBuf,
    sidecar: PathBuf,
    /// Holds the lock, also while its last write goes on after all else was dropped.
    file: File,
    version: Option<Version>,
    bytes: u64,
    whole: bool,
}

/// What came of an attempt to lock a file.
enum Attempt {
    Locked(fs::File),
    /// Another download has it, and got this far.
    Held(u64),
    /// It was renamed or removed by the one who had it.
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
        let text = tokio::fs::read(&sidecar).await.unwrap_or_default();
        let version = serde_json::from_slice(&text).ok();
        let mut file = File::from_std(locked);
        let bytes = file.seek(SeekFrom::End(0)).await?;
        Ok(Self { path, sidecar, file, version, bytes, whole: false })
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
            tokio::fs::write(&self.sidecar, serde_json::to_vec(version)?).await?;
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
        self.bytes = 0;
        Ok(())
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).await?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// How much is here.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// It is whole: gives it its name, once the system has it on disk. Dropped in between, this goes on.
    pub(super) async fn finish(&mut self, name: &Path) -> io::Result<()> {
        self.file.flush().await?;
        let file = self.file.try_clone().await?.into_std().await;
        let (path, sidecar, name) = (self.path.clone(), self.sidecar.clone(), name.to_owned());
        blocking(move || {
            file.sync_all()?;
            fs::rename(path, name)?;
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
    let file = fs::File::options().read(true).write(true).create(true).truncate(false).open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Attempt::Held(file.metadata()?.len())),
        // A file system that knows no locks has to do without.
        Err(TryLockError::Error(_)) => return Ok(Attempt::Locked(file)),
    }
    // Who had the lock may have renamed what was opened here, or removed it.
    match Handle::from_path(path) {
        Ok(there) if there == Handle::from_file(file.try_clone()?)? => Ok(Attempt::Locked(file)),
        Ok(_) => Ok(Attempt::Gone),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Attempt::Gone),
        Err(error) => Err(error),
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
        let second = tokio::spawn(async move { Partial::open(&path).await.map(|part| part.bytes()) });
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
