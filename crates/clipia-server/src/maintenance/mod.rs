//! What keeps a server in order while it runs, one service a file. Each does a round, rests, and does the next, until the
//! server drains. The supervisor starts one again that dies.

mod cleaner;
mod giver_up;
mod media_sweeper;
mod rescuer;

pub(crate) use cleaner::Cleaner;
pub(crate) use giver_up::GiverUp;
pub(crate) use media_sweeper::MediaSweeper;
pub(crate) use rescuer::Rescuer;

use crate::supervisor::Supervisor;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A service of maintenance.
pub(crate) trait Service: Send + Sync + 'static {
    /// Its name, in metrics and in the log.
    const NAME: &'static str;

    /// How long it rests after a round.
    fn pause(&self) -> Duration;

    /// Does what there is to do, and says to how much; `rested` is how long the rest before was, nothing at the first round.
    fn round(&self, rested: Duration) -> impl Future<Output = Result<u64, Trouble>> + Send;
}

/// Why a round came to nothing. The next one tries again.
pub(crate) type Trouble = Box<dyn Error + Send + Sync>;

/// What the services did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rounds {
    ended: Family<Round, Counter>,
    handled: Family<Of, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
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
            "Rounds of the services that keep the server in order, by how they ended",
            self.ended.clone(),
        );
        registry.register(
            "maintenance_handled",
            "Requests, deliveries or directories that these services let go, took back, gave up or removed",
            self.handled.clone(),
        );
    }
}

/// Runs `service` in `tasks` until `stop`.
pub(crate) fn keep<S: Service>(
    supervisor: &Supervisor,
    tasks: &TaskTracker,
    stop: &CancellationToken,
    rounds: &Rounds,
    service: S,
) {
    let (service, rounds, ends) = (Arc::new(service), rounds.clone(), stop.clone());
    supervisor.keep(tasks, S::NAME, stop.clone(), move || {
        let (service, rounds, ends) = (Arc::clone(&service), rounds.clone(), ends.clone());
        async move {
            tokio::select! {
                () = ends.cancelled() => {}
                () = run(service.as_ref(), &rounds) => {}
            }
        }
    });
}

async fn run<S: Service>(service: &S, rounds: &Rounds) {
    let handled = rounds.handled.get_or_create(&Of { service: S::NAME }).clone();
    let mut rested = Duration::ZERO;
    loop {
        let outcome = match service.round(rested).await {
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
        tokio::time::sleep(service.pause()).await;
        rested = start.elapsed();
    }
}
