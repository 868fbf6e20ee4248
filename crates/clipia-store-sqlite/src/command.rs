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
