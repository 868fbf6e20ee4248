//! Commands of one kind that share transactions: those that arrive while one is under way share the next one, and one commit.

use super::{Database, faults};
use clipia_store::StoreError;
use futures_util::future::BoxFuture;
use std::future::{Future, ready};
use std::ops::{Deref, Range};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

/// After which time a transaction may wait for a lock that the commands behind it do not need.
const SLOW: Duration = Duration::from_millis(50);

/// How long a transaction waits for more commands: this fraction of the time that the latest one took, and at most so long.
const PATIENCE: u32 = 4;
const PATIENCE_MAX: Duration = Duration::from_millis(3);

/// How many commands may wait. Beyond that callers wait for room.
const WAITING_MAX: usize = 4_096;

/// A command that waits, and where its result goes.
type Waiting<C, T, E> = (C, oneshot::Sender<Result<T, E>>);

/// Takes commands `C`, each of which returns a `T` or an `E`.
pub(crate) struct Gathered<C, T, E>(mpsc::Sender<Waiting<C, T, E>>);

/// Commands of one transaction.
pub(crate) struct Shared<C> {
    all: Arc<[C]>,
    part: Range<usize>,
}

impl<C> Deref for Shared<C> {
    type Target = [C];

    fn deref(&self) -> &[C] {
        &self.all[self.part.clone()]
    }
}

/// The results of commands that share a transaction, once it has committed. The next transaction does not wait for what is still to be done
/// for them.
pub(crate) type Written<T, E> = BoxFuture<'static, Result<Vec<Result<T, E>>, StoreError>>;

/// Results for which nothing is to be done.
pub(crate) fn at_once<T: Send + 'static, E: Send + 'static>(results: Vec<Result<T, E>>) -> Written<T, E> {
    Box::pin(ready(Ok(results)))
}

/// How commands are gathered.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// How many share a transaction at most.
    pub(crate) shared_max: usize,
    /// How many transactions are under way at the same time. Another one begins only where the one before is [`SLOW`]: it may wait for a
    /// lock that the others do not need.
    pub(crate) under_way_max: usize,
}

impl<C, T, E> Gathered<C, T, E>
where
    C: Send + Sync + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    /// Starts what writes them by `write`, which returns a result for each that shares the transaction. It ends with this value, once
    /// what was taken is written.
    pub(crate) fn start<W, Run>(database: &Arc<Database>, bounds: Bounds, write: W) -> Self
    where
        W: Fn(Arc<Database>, Shared<C>) -> Run + Copy + Send + Sync + 'static,
        Run: Future<Output = Result<Written<T, E>, StoreError>> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        tokio::spawn(run(Arc::clone(database), receiver, bounds, write));
        Self(sender)
    }

    /// The result of a command. It is [`StoreError::Closed`] where the store ends, or a command of its transaction panicked.
    pub(crate) async fn run(&self, command: C) -> Result<T, E> {
        let (answer, answered) = oneshot::channel();
        let closed = || Err(StoreError::Closed.into());
        match self.0.send((command, answer)).await {
            Ok(()) => answered.await.unwrap_or_else(|_| closed()),
            Err(_) => closed(),
        }
    }
}

/// Writes what waits, until nothing can come any more.
async fn run<C, T, E, W, Run>(
    database: Arc<Database>,
    mut receiver: mpsc::Receiver<Waiting<C, T, E>>,
    bounds: Bounds,
    write: W,
) where
    C: Send + Sync + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
    W: Fn(Arc<Database>, Shared<C>) -> Run + Copy + Send + Sync + 'static,
    Run: Future<Output = Result<Written<T, E>, StoreError>> + Send + 'static,
{
    let (mut under_way, mut last) = (JoinSet::new(), Last::default());
    while let Some(first) = receiver.recv().await {
        // What comes while a transaction is under way shares the next one.
        while !under_way.is_empty() {
            let ended = match under_way.len() < bounds.under_way_max {
                false => under_way.join_next().await,
                true => match timeout(SLOW, under_way.join_next()).await {
                    Ok(ended) => ended,
                    Err(_) => break,
                },
            };
            if let Some(Ok(ended)) = ended {
                last = ended;
            }
        }
        let mut waiting = vec![first];
        gather(&mut receiver, &mut waiting, bounds.shared_max, last).await;
        let (commands, answers): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
        let (database, began) = (Arc::clone(&database), Instant::now());
        under_way.spawn(async move {
            // The service closes when nothing is under way, and the answers are.
            let (taken, answering) = (commands.len(), database.running.token());
            // On a task of its own: a panic ends one transaction, and not the service.
            let written =
                database.running.spawn(write_all(Arc::clone(&database), commands.into(), write)).await;
            let took = began.elapsed();
            database.running.spawn(answer(written.ok(), answers));
            drop(answering);
            Last { taken, took }
        });
    }
    // What was taken is written.
    under_way.join_all().await;
}

