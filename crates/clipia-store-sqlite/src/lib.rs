//! The queue in one SQLite file.
//!
//! One thread writes, others read beside it: in WAL mode neither waits for the other. A commit is on the disk before its
//! commands are answered (`synchronous=FULL`).
//!
//! The store gathers facts, calls the commands of `clipia-queue`, and writes what they decided. It has no rule of its own: what
//! is decided here concerns SQLite (what shares a commit, what is indexed, cached or written last).

mod account_listing;
mod accounts;
mod audit;
mod backup;
mod batch;
mod cache;
mod capability;
mod checkpoints;
mod command;
mod creation;
mod deliveries;
mod delivery_log;
mod examination;
mod export;
mod faults;
mod health;
mod held_deliveries;
mod idempotency;
mod inspection;
mod leases;
mod ledger;
mod listing;
mod logs;
mod memory;
mod mending;
mod moved;
mod no_store;
mod outputs;
mod overview;
mod pausing;
mod position;
mod read_pool;
mod recent_keys;
mod requests;
mod restore;
mod retention;
mod rows;
mod sandbox;
mod schema;
mod set_aside;
mod settlement;
mod stored;
mod uploads;
mod webhook_secrets;
mod work;
mod worker_sessions;
mod workers;
mod write_back;
mod writer;
mod writing;

use cache::{KeyCache, StatusCache};
use checkpoints::Checkpoints;
use clipia_queue::{Moment, ids};
use clipia_store as store;
use clipia_store::clock::Clock;
use clipia_store::counters::Counters;
use clipia_store::data_lock::LockRefused;
use clipia_store::{
    EVENTS_KEPT, Fault, Rescued, StoreError, Submitted, WorkRefused, blocking, clock, data_lock, failpoints,
    private,
};
use inspection::Kind;
use memory::Memory;
use overview::{Noted, Overview};
use position::{Positions, Queues};
use read_pool::ReadPool;
use requests::Accepted;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::cell::RefCell;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::{Semaphore, broadcast};
use work::Leases;
use workers::WorkersInForce;
use writer::Writer;
use writing::Writing;

pub use export::{ExportError, Exported, export};
pub use no_store::NoStore;
pub use restore::{RestoreError, Restored, restore};

/// The page cache of the writer, in KiB: the right-most pages of each B-tree, and pages not yet checkpointed.
const WRITER_CACHE_KIB: i64 = 16 * 1024;

/// The store's name in its directory.
const FILE: &str = "clipia.db";

/// The files of the store, at the top of its directory.
const FILES: [&str; 7] = {
    let [overview, log, index] = overview::FILES;
    [FILE, "clipia.db-wal", "clipia.db-shm", overview, log, index, data_lock::FILE]
};

/// How long a commit waits while another program locks the file, such as a shell with a transaction open. Calls meanwhile wait
/// as long, and then fail with a transient error.
const BUSY_MAX: Duration = Duration::from_secs(2);

/// How many reads run on other threads at the same time.
const READERS: usize = 4;

