//! Queue positions: how many requests are ahead of one, as [`clipia_queue::position`] describes it.
//!
//! One statement reads what the positions of all requests of an account in a queue depend on. It is kept for a short time, and read
//! again at once where this node changed the queue. Polls that arrive meanwhile share what is read next.

use super::Database;
use super::values::values;
use clipia_queue::lifecycle::Lifecycle;
use clipia_queue::position::{Lane, Order, Place, Ticket, of_another_account};
use clipia_store::StoreError;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// How long what other nodes do may be unknown to positions.
const KEPT: Duration = Duration::from_millis(250);

/// How many accounts of queues are kept.
const LINES_MAX: usize = 1_000;

/// What the positions of an account's requests in a queue depend on. In [`Order::Fifo`] all accounts are one.
struct Line {
    /// The tickets of lane 0, of every account.
    requeued: Vec<i64>,
    /// The tickets of the account in lane 1.
    own: Vec<i64>,
    /// Of each other account how many requests wait in lane 1, as far as that counts, and whether its turn comes before.
    others: Vec<(u64, bool)>,
}

impl Line {
    fn ahead(&self, place: Place) -> u64 {
        let below = |tickets: &[i64]| tickets.partition_point(|ticket| *ticket < place.ticket.0) as u64;
        match place.lane {
            Lane::Requeued => below(&self.requeued),
            Lane::New => {
                let own = below(&self.own);
                let others =
                    self.others.iter().map(|(waiting, first)| of_another_account(*waiting, own, *first));
                self.requeued.len() as u64 + own + others.sum::<u64>()
            }
        }
    }
}

/// A line as it was read.
struct Read {
    line: Arc<Line>,
    /// How often this node had changed the queue before.
    changes: u64,
    at: Instant,
}

/// A place for a line. Whoever reads it holds the lock, and the others wait.
type Cell = Arc<tokio::sync::Mutex<Option<Read>>>;

/// What this node knows of its queues.
#[derive(Default)]
pub(crate) struct Positions {
    /// The orders that its configuration says.
    orders: RwLock<HashMap<String, Order>>,
    /// How often this node has changed each queue.
    changes: RwLock<HashMap<String, Arc<AtomicU64>>>,
    /// By queue and account.
    lines: Mutex<HashMap<(String, String), Cell>>,
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
        self.changes_of(queue).fetch_add(1, Ordering::SeqCst);
    }

    fn changes_of(&self, queue: &str) -> Arc<AtomicU64> {
        if let Some(changes) = self.changes.read().unwrap_or_else(PoisonError::into_inner).get(queue) {
            return Arc::clone(changes);
        }
        let mut all = self.changes.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(queue.to_owned()).or_default())
    }

    fn cell(&self, queue: &str, account: &str) -> Cell {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= LINES_MAX {
            lines.clear();
        }
        Arc::clone(lines.entry((queue.to_owned(), account.to_owned())).or_default())
    }
}

/// Where a request waits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct QueuePlace {
    queue: String,
    account: String,
    place: Place,
}

impl QueuePlace {
    pub(crate) fn new(queue: &str, account: &str, place: Place) -> Self {
        Self { queue: queue.to_owned(), account: account.to_owned(), place }
    }

    /// The place of a request of the columns `queue`, `account` and `ticket`, while it waits.
    pub(crate) fn of_row(row: &super::rows::Row, life: Lifecycle) -> Result<Option<Self>, StoreError> {
        let Some(place) = Place::of(life, Ticket(row.get("ticket")?)) else { return Ok(None) };
        Ok(Some(Self::new(row.get("queue")?, row.get("account")?, place)))
    }

    pub(crate) fn queue(&self) -> &str {
        &self.queue
    }
}

impl Database {
    /// How many requests are ahead of a place: as of now for what this node has done, and as of a quarter of a second ago at most for
    /// what others have.
    pub(crate) async fn ahead(&self, at: &QueuePlace) -> Result<u64, StoreError> {
        let positions = &self.memory.positions;
        let (order, changes) = (positions.order(&at.queue), positions.changes_of(&at.queue));
        let account = if order == Order::Fifo { "" } else { at.account.as_str() };
        let arrived = changes.load(Ordering::SeqCst);
        let cell = positions.cell(&at.queue, account);
        let mut read = cell.lock().await;
        if let Some(read) = &*read
            && read.changes >= arrived
            && read.at.elapsed() < KEPT
        {
            return Ok(read.line.ahead(at.place));
        }
        let (changes, began) = (changes.load(Ordering::SeqCst), Instant::now());
        let line = Arc::new(self.line(&at.queue, account, order).await?);
        let ahead = line.ahead(at.place);
        *read = Some(Read { line, changes, at: began });
        Ok(ahead)
    }

    async fn line(&self, queue: &str, account: &str, order: Order) -> Result<Line, StoreError> {
        let c = self.connection().await?;
        let requeued =
            "ARRAY(SELECT ticket FROM queue_item WHERE queue = $1 AND lane = 0 ORDER BY ticket) AS requeued";
        let row = match order {
            Order::Fifo => {
                let all = format!(
                    "SELECT {requeued}, '{{}}'::int8[] AS others,
                        ARRAY(SELECT ticket FROM queue_item WHERE queue = $1 AND lane = 1 ORDER BY ticket) AS own"
                );
                c.one(&all, values![queue]).await?
            }
            // Of each other account no more rows are looked at than count.
            Order::Turns => {
                let text = format!(
                    "WITH own AS MATERIALIZED (
                        SELECT ARRAY(SELECT ticket FROM queue_item WHERE queue = $1 AND account = $2 AND lane = 1 ORDER BY ticket) AS tickets,
                               (SELECT turn FROM queue_turn WHERE queue = $1 AND account = $2) AS turn)
                     SELECT {requeued}, own.tickets AS own, ARRAY(
                        SELECT 2 * other.waiting + (t.turn < own.turn)::int
                        FROM queue_turn t, LATERAL (
                            SELECT count(*) AS waiting FROM (
                                SELECT FROM queue_item i WHERE i.queue = $1 AND i.account = t.account AND i.lane = 1
                                LIMIT cardinality(own.tickets) + 1
                            ) counted
                        ) other
                        WHERE t.queue = $1 AND t.account <> $2 AND other.waiting > 0
                     ) AS others FROM own"
                );
                c.one(&text, values![queue, account]).await?
            }
        };
        let others = row.get::<Vec<Option<i64>>>("others")?.into_iter().flatten();
        Ok(Line {
            requeued: row.get("requeued")?,
            own: row.get("own")?,
            others: others.map(|other| (other.unsigned_abs() / 2, other % 2 == 1)).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_of_other_accounts_are_ahead_as_far_as_turns_go() {
        let line = Line { requeued: vec![3], own: vec![5, 8, 13], others: vec![(1, false), (9, true)] };
        let at = |lane, ticket| line.ahead(Place { lane, ticket: Ticket(ticket) });
        assert_eq!((at(Lane::Requeued, 3), at(Lane::Requeued, 4)), (0, 1));
        // The first: the one that a worker had, and one of the account whose turn comes before.
        assert_eq!(at(Lane::New, 5), 2);
        assert_eq!(at(Lane::New, 13), 1 + 2 + 1 + 3);
    }
}
