//! The lock of a data directory: one server at a time, and none while a backup is put in place.

use super::OpenError;
use crate::private;
use std::fs::{File, TryLockError};
use std::path::Path;

/// The name of the lock's file.
pub(crate) const FILE: &str = "clipia.lock";

/// Takes the lock of `directory`. It ends when the file is closed or the process ends.
pub(crate) fn take(directory: &Path) -> Result<File, OpenError> {
    let path = directory.join(FILE);
    let fault = |source| OpenError::File { path: path.clone(), source };
    let lock = private::create(&path).map_err(fault)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(directory.to_owned())),
        Err(TryLockError::Error(source)) => Err(fault(source)),
    }
}
