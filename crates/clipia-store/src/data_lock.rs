//! The lock of a data directory: one server at a time, and none while a backup is put in place.

use crate::private;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// The name of the lock's file.
pub const FILE: &str = "clipia.lock";

/// Why a data directory was not locked.
#[derive(Debug, thiserror::Error)]
pub enum LockRefused {
    /// Another server uses it.
    #[error("`{}` is in use by another `clipia serve`", .0.display())]
    InUse(PathBuf),
    /// The lock's file cannot be used.
    #[error("cannot use `{}`: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Takes the lock of `directory`, which must be there. It ends when the file is closed or the process ends.
///
/// # Errors
/// [`LockRefused`], above all where another process has the lock.
///
/// ```
/// use clipia_store::data_lock::{self, LockRefused};
///
/// let directory = std::env::temp_dir().join(format!("clipia-lock-{}", std::process::id()));
/// std::fs::create_dir(&directory)?;
/// let lock = data_lock::take(&directory)?;
/// assert!(matches!(data_lock::take(&directory), Err(LockRefused::InUse(_))));
/// drop(lock);
/// data_lock::take(&directory)?;
/// std::fs::remove_dir_all(&directory)?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn take(directory: &Path) -> Result<File, LockRefused> {
    let path = directory.join(FILE);
    let lock = match private::create(&path) {
        Ok(lock) => lock,
        Err(source) => return Err(LockRefused::File { path, source }),
    };
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(LockRefused::InUse(directory.to_owned())),
        Err(TryLockError::Error(source)) => Err(LockRefused::File { path, source }),
    }
}
