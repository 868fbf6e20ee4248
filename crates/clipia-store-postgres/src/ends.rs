//! The ends that workers report. Those that arrive while a transaction is under way share the next one: many of one account would
//! otherwise wait for each other's commits.

use super::gathered::{Bounds, Gathered};
use super::settlement::settle;
use super::writing::Writing;
use super::{Database, faults, stored};
use clipia_api::types::Output;
use clipia_queue::RequestId;
use clipia_queue::commands::end;
use clipia_queue::lifecycle::Epoch;
use clipia_store::{Failure, StoreError, WorkRefused};
use std::sync::Arc;

const BOUNDS: Bounds = Bounds { shared_max: 32, under_way_max: 2 };

/// How an attempt ended.
pub(crate) enum End {
    Completed(Output),
    Failed(Failure),
}

/// The end of an attempt.
struct Report {
    id: RequestId,
    epoch: Epoch,
    end: End,
}

/// Takes reports of ends.
pub(crate) struct Ends(Gathered<Report, Result<(), WorkRefused>>);

impl Ends {
    pub(crate) fn start(database: &Arc<Database>) -> Self {
        Self(Gathered::start(database, BOUNDS, write_all))
    }

    /// The worker of claim `epoch` reports an end.
    pub(crate) async fn report(&self, id: RequestId, epoch: Epoch, end: End) -> Result<(), WorkRefused> {
        let reported = self.0.run(Report { id, epoch, end }).await;
        reported.unwrap_or(Err(WorkRefused::Store(StoreError::Closed)))
    }
}

/// Writes ends in one transaction. If the database refuses it, each is written alone.
async fn write_all(database: Arc<Database>, reports: Vec<Report>) -> Vec<Result<(), WorkRefused>> {
    match write_together(&database, &reports).await {
        Ok(results) => results,
        Err(error) if reports.len() == 1 || !faults::has_refused(&error) => {
            reports.iter().map(|_| Err(error.clone().into())).collect()
        }
        Err(_) => {
            let mut results = Vec::with_capacity(reports.len());
            for report in &reports {
                let alone = write_together(&database, std::slice::from_ref(report)).await;
                results.push(match alone {
                    Ok(mut results) => results.pop().unwrap_or(Err(StoreError::Panicked.into())),
                    Err(error) => Err(error.into()),
                });
            }
            results
        }
    }
}

async fn write_together(
    database: &Database,
    reports: &[Report],
) -> Result<Vec<Result<(), WorkRefused>>, StoreError> {
    let w = Writing::begin(database.connection().await?, Arc::clone(&database.memory));
    let results = match decide(&w, reports).await {
        Ok(results) => results,
        Err(error) => {
            w.roll_back().await;
            return Err(error);
        }
    };
    w.commit(reports.len()).await?;
    Ok(results)
}

/// Decides each report by what those before it have left. One that is refused changes nothing.
async fn decide(w: &Writing, reports: &[Report]) -> Result<Vec<Result<(), WorkRefused>>, StoreError> {
    stored::lock_with_books(w, reports.iter().map(|report| report.id.0).collect());
    let mut results = Vec::with_capacity(reports.len());
    for report in reports {
        results.push(match self::report(w, report).await {
            Err(WorkRefused::Store(error)) => return Err(error),
            result => result,
        });
    }
    Ok(results)
}

async fn report(w: &Writing, Report { id, epoch, end }: &Report) -> Result<(), WorkRefused> {
    let (locked, books) = stored::with_books(w, *id).await?;
    let ending = match end {
        End::Completed(output) => end::complete(&locked.request, *epoch, output)?,
        End::Failed(why) => end::fail(&locked.request, *epoch, why)?,
    };
    settle(w, &locked, ending, books, w.now().await?)
}
