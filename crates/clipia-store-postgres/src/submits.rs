//! Submits. Those that arrive while a transaction is under way share the next one: one commit, and as many round trips for all of
//! them as for one.

mod accepted;
mod batch;
mod prepared;

use super::Database;
use super::writing::Writing;
use batch::Outcome;
use clipia_store::{StoreError, Submission, SubmitRefused, Submitted, blocking};
use prepared::Prepared;
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc, oneshot};

/// How many submits share a transaction at most.
const SHARED_MAX: usize = 64;

/// How many transactions of submits are under way at the same time: one that waits for a lock does not stop the others.
const UNDER_WAY_MAX: usize = 3;

/// How many submits may wait. Beyond that callers wait for room.
const WAITING_MAX: usize = 4_096;

/// A submit that waits for its transaction.
struct Waiting {
    prepared: Prepared,
    answer: oneshot::Sender<Result<Submitted, SubmitRefused>>,
}

/// Takes submits.
pub(crate) struct Submits(mpsc::Sender<Waiting>);

impl Submits {
    /// Starts what writes them. It ends with this value, once what was taken is written.
    pub(crate) fn start(database: &Arc<Database>) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..UNDER_WAY_MAX {
            tokio::spawn(write(Arc::clone(database), Arc::clone(&receiver)));
        }
        Self(sender)
    }

    /// Accepts a submit, or finds the one that it repeats.
    pub(crate) async fn submit(&self, submission: Submission) -> Result<Submitted, SubmitRefused> {
        let prepared = match Prepared::is_large(&submission) {
            true => blocking::compute(|| Prepared::new(submission)).await.map_err(StoreError::from)??,
            false => Prepared::new(submission)?,
        };
        let (answer, answered) = oneshot::channel();
        let closed = || SubmitRefused::Store(StoreError::Closed);
        self.0.send(Waiting { prepared, answer }).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }
}

/// Writes what waits, until nothing can come any more.
async fn write(database: Arc<Database>, receiver: Arc<Mutex<mpsc::Receiver<Waiting>>>) {
    loop {
        let mut waiting = Vec::new();
        if receiver.lock().await.recv_many(&mut waiting, SHARED_MAX).await == 0 {
            return;
        }
        let _running = database.running.token();
        let (submits, answers): (Vec<_>, Vec<_>) =
            waiting.into_iter().map(|waiting| (waiting.prepared, waiting.answer)).unzip();
        let written = database.running.spawn(write_all(Arc::clone(&database), submits));
        let results = match written.await {
            Ok(results) => results,
            Err(_) => answers.iter().map(|_| Err(StoreError::Panicked.into())).collect(),
        };
        for (answer, result) in answers.into_iter().zip(results) {
            // The caller may have gone.
            let _ = answer.send(result);
        }
    }
}

/// Writes submits in one transaction. If it fails, each is written alone: one that the database refuses takes no other with it.
async fn write_all(database: Arc<Database>, submits: Vec<Prepared>) -> Vec<Result<Submitted, SubmitRefused>> {
    match write_together(&database, &submits).await {
        Ok(results) => results,
        Err(error) if submits.len() == 1 || matches!(error, StoreError::Closed) => {
            submits.iter().map(|_| Err(error.clone().into())).collect()
        }
        Err(_) => {
            let mut results = Vec::with_capacity(submits.len());
            for submit in &submits {
                let alone = write_together(&database, std::slice::from_ref(submit)).await;
                results.push(match alone {
                    Ok(mut results) => results.pop().unwrap_or(Err(StoreError::Panicked.into())),
                    Err(error) => Err(error.into()),
                });
            }
            results
        }
    }
}

/// Writes submits in one transaction, and then reads their positions.
async fn write_together(
    database: &Database,
    submits: &[Prepared],
) -> Result<Vec<Result<Submitted, SubmitRefused>>, StoreError> {
    let w = Writing::begin(database.connection().await?, Arc::clone(&database.memory));
    let outcomes = match batch::run(&w, submits).await {
        Ok(outcomes) => outcomes,
        Err(error) => {
            w.roll_back().await;
            return Err(error);
        }
    };
    w.commit(submits.len()).await?;
    place(database, outcomes).await
}

/// The results, each with the position of its request as of the latest commit.
async fn place(
    database: &Database,
    outcomes: Vec<Result<Outcome, SubmitRefused>>,
) -> Result<Vec<Result<Submitted, SubmitRefused>>, StoreError> {
    let waiting: Vec<_> = outcomes.iter().flatten().filter(|of| of.waits).map(|of| of.submitted.id).collect();
    let positions = match waiting.is_empty() {
        true => Default::default(),
        false => {
            let connection = database.connection().await?;
            super::position::of(&connection, waiting, database.memory.positions.fifo()).await?
        }
    };
    let placed = outcomes.into_iter().map(|outcome| {
        outcome.map(|Outcome { submitted, .. }| {
            let position = positions.get(&submitted.id).copied().unwrap_or(0);
            Submitted { position, ..submitted }
        })
    });
    Ok(placed.collect())
}
