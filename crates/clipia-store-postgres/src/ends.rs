//! The ends that workers report. Those that arrive while a transaction is under way share the next one: many of one account would
//! otherwise wait for each other's commits.

use super::gathered::{Bounds, Gathered, Shared, Written, at_once};
use super::stored::{Facts, Locked};
use super::writing::Writing;
use super::{Database, settlement};
use clipia_api::types::Output;
use clipia_queue::RequestId;
use clipia_queue::commands::StoredRequest;
use clipia_queue::commands::end::{self, Ended, Ending};
use clipia_queue::lifecycle::Epoch;
use clipia_store::{Failure, StoreError, WorkRefused};
use std::sync::Arc;

/// One transaction at a time: those of one account would wait for each other.
const BOUNDS: Bounds = Bounds { shared_max: 64, under_way_max: 1 };

/// How an attempt ended.
pub(crate) enum End {
    Completed(Box<Output>),
    Failed(Failure),
}

/// The end of an attempt.
struct Report {
    id: RequestId,
    epoch: Epoch,
    end: End,
}

/// Takes reports of ends.
pub(crate) struct Ends(Gathered<Report, (), WorkRefused>);

impl Ends {
    pub(crate) fn start(database: &Arc<Database>) -> Self {
        Self(Gathered::start(database, BOUNDS, write_together))
    }

    /// The worker of claim `epoch` reports an end.
    pub(crate) async fn report(&self, id: RequestId, epoch: Epoch, end: End) -> Result<(), WorkRefused> {
        self.0.run(Report { id, epoch, end }).await
    }
}

async fn write_together(
    database: Arc<Database>,
    reports: Shared<Report>,
) -> Result<Written<(), WorkRefused>, StoreError> {
    let w = Writing::begin(database.connection().await?, Arc::clone(&database.memory));
    let results = match decide(&w, &reports).await {
        Ok(results) => results,
        Err(error) => {
            w.roll_back().await;
            return Err(error);
        }
    };
    w.commit(reports.len()).await?;
    Ok(at_once(results))
}

/// Decides each report by what those before it have left, and then writes all ends. A report that is refused changes nothing.
async fn decide(w: &Writing, reports: &[Report]) -> Result<Vec<Result<(), WorkRefused>>, StoreError> {
    let mut facts = Facts::lock(w, reports.iter().map(|report| report.id.0).collect()).await?;
    let (now, requests) = (w.now().await?, std::mem::take(&mut facts.requests));
    let (mut all, mut results): (Vec<(&Locked, Ended<'_>)>, Vec<_>) = (Vec::new(), Vec::new());
    for Report { id, epoch, end } in reports {
        let Some(locked) = requests.get(id) else {
            results.push(Err(WorkRefused::Unknown));
            continue;
        };
        if let Some((_, ended)) = all.iter().find(|(of, _)| of.request.id == *id) {
            // Reported twice: the second report comes to a request that has ended.
            let after = StoredRequest { life: ended.life, ..locked.request.clone() };
            results.push(ending(&after, *epoch, end).map(drop));
            continue;
        }
        let books = facts.books(&locked.request);
        match ending(&locked.request, *epoch, end).and_then(|ending| Ok(ending.settle(books, now)?)) {
            Ok(ended) => {
                facts.settled(&locked.request.account, &locked.request.key_id, settlement::left(&ended));
                all.push((locked, ended));
                results.push(Ok(()));
            }
            Err(WorkRefused::Store(error)) => return Err(error),
            Err(refused) => results.push(Err(refused)),
        }
    }
    settlement::write(w, &all, now)?;
    Ok(results)
}

fn ending<'a>(request: &'a StoredRequest, epoch: Epoch, end: &'a End) -> Result<Ending<'a>, WorkRefused> {
    Ok(match end {
        End::Completed(output) => end::complete(request, epoch, output)?,
        End::Failed(why) => end::fail(request, epoch, why)?,
    })
}
