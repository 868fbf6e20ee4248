//! Submits. Those that arrive while a transaction is under way share the next one: one commit, and as many round trips for all of
//! them as for one.

mod accepted;
mod batch;
mod prepared;
mod tails;

use super::Database;
use super::flushing::Flushing;
use super::gathered::{Bounds, Gathered, Shared, Written};
use super::months;
use super::writing::Writing;
use batch::Outcome;
use clipia_store::{StoreError, Submission, SubmitRefused, Submitted, blocking};
use prepared::Prepared;
use std::sync::Arc;

pub(crate) use tails::{Tails, keep_floors};

/// Two transactions at a time, where one waits for a lock.
const BOUNDS: Bounds = Bounds { shared_max: 64, under_way_max: 2 };

/// Takes submits.
pub(crate) struct Submits(Gathered<Prepared, Submitted, SubmitRefused>);

impl Submits {
    pub(crate) fn start(database: &Arc<Database>) -> Self {
        Self(Gathered::start(database, BOUNDS, write_together))
    }

    /// Accepts a submit, or finds the one that it repeats.
    pub(crate) async fn submit(&self, submission: Submission) -> Result<Submitted, SubmitRefused> {
        let prepared = match Prepared::is_large(&submission) {
            true => blocking::compute(|| Prepared::new(submission)).await.map_err(StoreError::from)??,
            false => Prepared::new(submission)?,
        };
        self.0.run(prepared).await
    }
}

/// Writes submits in one transaction. When it is flushed, their positions are read.
async fn write_together(
    database: Arc<Database>,
    submits: Shared<Prepared>,
) -> Result<Written<Submitted, SubmitRefused>, StoreError> {
    months::make_for(&database, submits.iter().map(|of| of.submission.id.0)).await?;
    match write(&database, &submits).await {
        Ok((outcomes, flushing)) => Ok(Box::pin(place_all(database, outcomes, flushing))),
        Err(error) => {
            // Where the database's clock was set back, what this node knows may be wrong.
            database.memory.tails.forget();
            Err(error)
        }
    }
}

type Outcomes = Vec<Result<Outcome, SubmitRefused>>;

async fn write(database: &Database, submits: &[Prepared]) -> Result<(Outcomes, Flushing), StoreError> {
    let w = Writing::begin(database.connection().await?, Arc::clone(&database.memory));
    match batch::run(&w, submits).await {
        Ok(outcomes) => Ok((outcomes, w.commit_ahead(submits.len()).await?)),
        Err(error) => {
            w.roll_back().await;
            Err(error)
        }
    }
}

/// Waits for the flush of submits, and reads their positions. A submit that was refused needs no flush.
async fn place_all(
    database: Arc<Database>,
    outcomes: Outcomes,
    flushing: Flushing,
) -> Result<Vec<Result<Submitted, SubmitRefused>>, StoreError> {
    if let Some(accepted) = outcomes.iter().find_map(|outcome| outcome.as_ref().ok()) {
        let id = accepted.submitted.id;
        flushing.wait(database.memory.months.of(&[id.0]), id).await?;
    }
    let mut placed = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        placed.push(match outcome {
            Ok(outcome) => place(&database, outcome).await.map_err(SubmitRefused::from),
            Err(refused) => Err(refused),
        });
    }
    Ok(placed)
}

/// A submit with the position of its request as of the latest commit. It is accepted, whatever becomes of the position.
async fn place(database: &Database, Outcome { submitted, at }: Outcome) -> Result<Submitted, StoreError> {
    Ok(match at {
        Some(at) => Submitted { position: database.ahead(&at).await?, ..submitted },
        None => submitted,
    })
}
