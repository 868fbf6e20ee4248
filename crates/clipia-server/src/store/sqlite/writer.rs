//! The one thread that writes.
//!
//! Commands that arrive together share a transaction and its one flush to disk (group commit): each runs in a savepoint of
//! its own, so that one that is refused leaves nothing behind, and each is answered after the commit.

use crate::failpoints;
use crate::store::StoreError;
use rusqlite::Connection;
use std::sync::mpsc;
use tokio::sync::oneshot;

/// How many commands share a commit at most.
const BATCH_MAX: usize = 256;

/// How many commands may wait for the writer. Beyond that callers wait for room.
const WAITING_MAX: usize = 4_096;

/// Answers the caller of a command, once it is known whether the commit succeeded.
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Runs a command; says whether its changes are kept, and how to answer.
type Command = Box<dyn FnOnce(&Connection) -> (bool, Answer) + Send>;

/// Where commands are handed in.
#[derive(Clone)]
pub(crate) struct Writer {
    commands: mpsc::SyncSender<Message>,
}

enum Message {
    Command(Command),
    Close(oneshot::Sender<()>),
}

impl Writer {
    /// Starts the thread, which owns `connection` until it is closed.
    pub(crate) fn start(connection: Connection) -> std::io::Result<Self> {
        let (commands, inbox) = mpsc::sync_channel(WAITING_MAX);
        std::thread::Builder::new().name("clipia-store".to_owned()).spawn(move || run(connection, &inbox))?;
        Ok(Self { commands })
    }

    /// Runs `command` in a transaction. What it returns is durable; where it returns an error nothing changed.
    pub(crate) async fn write<T, E>(
        &self,
        command: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let command: Command = Box::new(move |connection| {
            let result = command(connection);
            let keep = result.is_ok();
            let answer: Answer = Box::new(move |committed| {
                // A caller that no longer listens has lost nothing: the command stands.
                let _ = sender.send(committed.map_err(E::from).and(result));
            });
            (keep, answer)
        });
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
                let sent = tokio::task::spawn_blocking(move || commands.send(message)).await;
                sent.map_err(|_| StoreError::Closed)?.map_err(|_| StoreError::Closed)
            }
        }
    }
}

fn run(connection: Connection, inbox: &mpsc::Receiver<Message>) {
    while let Ok(first) = inbox.recv() {
        let mut batch = Vec::new();
        let mut close = None;
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Command(command) => batch.push(command),
                Message::Close(closed) => {
                    close = Some(closed);
                    break;
                }
            }
            next = (batch.len() < BATCH_MAX).then(|| inbox.try_recv().ok()).flatten();
        }
        if !batch.is_empty() {
            commit(&connection, batch);
        }
        if let Some(closed) = close {
            // Leaves one file behind rather than three. A failure costs nothing: the log is replayed at the next start.
            let _ = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
            drop(connection);
            let _ = closed.send(());
            return;
        }
    }
}

fn commit(connection: &Connection, batch: Vec<Command>) {
    if let Err(error) = connection.execute_batch("BEGIN IMMEDIATE") {
        // No command has run: each learns of the failure when its answer is dropped.
        tracing::error!(%error, "the store cannot begin a transaction");
        return;
    }
    let mut answers = Vec::with_capacity(batch.len());
    let mut fault: Option<rusqlite::Error> = None;
    for command in batch {
        let ran = connection.execute_batch("SAVEPOINT command").and_then(|()| {
            let (keep, answer) = command(connection);
            answers.push(answer);
            connection.execute_batch(if keep {
                "RELEASE command"
            } else {
                "ROLLBACK TO command; RELEASE command"
            })
        });
        if let Err(error) = ran {
            fault = Some(error);
            break;
        }
    }
    let committed = match fault {
        None => {
            failpoints::reached("before-commit");
            connection.execute_batch("COMMIT")
        }
        Some(error) => Err(error),
    };
    let committed = committed.map_err(|error| {
        tracing::error!(%error, "the store could not commit");
        let _ = connection.execute_batch("ROLLBACK");
        StoreError::from(error)
    });
    failpoints::reached("after-commit");
    for answer in answers {
        answer(committed.clone());
    }
}
