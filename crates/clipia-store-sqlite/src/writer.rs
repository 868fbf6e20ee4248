//! The one thread that writes.
//!
//! Commands that arrive together share a transaction and its one flush to the disk (group commit). Each is answered after the
//! commit, but for claims of this process's own workers, which begin while the disk is flushed. A command that is refused leaves nothing behind: it runs in a savepoint of its own, or decides before it changes
//! anything. Submits do the latter, since a savepoint copies each page that is changed in it. What a command changes beside the
//! database (queues in memory, counts, events) happens between the commit and the answer.
//!
//! This is complex for speed. Without it each submit costs one flush to the disk, where hundreds share one with it;
//! `cargo xtask bench server` measures it.

use super::batch::{Batch, Last};
use super::checkpoints::Checkpoints;
use super::command::{Ahead, Answer, Command, Message, Ran, Refusal, WAITING_MAX, prepare, prepare_ahead};
use super::idempotency::Keys;
use super::memory::Memory;
use super::position::Queues;
use super::writing::{Writing, execute};
use crate::blocking;
use crate::failpoints;
use crate::store::StoreError;
use rusqlite::{Connection, ffi};
use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::{Arc, mpsc};
use std::time::Instant;
use tokio::sync::oneshot;

/// Hands commands to the thread that writes.
#[derive(Clone)]
pub(crate) struct Writer {
    commands: mpsc::SyncSender<Message>,
}

impl Writer {
    /// Starts the thread, which owns `connection` until it is closed, and is the only one to change `memory`.
    pub(crate) fn start(
        connection: Connection,
        checkpoints: Option<Checkpoints>,
        keys: Keys,
        queues: Queues,
        memory: Arc<Memory>,
    ) -> std::io::Result<Self> {
        let (commands, inbox) = mpsc::sync_channel(WAITING_MAX);
        std::thread::Builder::new().name("clipia-store".to_owned()).spawn(move || {
            let (keys, queues) = (RefCell::new(keys), RefCell::new(queues));
            run(connection, checkpoints, &keys, &queues, &memory, &inbox);
        })?;
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
        self.answered(|sender| prepare(decides, bytes, command, move |answer| drop(sender.send(answer))))
            .await
    }

    /// Sends the command that `prepare` makes, and waits for what it answers. A caller that no longer waits changes nothing: the command
    /// runs.
    async fn answered<T, E: Refusal>(
        &self,
        prepare: impl FnOnce(oneshot::Sender<Result<T, E>>) -> Command,
    ) -> Result<T, E> {
        let (sender, receiver) = oneshot::channel();
        self.send(Message::Command(prepare(sender))).await?;
        receiver.await.map_err(|_| StoreError::Closed)?
    }

