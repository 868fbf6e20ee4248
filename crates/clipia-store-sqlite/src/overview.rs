//! A file beside the store for what an operator looks at: the words of requests, and what queues did in each minute.
//!
//! It is a file of its own so that the one thread that writes the store has nothing to do for it. Nobody waits for a commit here, and
//! nothing is lost with the file but the minutes: it has another version or is damaged, and a new one is made.

pub(crate) mod minutes;
mod numbers;
pub(crate) mod search;
pub(crate) mod texts;

use super::Durable;
use super::inspection::beside;
use super::read_pool::ReadPool;
use crate::private;
use crate::store::{Fault, StoreError};
use clipia_queue::RequestId;
use rusqlite::Connection;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The file's name in the directory of the store.
pub(crate) const FILE: &str = "overview.db";

/// The file, and those that SQLite keeps beside it.
pub(crate) const FILES: [&str; 3] = [FILE, "overview.db-wal", "overview.db-shm"];

const SCHEMA: &str = include_str!("overview/schema.sql");

/// The version that the schema sets. A file of another one is made anew: what it has is taken from the store.
const VERSION: u32 = 1;

/// How long a write waits while another program locks the file.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// How many ids are noted at most. If there are more, all texts are looked through again.
const NOTED_MAX: usize = 50_000;

/// The file.
pub(crate) struct Overview {
    path: PathBuf,
    durable: Durable,
    open: Mutex<Option<Open>>,
    readers: Mutex<Arc<ReadPool>>,
    closed: AtomicBool,
}

/// The file while it is open.
struct Open {
    connection: Connection,
    /// The last request whose text was looked at since the file was opened; all before it were looked at, too.
    looked_through: Option<RequestId>,
}

impl Overview {
    pub(crate) fn new(directory: &Path, durable: Durable) -> Self {
        let path = directory.join(FILE);
        let readers = Mutex::new(Arc::new(ReadPool::new(&path)));
        Self { path, durable, open: Mutex::new(None), readers, closed: AtomicBool::new(false) }
    }

    /// Runs `work` on the file, which is opened or made where it is not open. A damaged one is made anew for the next call.
    fn run<T>(&self, work: impl FnOnce(&mut Open) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut open = lock(&self.open);
        if self.closed.load(Relaxed) {
            return Err(StoreError::Closed);
        }
        let file = match &mut *open {
            Some(file) => file,
            none => none.insert(self.open_or_make()?),
        };
        let done = work(file);
        if done.as_ref().err().is_some_and(is_damaged) {
            *open = None;
            self.remove()?;
        }
        done
    }

    /// Reads in the file, beside what is written. Where there is no file yet, there is nothing to read.
    fn read<T: Default>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if !self.path.exists() {
            return Ok(T::default());
        }
        let readers = Arc::clone(&lock(&self.readers));
        let read = readers.read(query);
        if read.as_ref().err().is_some_and(is_damaged) {
            *lock(&self.open) = None;
            self.remove()?;
            return Ok(T::default());
        }
        read
    }

    fn open_or_make(&self) -> Result<Open, StoreError> {
        let opened = self.open_file();
        if opened.as_ref().err().is_some_and(is_damaged) {
            self.remove()?;
            return self.open_file();
        }
        opened
    }

    fn open_file(&self) -> Result<Open, StoreError> {
        if !self.path.exists() {
            return self.make();
        }
        let connection = Connection::open(&self.path)?;
        connection.busy_timeout(WAIT_MAX)?;
        let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if found != VERSION {
            drop(connection);
            self.remove()?;
            return self.make();
        }
        self.set_up(&connection)?;
        Ok(Open { connection, looked_through: None })
    }

    fn make(&self) -> Result<Open, StoreError> {
        private::create(&self.path).map_err(of_file)?;
        let connection = Connection::open(&self.path)?;
        connection.busy_timeout(WAIT_MAX)?;
        self.set_up(&connection)?;
        connection.execute_batch(&format!("BEGIN IMMEDIATE; {SCHEMA} COMMIT"))?;
        Ok(Open { connection, looked_through: None })
    }

    fn set_up(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // A commit does not wait for the disk: at the next start the texts are looked through, and what is missing is taken in.
        let synchronous = match self.durable {
            Durable::ByEachCommit => "NORMAL",
            Durable::BySystem => "OFF",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        // What is removed is overwritten.
        connection.pragma_update(None, "secure_delete", true)
    }

    fn remove(&self) -> Result<(), StoreError> {
        tracing::warn!(file = %self.path.display(), "the file of the overview cannot be used, and is made anew");
        *lock(&self.readers) = Arc::new(ReadPool::new(&self.path));
        for suffix in ["", "-wal", "-shm"] {
            match std::fs::remove_file(beside(&self.path, suffix)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(of_file(error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Closes the file.
    pub(crate) fn close(&self) {
        lock(&self.readers).close();
        self.closed.store(true, Relaxed);
        // Leaves one file behind rather than three. A failure costs nothing.
        if let Some(open) = lock(&self.open).take() {
            let _ = open.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_damaged(error: &StoreError) -> bool {
    matches!(error, StoreError::Backend { fault: Fault::Damaged, .. })
}

fn of_file(error: std::io::Error) -> StoreError {
    StoreError::Backend { fault: Fault::Disk, source: Arc::new(error) }
}

/// Requests whose text may have changed: they were submitted, or they failed. Those that a commit changed are noted after it.
#[derive(Default)]
pub(crate) struct Noted(Mutex<Changed>);

#[derive(Default)]
struct Changed {
    ids: Vec<RequestId>,
    /// Whether some were not noted.
    lost: bool,
}

impl Noted {
    /// Notes requests.
    pub(crate) fn note(&self, ids: &[RequestId]) {
        if ids.is_empty() {
            return;
        }
        let mut changed = lock(&self.0);
        if changed.ids.len() + ids.len() > NOTED_MAX {
            *changed = Changed { ids: Vec::new(), lost: true };
            return;
        }
        changed.ids.extend(ids);
    }

    fn take(&self) -> Changed {
        std::mem::take(&mut *lock(&self.0))
    }

    fn put_back(&self, changed: Changed) {
        self.note(&changed.ids);
        lock(&self.0).lost |= changed.lost;
    }
}
