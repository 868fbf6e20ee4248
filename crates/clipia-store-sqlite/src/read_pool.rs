//! Connections for reads of a row or two by their keys, on the calling thread.
//!
//! Such a read takes microseconds, less than handing it to another thread. What reads more goes to `SqliteStore::read`.

use crate::store::StoreError;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a read waits while another program locks the file. The calling thread, which serves other calls too, waits as
/// long.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// The connections: as many as threads have read at the same time.
pub(crate) struct ReadPool {
    path: PathBuf,
    /// Connections that no read uses; nothing once the pool is closed.
    idle: Mutex<Option<Vec<Connection>>>,
}

impl ReadPool {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), idle: Mutex::new(Some(Vec::new())) }
    }

    /// Runs `query`, whose statements each see a snapshot of their own.
    pub(crate) fn read<T>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let read = self.run(query);
        // The caller answers a transient error with "try again", and logs nothing.
        if let Err(error) = &read
            && error.is_transient()
        {
            tracing::error!(%error, "the store cannot be read");
        }
        read
    }

    fn run<T>(&self, query: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let idle = self.lock().as_mut().ok_or(StoreError::Closed)?.pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open(&self.path)?,
        };
        let read = query(&connection);
        if let Some(idle) = self.lock().as_mut() {
            idle.push(connection);
        }
        read
    }

    /// Closes the connections.
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
