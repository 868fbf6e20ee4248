//! The queue in one SQLite file.
//!
//! One thread writes, others read beside it: in WAL mode neither waits for the other. A commit is on the
//! disk before it is answered (`synchronous=FULL`).

mod account_listing;
mod accounts;
mod aside;
mod audit;
mod backup;
mod batch;
mod checkpoints;
mod counters;
mod creation;
mod deliveries;
mod delivery_log;
mod examination;
mod faults;
mod health;
mod held;
mod idempotency;
mod inspection;
mod known;
mod leases;
mod listing;
mod lock;
mod mending;
mod outputs;
mod points;
mod position;
mod recent_keys;
mod requests;
mod restore;
mod rows;
mod sandbox;
mod schema;
mod settlement;
mod tallies;
mod webhook_secrets;
mod work;
mod writer;

use async_trait::async_trait;
use checkpoints::Checkpoints;
use clipia_api::Progress;
use clipia_api::types::Output;
use clipia_queue::lifecycle::{self, Epoch};
use clipia_queue::rotation::Rotation;
use clipia_queue::{Credits, Moment, RequestId, ids, ledger, media_address as media};
use clipia_store as store;
use clipia_store::clock::now;
use clipia_store::*;
use clipia_store::{blocking, clock, failpoints, private};
use counters::Counters;
use inspection::Kind;
use known::{KnownKeys, KnownStandings, Stood};
use points::Points;
use position::Positions;
use requests::Accepted;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::Semaphore;
use uuid::Uuid;
use writer::{Memory, Writer};

pub use inspection::NoStore;
pub use restore::{RestoreError, Restored, restore};

/// Pages that the writer keeps, in KiB: the ends that grow, and what waits to be moved from the log.
const WRITER_CACHE_KIB: i64 = 16 * 1024;

/// The store's name in its directory.
const FILE: &str = "clipia.db";

/// What the store has at the top of its directory.
const FILES: [&str; 4] = [FILE, "clipia.db-wal", "clipia.db-shm", lock::FILE];

/// How long a commit waits for another program to let go of the file, such as a shell with a transaction open. Whoever calls
/// meanwhile waits for it, and is told to come again.
const BUSY_MAX: Duration = Duration::from_secs(2);

/// Reads at the same time that are handed to other threads.
const READERS: usize = 4;

/// A store that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another server uses it.
    #[error("`{}` is in use by another `clipia serve`", .0.display())]
    InUse(PathBuf),
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
    /// What stands in the place of the store is none, or not this program's.
    #[error("`{}` {why}", .path.display())]
    NoStore {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: NoStore,
    },
    /// Another program holds the file.
    #[error("`{}` is held by another program: end it, and start again", .0.display())]
    Busy(PathBuf),
    /// The database cannot be opened.
    #[error("cannot open the store: {0}")]
    Database(#[from] rusqlite::Error),
}

impl OpenError {
    /// What SQLite says of the file at `path`.
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

/// A store in one SQLite file.
pub struct SqliteStore {
    path: PathBuf,
    writer: Writer,
    memory: Arc<Memory>,
    points: Arc<Points>,
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
        let unusable = |source| OpenError::Directory { path: directory.to_owned(), source };
        private::directory(directory).map_err(unusable)?;
        private::tighten_files(directory, &FILES);
        let lock = lock::take(directory)?;
        let path = directory.join(FILE);
        creation::ensure(&path)?;
        let kind = inspection::before_opening(&path)
            .map_err(|why| OpenError::NoStore { path: path.clone(), why })?;
        Self::open_file(&path, kind, lock).map_err(|error| match error {
            OpenError::Database(error) => OpenError::of(error, &path),
            other => other,
        })
    }

