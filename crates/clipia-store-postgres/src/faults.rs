//! Errors of PostgreSQL as those of a store.

use clipia_store::{Fault, StoreError};
use deadpool_postgres::PoolError;
use std::sync::Arc;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// An error of the database.
pub(crate) fn of(error: Error) -> StoreError {
    StoreError::Backend { fault: fault(&error), source: Arc::new(error) }
}

/// No connection was to be had.
pub(crate) fn of_pool(error: PoolError) -> StoreError {
    match error {
        PoolError::Closed => StoreError::Closed,
        PoolError::Backend(error) => of(error),
        // Every connection is taken for longer than a call may wait.
        other => StoreError::Backend { fault: Fault::Busy, source: Arc::new(other) },
    }
}

/// Whether a transaction that failed with this error has surely changed nothing: the database has refused a statement. Where the
/// connection was lost, a commit may have succeeded.
pub(crate) fn has_refused(error: &StoreError) -> bool {
    match error {
        StoreError::Backend { source, .. } => source
            .downcast_ref::<Error>()
            .and_then(Error::code)
            .is_some_and(|state| !state.code().starts_with("57") && !state.code().starts_with("08")),
        StoreError::Unreadable(_) => true,
        StoreError::Panicked | StoreError::Closed => false,
    }
}

fn fault(error: &Error) -> Fault {
    let Some(state) = error.code() else {
        // No answer of the server: the connection is lost, or was never there. The next call gets another one.
        return Fault::Busy;
    };
    match *state {
        SqlState::DISK_FULL => Fault::Full,
        SqlState::READ_ONLY_SQL_TRANSACTION => Fault::ReadOnly,
        SqlState::IO_ERROR => Fault::Disk,
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => Fault::Damaged,
        SqlState::LOCK_NOT_AVAILABLE
        | SqlState::T_R_DEADLOCK_DETECTED
        | SqlState::T_R_SERIALIZATION_FAILURE => Fault::Busy,
        // Of the connection, of resources, of an operator who ends sessions: classes 08, 53 and 57.
        _ if ["08", "53", "57"].iter().any(|class| state.code().starts_with(class)) => Fault::Busy,
        _ => Fault::Other,
    }
}
