//! The one thread that writes.
//!
//! Commands that arrive together share a transaction and its one flush to disk (group commit), and each is answered after
//! the commit. One that is refused leaves nothing behind: it runs in a savepoint of its own, or decides before it changes
//! anything, which submits do, as a savepoint copies each page that is changed in it. What a command does beside the
//! database, to the lines in memory, to what is counted and to whoever hears its events, happens between the commit and the answer.

use super::batch::{Batch, Last};
use super::checkpoints::Checkpoints;
use super::counters::{Counters, Happened};
use super::idempotency::Keys;
use super::known::{KnownKeys, KnownStandings};
use super::position::{Move, PlaceInLine, Positions};
use super::tallies::Tallies;
use crate::blocking;
use crate::failpoints;
use crate::store::{KeyHash, StoreError, StoreEvent};
use clipia_queue::RequestId;
use rusqlite::{CachedStatement, Connection, Params, ffi};
use std::cell::RefCell;
use std::collections::HashSet;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::time::Instant;
use tokio::sync::{broadcast, oneshot};

/// How many commands may wait for the writer. Beyond that callers wait for room.
pub(crate) const WAITING_MAX: usize = 4_096;

/// Answers the caller of a command, once it is known whether the commit succeeded.
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// What a command does, in a transaction or where none can be had; says what becomes of its changes, and how to answer.
type Run = dyn FnOnce(Result<&Writing<'_>, StoreError>) -> (Ran, Answer) + Send;

/// What becomes of a command's changes.
pub(crate) enum Ran {
    /// They are kept.
    Kept,
    /// There are none: it was refused.
    Refused,
    /// There must be none: the store failed.
    Failed(StoreError),
    /// It panicked. Nobody knows how far it came: nothing of the commit is kept.
    Panicked,
}

/// The error of a command.
pub(crate) trait Refusal: From<StoreError> + Send + 'static {
    /// The store's own error, where it was that which kept the command from being done.
    fn failure(&self) -> Option<&StoreError>;
}

pub(crate) struct Command {
    /// Whether it decides before it changes anything.
    pub(crate) decides: bool,
    /// How much it writes, as far as that is more than a few rows.
    pub(crate) bytes: usize,
    pub(crate) run: Box<Run>,
}

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

impl Writing<'_> {
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

    /// Runs a command: all of what it does stays, or nothing. Where that cannot be had, an error, and the transaction must
    /// end with nothing.
    fn run(&self, Command { decides, run, .. }: Command) -> (Result<(), StoreError>, Option<Answer>) {
        if !decides && let Err(error) = execute(self, "SAVEPOINT command") {
            return (Err(error.into()), None);
        }
        let (moves, happened) = (self.moves.borrow().len(), self.happened.borrow().len());
        let (tallies, changes) = (self.tallies.mark(), self.total_changes());
        let events = self.events.borrow().len();
        let (ran, answer) = run(Ok(self));
        // A full disk may end the transaction by itself: what came next would be on its own.
        let over = || self.is_autocommit() || (decides && self.total_changes() != changes);
        let ended = match &ran {
            Ran::Panicked => return (Err(StoreError::Panicked), Some(answer)),
            Ran::Kept if decides => Ok(()),
            Ran::Kept => execute(self, "RELEASE command"),
            Ran::Failed(error) if over() => return (Err(error.clone()), Some(answer)),
            Ran::Refused if over() => {
                let what = "a command failed when it had changed something already".to_owned();
                return (Err(StoreError::Unreadable(what)), Some(answer));
            }
            Ran::Refused | Ran::Failed(_) if decides => Ok(()),
            Ran::Refused | Ran::Failed(_) => self.execute_batch("ROLLBACK TO command; RELEASE command"),
        };
        if !matches!(ran, Ran::Kept) {
            self.moves.borrow_mut().truncate(moves);
            self.happened.borrow_mut().truncate(happened);
            self.events.borrow_mut().truncate(events);
            self.tallies.rewind(tallies);
        }
        (ended.map_err(StoreError::from), Some(answer))
    }

    /// Writes what was held back until the commit.
    fn finish(&self) -> Result<(), StoreError> {
        self.keys.borrow_mut().before_commit(self)?;
        self.tallies.write(self)
    }
}