    fn open_file(path: &Path, kind: Kind, lock: File) -> Result<Self, OpenError> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_MAX)?;
        // One that is refused stays as it is, its log too.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        inspection::admit(&mut connection, path)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
        if kind == Kind::Copy {
            let transaction = connection.transaction()?;
            held::hold(&transaction, now())?;
            transaction.commit()?;
        }
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        // Each costs a look-up in every insert, and only a fault in this program could break one: tests enforce them, and
        // `clipia doctor` looks for what a release may have got wrong.
        connection.pragma_update(None, "foreign_keys", cfg!(debug_assertions))?;
        connection.pragma_update(None, "wal_autocheckpoint", checkpoints::LOG_PAGES_MAX)?;
        connection.pragma_update(None, "journal_size_limit", checkpoints::LOG_BYTES_KEPT)?;
        connection.set_prepared_statement_cache_capacity(64);
        // Otherwise some statements are parsed anew for every value that they are bound to.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        // What a savepoint would restore stays in memory; otherwise each command writes it to a file.
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.pragma_update(None, "cache_size", WRITER_CACHE_KIB.saturating_neg())?;
        mending::run(&mut connection)?;
        if let held @ 1.. = held::waiting(&connection)? {
            tracing::warn!(
                held,
                "deliveries of a restored store wait: `clipia webhooks resume` sends them, `clipia webhooks abandon` gives \
                 them up"
            );
        }
        aside::put_all_back(&connection)?;
        let memory = Memory {
            keys: KnownKeys::default(),
            standings: KnownStandings::default(),
            positions: Positions::load(&connection)?,
            counters: Counters::default(),
        };
        let memory = Arc::new(memory);
        let keys = idempotency::Keys::load(&connection)?;
        let checkpoints = Some(Checkpoints::start(path)?);
        let writer = Writer::start(connection, checkpoints, keys, Arc::clone(&memory))
            .map_err(|source| OpenError::File { path: path.to_owned(), source })?;
        Ok(Self {
            points: Arc::new(Points::new(path)),
            path: path.to_owned(),
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
        let points = Arc::clone(&self.points);
        let reading = move || {
            points.read(|connection| {
                let snapshot = connection.unchecked_transaction()?;
                query(&snapshot)
            })
        };
        blocking::run(reading).await?
    }
}

impl SqliteStore {
    /// Tells a submit's position, which its commit has settled.
    fn told(&self, accepted: Accepted) -> Submitted {
        let position = accepted.place.map_or(0, |at| self.memory.positions.ahead(&at));
        Submitted { position, ..accepted.submitted }
    }

    /// Counts a word that was refused because its claim is no longer in force.
    fn heard<T>(&self, told: Result<T, WorkRefused>) -> Result<T, WorkRefused> {
        if let Err(WorkRefused::Lifecycle(lifecycle::Refused::Stale { .. })) = &told {
            self.memory.counters.stale_refused.fetch_add(1, Relaxed);
        }
        told
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

    async fn accounts(&self) -> Result<Vec<AccountListing>, StoreError> {
        self.read(account_listing::list).await
    }

    async fn account(&self, account: &AccountId, now: Moment) -> Result<Option<AccountSummary>, StoreError> {
        let account = account.clone();
        self.read(move |c| accounts::summary(c, &account, now)).await
    }

    async fn grant(
        &self,
        account: &AccountId,
        credits: Credits,
        now: Moment,
    ) -> Result<ledger::Balance, GrantRefused> {
        let account = account.clone();
        self.writer.write(move |c| accounts::grant(c, &account, credits, now)).await
    }

    async fn create_key(&self, key: NewKey, now: Moment) -> Result<bool, StoreError> {
        self.writer.write(move |c| accounts::create_key(c, &key, now)).await
    }

    async fn key(&self, hash: KeyHash) -> Result<Option<Arc<Key>>, StoreError> {
        let as_of = match self.memory.keys.find(hash) {
            Ok(key) => return Ok(Some(key)),
            Err(as_of) => as_of,
        };
        let stored = self.points.read(|c| accounts::key(c, hash))?.map(Arc::new);
        if let Some(key) = &stored {
            self.memory.keys.learn(hash, key, as_of);
        }
        Ok(stored)
    }

    async fn keys(&self) -> Result<Vec<KeyListing>, StoreError> {
        self.read(accounts::keys).await
    }

    async fn revoke_key(&self, id: &str, now: Moment) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.writer.write(move |c| accounts::revoke_key(c, &id, now)).await
    }

    async fn submit(&self, submission: Submission, now: Moment) -> Result<Submitted, SubmitRefused> {
        let prepared = match requests::is_large(&submission) {
            true => blocking::compute(|| requests::prepare(submission)).await.map_err(StoreError::from)??,
            false => requests::prepare(submission)?,
        };
        let bytes = prepared.bytes();
        let accepted = self.writer.write_decided(bytes, move |w| requests::submit(w, prepared, now)).await?;
        Ok(self.told(accepted))
    }

    async fn request(&self, account: &AccountId, id: RequestId) -> Result<Option<Request>, StoreError> {
        self.points.read(|c| requests::read(c, &self.memory.positions, account, id))
    }

