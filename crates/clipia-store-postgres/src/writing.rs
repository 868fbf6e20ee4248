//! The transaction of a command.
//!
//! # The order of locks
//!
//! Every command locks in this order, and within one kind by ids that rise. So no two commands wait for each other.
//!
//! 0. the row of a month that is dropped, and of one whose tables are apart: nothing else locks it
//! 0. a worker on another machine: its claims share the lock with each other, not with an operator who revokes it
//! 1. the head of a queue ([`Writing::lock_head`]): claims, pauses, and what is put back
//! 2. accounts
//! 3. keys
//! 4. uploads. What lets go of them skips those that are locked
//! 5. requests. A claim skips those that are locked
//! 6. what belongs to one request: its place, its lease, its attempts, its log, its delivery. Senders skip deliveries that are locked
//! 7. the tail of a queue ([`Writing::lock_tail`]), which gives tickets: the queues of a batch by their names
//! 8. turns, and the rows of usage
//!
//! The tables of a month are locked as a whole when they are set apart, after the accounts. Whoever holds them may wait for an account
//! that is locked here: this lock waits for a fifth of a second, and then its transaction is given up.
//!
//! A lock of 1 or 7 is one of the transaction, never of the session. What is read under a lock is read by a statement of its own,
//! after the lock was got: the snapshot of a statement that waits for a lock is older than what it waited for.

use super::connection::Connection;
use super::flushing::Flushing;
use super::memory::Memory;
use clipia_queue::commands::Now;
use clipia_queue::position::Order;
use clipia_store::counters::Happened;
use clipia_store::{StoreError, StoreEvent};
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// How a transaction begins. A lock that does not come, or a node that is suspended in the middle, ends it: other nodes wait for
/// what it has locked.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '5s'; SET LOCAL idle_in_transaction_session_timeout = '10s'";

/// How a transaction begins that only reads: everything in it sees one snapshot. A long one would keep dead rows from being removed.
const BEGIN_READING: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = '60s'; SET LOCAL idle_in_transaction_session_timeout = '10s'";

/// The transaction of a command, and what its commit changes beside the database.
pub(crate) struct Writing {
    connection: Connection,
    pub(crate) memory: Arc<Memory>,
    is_open: bool,
    effects: Mutex<Effects>,
}

#[derive(Default)]
struct Effects {
    events: Vec<StoreEvent>,
    happened: Vec<Happened>,
    /// Queues in which requests take or leave places.
    moved: Vec<String>,
    claimed: Vec<Claimed>,
}

/// New requests that were claimed of a queue.
struct Claimed {
    queue: String,
    order: Order,
    /// The account and the ticket of each.
    tickets: Vec<(String, i64)>,
}

impl Deref for Writing {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Writing {
    /// Begins a transaction. It is sent with the first statement.
    pub(crate) fn begin(connection: Connection, memory: Arc<Memory>) -> Self {
        connection.plain(BEGIN);
        connection.clock_later();
        Self { connection, memory, is_open: true, effects: Mutex::default() }
    }

    /// Begins a transaction that only reads, in one snapshot.
    pub(crate) fn begin_reading(connection: Connection, memory: Arc<Memory>) -> Self {
        connection.plain(BEGIN_READING);
        connection.plan_anew();
        Self { connection, memory, is_open: true, effects: Mutex::default() }
    }

    /// The time of this command.
    pub(crate) async fn now(&self) -> Result<Now, StoreError> {
        Ok(self.memory.time.at(self.connection.clock().await?))
    }

    /// Locks the head of a queue: who is claimed next. The lock is had before the next statement begins.
    pub(crate) fn lock_head(&self, queue: &str) {
        self.lock("head", queue);
    }

    /// Locks the tail of a queue: the next ticket.
    pub(crate) fn lock_tail(&self, queue: &str) {
        self.lock("tail", queue);
    }

    fn lock(&self, what: &str, queue: &str) {
        self.connection.later(
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 7165))",
            super::values::values![format!("clipia {what} {queue}")],
        );
    }

    fn effects(&self) -> std::sync::MutexGuard<'_, Effects> {
        self.effects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends an event once this is committed; equal ones once.
    pub(crate) fn event(&self, event: StoreEvent) {
        let mut effects = self.effects();
        if !effects.events.contains(&event) {
            effects.events.push(event);
        }
    }

    /// Requests came into a queue.
    pub(crate) fn work_submitted(&self, queue: &str) {
        self.event(StoreEvent::WorkSubmitted { queue: queue.into() });
    }

    /// Deliveries may be due.
    pub(crate) fn outbox_changed(&self) {
        self.event(StoreEvent::OutboxChanged);
    }

    /// Counts something once this is committed.
    pub(crate) fn happened(&self, what: Happened) {
        self.effects().happened.push(what);
    }

    /// Requests of a queue take or leave places.
    pub(crate) fn moved(&self, queue: &str) {
        let mut effects = self.effects();
        if !effects.moved.iter().any(|moved| moved == queue) {
            effects.moved.push(queue.to_owned());
        }
    }

    /// New requests of a queue were claimed, each of an account and with a ticket.
    pub(crate) fn claimed(&self, queue: &str, order: Order, tickets: Vec<(String, i64)>) {
        self.effects().claimed.push(Claimed { queue: queue.to_owned(), order, tickets });
    }

    /// Ends the transaction with what `commands` commands changed.
    pub(crate) async fn commit(mut self, commands: usize) -> Result<(), StoreError> {
        self.end("COMMIT", commands).await
    }

    /// Ends the transaction with what `commands` commands changed, ahead of the disk. Nobody may be told before it is
    /// [flushed](Flushing::wait).
    pub(crate) async fn commit_ahead(mut self, commands: usize) -> Result<Flushing, StoreError> {
        self.end("SET LOCAL synchronous_commit = off; COMMIT", commands).await?;
        Ok(Flushing::of(self.connection.hand_over()))
    }

    async fn end(&mut self, commit: &'static str, commands: usize) -> Result<(), StoreError> {
        let began = Instant::now();
        self.connection.plain(commit);
        let committed = self.connection.flush().await;
        if committed.is_err() {
            // The transaction may have failed or not: nobody knows in what state the session is.
            self.connection.give_up();
            self.is_open = false;
            return committed;
        }
        self.is_open = false;
        let Effects { events, happened, moved, claimed } = std::mem::take(&mut *self.effects());
        self.memory.counters.committed(commands, began.elapsed());
        happened.iter().for_each(|what| self.memory.counters.happened(what));
        for Claimed { queue, order, tickets } in claimed {
            self.memory.heads.claimed(&queue, order, tickets);
        }
        for queue in moved {
            self.memory.positions.changed(&queue);
        }
        self.memory.notices.committed(&events);
        for event in events {
            // Nobody may listen.
            let _ = self.memory.events.send(event);
        }
        Ok(())
    }

    /// Ends a transaction that changed nothing, or is to have changed nothing.
    pub(crate) async fn roll_back(mut self) {
        self.connection.forget_later();
        self.connection.plain("ROLLBACK");
        if self.connection.flush().await.is_ok() {
            self.is_open = false;
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // The command panicked, or the server ended in its middle. The database rolls back where the connection ends.
        if self.is_open {
            self.connection.give_up();
        }
    }
}
