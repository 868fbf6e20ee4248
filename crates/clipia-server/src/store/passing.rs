//! Which failures of a store pass.

use super::StoreError;
use rusqlite::ErrorCode;

impl StoreError {
    /// Whether the same command may well succeed later, since its cause is not the command: a disk that is full or fails, a
    /// lock that somebody holds, a store that did not come to it.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Database(error) => matches!(
                error.sqlite_error_code(),
                Some(
                    ErrorCode::DiskFull
                        | ErrorCode::SystemIoFailure
                        | ErrorCode::DatabaseBusy
                        | ErrorCode::DatabaseLocked
                        | ErrorCode::CannotOpen
                        | ErrorCode::ReadOnly
                        | ErrorCode::PermissionDenied
                        | ErrorCode::OutOfMemory
                        | ErrorCode::FileLockingProtocolFailed
                )
            ),
            // Also of a command whose transaction could not begin.
            Self::Closed => true,
            Self::Unreadable(_) => false,
        }
    }
}
