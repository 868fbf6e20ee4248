//! The lines in memory: what waits in which place, as of the latest commit.
//!
//! Only the writer changes a line, right after the commit that makes the change true. So a position is read without a
//! query, and is what counting said at a commit.

use super::rows::count;
use crate::store::StoreError;
use clipia_queue::lifecycle::Lifecycle;
use clipia_queue::position::{Lane, Line, Place, Ticket};
use rusqlite::{Connection, Row};
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// The column `lane` of a lane.
pub(crate) const fn lane_number(lane: Lane) -> i64 {
    match lane {
        Lane::AnotherTurn => 0,
        Lane::FirstTurn => 1,
    }
}

/// The lane of the column `lane`.
pub(crate) fn lane_of(row: &Row<'_>) -> rusqlite::Result<Lane> {
    Ok(match row.get::<_, i64>("lane")? {
        0 => Lane::AnotherTurn,
        _ => Lane::FirstTurn,
    })
}

/// The columns `lane`, `ticket`.
fn place_of(row: &Row<'_>) -> rusqlite::Result<Place> {
    Ok(Place { lane: lane_of(row)?, ticket: Ticket(row.get("ticket")?) })
}

/// A place in a line.
#[derive(Clone, Debug)]
pub(crate) struct PlaceInLine {
    pub(crate) queue: String,
    pub(crate) place: Place,
}

impl PlaceInLine {
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

/// Every line.
#[derive(Default)]
pub(crate) struct Positions {
    lines: RwLock<HashMap<String, Line>>,
}

impl Positions {
    /// The lines as they are stored.
    pub(crate) fn load(c: &Connection) -> Result<Self, rusqlite::Error> {
        let mut names = c.prepare("SELECT name FROM queue")?;
        let mut places =
            c.prepare("SELECT lane, ticket FROM queue_item WHERE queue = ?1 ORDER BY lane, ticket")?;
        let mut lines = HashMap::new();
        for queue in names.query_map([], |row| row.get::<_, String>(0))? {
            let queue = queue?;
            let mut line = Line::default();
            let mut rows = places.query([&queue])?;
            while let Some(row) = rows.next()? {
                line.stand(place_of(row)?);
            }
            lines.insert(queue, line);
        }
        Ok(Self { lines: RwLock::new(lines) })
    }

    /// Changes the lines as a commit did.
    pub(crate) fn apply(&self, moves: &[Move]) {
        if moves.is_empty() {
            return;
        }
        let mut lines = self.lines.write().unwrap_or_else(PoisonError::into_inner);
        for Move { at, stands } in moves {
            let line = match lines.get_mut(&at.queue) {
                Some(line) => line,
                None => lines.entry(at.queue.clone()).or_default(),
            };
            if *stands {
                line.stand(at.place)
            } else {
                line.leave(at.place)
            };
        }
    }

    /// How many are ahead of a place; 0 is next.
    pub(crate) fn ahead(&self, at: &PlaceInLine) -> u64 {
        let lines = self.lines.read().unwrap_or_else(PoisonError::into_inner);
        lines.get(&at.queue).map_or(0, |line| line.ahead(at.place))
    }

    /// How many wait in each line.
    pub(crate) fn waiting(&self) -> HashMap<String, u64> {
        let lines = self.lines.read().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(|(queue, line)| (queue.clone(), line.waiting())).collect()
    }
}

/// A place that was taken or left.
#[derive(Clone, Debug)]
pub(crate) struct Move {
    pub(crate) at: PlaceInLine,
    pub(crate) stands: bool,
}

/// A line whose index and table differ in length, with what each says; for the examination.
pub(crate) fn difference(
    c: &Connection,
    positions: &Positions,
    pending: &[Move],
) -> Result<Option<String>, StoreError> {
    let mut waiting = positions.waiting();
    for Move { at, stands } in pending {
        let count = waiting.entry(at.queue.clone()).or_default();
        *count = if *stands { count.saturating_add(1) } else { count.saturating_sub(1) };
    }
    waiting.retain(|_, count| *count > 0);
    let mut statement = c.prepare("SELECT queue, count(*) FROM queue_place GROUP BY queue")?;
    let stored = statement.query_map([], |row| Ok((row.get(0)?, count(row.get(1)?))))?;
    let stored: HashMap<String, u64> = stored.collect::<Result<_, _>>()?;
    let differing =
        stored.keys().chain(waiting.keys()).find(|queue| stored.get(*queue) != waiting.get(*queue));
    Ok(differing.map(|queue| {
        let of = |counts: &HashMap<String, u64>| counts.get(queue).copied().unwrap_or(0);
        format!("queue `{queue}`: {} in the table, {} in the index", of(&stored), of(&waiting))
    }))
}
