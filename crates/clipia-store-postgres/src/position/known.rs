//! The places of a queue in memory, and what is read to bring them up to date.
//!
//! Each reading is one statement, and so one snapshot. Tickets of new requests rise in the order of the commits: what came since has
//! greater ones. What left since was left by a transaction that ran at the last reading, or began after it.

use super::{BOUNDS_MAX, Bounds, left};
use crate::connection::Connection;
use crate::rows::Row;
use crate::turns;
use crate::values::values;
use clipia_queue::AccountId;
use clipia_queue::position::{Change, Lane, Order, Place, QueuePlaces, Ticket, Turn};
use clipia_store::StoreError;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How many new places are read at a time.
const PAGE: usize = 20_000;

/// The places of a queue, as of the latest reading.
#[derive(Default)]
pub(crate) struct Known {
    places: QueuePlaces,
    /// The tickets of lane 0.
    requeued: Vec<i64>,
    /// The latest ticket of lane 1 that was read.
    tail: i64,
    /// The snapshot of the latest reading.
    read: Option<Snapshot>,
    /// How often this node had changed the queue before, and when that was.
    fresh: Option<(u64, Instant)>,
}

/// The snapshot of a reading: which transactions had not ended.
#[derive(Clone, Debug)]
struct Snapshot {
    /// The first that had not begun.
    next: i64,
    /// Those that ran. One that runs for long is asked for again and again, and those that began after it are not.
    running: Vec<i64>,
    /// The database's clock.
    clock: i64,
    /// The run of the database. Nothing that was known in another one is surely true: a crash may have lost what was committed.
    run: Option<Uuid>,
}

impl Default for Snapshot {
    /// Of the first reading: nobody has left of whom it is known that they wait.
    fn default() -> Self {
        Self { next: i64::MAX, running: Vec::new(), clock: 0, run: None }
    }
}

/// What is asked for.
pub(super) struct Since {
    tail: i64,
    /// Who left by a transaction that had not ended then is asked for.
    snapshot: Snapshot,
    /// The accounts that wait.
    accounts: Vec<String>,
}

/// What was read.
#[derive(Default)]
pub(super) struct Page {
    snapshot: Snapshot,
    gone: Vec<(AccountId, Vec<i64>)>,
    new: Vec<(AccountId, Vec<i64>)>,
    requeued: Vec<i64>,
    turns: Vec<(AccountId, Turn)>,
}

impl Since {
    pub(super) async fn read(&self, c: &Connection, queue: &str) -> Result<Page, StoreError> {
        let rows = c
            .query(
                &format!(
                "WITH new AS MATERIALIZED (
                    SELECT account, ticket FROM queue_item WHERE queue = $1 AND lane = 1 AND ticket > $2 ORDER BY ticket LIMIT $5)
                 SELECT 'now' AS what, (SELECT id::text FROM database_run) AS account, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS turn,
                    ARRAY[pg_snapshot_xmax(pg_current_snapshot())::text::bigint]
                        || ARRAY(SELECT x::text::bigint FROM pg_snapshot_xip(pg_current_snapshot()) AS x) AS tickets
                 UNION ALL SELECT 'gone', account, NULL, tickets FROM queue_left WHERE queue = $1 AND transaction >= $3
                 UNION ALL SELECT 'gone', account, NULL, tickets FROM queue_left WHERE queue = $1 AND transaction = ANY($6)
                 UNION ALL SELECT 'new', account, NULL, array_agg(ticket ORDER BY ticket) FROM new GROUP BY account
                 UNION ALL SELECT 'requeued', '', NULL, array_agg(ticket ORDER BY ticket) FROM queue_item WHERE queue = $1 AND lane = 0
                 UNION ALL SELECT 'turn', t.account, t.turn, NULL
                    FROM (SELECT account FROM unnest($4::text[]) AS known (account) UNION SELECT account FROM new) waits,
                        LATERAL ({}) t", turns::newest("waits.account")),
                values![queue, self.tail, self.snapshot.next, self.accounts.clone(), PAGE, self.snapshot.running.clone()],
            )
            .await?;
        Page::of(&rows)
    }
}

