//! A command of the store, as it is handed to the writer.

use super::writing::Writing;
use crate::store::StoreError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokio::sync::oneshot;

/// How many commands may wait for the writer. Beyond that callers wait for room.
pub(crate) const WAITING_MAX: usize = 4_096;

/// Answers the caller of a command once its commit has succeeded or failed.
pub(crate) type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Runs a command in a transaction, or with the error that kept the transaction from beginning. Returns what becomes of its
/// changes, and what answers its caller.
pub(crate) type Run = dyn FnOnce(Result<&Writing<'_>, StoreError>) -> (Ran, Answer) + Send;

/// What becomes of a command's changes.
pub(crate) enum Ran {
    /// They are kept.
    Kept,
    /// There are none: it was refused.
    Refused,
    /// There must be none: the store failed.
    Failed(StoreError),
    /// It panicked. Nobody knows how far it got: nothing of the commit is kept.
    Panicked,
}

/// The error of a command.
pub(crate) trait Refusal: From<StoreError> + Send + 'static {
    /// The error of the store, if the store failed. Otherwise the command was refused.
    fn failure(&self) -> Option<&StoreError>;
}

pub(crate) struct Command {
    /// Whether the command decides before it changes anything.
    pub(crate) decides: bool,
    /// How many bytes it writes, beyond a few rows.
    pub(crate) bytes: usize,
    pub(crate) run: Box<Run>,
}

pub(crate) enum Message {
    Command(Command),
    Close(oneshot::Sender<()>),
}

/// A command that gives `answer` its result, once the commit has succeeded or failed.
pub(crate) fn prepare<T, E>(
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
        let result = caught(writing, command);
        let ran = ran(&result);
        let answer: Answer = Box::new(move |committed| answer(committed.map_err(E::from).and(result)));
        (ran, answer)
    });
    Command { decides, bytes, run }
}

/// The result of a command ahead of its commit, and what gets the result of the commit.
pub(crate) type Ahead<T> = (T, oneshot::Receiver<Result<(), StoreError>>);

/// A command that gives `answer` its result as soon as it has run, if the latest commit succeeded. Otherwise it is answered once the
/// commit has succeeded or failed: while the disk is full, nobody is told of what cannot be kept.
pub(crate) fn prepare_ahead<T, E>(
    command: impl FnOnce(&Writing<'_>) -> Result<T, E> + Send + 'static,
    answer: impl FnOnce(Result<Ahead<T>, E>) + Send + 'static,
) -> Command
where
    T: Send + 'static,
    E: Refusal,
{
    let run = Box::new(move |writing: Result<&Writing<'_>, StoreError>| {
        let ahead = writing.as_ref().is_ok_and(|w| w.answers_ahead);
        let result = caught(writing, command);
        let ran = ran(&result);
        let (sender, commit) = oneshot::channel();
        let result = result.map(|value| (value, commit));
        // A caller that no longer waits changes nothing.
        let later: Answer = match ahead {
            true => {
                answer(result);
                Box::new(move |committed| drop(sender.send(committed)))
            }
            false => Box::new(move |committed| {
                drop(sender.send(committed.clone()));
                answer(committed.map_err(E::from).and(result));
            }),
        };
        (ran, later)
    });
    Command { decides: false, bytes: 0, run }
}

/// Runs a command. Its panic must not end the thread, and with it the service.
fn caught<T, E: Refusal>(
    writing: Result<&Writing<'_>, StoreError>,
    command: impl FnOnce(&Writing<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let caught = catch_unwind(AssertUnwindSafe(|| writing.map_err(E::from).and_then(command)));
    caught.unwrap_or_else(|_| Err(E::from(StoreError::Panicked)))
}

/// What becomes of the changes of a command with this result.
fn ran<T, E: Refusal>(result: &Result<T, E>) -> Ran {
    match result {
        Ok(_) => Ran::Kept,
        Err(error) => match error.failure() {
            None => Ran::Refused,
            Some(StoreError::Panicked) => Ran::Panicked,
            Some(failure) => Ran::Failed(failure.clone()),
        },
    }
}