/// Runs a statement that answers nothing, parsed once.
fn execute(c: &Connection, statement: &str) -> rusqlite::Result<()> {
    c.prepare_cached(statement)?.execute([]).map(drop)
}

/// What a commit changes beside the database.
pub(crate) struct Memory {
    pub(crate) keys: KnownKeys,
    pub(crate) standings: KnownStandings,
    pub(crate) positions: Positions,
    pub(crate) counters: Counters,
    pub(crate) events: broadcast::Sender<StoreEvent>,
}

/// Where commands are handed in.
#[derive(Clone)]
pub(crate) struct Writer {
    commands: mpsc::SyncSender<Message>,
}

pub(crate) enum Message {
    Command(Command),
    Close(oneshot::Sender<()>),
}

impl Writer {
    /// Starts the thread, which owns `connection` until it is closed, and is the only one to change `memory`.
    pub(crate) fn start(
        connection: Connection,
        checkpoints: Option<Checkpoints>,
        keys: Keys,
        memory: Arc<Memory>,
    ) -> std::io::Result<Self> {
        let (commands, inbox) = mpsc::sync_channel(WAITING_MAX);
        std::thread::Builder::new()
            .name("clipia-store".to_owned())
            .spawn(move || run(connection, checkpoints, &RefCell::new(keys), &memory, &inbox))?;
        Ok(Self { commands })
    }

