//! The transaction that commands write in.

use super::idempotency::Keys;
use super::memory::Memory;
use super::position::{Move, QueuePlace, Queues};
use super::workers::WorkerChange;
use super::write_back::{self, WriteBack};
use crate::store::{KeyHash, StoreError, StoreEvent};
use clipia_queue::position::{Change, Order, Place};
use clipia_queue::{Moment, RequestId};
use clipia_store::counters::Happened;
use rusqlite::{CachedStatement, Connection, Params};
use std::cell::RefCell;
use std::collections::HashSet;
use std::ops::Deref;

/// The transaction that commands write in, and what its commit changes beside the database.
pub(crate) struct Writing<'c> {
    connection: &'c Connection,
    pub(crate) write_back: WriteBack,
    pub(crate) keys: &'c RefCell<Keys>,
    /// The queues as this transaction leaves them.
    pub(crate) queues: &'c RefCell<Queues>,
    /// Prepared statements that nearly every command runs.
    often: RefCell<Vec<(&'static str, CachedStatement<'c>)>>,
    moves: RefCell<Vec<Move>>,
    happened: RefCell<Vec<Happened>>,
    changed_keys: RefCell<Vec<KeyHash>>,
    /// The keys that were revoked since the start. A caller may have been admitted before.
    revoked: &'c RefCell<HashSet<String>>,
    statuses: RefCell<Vec<RequestId>>,
    texts: RefCell<Vec<RequestId>>,
    workers: RefCell<Vec<WorkerChange>>,
    events: RefCell<Vec<StoreEvent>>,
    /// Whether a command may be answered ahead of the commit: the latest commit succeeded.
    pub(crate) answers_ahead: bool,
}

impl Deref for Writing<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

/// The beginning of a command, which may have to be undone.
pub(crate) struct Mark {
    write_back: write_back::Mark,
    moves: usize,
    happened: usize,
    workers: usize,
    events: usize,
}

impl<'c> Writing<'c> {
    pub(crate) fn new(
        connection: &'c Connection,
        keys: &'c RefCell<Keys>,
        queues: &'c RefCell<Queues>,
        revoked: &'c RefCell<HashSet<String>>,
        answers_ahead: bool,
    ) -> Self {
        Self {
            connection,
            write_back: WriteBack::default(),
            keys,
            queues,
            often: RefCell::default(),
            moves: RefCell::default(),
            happened: RefCell::default(),
            changed_keys: RefCell::default(),
            revoked,
            statuses: RefCell::default(),
            texts: RefCell::default(),
            workers: RefCell::default(),
            events: RefCell::default(),
            answers_ahead,
        }
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark {
            write_back: self.write_back.mark(),
            moves: self.moves.borrow().len(),
            happened: self.happened.borrow().len(),
            workers: self.workers.borrow().len(),
            events: self.events.borrow().len(),
        }
    }

    /// Undoes what was changed beside the database since a mark.
    pub(crate) fn rewind(&self, mark: Mark) {
        self.undo_moves(mark.moves);
        self.happened.borrow_mut().truncate(mark.happened);
        self.workers.borrow_mut().truncate(mark.workers);
        self.events.borrow_mut().truncate(mark.events);
        self.write_back.rewind(mark.write_back);
    }

    /// Runs a statement that nearly every command runs. A transaction prepares it once, and finds it by the address of its
    /// text.
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

    /// Undoes everything that was changed in the queues: the commit failed.
    pub(crate) fn undo(&self) {
        self.undo_moves(0);
    }

    /// Undoes the changes of queues, but for the first `kept`.
    fn undo_moves(&self, kept: usize) {
        let mut moves = self.moves.borrow_mut();
        let kept = kept.min(moves.len());
        let mut queues = self.queues.borrow_mut();
        moves.drain(kept..).rev().for_each(|moved| queues.undo(moved));
    }

    /// The place that is claimed next in a queue.
    pub(crate) fn first(&self, queue: &str) -> Option<Place> {
        self.queues.borrow().get(queue)?.first()
    }

