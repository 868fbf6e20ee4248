//! SQLite's errors as those of a store. They are here because only the crate of [`StoreError`] may implement the conversion.

use crate::{Fault, GrantRefused, StoreError, SubmitRefused, WorkRefused};
use rusqlite::ErrorCode;
use std::sync::Arc;

/// The kind of a failure.
pub fn fault(error: &rusqlite::Error) -> Fault {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            Fault::Busy
        }
        Some(ErrorCode::DiskFull) => Fault::Full,
        Some(ErrorCode::ReadOnly) => Fault::ReadOnly,
        // A file cannot be opened where the process has as many open as it may.
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => Fault::Disk,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Fault::Damaged,
        _ => Fault::Other,
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Backend { fault: fault(&error), source: Arc::new(error) }
    }
}

impl From<rusqlite::Error> for GrantRefused {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<rusqlite::Error> for SubmitRefused {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<rusqlite::Error> for WorkRefused {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}
