//! The maintenance services of a running server, one a file. Each does a round, pauses, and does the next round, until the
//! server drains. The supervisor restarts a service that panics.

mod cleaner;
mod giver_up;
mod indexer;
mod media_sweeper;
mod minute_recorder;
mod rescuer;
mod term;
mod upload_sweeper;

pub(crate) use cleaner::Cleaner;
pub(crate) use giver_up::GiverUp;
pub(crate) use indexer::Indexer;
pub(crate) use media_sweeper::MediaSweeper;
pub(crate) use minute_recorder::MinuteRecorder;
pub(crate) use rescuer::Rescuer;
pub(crate) use term::Leading;
pub(crate) use upload_sweeper::UploadSweeper;

use crate::clock::Clock;
use crate::supervisor::Supervisor;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};
use term::Term;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A maintenance service.
pub(crate) trait Service: Send + Sync + 'static {
    /// The name in metrics and in the log.
    const NAME: &'static str;

    /// Which nodes do its rounds.
    const DONE_BY: DoneBy;

    /// The pause after a round.
    fn pause(&self) -> Duration;

    /// Does one round; returns how many things it handled. `paused` is how long the pause before really was, and zero at the
    /// first round.
    fn round(&self, paused: Duration) -> impl Future<Output = Result<u64, RoundError>> + Send;
}

/// Which nodes do the rounds of a service, where several have one store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DoneBy {
    /// One at a time, which has the term of the service. It does no harm where two do a round.
    OneNode,
    /// Each its own.
    EachNode,
}

/// What is said of a round whose term another node has taken meanwhile.
const LOST: &str = "another node does the rounds, since this one did not ask for a new term in time";

/// Why a round failed. The next round tries again.
pub(crate) type RoundError = Box<dyn Error + Send + Sync>;

/// The metrics of the services.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rounds {
    ended: Family<Round, Counter>,
    handled: Family<Handled, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Handled {
    service: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Round {
    service: &'static str,
    outcome: &'static str,
}

impl Rounds {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "maintenance_rounds",
            "Rounds of the maintenance services by outcome",
            self.ended.clone(),
        );
        registry.register(
            "maintenance_handled",
            "Requests, deliveries, uploads or directories that the maintenance services deleted, rescued, gave up or removed",
            self.handled.clone(),
        );
    }
}

/// Runs `service` in `tasks` until `stop`.
pub(crate) fn supervise<S: Service>(
    supervisor: &Supervisor,
    tasks: &TaskTracker,
    stop: &CancellationToken,
    rounds: &Rounds,
    leading: &Leading,
    service: S,
) {
    let (service, rounds, ends) = (Arc::new(service), rounds.clone(), stop.clone());
    let (leading, clock) = (leading.clone(), leading.store.clock());
    supervisor.supervise(tasks, S::NAME, stop.clone(), move || {
        let (service, rounds, ends) = (Arc::clone(&service), rounds.clone(), ends.clone());
        let clock = Arc::clone(&clock);
        let term = match S::DONE_BY {
            DoneBy::OneNode => Some(leading.term(S::NAME, service.pause())),
            DoneBy::EachNode => None,
        };
        async move {
            tokio::select! {
                () = ends.cancelled() => {}
                () = run(service.as_ref(), &rounds, term.as_ref(), clock.as_ref()) => {}
            }
            if let Some(term) = term {
                term.give_away().await;
            }
        }
    });
}

async fn run<S: Service>(service: &S, rounds: &Rounds, term: Option<&Term>, clock: &dyn Clock) {
    let handled = rounds.handled.get_or_create(&Handled { service: S::NAME }).clone();
    let mut paused = Duration::ZERO;
    loop {
        let round = service.round(paused);
        let done = match term {
            None => round.await,
            Some(term) => {
                term.take().await;
                tokio::select! {
                    done = round => done,
                    () = term.is_lost() => Err(Box::from(LOST)),
                }
            }
        };
        let outcome = match done {
            Ok(count) => {
                handled.inc_by(count);
                "completed"
            }
            Err(error) => {
                tracing::error!(service = S::NAME, %error, "a round of maintenance failed");
                "failed"
            }
        };
        rounds.ended.get_or_create(&Round { service: S::NAME, outcome }).inc();
        let start = Instant::now();
        clock.pause(service.pause()).await;
        paused = start.elapsed();
    }
}
