//! The queues in memory: which places are taken.
//!
//! There are two of each. One is as of the latest commit: positions are read from it without a query, and are exact as of a
//! commit. The other is as of the transaction under way, and only the thread that writes has it: it says which request is
//! claimed next, and it is changed back when a command or a commit fails. The rules of both are those of `clipia-queue`.

use super::rows::{count, moment};
use super::writing::Writing;
use crate::store::{AccountId, StoreError};
use clipia_queue::Moment;
use clipia_queue::lifecycle::Lifecycle;
use clipia_queue::position::{Change, Lane, Order, Place, QueuePlaces, Ticket, Turn, Undo};
use clipia_store::columns;
pub(crate) use clipia_store::columns::lane_number;
use rusqlite::{Connection, Row};
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// The lane of the column `lane`.
pub(crate) fn lane_of(row: &Row<'_>) -> rusqlite::Result<Lane> {
    row.get("lane").map(columns::lane)
}

/// The columns `lane`, `ticket`.
pub(crate) fn place_of(row: &Row<'_>) -> rusqlite::Result<Place> {
    Ok(Place { lane: lane_of(row)?, ticket: Ticket(row.get("ticket")?) })
}

/// The place of an account's request in a queue.
#[derive(Clone, Debug)]
pub(crate) struct QueuePlace {
    pub(crate) queue: String,
    pub(crate) account: AccountId,
    pub(crate) place: Place,
}

impl QueuePlace {
    /// The place of a request while it waits, by its lifecycle and the columns `queue`, `account`, `ticket`.
    pub(crate) fn of_request(row: &Row<'_>, life: Lifecycle) -> rusqlite::Result<Option<Self>> {
        let place = Place::of(life, Ticket(row.get("ticket")?));
        let at =
            |place| Ok(Self { queue: row.get("queue")?, account: AccountId(row.get("account")?), place });
        place.map(at).transpose()
    }
}

/// Queues with their names. They are few: one for each executor.
#[derive(Clone, Default)]
pub(crate) struct Queues(Vec<(String, QueuePlaces)>);

impl Queues {
    /// The queues as they are stored. Nothing is set aside.
    pub(crate) fn load(c: &Connection) -> Result<Self, rusqlite::Error> {
        let mut queues = Self::default();
        let mut stored = c.prepare("SELECT name, paused_at FROM queue")?;
        let mut rows = stored.query([])?;
        while let Some(row) = rows.next()? {
            let paused_at: Option<i64> = row.get("paused_at")?;
            queues.of(row.get_ref("name")?.as_str()?).set_paused_at(paused_at.map(moment));
        }
        // A place without a request is a fault, which an examination finds.
        let mut stored = c.prepare(
            "SELECT i.queue, i.lane, i.ticket, coalesce(r.account, '') AS account, t.turn
             FROM queue_item i LEFT JOIN request r ON r.id = i.request
                LEFT JOIN queue_turn t ON t.queue = i.queue AND t.account = r.account
             ORDER BY i.queue, i.lane, i.ticket",
        )?;
        let mut rows = stored.query([])?;
        while let Some(row) = rows.next()? {
            let account = AccountId(row.get("account")?);
            let turn = row.get::<_, Option<i64>>("turn")?.map(Turn);
            queues.of(row.get_ref("queue")?.as_str()?).restore(&account, place_of(row)?, turn);
        }
        Ok(queues)
    }

    /// The queue of this name; an empty one where there is none yet.
    fn of(&mut self, queue: &str) -> &mut QueuePlaces {
        let known = self.0.iter().position(|(name, _)| name == queue);
        let index = known.unwrap_or_else(|| {
            self.0.push((queue.to_owned(), QueuePlaces::default()));
            self.0.len() - 1
        });
        &mut self.0[index].1
    }

    pub(crate) fn get(&self, queue: &str) -> Option<&QueuePlaces> {
        self.0.iter().find(|(name, _)| name == queue).map(|(_, places)| places)
    }

    /// Changes a place.
    pub(crate) fn change(&mut self, at: &QueuePlace, change: Change) -> Result<Undo, StoreError> {
        let undo = self.of(&at.queue).apply(&at.account, at.place, change);
        undo.ok_or_else(|| StoreError::Unreadable(format!("{change:?} cannot be at {at:?}")))
    }

    pub(crate) fn set_order(&mut self, queue: &str, order: Order) -> Move {
        let places = self.of(queue);
        let before = places.order();
        places.set_order(order);
        Move::Order { queue: queue.to_owned(), before, after: order }
    }

    pub(crate) fn set_paused_at(&mut self, queue: &str, paused_at: Option<Moment>) -> Move {
        let places = self.of(queue);
        let before = places.paused_at();
        places.set_paused_at(paused_at);
        Move::Pause { queue: queue.to_owned(), before, after: paused_at }
    }

    /// Does what was done elsewhere.
    fn redo(&mut self, moved: &Move) {
        match moved {
            Move::Place { at, change, .. } => drop(self.of(&at.queue).apply(&at.account, at.place, *change)),
            Move::Order { queue, after, .. } => self.of(queue).set_order(*after),
            Move::Pause { queue, after, .. } => self.of(queue).set_paused_at(*after),
        }
    }

