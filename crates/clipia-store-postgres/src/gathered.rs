//! Commands of one kind that share transactions: those that arrive while one is under way share the next one, and one commit.

use super::Database;
use std::future::Future;
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc, oneshot};

/// How many commands may wait. Beyond that callers wait for room.
const WAITING_MAX: usize = 4_096;

/// A command that waits, and where its result goes.
type Waiting<C, R> = (C, oneshot::Sender<R>);

/// Takes commands `C`, each of which returns an `R`.
pub(crate) struct Gathered<C, R>(mpsc::Sender<Waiting<C, R>>);

/// How commands are gathered.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// How many share a transaction at most.
    pub(crate) shared_max: usize,
    /// How many transactions are under way at the same time: one that waits for a lock does not stop the others.
    pub(crate) under_way_max: usize,
}

impl<C: Send + 'static, R: Send + 'static> Gathered<C, R> {
    /// Starts what writes them by `write`, which returns a result for each. It ends with this value, once what was taken is written.
    pub(crate) fn start<W, Run>(database: &Arc<Database>, bounds: Bounds, write: W) -> Self
    where
        W: Fn(Arc<Database>, Vec<C>) -> Run + Copy + Send + Sync + 'static,
        Run: Future<Output = Vec<R>> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..bounds.under_way_max {
            tokio::spawn(run(Arc::clone(database), Arc::clone(&receiver), bounds.shared_max, write));
        }
        Self(sender)
    }

    /// The result of a command; nothing where the store ends, or a command of its transaction panicked.
    pub(crate) async fn run(&self, command: C) -> Option<R> {
        let (answer, answered) = oneshot::channel();
        self.0.send((command, answer)).await.ok()?;
        answered.await.ok()
    }
}

/// Writes what waits, until nothing can come any more.
async fn run<C, R, W, Run>(
    database: Arc<Database>,
    receiver: Arc<Mutex<mpsc::Receiver<Waiting<C, R>>>>,
    shared_max: usize,
    write: W,
) where
    C: Send + 'static,
    R: Send + 'static,
    W: Fn(Arc<Database>, Vec<C>) -> Run,
    Run: Future<Output = Vec<R>> + Send + 'static,
{
    loop {
        let mut waiting = Vec::new();
        if receiver.lock().await.recv_many(&mut waiting, shared_max).await == 0 {
            return;
        }
        let (commands, answers): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
        // On a task of its own: a panic ends one transaction, and not the service.
        let written = database.running.spawn(write(Arc::clone(&database), commands)).await;
        for (answer, result) in answers.into_iter().zip(written.unwrap_or_default()) {
            // The caller may have gone.
            let _ = answer.send(result);
        }
    }
}
