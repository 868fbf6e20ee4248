//! What an error of SQLite means to whoever uses the store.

use super::writer::Refusal;
use crate::store::{Fault, GrantRefused, StoreError, SubmitRefused, WorkRefused};
use rusqlite::ErrorCode;
use std::sync::Arc;

/// The kind of trouble that an error tells of.
pub(crate) fn fault(error: &rusqlite::Error) -> Fault {
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

impl Refusal for StoreError {
    fn failure(&self) -> Option<&StoreError> {
        Some(self)
    }
}

impl Refusal for GrantRefused {
    fn failure(&self) -> Option<&StoreError> {
        if let Self::Store(error) = self { Some(error) } else { None }
    }
}

impl Refusal for SubmitRefused {
    fn failure(&self) -> Option<&StoreError> {
        if let Self::Store(error) = self { Some(error) } else { None }
    }
}

impl Refusal for WorkRefused {
    fn failure(&self) -> Option<&StoreError> {
        if let Self::Store(error) = self { Some(error) } else { None }
    }
}
