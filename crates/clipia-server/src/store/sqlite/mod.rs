//! The queue in one SQLite file.
//!
//! One thread writes, others read beside it: in WAL mode neither waits for the other. A commit is on the
//! disk before it is answered (`synchronous=FULL`).

mod accounts;
mod deliveries;
mod health;
mod migrations;
mod requests;
mod rows;
mod settlement;
mod work;
mod writer;

use super::*;
use rusqlite::{Connection, OpenFlags};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use writer::Writer;

pub use migrations::MigrationError;

/// Connections that read at the same time.
const READERS: usize = 4;

/// A store that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another server uses it.
    #[error("`{}` is in use by another `clipia serve`", .0.display())]
    InUse(PathBuf),
    /// The directory or a file in it cannot be used.
    #[error("cannot use `{}`: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database cannot be opened.
    #[error("cannot open the store: {0}")]
    Database(#[from] rusqlite::Error),
    /// The schema is not this version's.
    #[error(transparent)]
    Migration(#[from] MigrationError),
}

/// A store in one SQLite file.
pub struct SqliteStore {
    writer: Writer,
    readers: Pool,
    free_readers: Semaphore,
    /// Held as long as the store is open: a second server would hand out the same work.
    _lock: File,
}

impl SqliteStore {
    /// Opens the store in `directory`, or creates it.
    ///
    /// # Errors
    /// [`OpenError`] where it cannot be used; nothing was changed then.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        let file = |path: PathBuf| move |source| OpenError::File { path, source };
        let lock_path = directory.join("clipia.lock");
        let lock = File::create(&lock_path).map_err(file(lock_path.clone()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(directory.to_owned())),
            Err(TryLockError::Error(source)) => return Err(OpenError::File { path: lock_path, source }),
        }
        let path = directory.join("clipia.db");
        let mut connection = Connection::open(&path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        connection.set_prepared_statement_cache_capacity(64);
        migrations::run(&mut connection)?;
        let readers: Result<Vec<Connection>, rusqlite::Error> = (0..READERS)
            .map(|_| {
                let reader = Connection::open_with_flags(
                    &path,
                    OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
                )?;
                reader.busy_timeout(Duration::from_secs(10))?;
                Ok(reader)
            })
            .collect();
        let writer = Writer::start(connection).map_err(file(path))?;
        Ok(Self {
            writer,
            readers: Arc::new(Mutex::new(readers?)),
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
        let reader = Reader::take(&self.readers);
        let task = tokio::task::spawn_blocking(move || {
            let connection = reader.connection.as_ref().ok_or(StoreError::Closed)?;
            let snapshot = connection.unchecked_transaction()?;
            query(&snapshot)
        });
        task.await.map_err(|_| StoreError::Closed)?
    }
}

/// A reader that goes back to its pool, whatever becomes of the query.
struct Reader {
    connection: Option<Connection>,
    pool: Pool,
}

type Pool = Arc<Mutex<Vec<Connection>>>;

impl Reader {
    fn take(pool: &Pool) -> Self {
        let connection = pool.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self { connection, pool: Arc::clone(pool) }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.pool.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn create_account(&self, account: NewAccount, now: Moment) -> Result<bool, StoreError> {
        self.writer.write(move |c| accounts::create(c, &account, now)).await
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        self.read(accounts::none_exists).await
    }

    async fn account(&self, account: &AccountId, now: Moment) -> Result<Option<AccountSummary>, StoreError> {
        let account = account.clone();
        self.read(move |c| accounts::summary(c, &account, now)).await
    }

    async fn create_key(&self, key: NewKey, now: Moment) -> Result<bool, StoreError> {
        self.writer.write(move |c| accounts::create_key(c, &key, now)).await
    }

    async fn key(&self, hash: KeyHash) -> Result<Option<Key>, StoreError> {
        self.read(move |c| accounts::key(c, hash)).await
    }

    async fn keys(&self) -> Result<Vec<KeyListing>, StoreError> {
        self.read(accounts::keys).await
    }

    async fn revoke_key(&self, id: &str, now: Moment) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.writer.write(move |c| accounts::revoke_key(c, &id, now)).await
    }

    async fn submit(&self, submission: Submission, now: Moment) -> Result<Submitted, SubmitRefused> {
        self.writer.write(move |c| requests::submit(c, submission, now)).await
    }

    async fn request(&self, account: &AccountId, id: RequestId) -> Result<Option<Request>, StoreError> {
        let account = account.clone();
        self.read(move |c| requests::read(c, &account, id)).await
    }

    async fn claim(&self, queue: &str, now: Moment) -> Result<Option<Claim>, StoreError> {
        let queue = queue.to_owned();
        self.writer.write(move |c| work::claim(c, &queue, now)).await
    }

    async fn beat(
        &self,
        id: RequestId,
        epoch: Epoch,
        progress: Progress,
        now: Moment,
    ) -> Result<(), WorkRefused> {
        self.writer.write(move |c| work::beat(c, id, epoch, progress, now)).await
    }

    async fn complete(
        &self,
        id: RequestId,
        epoch: Epoch,
        output: Output,
        now: Moment,
    ) -> Result<(), WorkRefused> {
        self.writer.write(move |c| work::complete(c, id, epoch, &output, now)).await
    }

    async fn fail(&self, id: RequestId, epoch: Epoch, why: Failure, now: Moment) -> Result<(), WorkRefused> {
        self.writer.write(move |c| work::fail(c, id, epoch, &why, now)).await
    }

    async fn release(&self, id: RequestId, epoch: Epoch) -> Result<(), WorkRefused> {
        self.writer.write(move |c| work::release(c, id, epoch)).await
    }

    async fn rescue(&self, orphaned: bool, now: Moment) -> Result<Rescued, StoreError> {
        self.writer.write(move |c| work::rescue(c, orphaned, now)).await
    }

    async fn claim_deliveries(
        &self,
        most: usize,
        lease: Duration,
        now: Moment,
    ) -> Result<Vec<DueDelivery>, StoreError> {
        self.writer.write(move |c| deliveries::claim(c, most, lease, now)).await
    }

    async fn next_delivery(&self) -> Result<Option<Moment>, StoreError> {
        self.read(deliveries::next).await
    }

    async fn record_attempt(&self, attempt: DeliveryAttempt, now: Moment) -> Result<(), StoreError> {
        self.writer.write(move |c| deliveries::record(c, &attempt, now)).await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.writer.write(health::probe).await
    }

    async fn close(&self) {
        self.free_readers.close();
        self.writer.close().await;
    }
}