/// A store that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data directory cannot be locked, most often since another server uses it.
    #[error(transparent)]
    Lock(#[from] LockRefused),
    /// Its store was exported.
    #[error(
        "the store was exported {to}, and another store goes on with it: this one would do the same again. If that file was not \
         imported, remove `{}`, and start again",
        .mark.display()
    )]
    Moved {
        /// The file that says so.
        mark: PathBuf,
        /// What it says: to which file, and when.
        to: String,
    },
    /// The directory cannot be made.
    #[error("cannot use the data directory `{}`: {source}", .path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file in the directory cannot be used.
    #[error("cannot use `{}`: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no store, or not one of this program.
    #[error("`{}` {why}", .path.display())]
    NoStore {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: NoStore,
    },
    /// Another program locks the file.
    #[error("`{}` is locked by another program: end it, and start again", .0.display())]
    Busy(PathBuf),
    /// The database cannot be opened.
    #[error("cannot open the store: {0}")]
    Database(#[from] rusqlite::Error),
    /// What the last process had claimed cannot be taken back.
    #[error("cannot take back what the last process had claimed: {0}")]
    TakeOver(#[from] StoreError),
}

impl OpenError {
    /// The error of opening the file at `path`.
    fn of(error: rusqlite::Error, path: &Path) -> Self {
        match faults::fault(&error) {
            Fault::Damaged => {
                Self::NoStore { path: path.to_owned(), why: NoStore::Damaged(error.to_string()) }
            }
            Fault::Busy => Self::Busy(path.to_owned()),
            _ => Self::Database(error),
        }
    }
}

/// Takes back what other nodes had claimed for their own workers. They are gone: nobody else has the file. Workers on other machines
/// may be alive, and keep what they have.
fn take_over(
    connection: &Connection,
    keys: &RefCell<idempotency::Keys>,
    queues: &RefCell<Queues>,
    memory: &Memory,
    now: Moment,
) -> Result<Rescued, StoreError> {
    writer::run_alone(connection, keys, queues, memory, move |w| deliveries::free_all(w, now))?;
    let prolonged = writer::run_alone(connection, keys, queues, memory, move |w| leases::reopen(w, now))?;
    if prolonged > 0 {
        tracing::info!(
            prolonged,
            "workers on other machines keep their requests if they are heard of in time"
        );
    }
    let mut all = Rescued::default();
    loop {
        let rescue = move |w: &Writing<'_>| work::rescue(w, Leases::OfNodes, now);
        let some = writer::run_alone(connection, keys, queues, memory, rescue)?;
        all.requeued += some.requeued;
        all.failed += some.failed;
        if some.requeued + some.failed < work::RESCUED_AT_ONCE as u64 {
            return Ok(all);
        }
    }
}

/// What a commit waits for.
#[derive(Clone, Copy)]
enum Durable {
    /// The disk.
    ByEachCommit,
    /// Nothing: the system writes to the disk when it likes.
    BySystem,
}

impl Durable {
    fn synchronous(self) -> &'static str {
        match self {
            Self::ByEachCommit => "FULL",
            Self::BySystem => "OFF",
        }
    }
}

/// A store in one SQLite file.
pub struct SqliteStore {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    writer: Writer,
    memory: Arc<Memory>,
    read_pool: Arc<ReadPool>,
    overview: Arc<Overview>,
    free_readers: Semaphore,
    /// Locked as long as the store is open: a second server would claim the same requests.
    _lock: File,
}

impl SqliteStore {
    /// Whether there is a store in `directory`, of whichever version, that was not exported.
    pub fn is_in(directory: &Path) -> bool {
        directory.join(FILE).exists() && moved::refuse(directory).is_ok()
    }

    /// Opens the store in `directory`, or creates it. Its commands are decided by `clock`.
    ///
    /// # Errors
    /// [`OpenError`] where it cannot be used; nothing was changed then.
    pub fn open(directory: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Self::open_where(directory, clock, Durable::ByEachCommit, moved::refuse)
    }

    /// Opens the store in `directory`, or creates it, for a process whose data nobody needs after it, as an emulator's. A commit does not
    /// wait for the disk. What was committed survives the end of the process, and not that of the machine.
    ///
    /// # Errors
    /// [`OpenError`] where it cannot be used; nothing was changed then.
    pub fn open_volatile(directory: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Self::open_where(directory, clock, Durable::BySystem, moved::refuse)
    }

    /// Opens the store in `directory`, even where it was exported.
    fn open_moved(directory: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Self::open_where(directory, clock, Durable::ByEachCommit, |_| Ok(()))
    }

    fn open_where(
        directory: &Path,
        clock: Arc<dyn Clock>,
        durable: Durable,
        look: impl FnOnce(&Path) -> Result<(), OpenError>,
    ) -> Result<Self, OpenError> {
        let unusable = |source| OpenError::Directory { path: directory.to_owned(), source };
        private::directory(directory).map_err(unusable)?;
        private::tighten_files(directory, &FILES);
        let lock = data_lock::take(directory)?;
        look(directory)?;
        let path = directory.join(FILE);
        creation::ensure(&path)?;
        let kind = inspection::before_opening(&path)
            .map_err(|why| OpenError::NoStore { path: path.clone(), why })?;
        Self::open_file(&path, kind, lock, clock, durable).map_err(|error| match error {
            OpenError::Database(error) => OpenError::of(error, &path),
            other => other,
        })
    }