impl Page {
    /// Whether nobody has given this run of the database its id yet.
    pub(super) fn is_of_a_new_run(&self) -> bool {
        self.snapshot.run.is_none()
    }

    fn of(rows: &[Row]) -> Result<Self, StoreError> {
        let mut page = Self::default();
        for row in rows {
            let tickets = || Ok::<_, StoreError>(row.get::<Option<Vec<i64>>>("tickets")?.unwrap_or_default());
            match row.get("what")? {
                "now" => {
                    let mut running = tickets()?;
                    let next = if running.is_empty() { i64::MAX } else { running.remove(0) };
                    let run: Option<&str> = row.get("account")?;
                    let run = run.and_then(|run| run.parse().ok());
                    page.snapshot = Snapshot { next, running, clock: row.get("turn")?, run };
                }
                "gone" => page.gone.push((row.account()?, tickets()?)),
                "new" => page.new.push((row.account()?, tickets()?)),
                "requeued" => page.requeued = tickets()?,
                _ => page.turns.push((row.account()?, Turn(row.get("turn")?))),
            }
        }
        Ok(page)
    }
}

impl Known {
    pub(crate) fn places(&self) -> &QueuePlaces {
        &self.places
    }

    /// How long ago the latest reading was.
    pub(super) fn age(&self) -> Option<Duration> {
        self.fresh.map(|(_, at)| at.elapsed())
    }

    /// Whether the latest reading came after so many changes of this node, and is no older than that.
    pub(super) fn is_fresh(&self, changes: u64, age: Duration) -> bool {
        self.fresh.is_some_and(|(read, at)| read >= changes && at.elapsed() < age)
    }

    /// What the next reading asks for.
    pub(super) fn since(&self) -> Since {
        Since {
            tail: self.tail,
            snapshot: self.read.clone().unwrap_or_default(),
            accounts: self.places.turns().map(|(account, _)| account.0.clone()).collect(),
        }
    }

    /// Takes what was read. Returns whether that was all.
    pub(super) fn take(&mut self, page: Page, order: Order, changes: u64, began: Instant) -> bool {
        let kept = i64::try_from(left::KEPT.as_micros() / 2).unwrap_or(i64::MAX);
        let is_over = |read: &Snapshot| {
            // Some of those who left since may have been forgotten.
            let clock = page.snapshot.clock.saturating_sub(read.clock) > kept;
            clock || read.run != page.snapshot.run
        };
        if self.read.as_ref().is_some_and(is_over) {
            *self = Self::default();
            return false;
        }
        self.places.set_order(order);
        for (account, tickets) in page.gone {
            for ticket in tickets {
                self.places.apply(&account, new_place(ticket), Change::Leave);
            }
        }
        let mut read = 0;
        for (account, tickets) in page.new {
            read += tickets.len();
            for ticket in tickets {
                self.places.restore(&account, new_place(ticket), None);
                self.tail = self.tail.max(ticket);
            }
        }
        for (account, turn) in page.turns {
            self.places.set_turn(&account, turn);
        }
        let requeued = std::mem::replace(&mut self.requeued, page.requeued);
        let nobody = AccountId(String::new());
        let place = |ticket: &i64| Place { lane: Lane::Requeued, ticket: Ticket(*ticket) };
        for ticket in requeued.iter().filter(|ticket| self.requeued.binary_search(ticket).is_err()) {
            self.places.apply(&nobody, place(ticket), Change::Leave);
        }
        for ticket in self.requeued.iter().filter(|ticket| requeued.binary_search(ticket).is_err()) {
            self.places.restore(&nobody, place(ticket), None);
        }
        self.read = Some(page.snapshot);
        if read < PAGE {
            self.fresh = Some((changes, began));
        }
        read < PAGE
    }

