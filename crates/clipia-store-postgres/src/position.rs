//! Queue positions: how many requests are ahead of one, as [`clipia_queue::position`] describes it.
//!
//! A node has the places of a queue in memory, as they were in a snapshot of the database. Before it tells a position it reads what has
//! changed since, so that a position costs the same however many wait: new places have greater tickets than all before, and who leaves
//! one says so in `queue_left`. What was read is kept for a short time, and read again at once where this node changed the queue. Polls
//! that arrive meanwhile share what is read next.

mod known;
mod left;

pub(crate) use left::{forget, leave};

use super::Database;
use clipia_queue::AccountId;
use clipia_queue::lifecycle::Lifecycle;
use clipia_queue::position::{Order, Place, Ticket};
use clipia_store::StoreError;
use known::Known;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

/// How long what other nodes do may be unknown to positions.
const KEPT: Duration = Duration::from_millis(250);

/// How many accounts of a queue have bounds of their own in a statement.
const BOUNDS_MAX: usize = 1_000;

/// Gives this run of the database its id, unless another node has.
const NAME_RUN: &str =
    "INSERT INTO database_run (single, id) VALUES (TRUE, gen_random_uuid()) ON CONFLICT DO NOTHING";

/// What this node knows of its queues.
#[derive(Default)]
pub(crate) struct Positions {
    /// The orders that its configuration says.
    orders: RwLock<HashMap<String, Order>>,
    lines: RwLock<HashMap<String, Arc<Line>>>,
}

/// A queue as this node knows it.
#[derive(Default)]
pub(crate) struct Line {
    /// How often this node has changed the queue.
    changes: AtomicU64,
    /// Whoever reads has this, and the others wait.
    gate: tokio::sync::Mutex<()>,
    known: RwLock<Known>,
}

/// From which tickets on new requests of a queue wait. It stays true while the database runs: none waits before, and none will.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// The accounts of which some wait, each with the ticket before its first.
    pub(crate) accounts: HashMap<String, i64>,
    /// The ticket before the first of any other account.
    pub(crate) others: i64,
}

impl Line {
    pub(crate) fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_mut(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Positions {
    /// Sets the order of a queue.
    pub(crate) fn set_order(&self, queue: &str, order: Order) {
        self.orders.write().unwrap_or_else(PoisonError::into_inner).insert(queue.to_owned(), order);
        self.changed(queue);
    }

    /// The order of a queue.
    pub(crate) fn order(&self, queue: &str) -> Order {
        self.orders.read().unwrap_or_else(PoisonError::into_inner).get(queue).copied().unwrap_or_default()
    }

    /// The orders that were set.
    pub(crate) fn orders(&self) -> HashMap<String, Order> {
        self.orders.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Requests of a queue have taken or left places.
    pub(crate) fn changed(&self, queue: &str) {
        self.line(queue).changes.fetch_add(1, Ordering::SeqCst);
    }

    fn line(&self, queue: &str) -> Arc<Line> {
        if let Some(line) = self.lines.read().unwrap_or_else(PoisonError::into_inner).get(queue) {
            return Arc::clone(line);
        }
        let mut all = self.lines.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(queue.to_owned()).or_default())
    }

    /// From which tickets on new requests of a queue wait, by what this node has read so far.
    pub(crate) fn bounds(&self, queue: &str) -> Bounds {
        self.line(queue).known().bounds()
    }

    /// The ticket before the first new request of an account that waits, by what this node has read so far.
    pub(crate) fn before_first(&self, queue: &str, account: &str) -> i64 {
        self.line(queue).known().before_first(&AccountId(account.to_owned()))
    }
}

/// Where a request waits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct QueuePlace {
    queue: String,
    account: AccountId,
    place: Place,
}

impl QueuePlace {
    pub(crate) fn new(queue: &str, account: &AccountId, place: Place) -> Self {
        Self { queue: queue.to_owned(), account: account.clone(), place }
    }

    /// The place of a request of the columns `queue`, `account` and `ticket`, while it waits.
    pub(crate) fn of_row(row: &super::rows::Row, life: Lifecycle) -> Result<Option<Self>, StoreError> {
        let Some(place) = Place::of(life, Ticket(row.get("ticket")?)) else { return Ok(None) };
        Ok(Some(Self::new(row.get("queue")?, &row.account()?, place)))
    }

    pub(crate) fn queue(&self) -> &str {
        &self.queue
    }
}

impl Database {
    /// How many requests are ahead of a place: as of now for what this node has done, and as of a quarter of a second ago at most for
    /// what others have.
    pub(crate) async fn ahead(&self, at: &QueuePlace) -> Result<u64, StoreError> {
        let line = self.line(&at.queue).await?;
        let known = line.known();
        Ok(known.places().ahead(&at.account, at.place))
    }

    /// The places of a queue, as fresh as positions are.
    pub(crate) async fn line(&self, queue: &str) -> Result<Arc<Line>, StoreError> {
        let positions = &self.memory.positions;
        let line = positions.line(queue);
        let arrived = line.changes.load(Ordering::SeqCst);
        if line.known().is_fresh(arrived, KEPT) {
            return Ok(line);
        }
        let gate = line.gate.lock().await;
        if !line.known().is_fresh(arrived, KEPT) {
            let (changes, began) = (line.changes.load(Ordering::SeqCst), Instant::now());
            let c = self.connection().await?;
            let mut names_run = true;
            // A page at a time: a deep queue would be one large result.
            loop {
                let since = line.known().since();
                let page = since.read(&c, queue).await?;
                if page.is_of_a_new_run() && std::mem::take(&mut names_run) {
                    c.execute(NAME_RUN, Vec::new()).await?;
                    continue;
                }
                if line.known_mut().take(page, positions.order(queue), changes, began) {
                    break;
                }
            }
        }
        drop(gate);
        Ok(line)
    }

    /// Reads what a node that only claims would never read: a claim that begins where nothing waits any more passes over all that was
    /// claimed before.
    pub(crate) async fn read_bounds(&self, queue: &str) -> Result<(), StoreError> {
        let line = self.memory.positions.line(queue);
        if line.known().age().is_some_and(|age| age < left::BOUNDS_AGE_MAX) {
            return Ok(());
        }
        self.line(queue).await.map(drop)
    }
}