    async fn standing(&self, account: &AccountId, id: RequestId) -> Result<Option<Standing>, StoreError> {
        let stood = match self.memory.standings.find(&id) {
            Ok(stood) => stood,
            Err(as_of) => {
                let Some(stood) = self.points.read(|c| requests::stood(c, id))?.map(Arc::new) else {
                    return Ok(None);
                };
                self.memory.standings.learn(id, Arc::clone(&stood), as_of);
                stood
            }
        };
        let Stood { sandbox, phase, progress, at, .. } = &*stood;
        let position = at.as_ref().map_or(0, |at| self.memory.positions.ahead(at));
        let standing = Standing { id, sandbox: *sandbox, phase: *phase, position, progress: *progress };
        Ok((stood.account == *account).then_some(standing))
    }

    async fn claim_past(
        &self,
        queue: &str,
        full: Vec<AccountId>,
        now: Moment,
    ) -> Result<ClaimPast, StoreError> {
        let queue = queue.to_owned();
        self.writer.write(move |w| work::claim(w, &queue, &full, now)).await
    }

    async fn put_back(&self, queue: &str, account: &AccountId, most: u32) -> Result<u32, StoreError> {
        let (queue, account) = (queue.to_owned(), account.clone());
        self.writer.write(move |w| aside::put_back(w, &queue, &account, most)).await
    }

    async fn hold(&self, id: RequestId, epoch: Epoch, now: Moment) -> Result<(), WorkRefused> {
        self.heard(self.writer.write(move |w| work::hold(w, id, epoch, now)).await)
    }

    async fn beat(
        &self,
        id: RequestId,
        epoch: Epoch,
        progress: Progress,
        now: Moment,
    ) -> Result<(), WorkRefused> {
        self.heard(self.writer.write(move |c| work::beat(c, id, epoch, progress, now)).await)
    }

    async fn complete(
        &self,
        id: RequestId,
        epoch: Epoch,
        output: Output,
        now: Moment,
    ) -> Result<(), WorkRefused> {
        self.heard(self.writer.write(move |w| work::complete(w, id, epoch, &output, now)).await)
    }

    async fn fail(&self, id: RequestId, epoch: Epoch, why: Failure, now: Moment) -> Result<(), WorkRefused> {
        self.heard(self.writer.write(move |w| work::fail(w, id, epoch, &why, now)).await)
    }

    async fn release(&self, id: RequestId, epoch: Epoch, now: Moment) -> Result<(), WorkRefused> {
        self.heard(self.writer.write(move |w| work::release(w, id, epoch, now)).await)
    }

    async fn rescue(&self, from: Rescue, now: Moment) -> Result<Rescued, StoreError> {
        let mut rescued = Rescued::default();
        loop {
            let from = from.clone();
            let some = self.writer.write(move |w| work::rescue(w, &from, now)).await?;
            rescued.requeued += some.requeued;
            rescued.failed += some.failed;
            if some.requeued + some.failed < work::RESCUED_AT_ONCE as u64 {
                return Ok(rescued);
            }
        }
    }

    async fn cancel(&self, id: RequestId, now: Moment) -> Result<(), WorkRefused> {
        self.writer.write(move |w| work::cancel(w, id, now)).await
    }

    async fn list_requests(
        &self,
        filter: RequestFilter,
        after: Option<RequestId>,
        limit: usize,
    ) -> Result<RequestPage, StoreError> {
        let memory = Arc::clone(&self.memory);
        self.read(move |c| listing::list(c, &memory.positions, &filter, after, limit)).await
    }

    async fn outputs(&self, ids: Vec<RequestId>) -> Result<Vec<RequestOutput>, StoreError> {
        self.read(move |c| outputs::of(c, ids)).await
    }

    async fn request_history(&self, id: RequestId) -> Result<Option<RequestHistory>, StoreError> {
        let memory = Arc::clone(&self.memory);
        self.read(move |c| listing::history(c, &memory.positions, id)).await
    }

    async fn recover_deliveries(&self) -> Result<Vec<DeliveryHost>, StoreError> {
        self.writer.write(|w| deliveries::recover(w)).await
    }

    async fn claim_deliveries(
        &self,
        claim: DeliveryClaim,
        now: Moment,
    ) -> Result<ClaimedDeliveries, StoreError> {
        self.writer.write(move |c| deliveries::claim(c, &claim, now)).await
    }

    async fn next_delivery(&self) -> Result<Option<Moment>, StoreError> {
        self.read(deliveries::next).await
    }

    async fn record_attempt(&self, attempt: DeliveryAttempt, now: Moment) -> Result<(), StoreError> {
        self.writer.write(move |c| deliveries::record(c, &attempt, now)).await
    }

    async fn give_up_deliveries(&self, since: Moment, now: Moment) -> Result<u64, StoreError> {
        self.writer.write(move |c| deliveries::give_up(c, since, now)).await
    }