    /// The ticket before the first that an account has waiting: before all that come later, where it has none.
    pub(super) fn before_first(&self, account: &AccountId) -> i64 {
        match self.places.least_of(account) {
            Some(Ticket(first)) => first - 1,
            None => self.others(),
        }
    }

    /// The ticket before the first of accounts of which none waits; 0 while not all is read.
    fn others(&self) -> i64 {
        if self.fresh.is_some() { self.tail } else { 0 }
    }

    pub(super) fn bounds(&self) -> Bounds {
        if self.fresh.is_none() || self.places.accounts() > BOUNDS_MAX {
            return Bounds::default();
        }
        let first = self.places.least().map(|(account, Ticket(first))| (account.0.clone(), first - 1));
        Bounds { accounts: first.collect(), others: self.others() }
    }
}

fn new_place(ticket: i64) -> Place {
    Place { lane: Lane::New, ticket: Ticket(ticket) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: Uuid = Uuid::from_u128(1);

    fn page(clock: i64) -> Page {
        Page { snapshot: Snapshot { next: 7, running: vec![4], clock, run: Some(RUN) }, ..Page::default() }
    }

    fn account(id: &str) -> AccountId {
        AccountId(id.to_owned())
    }

    #[test]
    fn places_are_as_they_were_at_the_latest_reading() {
        let (mut known, began) = (Known::default(), Instant::now());
        let (a, b) = (account("a"), account("b"));
        assert_eq!(known.bounds(), Bounds::default(), "nothing is known before the first reading");
        let new = vec![(a.clone(), vec![1, 2, 5]), (b.clone(), vec![3])];
        let turns = vec![(a.clone(), Turn(2)), (b.clone(), Turn(1))];
        assert!(known.take(Page { new, turns, ..page(1) }, Order::Turns, 3, began));
        assert!(known.is_fresh(3, Duration::from_secs(600)) && !known.is_fresh(4, Duration::from_secs(600)));
        assert_eq!(known.places().ahead(&a, new_place(5)), 3);
        let since = known.since();
        assert_eq!((since.tail, since.snapshot.next, since.snapshot.running), (5, 7, vec![4]));
        // One that left is told of twice, and one that came and left since was never seen.
        let gone = vec![(a.clone(), vec![1]), (a.clone(), vec![1, 6])];
        assert!(known.take(Page { gone, requeued: vec![1], ..page(2) }, Order::Turns, 4, began));
        assert_eq!((known.places().ahead(&a, new_place(5)), known.places().waiting()), (3, 4));
        let of_a = |known: &Known| (known.before_first(&a), known.before_first(&account("c")));
        assert_eq!(of_a(&known), (1, 5));
        assert_eq!(known.bounds().accounts[&b.0], 2);
    }

    #[test]
    fn all_is_read_again_where_those_who_left_may_be_forgotten() {
        let (mut known, began) = (Known::default(), Instant::now());
        let later = i64::try_from(left::KEPT.as_micros()).unwrap_or(i64::MAX);
        assert!(known.take(Page { new: vec![(account("a"), vec![4])], ..page(1) }, Order::Fifo, 0, began));
        assert!(!known.take(page(later), Order::Fifo, 0, began));
        assert_eq!((known.since().tail, known.since().snapshot.next, known.age()), (0, i64::MAX, None));
        assert!(known.take(page(later), Order::Fifo, 0, began));
        assert_eq!(known.places().waiting(), 0);
    }

    #[test]
    fn all_is_read_again_after_a_crash_of_the_database() {
        let (mut known, began) = (Known::default(), Instant::now());
        assert!(known.take(Page { new: vec![(account("a"), vec![4])], ..page(1) }, Order::Fifo, 0, began));
        for run in [None, Some(Uuid::from_u128(2))] {
            let after = || Page { snapshot: Snapshot { run, ..page(2).snapshot }, ..Page::default() };
            assert!(!known.take(after(), Order::Fifo, 0, began));
            assert_eq!((known.since().tail, known.age()), (0, None));
            assert!(known.take(after(), Order::Fifo, 0, began));
        }
    }
}