/// Answers commands with their results. Nothing was written of a transaction that panicked.
async fn answer<T, E: From<StoreError>>(
    written: Option<Written<T, E>>,
    answers: Vec<oneshot::Sender<Result<T, E>>>,
) {
    let results = match written {
        Some(written) => {
            written.await.unwrap_or_else(|error| answers.iter().map(|_| Err(error.clone().into())).collect())
        }
        None => Vec::new(),
    };
    for (answer, result) in answers.into_iter().zip(results) {
        // The caller may have gone.
        let _ = answer.send(result);
    }
}

/// The latest transaction that has ended.
#[derive(Clone, Copy, Default)]
struct Last {
    /// How many commands shared it.
    taken: usize,
    /// How long it took.
    took: Duration,
}

/// Adds what waits by now. If there is less than the latest transaction had, it waits a little: callers that were just answered usually
/// come again, and the cost of a transaction hardly depends on how many share it.
async fn gather<W>(receiver: &mut mpsc::Receiver<W>, waiting: &mut Vec<W>, most: usize, last: Last) {
    let end = Instant::now() + (last.took / PATIENCE).min(PATIENCE_MAX);
    loop {
        while waiting.len() < most
            && let Ok(next) = receiver.try_recv()
        {
            waiting.push(next);
        }
        if waiting.len() >= most.min(last.taken) {
            return;
        }
        match timeout_at(end, receiver.recv()).await {
            Ok(Some(next)) => waiting.push(next),
            Ok(None) | Err(_) => return,
        }
    }
}

/// Writes commands in one transaction. If the database refuses it, each is written alone: one that is refused takes no other with it.
async fn write_all<C, T, E, W, Run>(database: Arc<Database>, all: Arc<[C]>, write: W) -> Written<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
    W: Fn(Arc<Database>, Shared<C>) -> Run,
    Run: Future<Output = Result<Written<T, E>, StoreError>>,
{
    let together = |part| write(Arc::clone(&database), Shared { all: Arc::clone(&all), part });
    let mut results = Vec::with_capacity(all.len());
    match together(0..all.len()).await {
        Ok(written) => return written,
        Err(error) if all.len() == 1 || !faults::has_refused(&error) => {
            results.extend(all.iter().map(|_| Err(error.clone().into())));
        }
        Err(_) => {
            for command in 0..all.len() {
                let alone = match together(command..command + 1).await {
                    Ok(written) => written.await,
                    Err(error) => Err(error),
                };
                results.push(match alone {
                    Ok(mut alone) => alone.pop().unwrap_or_else(|| Err(StoreError::Panicked.into())),
                    Err(error) => Err(error.into()),
                });
            }
        }
    }
    at_once(results)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_transaction_waits_a_little_for_those_who_come_again() {
        let (sender, mut receiver) = mpsc::channel(8);
        let last = Last { taken: 3, took: Duration::from_millis(8) };
        let comes = async {
            for (after, number) in [(1, 2), (0, 3), (1, 4)] {
                tokio::time::sleep(Duration::from_millis(after)).await;
                sender.send(number).await.unwrap();
            }
        };
        let mut waiting = vec![1];
        let began = Instant::now();
        let gathered = async {
            gather(&mut receiver, &mut waiting, 8, last).await;
            began.elapsed()
        };
        let (after, ()) = tokio::join!(gathered, comes);
        assert_eq!((waiting, after), (vec![1, 2, 3], Duration::from_millis(1)));
        // The fourth has come meanwhile. Nobody else comes, and the wait has an end.
        let mut waiting = vec![0];
        let began = Instant::now();
        gather(&mut receiver, &mut waiting, 8, last).await;
        assert_eq!((waiting, began.elapsed()), (vec![0, 4], Duration::from_millis(2)));
        // No more than may share a transaction.
        let mut waiting = vec![0];
        gather(&mut receiver, &mut waiting, 1, last).await;
        assert_eq!(waiting, [0]);
    }
}
