//! The queue in PostgreSQL, which several nodes share.
//!
//! Each command is one transaction, which runs to its end even where its caller has gone. The database's clock is the only one: nodes
//! may disagree about the time. Nothing is bound to a session, so that a pooler may stand between, in any mode.
//!
//! The store gathers facts, calls the commands of `clipia-queue`, and writes what they decided. It has no rule of its own: what
//! is decided here concerns PostgreSQL (what is locked in which order, what shares a round trip or a commit).
//!
//! A store is made by [`migrate`], and opened by [`PostgresStore::open`]. Several nodes live at the same time: what another one has
//! claimed is free when its leases expire.

mod account_listing;
mod accounts;
mod address;
mod audit;
mod capability;
mod claims;
mod connection;
mod deliveries;
mod delivery_log;
mod ends;
mod examination;
mod faults;
mod flushing;
mod gathered;
mod held_deliveries;
mod idempotency;
mod import;
mod key_budgets;
mod keys;
mod leases;
mod ledger;
mod listing;
mod logs;
mod memory;
mod minutes;
mod months;
mod notices;
mod open_error;
mod outputs;
mod pausing;
mod pins;
mod position;
mod requests;
mod retention;
mod rows;
mod sandbox;
mod schema;
mod session;
mod set_aside;
mod settlement;
mod statistics;
mod stored;
mod submits;
mod terms;
mod texts;
mod time;
mod turns;
mod uploads;
mod values;
mod webhook_secrets;
mod work;
mod worker_sessions;
mod workers;
mod writing;

use claims::{Claims, Heads};
use clipia_queue::ids;
use clipia_store::clock::Clock;
use clipia_store::counters::Counters;
use clipia_store::{EVENTS_KEPT, StoreError, WorkRefused};
use connection::{CLOCK, Connection};
use deadpool_postgres::Pool;
use ends::Ends;
use memory::Memory;
use months::Months;
use notices::Notices;
use position::Positions;
use rows::Row;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use submits::{Submits, Tails};
use time::{Readings, Time};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use writing::Writing;

pub use address::{Address, AddressInvalid};
pub use import::{ImportError, Imported, import};
pub use open_error::OpenError;
pub use schema::{Migrated, migrate};

/// A store in PostgreSQL.
pub struct PostgresStore {
    database: Arc<Database>,
    submits: Submits,
    ends: Ends,
    claims: Claims,
    /// Ends what runs beside the commands.
    closing: CancellationToken,
}

/// The database, as commands use it.
pub(crate) struct Database {
    pool: Pool,
    memory: Arc<Memory>,
    /// The commands that run, whether their callers wait or not.
    running: TaskTracker,
}

impl PostgresStore {
    /// Opens the store in a database. The time of its commands is that of the database.
    ///
    /// # Errors
    /// [`OpenError`] where there is no store of this version, or no such database.
    pub async fn open(address: &Address) -> Result<Self, OpenError> {
        Self::open_by(address, None).await
    }