    /// Runs `command` in a transaction, and returns ahead of the commit, whose result comes later. After a commit that failed it
    /// returns after the commit.
    pub(crate) async fn write_ahead<T, E>(
        &self,
        command: impl FnOnce(&Writing<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<Ahead<T>, E>
    where
        T: Send + 'static,
        E: Refusal,
    {
        self.answered(|sender| prepare_ahead(command, move |answer| drop(sender.send(answer)))).await
    }

    /// Runs what was handed in, and ends the thread.
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

/// Runs `command` in a transaction of its own on this thread, before the thread that writes is started.
pub(crate) fn run_alone<T: Send + 'static>(
    connection: &Connection,
    keys: &RefCell<Keys>,
    queues: &RefCell<Queues>,
    memory: &Memory,
    command: impl FnOnce(&Writing<'_>) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let command = prepare(false, 0, command, move |answer| drop(sender.send(answer)));
    // Nobody hands in anything else.
    let inbox = mpsc::channel().1;
    let mut batch = Batch::new(command, &inbox, Last::default());
    commit(connection, keys, queues, &RefCell::default(), memory, &mut batch);
    receiver.recv().map_err(|_| StoreError::Closed)?
}

fn run(
    connection: Connection,
    checkpoints: Option<Checkpoints>,
    keys: &RefCell<Keys>,
    queues: &RefCell<Queues>,
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
                last = commit(&connection, keys, queues, &revoked, memory, &mut batch);
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

/// Runs a command: all of its changes stay, or none. An error where that cannot be: the transaction must then be rolled back.
fn run_command(
    w: &Writing<'_>,
    Command { decides, run, .. }: Command,
) -> (Result<(), StoreError>, Option<Answer>) {
    if !decides && let Err(error) = execute(w, "SAVEPOINT command") {
        return (Err(error.into()), None);
    }
    let (mark, changes) = (w.mark(), w.total_changes());
    let (ran, answer) = run(Ok(w));
    // A full disk may end the transaction by itself: what came next would be on its own.
    let over = || w.is_autocommit() || (decides && w.total_changes() != changes);
    let ended = match &ran {
        Ran::Panicked => return (Err(StoreError::Panicked), Some(answer)),
        Ran::Kept if decides => Ok(()),
        Ran::Kept => execute(w, "RELEASE command"),
        Ran::Failed(error) if over() => return (Err(error.clone()), Some(answer)),
        Ran::Refused if over() => {
            let what = "a command failed when it had changed something already".to_owned();
            return (Err(StoreError::Unreadable(what)), Some(answer));
        }
        Ran::Refused | Ran::Failed(_) if decides => Ok(()),
        Ran::Refused | Ran::Failed(_) => w.execute_batch("ROLLBACK TO command; RELEASE command"),
    };
    if !matches!(ran, Ran::Kept) {
        w.rewind(mark);
    }
    (ended.map_err(StoreError::from), Some(answer))
}

/// Fails where a test has said that the disk is full.
fn has_room() -> rusqlite::Result<()> {
    match failpoints::has_room_for_commit() {
        true => Ok(()),
        false => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_FULL), None)),
    }
}

fn commit(
    connection: &Connection,
    keys: &RefCell<Keys>,
    queues: &RefCell<Queues>,
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
        return Last { failed: true, ..Last::default() };
    }
    let writing = Writing::new(connection, keys, queues, revoked, !batch.latest().failed);
    let mut answers = Vec::new();
    let mut fault = None;
    for command in &mut *batch {
        let (ran, answer) = run_command(&writing, command);
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
        writing.undo();
        error
    });
    failpoints::reached("after-commit");
    let took = started.elapsed();
    if committed.is_ok() {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        memory.counters.commit_micros.count(micros);
        writing.publish(memory);
    }
    let failed = committed.is_err();
    for answer in answers {
        answer(committed.clone());
    }
    Last { taken: batch.taken, took, failed }
}

#[cfg(test)]
mod tests {
    use super::super::cache::{KeyCache, StatusCache};
    use super::super::overview::Noted;
    use super::super::position::{Positions, QueuePlace};
    use super::*;
    use crate::store::AccountId;
    use crate::store::Fault;
    use crate::workers::WorkersInForce;
    use clipia_queue::position::{Change, Lane, Place, Ticket};
    use clipia_store::counters::{Counters, Happened};
    use tokio::sync::broadcast;

    fn place(ticket: i64) -> QueuePlace {
        let place = Place { lane: Lane::New, ticket: Ticket(ticket) };
        QueuePlace { queue: "q".to_owned(), account: AccountId("a".to_owned()), place }
    }