    fn open_file(
        path: &Path,
        kind: Kind,
        lock: File,
        clock: Arc<dyn Clock>,
        durable: Durable,
    ) -> Result<Self, OpenError> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_MAX)?;
        // A file that is refused stays as it is, and so does its log.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        inspection::admit(&mut connection, path)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
        if kind == Kind::Copy {
            let transaction = connection.transaction()?;
            held_deliveries::hold(&transaction, clock.now())?;
            transaction.commit()?;
        }
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", durable.synchronous())?;
        // Each foreign key costs a look-up in every insert, and only a fault of this program could break one. Tests enforce
        // them, and `clipia doctor` looks at all rows.
        connection.pragma_update(None, "foreign_keys", cfg!(debug_assertions))?;
        connection.pragma_update(None, "wal_autocheckpoint", checkpoints::LOG_PAGES_MAX)?;
        connection.pragma_update(None, "journal_size_limit", checkpoints::LOG_BYTES_KEPT)?;
        connection.set_prepared_statement_cache_capacity(64);
        // Otherwise some statements are parsed anew for every value that they are bound to.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        // The journal of a savepoint stays in memory; otherwise each command writes it to a file.
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.pragma_update(None, "cache_size", WRITER_CACHE_KIB.saturating_neg())?;
        mending::run(&mut connection, clock.as_ref())?;
        if let held @ 1.. = held_deliveries::waiting(&connection)? {
            tracing::warn!(
                held,
                "deliveries of a restored store wait: `clipia webhooks resume` sends them, `clipia webhooks abandon` gives \
                 them up"
            );
        }
        set_aside::put_all_back(&connection)?;
        let queues = Queues::load(&connection)?;
        let memory = Memory {
            keys: KeyCache::default(),
            statuses: StatusCache::default(),
            positions: Positions::new(queues.clone()),
            counters: Counters::default(),
            noted: Noted::default(),
            workers: WorkersInForce::load(&connection)?,
            events: broadcast::Sender::new(EVENTS_KEPT),
        };
        let memory = Arc::new(memory);
        let keys = RefCell::new(idempotency::Keys::load(&connection)?);
        let queues = RefCell::new(queues);
        let rescued = take_over(&connection, &keys, &queues, &memory, clock.now())?;
        tracing::info!(requeued = rescued.requeued, failed = rescued.failed, "the store is open");
        let checkpoints = Some(Checkpoints::start(path)?);
        let writer = Writer::start(
            connection,
            checkpoints,
            keys.into_inner(),
            queues.into_inner(),
            Arc::clone(&memory),
        )
        .map_err(|source| OpenError::File { path: path.to_owned(), source })?;
        Ok(Self {
            read_pool: Arc::new(ReadPool::new(path)),
            overview: Arc::new(Overview::new(path.parent().unwrap_or(Path::new("")), durable)),
            path: path.to_owned(),
            clock,
            writer,
            memory,
            free_readers: Semaphore::new(READERS),
            _lock: lock,
        })
    }

    /// Runs `query` on a reading connection, in one snapshot, off the async threads.
    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let _permit = self.free_readers.acquire().await.map_err(|_| StoreError::Closed)?;
        let pool = Arc::clone(&self.read_pool);
        let reading = move || {
            pool.read(|connection| {
                let snapshot = connection.unchecked_transaction()?;
                query(&snapshot)
            })
        };
        blocking::run(reading).await?
    }
}

impl SqliteStore {
    /// A submit with its position, which is known now that it is committed.
    fn submitted(&self, accepted: Accepted) -> Submitted {
        let position = accepted.place.map_or(0, |at| self.memory.positions.ahead(&at));
        Submitted { position, ..accepted.submitted }
    }

    /// Counts a report that was refused because its claim is no longer in force.
    fn count_stale<T>(&self, response: Result<T, WorkRefused>) -> Result<T, WorkRefused> {
        if response.as_ref().is_err_and(WorkRefused::is_stale) {
            self.memory.counters.stale_refused.fetch_add(1, Relaxed);
        }
        response
    }
}

/// Compiles and runs what the README shows.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