    /// Undoes the latest change that was not undone.
    pub(crate) fn undo(&mut self, moved: Move) {
        match moved {
            Move::Place { at, change, undo } => self.of(&at.queue).undo(&at.account, at.place, change, undo),
            Move::Order { queue, before, .. } => self.of(&queue).set_order(before),
            Move::Pause { queue, before, .. } => self.of(&queue).set_paused_at(before),
        }
    }
}

/// A change of a queue that a commit makes.
#[derive(Clone, Debug)]
pub(crate) enum Move {
    /// Of a place.
    Place { at: QueuePlace, change: Change, undo: Undo },
    /// Of its order.
    Order { queue: String, before: Order, after: Order },
    /// Of its pause.
    Pause { queue: String, before: Option<Moment>, after: Option<Moment> },
}

/// How a queue is, as of the latest commit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueState {
    pub(crate) order: Order,
    pub(crate) waiting: u64,
    pub(crate) accounts: u64,
    pub(crate) paused_at: Option<Moment>,
}

/// Every queue as of the latest commit.
#[derive(Default)]
pub(crate) struct Positions {
    queues: RwLock<Queues>,
}

impl Positions {
    pub(crate) fn new(queues: Queues) -> Self {
        Self { queues: RwLock::new(queues) }
    }

    fn queues(&self) -> RwLockReadGuard<'_, Queues> {
        self.queues.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the queues as a commit did.
    pub(crate) fn apply(&self, moves: &[Move]) {
        if moves.is_empty() {
            return;
        }
        let mut queues = self.queues.write().unwrap_or_else(PoisonError::into_inner);
        moves.iter().for_each(|moved| queues.redo(moved));
    }

    /// How many requests are ahead of a place; 0 is next.
    pub(crate) fn ahead(&self, at: &QueuePlace) -> u64 {
        self.queues().get(&at.queue).map_or(0, |places| places.ahead(&at.account, at.place))
    }

    /// How each queue is.
    pub(crate) fn states(&self) -> HashMap<String, QueueState> {
        let state = |places: &QueuePlaces| QueueState {
            order: places.order(),
            waiting: places.waiting(),
            accounts: u64::try_from(places.accounts()).unwrap_or(u64::MAX),
            paused_at: places.paused_at(),
        };
        self.queues().0.iter().map(|(queue, places)| (queue.clone(), state(places))).collect()
    }

    /// The names of the queues that are paused.
    pub(crate) fn paused(&self) -> Vec<String> {
        let queues = self.queues();
        let paused = queues.0.iter().filter(|(_, places)| places.paused_at().is_some());
        let mut paused: Vec<String> = paused.map(|(queue, _)| queue.clone()).collect();
        paused.sort();
        paused
    }
}

/// What differs between the queues in memory and those that are stored: for the examination.
pub(crate) fn difference(w: &Writing<'_>, positions: &Positions) -> Result<Option<String>, StoreError> {
    let queues = w.queues.borrow();
    let mut stored = w.prepare("SELECT queue, count(*) AS waiting FROM queue_place GROUP BY queue")?;
    let stored = stored.query_map([], |row| Ok((row.get(0)?, count(row.get(1)?))))?;
    let stored: HashMap<String, u64> = stored.collect::<Result<_, _>>()?;
    for queue in stored.keys().chain(queues.0.iter().map(|(queue, _)| queue)) {
        let in_memory = queues.get(queue).map_or(0, QueuePlaces::waiting);
        let in_table = stored.get(queue).copied().unwrap_or(0);
        if in_memory != in_table {
            return Ok(Some(format!("queue `{queue}`: {in_table} in the table, {in_memory} in memory")));
        }
    }
    // The commit changes the others in the same way.
    let mut committed = positions.queues().clone();
    w.moves().iter().for_each(|moved| committed.redo(moved));
    for (queue, places) in &queues.0 {
        if let Some(found) = turns_differ(w, queue, places, committed.of(queue))? {
            return Ok(Some(format!("queue `{queue}`: {found}")));
        }
    }
    Ok(None)
}

fn turns_differ(
    w: &Writing<'_>,
    queue: &str,
    places: &QueuePlaces,
    committed: &QueuePlaces,
) -> Result<Option<String>, StoreError> {
    if (places.waiting(), places.accounts()) != (committed.waiting(), committed.accounts()) {
        let [of, other] = [places, committed].map(|places| (places.waiting(), places.accounts()));
        return Ok(Some(format!(
            "requests and accounts are {of:?} in one place in memory, {other:?} in another"
        )));
    }
    for (account, turn) in places.turns() {
        let stored = w.write_back.turn(w, queue, account)?.map(Turn);
        if (stored, committed.turn(account)) != (Some(turn), Some(turn)) {
            let found = format!(
                "account `{account}` has turn {} in memory, {stored:?} in the table, {:?} for positions",
                turn.0,
                committed.turn(account)
            );
            return Ok(Some(found));
        }
    }
    Ok(None)
}