    async fn list_deliveries(
        &self,
        filter: DeliveryFilter,
        before: Option<Uuid>,
        most: u32,
    ) -> Result<Vec<DeliveryListing>, StoreError> {
        self.read(move |c| delivery_log::list(c, &filter, before, most)).await
    }

    async fn delivery(&self, id: Uuid) -> Result<Option<DeliveryDetails>, StoreError> {
        self.read(move |c| delivery_log::details(c, id)).await
    }

    async fn replay(&self, id: Uuid, now: Moment) -> Result<bool, StoreError> {
        self.writer.write(move |c| delivery_log::replay(c, id, now)).await
    }

    async fn replay_failed(&self, since: Moment, now: Moment, most: u32) -> Result<Replayed, StoreError> {
        self.writer.write(move |c| delivery_log::replay_failed(c, since, now, most)).await
    }

    async fn resume_deliveries(&self, now: Moment, most: u32) -> Result<u64, StoreError> {
        self.writer.write(move |c| held::resume(c, now, most)).await
    }

    async fn abandon_deliveries(&self, now: Moment, most: u32) -> Result<u64, StoreError> {
        self.writer.write(move |c| held::abandon(c, now, most)).await
    }

    async fn rotate_webhook_secret(
        &self,
        account: &AccountId,
        new: String,
        rotation: Rotation,
        now: Moment,
    ) -> Result<bool, StoreError> {
        let account = account.clone();
        self.writer.write(move |c| webhook_secrets::rotate(c, &account, &new, rotation, now)).await
    }

    async fn replan_rotation(
        &self,
        account: &AccountId,
        rotation: Rotation,
        now: Moment,
    ) -> Result<bool, StoreError> {
        let account = account.clone();
        self.writer.write(move |c| webhook_secrets::replan(c, &account, rotation, now)).await
    }

    async fn webhook_secrets(
        &self,
        account: &AccountId,
        now: Moment,
    ) -> Result<Vec<SecretListing>, StoreError> {
        let account = account.clone();
        self.read(move |c| webhook_secrets::list(c, &account, now)).await
    }

    async fn audit(&self, before: Option<i64>, most: u32) -> Result<Vec<AuditEntry>, StoreError> {
        self.read(move |c| audit::list(c, before, most)).await
    }

    async fn record_refusals(&self, refused: Refusals, now: Moment) -> Result<(), StoreError> {
        self.writer.write(move |c| audit::record_refusals(c, refused, now)).await
    }

    async fn examine(&self) -> Result<Findings, StoreError> {
        let (mut checked, mut violation) = self.read(examination::examine).await?;
        if violation.is_none() {
            let memory = Arc::clone(&self.memory);
            let difference =
                self.writer.write(move |w| position::difference(w, &memory.positions, &w.moves()));
            match difference.await? {
                None => checked.rules += 1,
                Some(found) => {
                    let rule = examination::INDEX_RULE.to_owned();
                    violation = Some(Violation { rule, account: None, request: None, found });
                }
            }
        }
        Ok(Findings { checked, violation })
    }

    async fn backup(&self, path: &Path, now: Moment) -> Result<(), BackupError> {
        let _permit = self.free_readers.acquire().await.map_err(|_| StoreError::Closed)?;
        let (from, to) = (self.path.clone(), path.to_owned());
        blocking::run(move || backup::copy(&from, &to, now)).await.map_err(StoreError::from)??;
        let file = path.display().to_string();
        Ok(self
            .writer
            .write(move |c| Ok::<_, StoreError>(audit::record(c, "store backed up", "", &file, now)?))
            .await?)
    }

    async fn statistics(&self) -> Result<Statistics, StoreError> {
        let counters = &self.memory.counters;
        let waiting = self.memory.positions.waiting();
        Ok(Statistics {
            batches: counters.batches.read(),
            commit_micros: counters.commit_micros.read(),
            wait_micros: counters.wait_micros.read(),
            completed: counters.completed.load(Relaxed),
            failed: counters.failed.load(Relaxed),
            canceled: counters.canceled.load(Relaxed),
            leases_lost: counters.leases_lost.load(Relaxed),
            stale_refused: counters.stale_refused.load(Relaxed),
            deliveries_held: self.read(|c| Ok(held::waiting(c)?)).await?,
            log_bytes: inspection::log_bytes(&self.path),
            queues: self.read(move |c| requests::queues(c, waiting)).await?,
        })
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.writer.write(|c| health::probe(c)).await
    }

    async fn close(&self) {
        self.free_readers.close();
        self.points.close();
        self.writer.close().await;
    }
}
