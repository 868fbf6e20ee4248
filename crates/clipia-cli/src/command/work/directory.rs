//! The directory of a worker's jobs: below the temporary directory of this machine, for this user alone.
//!
//! It is removed at the end of the process. A process that was killed leaves its own, and the next one removes it: a directory whose
//! lock nobody holds belongs to a process that is dead.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What the names of the directories begin with.
const PREFIX: &str = "clipia-work-";

/// The file in each directory that its process has locked.
const LOCK: &str = "lock";

/// The directory of the jobs' directories.
pub(super) struct JobsDirectory {
    jobs: PathBuf,
    _directory: TempDir,
    _lock: File,
}

impl JobsDirectory {
    /// A new directory. Those that dead processes left are removed.
    pub(super) fn new() -> io::Result<Self> {
        Self::below(&std::env::temp_dir())
    }

    fn below(parent: &Path) -> io::Result<Self> {
        sweep(parent);
        let directory = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        let lock = File::create_new(directory.path().join(LOCK))?;
        lock.lock()?;
        let jobs = directory.path().join("jobs");
        std::fs::create_dir(&jobs)?;
        Ok(Self { jobs, _directory: directory, _lock: lock })
    }

    /// Where the jobs' directories are made.
    pub(super) fn path(&self) -> &Path {
        &self.jobs
    }
}

/// Removes the directories that dead processes of this user left.
fn sweep(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if is_ours && is_left(&entry.path()) {
            let path = entry.path();
            tracing::info!(path = %path.display(), "removing what a worker left that did not end by itself");
            if let Err(error) = std::fs::remove_dir_all(&path) {
                tracing::warn!(%error, path = %path.display(), "a directory of jobs is left");
            }
        }
    }
}

/// Whether the process of a directory is dead. One whose lock cannot be opened is another user's, or is being made.
fn is_left(directory: &Path) -> bool {
    let is_directory = std::fs::symlink_metadata(directory).is_ok_and(|entry| entry.is_dir());
    let lock = File::options().write(true).open(directory.join(LOCK));
    is_directory
        && lock.is_ok_and(|lock| {
            !matches!(lock.try_lock(), Err(TryLockError::WouldBlock | TryLockError::Error(_)))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_of_a_dead_process_is_removed_and_that_of_another_one_is_kept() {
        let parent = tempfile::tempdir().unwrap();
        let alive = JobsDirectory::below(parent.path()).unwrap();
        let dead = parent.path().join("clipia-work-dead");
        std::fs::create_dir_all(dead.join("jobs/a/out")).unwrap();
        std::fs::write(dead.join(LOCK), "").unwrap();
        let foreign = parent.path().join("clipia-work-of-somebody");
        std::fs::create_dir(&foreign).unwrap();
        let second = JobsDirectory::below(parent.path()).unwrap();
        assert!(!dead.exists() && foreign.exists() && alive.path().exists());
        let path = second.path().to_owned();
        drop(second);
        assert!(!path.exists() && !path.parent().unwrap().exists());
    }
}