    /// Opens the store with another clock, which a test moves. Nothing happens by itself then: this node looks for nothing that
    /// others do.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_with_clock(address: &Address, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Self::open_by(address, Some(clock)).await
    }

    async fn open_by(address: &Address, clock: Option<Arc<dyn Clock>>) -> Result<Self, OpenError> {
        let pool = address.pool()?;
        let client = pool.get().await.map_err(OpenError::of_pool)?;
        schema::admit(&client).await?;
        let now = Row(client.query_typed_one(CLOCK, &[]).await?).moment("now")?;
        drop(client);
        let time = clock.map_or_else(|| Time::Database(Readings::new(now)), Time::Given);
        let memory = Memory {
            time: Arc::new(time),
            counters: Counters::default(),
            positions: Positions::default(),
            heads: Heads::default(),
            months: Months::default(),
            tails: Tails::default(),
            notices: Notices::default(),
            recording: tokio::sync::Mutex::default(),
            events: broadcast::Sender::new(EVENTS_KEPT),
        };
        let database = Arc::new(Database { pool, memory: Arc::new(memory), running: TaskTracker::new() });
        let latest = "SELECT id FROM request ORDER BY id DESC LIMIT 1";
        if let Some(latest) = database.connection().await?.optional(latest, Vec::new()).await?
            && let Some(after) = ids::after(latest.get("id")?)
        {
            database.memory.time.not_before(after);
        }
        months::keep_up(&database).await?;
        // A deep queue takes a while to read: nobody is to wait for it later.
        for queue in database.connection().await?.query("SELECT name FROM queue", Vec::new()).await? {
            database.line(queue.get("name")?).await?;
        }
        let closing = CancellationToken::new();
        if !database.memory.time.is_given() {
            notices::start(&database, address, &closing);
        }
        tracing::info!(address = ?address, "the store is open");
        let (submits, ends) = (Submits::start(&database), Ends::start(&database));
        Ok(Self { submits, ends, claims: Claims::default(), database, closing })
    }

    /// Runs a command in a transaction of its own, to its end.
    async fn write<T, E, F, Run>(&self, command: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Arc<Writing>) -> Run + Send + 'static,
        Run: Future<Output = Result<T, E>> + Send,
    {
        self.database.write(command).await
    }

    /// Runs queries that need no transaction.
    async fn connection(&self) -> Result<Connection, StoreError> {
        self.database.connection().await
    }

    /// Runs queries that see one snapshot.
    async fn in_snapshot<T, F, Run>(&self, queries: F) -> Result<T, StoreError>
    where
        F: FnOnce(Arc<Writing>) -> Run,
        Run: Future<Output = Result<T, StoreError>>,
    {
        let memory = Arc::clone(&self.database.memory);
        let snapshot = Arc::new(Writing::begin_reading(self.connection().await?, memory));
        let found = queries(Arc::clone(&snapshot)).await;
        if let Some(snapshot) = Arc::into_inner(snapshot) {
            snapshot.roll_back().await;
        }
        found
    }

    /// Counts a report that was refused because its claim is no longer in force.
    fn count_stale<T>(&self, response: Result<T, WorkRefused>) -> Result<T, WorkRefused> {
        if response.as_ref().is_err_and(WorkRefused::is_stale) {
            self.database.memory.counters.stale_refused.fetch_add(1, Relaxed);
        }
        response
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

impl Database {
    /// Waits for what runs, and then lets nothing more run.
    async fn close(&self) {
        self.running.close();
        self.running.wait().await;
        self.pool.close();
    }

    pub(crate) async fn connection(&self) -> Result<Connection, StoreError> {
        Ok(Connection::new(self.pool.get().await.map_err(faults::of_pool)?))
    }

    /// Runs a command in a transaction of its own. It runs to its end, even where the caller stops waiting: what holds locks does
    /// not depend on who listens.
    pub(crate) async fn write<T, E, F, Run>(self: &Arc<Self>, command: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Arc<Writing>) -> Run + Send + 'static,
        Run: Future<Output = Result<T, E>> + Send,
    {
        let database = Arc::clone(self);
        let running = self.running.spawn(async move { database.run(command).await });
        running.await.unwrap_or_else(|lost| {
            Err(E::from(if lost.is_panic() { StoreError::Panicked } else { StoreError::Closed }))
        })
    }

    async fn run<T, E, F, Run>(&self, command: F) -> Result<T, E>
    where
        E: From<StoreError>,
        F: FnOnce(Arc<Writing>) -> Run,
        Run: Future<Output = Result<T, E>>,
    {
        let writing = Arc::new(Writing::begin(self.connection().await?, Arc::clone(&self.memory)));
        let result = command(Arc::clone(&writing)).await;
        let Some(writing) = Arc::into_inner(writing) else {
            return Err(StoreError::Unreadable("a command kept its transaction".to_owned()).into());
        };
        match result {
            Ok(done) => {
                writing.commit(1).await?;
                Ok(done)
            }
            Err(refused) => {
                writing.roll_back().await;
                Err(refused)
            }
        }
    }
}

/// Compiles and runs what the README shows.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
