//! The queues in memory: which places are taken, as of the latest commit.
//!
//! Only the writer changes a queue, right after the commit that makes the change true. So a position is read without a
//! query. It is exact as of a commit.

use super::rows::count;
use crate::store::StoreError;
use clipia_queue::lifecycle::Lifecycle;
use clipia_queue::position::{Lane, Place, QueuePlaces, Ticket};
use rusqlite::{Connection, Row};
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// The column `lane` of a lane.
pub(crate) const fn lane_number(lane: Lane) -> i64 {
    match lane {
        Lane::Requeued => 0,
        Lane::New => 1,
    }
}

/// The lane of the column `lane`.
pub(crate) fn lane_of(row: &Row<'_>) -> rusqlite::Result<Lane> {
    Ok(match row.get::<_, i64>("lane")? {
        0 => Lane::Requeued,
        _ => Lane::New,
    })
}

/// The columns `lane`, `ticket`.
fn place_of(row: &Row<'_>) -> rusqlite::Result<Place> {
    Ok(Place { lane: lane_of(row)?, ticket: Ticket(row.get("ticket")?) })
}

/// A place in a queue.
#[derive(Clone, Debug)]
pub(crate) struct QueuePlace {
    pub(crate) queue: String,
    pub(crate) place: Place,
}

impl QueuePlace {
    /// The columns `queue`, `lane`, `ticket`.
    pub(crate) fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { queue: row.get("queue")?, place: place_of(row)? })
    }

    /// The place of a request while it waits, by its lifecycle and the columns `queue`, `ticket`.
    pub(crate) fn of_request(row: &Row<'_>, life: Lifecycle) -> rusqlite::Result<Option<Self>> {
        let place = Place::of(life, Ticket(row.get("ticket")?));
        place.map(|place| Ok(Self { queue: row.get("queue")?, place })).transpose()
    }
}

/// Every queue.
#[derive(Default)]
pub(crate) struct Positions {
    queues: RwLock<HashMap<String, QueuePlaces>>,
}

impl Positions {
    /// The queues as they are stored.
    pub(crate) fn load(c: &Connection) -> Result<Self, rusqlite::Error> {
        let mut names = c.prepare("SELECT name FROM queue")?;
        let mut stored =
            c.prepare("SELECT lane, ticket FROM queue_item WHERE queue = ?1 ORDER BY lane, ticket")?;
        let mut queues = HashMap::new();
        for queue in names.query_map([], |row| row.get::<_, String>(0))? {
            let queue = queue?;
            let mut places = QueuePlaces::default();
            let mut rows = stored.query([&queue])?;
            while let Some(row) = rows.next()? {
                places.take(place_of(row)?);
            }
            queues.insert(queue, places);
        }
        Ok(Self { queues: RwLock::new(queues) })
    }

    /// Changes the queues as a commit did.
    pub(crate) fn apply(&self, moves: &[Move]) {
        if moves.is_empty() {
            return;
        }
        let mut queues = self.queues.write().unwrap_or_else(PoisonError::into_inner);
        for Move { at, is_taken } in moves {
            let places = match queues.get_mut(&at.queue) {
                Some(places) => places,
                None => queues.entry(at.queue.clone()).or_default(),
            };
            if *is_taken {
                places.take(at.place)
            } else {
                places.leave(at.place)
            };
        }
    }

    /// How many requests are ahead of a place; 0 is next.
    pub(crate) fn ahead(&self, at: &QueuePlace) -> u64 {
        let queues = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        queues.get(&at.queue).map_or(0, |places| places.ahead(at.place))
    }

    /// How many requests wait in each queue.
    pub(crate) fn waiting(&self) -> HashMap<String, u64> {
        let queues = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        queues.iter().map(|(queue, places)| (queue.clone(), places.waiting())).collect()
    }
}

/// A place that a commit takes or frees.
#[derive(Clone, Debug)]
pub(crate) struct Move {
    pub(crate) at: QueuePlace,
    /// Whether the place is taken. Otherwise it is left.
    pub(crate) is_taken: bool,
}

/// A queue whose lengths in memory and in the table differ, with both lengths: for the examination. `pending` are the moves
/// of the transaction under way.
pub(crate) fn difference(
    c: &Connection,
    positions: &Positions,
    pending: &[Move],
) -> Result<Option<String>, StoreError> {
    let mut waiting = positions.waiting();
    for Move { at, is_taken } in pending {
        let count = waiting.entry(at.queue.clone()).or_default();
        *count = if *is_taken { count.saturating_add(1) } else { count.saturating_sub(1) };
    }
    waiting.retain(|_, count| *count > 0);
    let mut statement = c.prepare("SELECT queue, count(*) FROM queue_place GROUP BY queue")?;
    let stored = statement.query_map([], |row| Ok((row.get(0)?, count(row.get(1)?))))?;
    let stored: HashMap<String, u64> = stored.collect::<Result<_, _>>()?;
    let differing =
        stored.keys().chain(waiting.keys()).find(|queue| stored.get(*queue) != waiting.get(*queue));
    Ok(differing.map(|queue| {
        let of = |counts: &HashMap<String, u64>| counts.get(queue).copied().unwrap_or(0);
        format!("queue `{queue}`: {} in the table, {} in memory", of(&stored), of(&waiting))
    }))
}