    /// Changes a place in a queue, and the turn of its account with it.
    pub(crate) fn change_place(&self, at: QueuePlace, change: Change) -> Result<(), StoreError> {
        let undo = self.queues.borrow_mut().change(&at, change)?;
        if undo.after != undo.before {
            self.write_back.set_turn(&at.queue, &at.account, undo.after.map(|turn| turn.0));
        }
        self.moves.borrow_mut().push(Move::Place { at, change, undo });
        Ok(())
    }

    /// Sets the order of a queue.
    pub(crate) fn set_order(&self, queue: &str, order: Order) {
        let moved = self.queues.borrow_mut().set_order(queue, order);
        self.moves.borrow_mut().push(moved);
    }

    /// Sets since when a queue is paused.
    pub(crate) fn set_paused_at(&self, queue: &str, paused_at: Option<Moment>) {
        let moved = self.queues.borrow_mut().set_paused_at(queue, paused_at);
        self.moves.borrow_mut().push(moved);
    }

    /// Counts something, once this is committed.
    pub(crate) fn happened(&self, what: Happened) {
        self.happened.borrow_mut().push(what);
    }

    /// A key has changed.
    pub(crate) fn key_changed(&self, hash: KeyHash) {
        self.changed_keys.borrow_mut().push(hash);
    }

    /// A key is revoked.
    pub(crate) fn key_revoked(&self, id: &str, hash: KeyHash) {
        self.revoked.borrow_mut().insert(id.to_owned());
        self.send(StoreEvent::KeyRevoked { id: id.into() });
        self.key_changed(hash);
    }

    /// Whether a key is still in force that was when its caller was admitted. Only keys that were revoked meanwhile are looked up
    /// in the database: the commit that revoked one may have failed.
    pub(crate) fn is_in_force(&self, key: &str) -> Result<bool, StoreError> {
        if !self.revoked.borrow().contains(key) {
            return Ok(true);
        }
        let mut stored = self
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM api_key WHERE id = ?1 AND revoked_at IS NULL)")?;
        Ok(stored.query_row([key], |row| row.get(0))?)
    }

    /// A worker has changed.
    pub(crate) fn worker_changed(&self, change: WorkerChange) {
        self.workers.borrow_mut().push(change);
    }

    /// The status of a request has changed.
    pub(crate) fn status_changed(&self, id: RequestId) {
        self.statuses.borrow_mut().push(id);
    }

    /// The text of a request may have changed.
    pub(crate) fn text_changed(&self, id: RequestId) {
        self.texts.borrow_mut().push(id);
    }

    /// Sends an event once this is committed.
    pub(crate) fn send(&self, event: StoreEvent) {
        self.events.borrow_mut().push(event);
    }

    /// Requests came into a queue. A commit sends one event for all of a queue.
    pub(crate) fn work_submitted(&self, queue: &str) {
        let is_same = |event: &StoreEvent| matches!(event, StoreEvent::WorkSubmitted { queue: other } if **other == *queue);
        let mut events = self.events.borrow_mut();
        if !events.iter().any(is_same) {
            events.push(StoreEvent::WorkSubmitted { queue: queue.into() });
        }
    }

    /// Deliveries may be due. A commit sends one event for all.
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

    /// Writes what was left for the end of the transaction.
    pub(crate) fn finish(&self) -> Result<(), StoreError> {
        self.keys.borrow_mut().before_commit(self)?;
        self.write_back.write(self)
    }

    /// Changes what is in memory, once this is committed.
    pub(crate) fn publish(&self, memory: &Memory) {
        memory.positions.apply(&self.moves.borrow());
        memory.keys.invalidate(&self.changed_keys.borrow());
        memory.statuses.invalidate(&*self.statuses.borrow());
        memory.noted.note(&self.texts.borrow());
        memory.workers.apply(self.workers.take());
        self.happened.borrow().iter().for_each(|what| memory.counters.happened(what));
        for event in self.events.take() {
            // Nobody may listen.
            let _ = memory.events.send(event);
        }
    }
}

/// Runs a statement that returns no row, parsed once.
pub(crate) fn execute(c: &Connection, statement: &str) -> rusqlite::Result<()> {
    c.prepare_cached(statement)?.execute([]).map(drop)
}
