//! Reads of a row or two by their keys, on the calling thread.
//!
//! They take microseconds, less than handing them to another thread does; what reads more goes to `SqliteStore::read`.

use crate::store::StoreError;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a read waits for another program to let go of the file. A thread that serves others waits with it.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// Connections for such reads: as many as threads have read at the same time.
pub(crate) struct Points {
    path: PathBuf,
    /// Nothing once it is closed.
    idle: Mutex<Option<Vec<Connection>>>,
}

impl Points {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), idle: Mutex::new(Some(Vec::new())) }
    }

    /// Runs `query`, whose statements each see a snapshot of their own.
    pub(crate) fn read<T>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let answer = self.answer(query);
        // Its caller is told to come again, and logs nothing.
        if let Err(error) = &answer
            && error.is_transient()
        {
            tracing::error!(%error, "the store cannot be read");
        }
        answer
    }

    fn answer<T>(&self, query: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let idle = self.lock().as_mut().ok_or(StoreError::Closed)?.pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open(&self.path)?,
        };
        let answer = query(&connection);
        if let Some(idle) = self.lock().as_mut() {
            idle.push(connection);
        }
        answer
    }

    /// Lets go of the file.
    pub(crate) fn close(&self) {
        self.lock().take();
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that only reads.
pub(crate) fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(WAIT_MAX)?;
    Ok(connection)
}