    /// Runs `command` in a transaction. What it returns is durable; where it returns an error nothing changed.
    pub(crate) async fn write<T, E>(
        &self,
        command: impl FnOnce(&Writing<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: Refusal,
    {
        self.hand_in(false, 0, command).await
    }

    /// The same for a command that decides before it changes anything, and then writes `bytes`. If it fails later, so do
    /// all that share its commit.
    pub(crate) async fn write_decided<T, E>(
        &self,
        bytes: usize,
        command: impl FnOnce(&Writing<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: Refusal,
    {
        self.hand_in(true, bytes, command).await
    }

    async fn hand_in<T, E>(
        &self,
        decides: bool,
        bytes: usize,
        command: impl FnOnce(&Writing<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: Refusal,
    {
        let (sender, receiver) = oneshot::channel();
        // A caller that no longer listens has lost nothing: the command stands.
        let command = prepare(decides, bytes, command, move |answer| drop(sender.send(answer)));
        self.send(Message::Command(command)).await?;
        receiver.await.map_err(|_| StoreError::Closed)?
    }

    /// Finishes what was handed in, and ends the thread.
    pub(crate) async fn close(&self) {
        let (sender, receiver) = oneshot::channel();
        if self.send(Message::Close(sender)).await.is_ok() {
            let _ = receiver.await;
        }
    }

    async fn send(&self, message: Message) -> Result<(), StoreError> {
        match self.commands.try_send(message) {
            Ok(()) => Ok(()),
            Err(mpsc::TrySendError::Disconnected(_)) => Err(StoreError::Closed),
            Err(mpsc::TrySendError::Full(message)) => {
                let commands = self.commands.clone();
                let sent = blocking::run(move || commands.send(message)).await?;
                sent.map_err(|_| StoreError::Closed)
            }
        }
    }
}

/// A command that gives `answer` what came of it, once it is known whether the commit succeeded.
fn prepare<T, E>(
    decides: bool,
    bytes: usize,
    command: impl FnOnce(&Writing<'_>) -> Result<T, E> + Send + 'static,
    answer: impl FnOnce(Result<T, E>) + Send + 'static,
) -> Command
where
    T: Send + 'static,
    E: Refusal,
{
    let run = Box::new(move |writing: Result<&Writing<'_>, StoreError>| {
        // The panic of one command must not end the thread, and with it the service.
        let caught = catch_unwind(AssertUnwindSafe(|| writing.map_err(E::from).and_then(command)));
        let result = caught.unwrap_or_else(|_| Err(E::from(StoreError::Panicked)));
        let ran = match &result {
            Ok(_) => Ran::Kept,
            Err(error) => match error.failure() {
                None => Ran::Refused,
                Some(StoreError::Panicked) => Ran::Panicked,
                Some(failure) => Ran::Failed(failure.clone()),
            },
        };
        let answer: Answer = Box::new(move |committed| answer(committed.map_err(E::from).and(result)));
        (ran, answer)
    });
    Command { decides, bytes, run }
}

/// Runs `command` in a transaction of its own on this thread, before the thread that writes is started.
pub(crate) fn run_alone<T: Send + 'static>(
    connection: &Connection,
    keys: &RefCell<Keys>,
    memory: &Memory,
    command: impl FnOnce(&Writing<'_>) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let command = prepare(false, 0, command, move |answer| drop(sender.send(answer)));
    // Nobody hands in anything else.
    let inbox = mpsc::channel().1;
    commit(connection, keys, &RefCell::default(), memory, &mut Batch::new(command, &inbox, Last::default()));
    receiver.recv().map_err(|_| StoreError::Closed)?
}

fn run(
    connection: Connection,
    checkpoints: Option<Checkpoints>,
    keys: &RefCell<Keys>,
    memory: &Memory,
    inbox: &mpsc::Receiver<Message>,
) {
    let mut last = Last::default();
    let revoked = RefCell::default();
    while let Ok(message) = inbox.recv() {
        let close = match message {
            Message::Close(closed) => Some(closed),
            Message::Command(first) => {
                let mut batch = Batch::new(first, inbox, last);
                last = commit(&connection, keys, &revoked, memory, &mut batch);
                checkpoints.iter().for_each(Checkpoints::committed);
                batch.close
            }
        };
        if let Some(closed) = close {
            if let Some(checkpoints) = checkpoints {
                checkpoints.stop();
            }
            // Leaves one file behind rather than three. A failure costs nothing: the log is replayed at the next start.
            let _ = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
            drop(connection);
            let _ = closed.send(());
            return;
        }
    }
}

/// Whether a commit has room: a test says that there is none.
fn has_room() -> rusqlite::Result<()> {
    match failpoints::has_room_for_commit() {
        true => Ok(()),
        false => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_FULL), None)),
    }
}

fn commit(
    connection: &Connection,
    keys: &RefCell<Keys>,
    revoked: &RefCell<HashSet<String>>,
    memory: &Memory,
    batch: &mut Batch<'_>,
) -> Last {
    let begun = execute(connection, "BEGIN IMMEDIATE").and_then(|()| keys.borrow_mut().refresh(connection));
    if let Err(error) = begun {
        let _ = connection.execute_batch("ROLLBACK");
        let error = StoreError::from(error);
        tracing::error!(%error, "the store cannot begin a transaction");
        // All that came while this was waited for have waited for as long as they should.
        for command in batch.waiting() {
            let (_, answer) = (command.run)(Err(error.clone()));
            answer(Ok(()));
        }
        return Last::default();
    }
    let writing = Writing {
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
    };
    let mut answers = Vec::new();
    let mut fault = None;
    for command in &mut *batch {
        let (ran, answer) = writing.run(command);
        answers.extend(answer);
        if let Err(error) = ran {
            fault = Some(error);
            break;
        }
    }
    memory.counters.batches.count(batch.taken as u64);
    let started = Instant::now();
    let committed = match fault {
        None => writing.finish().and_then(|()| {
            failpoints::reached("before-commit");
            has_room()?;
            Ok(execute(connection, "COMMIT")?)
        }),
        Some(error) => Err(error),
    };
    let committed = committed.map_err(|error| {
        tracing::error!(%error, "the store could not commit");
        let _ = connection.execute_batch("ROLLBACK");
        keys.borrow_mut().undo();
        error
    });
    failpoints::reached("after-commit");
    let took = started.elapsed();
    if committed.is_ok() {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        memory.counters.commit_micros.count(micros);
        memory.positions.apply(&writing.moves.borrow());
        memory.keys.changed(&writing.changed_keys.borrow());
        memory.standings.changed(&*writing.standings.borrow());
        writing.happened.borrow().iter().for_each(|what| memory.counters.happened(*what));
        for event in writing.events.take() {
            // Nobody may listen.
            let _ = memory.events.send(event);
        }
    }
    for answer in answers {
        answer(committed.clone());
    }
    Last { taken: batch.taken, took }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Fault;
    use clipia_queue::position::{Lane, Place, Ticket};

    fn place(ticket: i64) -> PlaceInLine {
        PlaceInLine { queue: "q".to_owned(), place: Place { lane: Lane::FirstTurn, ticket: Ticket(ticket) } }
    }

    fn start() -> (Writer, Arc<Memory>) {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "PRAGMA foreign_keys = ON;
                 CREATE TABLE account (id, available, held);
                 CREATE TABLE usage_day (account, day, requests, credits, UNIQUE (account, day));
                 CREATE TABLE api_key (id, in_flight);
                 CREATE TABLE queue (name TEXT UNIQUE, tail);
                 CREATE TABLE idempotency (number INTEGER PRIMARY KEY, hash, expires_at);
                 CREATE TABLE idempotency_indexed (through);
                 CREATE TABLE queue_item (queue TEXT, lane INTEGER, ticket INTEGER);
                 CREATE TABLE child (id INTEGER PRIMARY KEY, parent REFERENCES child (id) DEFERRABLE INITIALLY DEFERRED)",
            )
            .unwrap();
        let positions = Positions::load(&connection).unwrap();
        let memory = Arc::new(Memory {
            keys: KnownKeys::default(),
            standings: KnownStandings::default(),
            positions,
            counters: Counters::default(),
            events: broadcast::Sender::new(1),
        });
        let keys = Keys::load(&connection).unwrap();
        (Writer::start(connection, None, keys, Arc::clone(&memory)).unwrap(), memory)
    }

    #[tokio::test]
    async fn only_what_is_committed_changes_what_is_in_memory() {
        let (writer, memory) = start();
        let kept = writer.write(|w| {
            w.stands(place(1));
            w.happened(Happened::LeaseLost);
            Ok::<_, StoreError>(())
        });
        kept.await.unwrap();
        let refused = writer.write(|w| {
            w.stands(place(2));
            w.happened(Happened::LeaseLost);
            Err::<(), _>(StoreError::Unreadable("refused".to_owned()))
        });
        assert!(refused.await.is_err());
        let uncommitted = writer.write(|w| {
            w.leaves(place(1));
            w.stands(place(3));
            w.execute("INSERT INTO child VALUES (1, 99)", [])?;
            Ok::<_, StoreError>(())
        });
        assert!(matches!(uncommitted.await, Err(StoreError::Backend { fault: Fault::Other, .. })));
        assert_eq!(memory.positions.ahead(&place(9)), 1);
        assert_eq!(memory.counters.leases_lost.load(std::sync::atomic::Ordering::Relaxed), 1);
        assert_eq!(memory.counters.commit_micros.read().count(), 2);
    }

    #[tokio::test]
    async fn a_refused_command_takes_nothing_from_those_it_shares_a_commit_with() {
        let (writer, memory) = start();
        // Holds the writer until the others wait: they share the next commit.
        let (go, held) = mpsc::channel::<()>();
        let holding = writer.write(move |_| {
            let _ = held.recv();
            Ok::<_, StoreError>(())
        });
        let many = futures_util::future::join_all((1..=20).map(|ticket| {
            writer.write(move |w| {
                w.stands(place(ticket));
                w.execute("INSERT INTO child VALUES (?1, NULL)", [ticket])?;
                if ticket % 4 == 0 { Err(StoreError::Unreadable("refused".to_owned())) } else { Ok(()) }
            })
        }));
        let release = async move { drop(go) };
        let (held, many, ()) = tokio::join!(holding, many, release);
        held.unwrap();
        assert_eq!(many.iter().filter(|answer| answer.is_ok()).count(), 15);
        assert_eq!(memory.positions.ahead(&place(100)), 15);
        let stored = writer
            .write(|w| Ok::<i64, StoreError>(w.query_row("SELECT count(*) FROM child", [], |r| r.get(0))?));
        assert_eq!(stored.await.unwrap(), 15);
        assert_eq!(memory.counters.batches.read().counts[5], 1);
    }

    #[tokio::test]
    async fn one_that_decides_first_may_refuse_and_takes_all_with_it_if_it_fails_later() {
        let (writer, memory) = start();
        let refused = writer.write_decided(0, |w| {
            w.tallies.set_in_flight("k", 7);
            Err::<(), _>(StoreError::Unreadable("refused".to_owned()))
        });
        let kept = writer.write_decided(0, |w| {
            w.stands(place(1));
            w.execute("INSERT INTO child VALUES (1, NULL)", [])?;
            w.tallies.in_flight(w, "k")
        });
        let (refused, kept) = tokio::join!(refused, kept);
        assert!(refused.is_err());
        assert_eq!(kept.unwrap(), None);
        let failed = writer.write_decided(0, |w| {
            w.stands(place(2));
            w.execute("INSERT INTO child VALUES (2, NULL)", [])?;
            Err::<(), _>(StoreError::Unreadable("failed".to_owned()))
        });
        assert!(failed.await.is_err());
        let stored = writer
            .write(|w| Ok::<i64, StoreError>(w.query_row("SELECT count(*) FROM child", [], |r| r.get(0))?));
        assert_eq!(stored.await.unwrap(), 1);
        assert_eq!(memory.positions.ahead(&place(9)), 1);
    }

    #[tokio::test]
    async fn a_command_that_panics_takes_its_commit_with_it_and_the_next_one_runs() {
        let (writer, memory) = start();
        let (go, held) = mpsc::channel::<()>();
        let before = writer.write(move |w| {
            let _ = held.recv();
            w.stands(place(1));
            w.execute("INSERT INTO child VALUES (1, NULL)", [])?;
            Ok::<_, StoreError>(())
        });
        let panics = writer.write(|w| {
            w.execute("INSERT INTO child VALUES (2, NULL)", [])?;
            if w.total_changes() > 0 {
                panic!("a fault of this program")
            }
            Ok::<_, StoreError>(())
        });
        let behind = writer.write_decided(0, |w| {
            w.execute("INSERT INTO child VALUES (3, NULL)", [])?;
            Ok::<_, StoreError>(())
        });
        let release = async move { drop(go) };
        let (before, panics, behind, ()) = tokio::join!(before, panics, behind, release);
        assert!(matches!(before, Err(StoreError::Panicked)), "{before:?}");
        assert!(matches!(panics, Err(StoreError::Panicked)), "{panics:?}");
        behind.unwrap();
        let stored = writer
            .write(|w| Ok::<i64, StoreError>(w.query_row("SELECT sum(id) FROM child", [], |r| r.get(0))?));
        assert_eq!(stored.await.unwrap(), 3);
        assert_eq!(memory.positions.ahead(&place(9)), 0);
    }

    #[tokio::test]
    async fn a_full_disk_is_told_as_such_and_passes() {
        let (writer, memory) = start();
        let room = |pages: i64| {
            writer.write(move |w| Ok::<_, StoreError>(w.pragma_update(None, "max_page_count", pages)?))
        };
        let large = |w: &Writing<'_>| {
            w.stands(place(1));
            w.execute("INSERT INTO queue_item VALUES (hex(zeroblob(100000)), 1, 1)", [])?;
            Ok::<_, StoreError>(())
        };
        room(1).await.unwrap();
        for refused in [writer.write(large).await, writer.write_decided(0, large).await] {
            let error = refused.unwrap_err();
            assert!(matches!(error, StoreError::Backend { fault: Fault::Full, .. }), "{error}");
            assert!(error.is_transient());
        }
        assert_eq!(memory.positions.ahead(&place(9)), 0);
        room(1_000_000).await.unwrap();
        writer.write_decided(0, large).await.unwrap();
        assert_eq!(memory.positions.ahead(&place(9)), 1);
    }

    #[tokio::test]
    async fn nothing_runs_on_where_the_transaction_ended_by_itself() {
        let (writer, _) = start();
        let (go, held) = mpsc::channel::<()>();
        let holding = writer.write(move |w| {
            let _ = held.recv();
            w.execute("INSERT INTO child VALUES (1, NULL)", [])?;
            Ok::<_, StoreError>(())
        });
        let full = writer.write_decided(0, |w| {
            w.execute_batch("ROLLBACK")?;
            Err::<(), _>(StoreError::Unreadable("the disk is full".to_owned()))
        });
        let next = writer.write_decided(0, |w| {
            w.execute("INSERT INTO child VALUES (2, NULL)", [])?;
            Ok::<_, StoreError>(())
        });
        let release = async move { drop(go) };
        let (held, full, next, ()) = tokio::join!(holding, full, next, release);
        assert!(held.is_err() && full.is_err());
        next.unwrap();
        let stored = writer
            .write(|w| Ok::<i64, StoreError>(w.query_row("SELECT sum(id) FROM child", [], |r| r.get(0))?));
        assert_eq!(stored.await.unwrap(), 2);
    }
}
