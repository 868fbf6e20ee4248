//! The transaction that commands write in.

use super::counters::Happened;
use super::idempotency::Keys;
use super::memory::Memory;
use super::position::{Move, PlaceInLine};
use super::tallies::{self, Tallies};
use crate::store::{KeyHash, StoreError, StoreEvent};
use clipia_queue::RequestId;
use rusqlite::{CachedStatement, Connection, Params};
use std::cell::RefCell;
use std::collections::HashSet;
use std::ops::Deref;

/// The transaction that commands write in, and what is to happen once it is committed.
pub(crate) struct Writing<'c> {
    connection: &'c Connection,
    pub(crate) tallies: Tallies,
    pub(crate) keys: &'c RefCell<Keys>,
    /// Statements that nearly every command runs.
    often: RefCell<Vec<(&'static str, CachedStatement<'c>)>>,
    moves: RefCell<Vec<Move>>,
    happened: RefCell<Vec<Happened>>,
    changed_keys: RefCell<Vec<KeyHash>>,
    /// The keys that were revoked since the start. A caller may have been let in before.
    revoked: &'c RefCell<HashSet<String>>,
    standings: RefCell<Vec<RequestId>>,
    events: RefCell<Vec<StoreEvent>>,
}

impl Deref for Writing<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

/// Where a command began, which may have to be undone.
pub(crate) struct Mark {
    tallies: tallies::Mark,
    moves: usize,
    happened: usize,
    events: usize,
}

impl<'c> Writing<'c> {
    pub(crate) fn new(
        connection: &'c Connection,
        keys: &'c RefCell<Keys>,
        revoked: &'c RefCell<HashSet<String>>,
    ) -> Self {
        Self {
            connection,
            tallies: Tallies::default(),
            keys,
            often: RefCell::default(),
            moves: RefCell::default(),
            happened: RefCell::default(),
            changed_keys: RefCell::default(),
            revoked,
            standings: RefCell::default(),
            events: RefCell::default(),
        }
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark {
            tallies: self.tallies.mark(),
            moves: self.moves.borrow().len(),
            happened: self.happened.borrow().len(),
            events: self.events.borrow().len(),
        }
    }

    /// Undoes what was changed beside the database since.
    pub(crate) fn rewind(&self, mark: Mark) {
        self.moves.borrow_mut().truncate(mark.moves);
        self.happened.borrow_mut().truncate(mark.happened);
        self.events.borrow_mut().truncate(mark.events);
        self.tallies.rewind(mark.tallies);
    }

    /// Runs a statement that nearly every command runs. A transaction looks for it once, by where its text is.
    pub(crate) fn execute_often(
        &self,
        statement: &'static str,
        values: impl Params,
    ) -> rusqlite::Result<usize> {
        let mut often = self.often.borrow_mut();
        let known = often.iter_mut().find(|(text, _)| std::ptr::eq(*text, statement));
        if let Some((_, prepared)) = known {
            return prepared.execute(values);
        }
        let mut prepared = self.connection.prepare_cached(statement)?;
        let executed = prepared.execute(values);
        often.push((statement, prepared));
        executed
    }

    /// A request stands in line.
    pub(crate) fn stands(&self, at: PlaceInLine) {
        self.moves.borrow_mut().push(Move { at, stands: true });
    }

    /// A request has left the line.
    pub(crate) fn leaves(&self, at: PlaceInLine) {
        self.moves.borrow_mut().push(Move { at, stands: false });
    }

    /// Something is to be counted.
    pub(crate) fn happened(&self, what: Happened) {
        self.happened.borrow_mut().push(what);
    }

    /// A key is no longer what it was.
    pub(crate) fn key_changed(&self, hash: KeyHash) {
        self.changed_keys.borrow_mut().push(hash);
    }

    /// A key was taken out of force.
    pub(crate) fn key_revoked(&self, id: &str, hash: KeyHash) {
        self.revoked.borrow_mut().insert(id.to_owned());
        self.tell(StoreEvent::KeyRevoked { id: id.into() });
        self.key_changed(hash);
    }

    /// Whether a key that was in force when its caller was let in still is. The database is only asked about keys that were
    /// revoked meanwhile, since a commit that failed may have left one in force.
    pub(crate) fn is_in_force(&self, key: &str) -> Result<bool, StoreError> {
        if !self.revoked.borrow().contains(key) {
            return Ok(true);
        }
        let mut stored = self
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM api_key WHERE id = ?1 AND revoked_at IS NULL)")?;
        Ok(stored.query_row([key], |row| row.get(0))?)
    }

    /// A request no longer stands where it stood.
    pub(crate) fn standing_changed(&self, id: RequestId) {
        self.standings.borrow_mut().push(id);
    }

    /// Sends an event once this is committed.
    pub(crate) fn tell(&self, event: StoreEvent) {
        self.events.borrow_mut().push(event);
    }

    /// Requests came into a queue: one event tells of all in a commit.
    pub(crate) fn work_submitted(&self, queue: &str) {
        let is_same = |event: &StoreEvent| matches!(event, StoreEvent::WorkSubmitted { queue: other } if **other == *queue);
        let mut events = self.events.borrow_mut();
        if !events.iter().any(is_same) {
            events.push(StoreEvent::WorkSubmitted { queue: queue.into() });
        }
    }

    /// Deliveries may be due: one event tells of all in a commit.
    pub(crate) fn outbox_changed(&self) {
        let mut events = self.events.borrow_mut();
        if !events.contains(&StoreEvent::OutboxChanged) {
            events.push(StoreEvent::OutboxChanged);
        }
    }

    /// The moves of this transaction so far.
    pub(crate) fn moves(&self) -> Vec<Move> {
        self.moves.borrow().clone()
    }

    /// Writes what was held back until the commit.
    pub(crate) fn finish(&self) -> Result<(), StoreError> {
        self.keys.borrow_mut().before_commit(self)?;
        self.tallies.write(self)
    }

    /// Changes what is in memory, once this is committed.
    pub(crate) fn publish(&self, memory: &Memory) {
        memory.positions.apply(&self.moves.borrow());
        memory.keys.changed(&self.changed_keys.borrow());
        memory.standings.changed(&*self.standings.borrow());
        self.happened.borrow().iter().for_each(|what| memory.counters.happened(*what));
        for event in self.events.take() {
            // Nobody may listen.
            let _ = memory.events.send(event);
        }
    }
}

/// Runs a statement that answers nothing, parsed once.
pub(crate) fn execute(c: &Connection, statement: &str) -> rusqlite::Result<()> {
    c.prepare_cached(statement)?.execute([]).map(drop)
}