    fn start() -> (Writer, Arc<Memory>) {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "PRAGMA foreign_keys = ON;
                 CREATE TABLE account (id, available, held);
                 CREATE TABLE usage_day (account, day, requests, credits, UNIQUE (account, day));
                 CREATE TABLE api_key (id, in_flight, spent, spent_since, spent_until);
                 CREATE TABLE queue (name TEXT UNIQUE, tail, paused_at);
                 CREATE TABLE queue_turn (queue, account, turn, UNIQUE (queue, account));
                 CREATE TABLE request (id, account);
                 CREATE TABLE idempotency (number INTEGER PRIMARY KEY, hash, expires_at);
                 CREATE TABLE idempotency_indexed (through);
                 CREATE TABLE queue_item (queue TEXT, lane INTEGER, ticket INTEGER, request);
                 CREATE TABLE child (id INTEGER PRIMARY KEY, parent REFERENCES child (id) DEFERRABLE INITIALLY DEFERRED)",
            )
            .unwrap();
        let queues = Queues::load(&connection).unwrap();
        let positions = Positions::new(queues.clone());
        let memory = Arc::new(Memory {
            keys: KeyCache::default(),
            workers: WorkersInForce::default(),
            statuses: StatusCache::default(),
            noted: Noted::default(),
            positions,
            counters: Counters::default(),
            events: broadcast::Sender::new(1),
        });
        let keys = Keys::load(&connection).unwrap();
        (Writer::start(connection, None, keys, queues, Arc::clone(&memory)).unwrap(), memory)
    }

    #[tokio::test]
    async fn only_what_is_committed_changes_what_is_in_memory() {
        let (writer, memory) = start();
        let kept = writer.write(|w| {
            w.change_place(place(1), Change::Take)?;
            w.happened(Happened::LeaseLost);
            Ok::<_, StoreError>(())
        });
        kept.await.unwrap();
        let refused = writer.write(|w| {
            w.change_place(place(2), Change::Take)?;
            w.happened(Happened::LeaseLost);
            Err::<(), _>(StoreError::Unreadable("refused".to_owned()))
        });
        assert!(refused.await.is_err());
        let uncommitted = writer.write(|w| {
            w.change_place(place(1), Change::Leave)?;
            w.change_place(place(3), Change::Take)?;
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
                w.change_place(place(ticket), Change::Take)?;
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
            w.write_back.set_used("k", clipia_queue::limits::KeyUse::default());
            Err::<(), _>(StoreError::Unreadable("refused".to_owned()))
        });
        let kept = writer.write_decided(0, |w| {
            w.change_place(place(1), Change::Take)?;
            w.execute("INSERT INTO child VALUES (1, NULL)", [])?;
            w.write_back.used(w, "k")
        });
        let (refused, kept) = tokio::join!(refused, kept);
        assert!(refused.is_err());
        assert_eq!(kept.unwrap(), None);
        let failed = writer.write_decided(0, |w| {
            w.change_place(place(2), Change::Take)?;
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
            w.change_place(place(1), Change::Take)?;
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
            w.change_place(place(1), Change::Take)?;
            w.execute("INSERT INTO queue_item VALUES (hex(zeroblob(100000)), 1, 1, NULL)", [])?;
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
    async fn an_answer_comes_ahead_of_its_commit_unless_the_latest_commit_failed() {
        let (writer, _) = start();
        let insert = |id: i64, parent: Option<i64>| {
            writer.write_ahead(move |w| {
                Ok::<_, StoreError>(w.execute("INSERT INTO child VALUES (?1, ?2)", (id, parent))?)
            })
        };
        let hold = |held: mpsc::Receiver<()>| {
            writer.write(move |_| {
                let _ = held.recv();
                Ok::<_, StoreError>(())
            })
        };
        // The three share a commit, and the last one goes on until the one before it was answered.
        let ((go_first, first), (go_last, last)) = (mpsc::channel(), mpsc::channel());
        let inserted = async {
            let (rows, mut commit) = insert(1, None).await.unwrap();
            assert!(matches!(commit.try_recv(), Err(oneshot::error::TryRecvError::Empty)));
            drop(go_last);
            commit.await.unwrap().unwrap();
            rows
        };
        let release = async move { drop(go_first) };
        let (first, rows, last, ()) = tokio::join!(hold(first), inserted, hold(last), release);
        assert_eq!((first.is_ok(), rows, last.is_ok()), (true, 1, true));
        // A child without a parent is refused by the commit.
        let (_, commit) = insert(2, Some(99)).await.unwrap();
        assert!(commit.await.unwrap().is_err());
        // The next answers come after their commit.
        assert!(insert(3, Some(99)).await.is_err());
        let (_, mut commit) = insert(4, None).await.unwrap();
        assert!(matches!(commit.try_recv(), Ok(Ok(()))));
        let stored = writer
            .write(|w| Ok::<i64, StoreError>(w.query_row("SELECT sum(id) FROM child", [], |r| r.get(0))?));
        assert_eq!(stored.await.unwrap(), 1 + 4);
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
