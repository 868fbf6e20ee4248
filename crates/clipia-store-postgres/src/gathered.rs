//! Commands of one kind that share transactions: those that arrive while one is under way share the next one, and one commit.

use super::{Database, faults};
use clipia_store::StoreError;
use std::future::Future;
use std::ops::{Deref, Range};
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc, oneshot};

/// How many commands may wait. Beyond that callers wait for room.
const WAITING_MAX: usize = 4_096;

/// A command that waits, and where its result goes.
type Waiting<C, T, E> = (C, oneshot::Sender<Result<T, E>>);

/// Where transactions take what waits, one after the other.
type Receiver<C, T, E> = Arc<Mutex<mpsc::Receiver<Waiting<C, T, E>>>>;

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

/// How commands are gathered.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// How many share a transaction at most.
    pub(crate) shared_max: usize,
    /// How many transactions are under way at the same time: one that waits for a lock does not stop the others.
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
        Run: Future<Output = Result<Vec<Result<T, E>>, StoreError>> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..bounds.under_way_max {
            tokio::spawn(run(Arc::clone(database), Arc::clone(&receiver), bounds.shared_max, write));
        }
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
    receiver: Receiver<C, T, E>,
    shared_max: usize,
    write: W,
) where
    C: Send + Sync + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
    W: Fn(Arc<Database>, Shared<C>) -> Run + Copy + Send + Sync + 'static,
    Run: Future<Output = Result<Vec<Result<T, E>>, StoreError>> + Send + 'static,
{
    loop {
        let mut waiting = Vec::new();
        if receiver.lock().await.recv_many(&mut waiting, shared_max).await == 0 {
            return;
        }
        let (commands, answers): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
        // On a task of its own: a panic ends one transaction, and not the service.
        let written = database.running.spawn(write_all(Arc::clone(&database), commands.into(), write)).await;
        for (answer, result) in answers.into_iter().zip(written.unwrap_or_default()) {
            // The caller may have gone.
            let _ = answer.send(result);
        }
    }
}

/// Writes commands in one transaction. If the database refuses it, each is written alone: one that is refused takes no other with it.
async fn write_all<C, T, E, W, Run>(database: Arc<Database>, all: Arc<[C]>, write: W) -> Vec<Result<T, E>>
where
    E: From<StoreError>,
    W: Fn(Arc<Database>, Shared<C>) -> Run,
    Run: Future<Output = Result<Vec<Result<T, E>>, StoreError>>,
{
    let together = |part| write(Arc::clone(&database), Shared { all: Arc::clone(&all), part });
    match together(0..all.len()).await {
        Ok(results) => results,
        Err(error) if all.len() == 1 || !faults::has_refused(&error) => {
            all.iter().map(|_| Err(error.clone().into())).collect()
        }
        Err(_) => {
            let mut results = Vec::with_capacity(all.len());
            for command in 0..all.len() {
                results.push(match together(command..command + 1).await {
                    Ok(mut alone) => alone.pop().unwrap_or_else(|| Err(StoreError::Panicked.into())),
                    Err(error) => Err(error.into()),
                });
            }
            results
        }
    }
}
