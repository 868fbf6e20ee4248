//! The health of the server: `/livez`, `/readyz` and `/metrics`.
//!
//! `/livez` and `/readyz` need no key, since an orchestrator has none, and reveal one sentence. They are on the listener of the
//! clients, so that they report what clients meet. `/metrics` is for the operator, and is on the administration's listener
//! only. It needs no token: a scraper cannot know one that changes at each start.

use crate::deliveries::DeliveryStatistics;

use crate::api_error::ApiError;
use crate::metrics::{Format, Metrics};
use crate::store::{Fault, Store, StoreError};
use crate::supervisor::Supervisor;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use clipia_worker::work::Pause;
use futures_util::future::BoxFuture;
use http::{HeaderMap, StatusCode, header};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long the result of a probe is used again. So the number of callers does not change the number of writes.
const PROBE_FRESH: Duration = Duration::from_secs(1);

/// How long a caller waits for a probe: less than the one second that orchestrators wait by default.
const PROBE_WAIT: Duration = Duration::from_millis(500);

/// How long a probe may wait for the writer before the process counts as dead: many times the longest commit that was seen
/// on a busy disk.
const STUCK: Duration = Duration::from_secs(10);

/// The health of a running server.
#[derive(Clone)]
pub(crate) struct Health {
    write: Arc<Write>,
    draining: CancellationToken,
    tasks: Supervisor,
    probe: Arc<Mutex<watch::Receiver<Probe>>>,
    pauses: Pauses,
    /// The store, whose queues may be paused; none where only the probe is tested.
    store: Option<Arc<dyn Store>>,
}

/// The pauses that keep generations waiting.
#[derive(Clone, Default)]
struct Pauses {
    media: Option<Arc<Pause>>,
    /// The pause of each executor.
    executors: Vec<Arc<Pause>>,
}

impl Pauses {
    /// Why no generation of any model can run now; none if one can.
    fn reason(&self) -> Option<String> {
        let media = self.media.as_ref().and_then(|pause| pause.reason());
        // While one executor works, clients should go on to submit.
        let all = !self.executors.is_empty() && self.executors.iter().all(|pause| pause.is_on());
        let executors = || all.then(|| self.executors_paused().join("; "));
        media.map(str::to_owned).or_else(executors)
    }

    /// A sentence for each executor that cannot work now.
    fn executors_paused(&self) -> Vec<String> {
        let paused = self.executors.iter().filter_map(|pause| Some((pause.of(), pause.reason()?)));
        paused.map(|(of, reason)| format!("{of}: {reason}")).collect()
    }
}

/// A write to the store, which shows whether the store can write.
type Write = dyn Fn() -> BoxFuture<'static, Result<(), StoreError>> + Send + Sync;

/// One probe write, and its result once there is one.
#[derive(Clone, Copy)]
struct Probe {
    started: Instant,
    ended: Option<(Instant, ProbeResult)>,
    /// The result of the probe before, which is reported while this one has none.
    before: Option<ProbeResult>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ProbeResult {
    Written,
    Failed(&'static str),
    /// The store is closed.
    Closed,
}

impl Health {
    /// The health of a server with this store and these tasks. It is not ready once `draining` is canceled.
    pub(crate) fn new(store: Arc<dyn Store>, tasks: Supervisor, draining: CancellationToken) -> Self {
        let probed = Arc::clone(&store);
        let write = move || -> BoxFuture<'static, _> {
            let store = Arc::clone(&probed);
            Box::pin(async move { store.probe().await })
        };
        Self { store: Some(store), ..Self::with_write(Arc::new(write), tasks, draining) }
    }

    fn with_write(write: Arc<Write>, tasks: Supervisor, draining: CancellationToken) -> Self {
        let probe = Arc::new(Mutex::new(start_probe(write.as_ref(), None)));
        Self { write, draining, tasks, probe, pauses: Pauses::default(), store: None }
    }

    /// Adds the pauses of the media and of each executor: the server is not ready while they keep all generations waiting.
    pub(crate) fn with_pauses(self, media: Arc<Pause>, executors: Vec<Arc<Pause>>) -> Self {
        Self { pauses: Pauses { media: Some(media), executors }, ..self }
    }

    /// The last probe, or a new one if the last one's result is too old.
    async fn probe(&self) -> Probe {
        let mut probe = {
            let mut current = self.probe.lock().unwrap_or_else(PoisonError::into_inner);
            let ended = current.borrow().ended;
            if let Some((_, result)) = ended.filter(|(at, _)| at.elapsed() >= PROBE_FRESH) {
                *current = start_probe(self.write.as_ref(), Some(result));
            }
            current.clone()
        };
        // A probe without a result in time still has the time of its start.
        let _ = tokio::time::timeout(PROBE_WAIT, probe.wait_for(|probe| probe.ended.is_some())).await;
        *probe.borrow()
    }

    /// Whether the process works: the writer responds, and no task keeps dying. A failed write is no reason to restart the
    /// process, since a restart does not free a full disk.
    async fn is_live(&self) -> Result<(), String> {
        if let Some(task) = self.tasks.failing() {
            return Err(format!("the task `{task}` dies again and again"));
        }
        let probe = self.probe().await;
        match probe.ended {
            Some((_, ProbeResult::Closed)) => Err("the store's writer has ended".to_owned()),
            None if probe.started.elapsed() >= STUCK => Err("the store's writer is stuck".to_owned()),
            _ => Ok(()),
        }
    }

    /// What a server says that is ready: `ok`, and which queues an operator has paused. They are no reason to send no calls,
    /// since submits are accepted, and other queues go on.
    async fn ready_text(&self) -> String {
        let paused = match &self.store {
            Some(store) => store.paused_queues().await.unwrap_or_default(),
            None => Vec::new(),
        };
        let mut text = match paused.is_empty() {
            true => "ok\n".to_owned(),
            false => format!("ok, but paused by the operator: {}\n", paused.join(", ")),
        };
        // The server is ready as long as one executor works. The others are named.
        text.extend(self.pauses.executors_paused().into_iter().map(|paused| paused + "\n"));
        text
    }

    /// Whether a submit would be stored, and its generation would run.
    async fn is_ready(&self) -> Result<(), String> {
        if self.draining.is_cancelled() {
            return Err("draining".to_owned());
        }
        if let Some(task) = self.tasks.dead().or_else(|| self.tasks.failing()) {
            return Err(format!("the task `{task}` died"));
        }
        let probe = self.probe().await;
        let why = match (probe.ended.map(|(_, result)| result), probe.before) {
            (Some(ProbeResult::Written), _) => return self.pauses.reason().map_or(Ok(()), Err),
            (Some(ProbeResult::Closed), _) => Some("the store cannot write"),
            (Some(ProbeResult::Failed(why)), _) => Some(why),
            // This probe most likely waits for the cause that the last one failed of.
            (None, Some(ProbeResult::Failed(why))) if probe.started.elapsed() < STUCK => Some(why),
            (None, _) => Some("the store does not answer"),
        };
        why.map_or(Ok(()), |why| Err(why.to_owned()))
    }
}

/// Starts a probe write in a task of its own.
fn start_probe(write: &Write, before: Option<ProbeResult>) -> watch::Receiver<Probe> {
    let started = Instant::now();
    let (sender, receiver) = watch::channel(Probe { started, ended: None, before });
    let write = write();
    tokio::spawn(async move {
        let result = match write.await {
            Ok(()) => ProbeResult::Written,
            Err(StoreError::Closed) => ProbeResult::Closed,
            Err(error) => {
                tracing::error!(%error, "the store cannot write");
                ProbeResult::Failed(public_reason(&error))
            }
        };
        sender.send_replace(Probe { started, ended: Some((Instant::now(), result)), before });
    });
    receiver
}

/// The part of an error that anybody may read.
fn public_reason(error: &StoreError) -> &'static str {
    match error {
        StoreError::Backend { fault: Fault::Busy, .. } => "the store is busy",
        StoreError::Backend { fault: Fault::Full, .. } => "the store has no room on its disk",
        StoreError::Backend { fault: Fault::ReadOnly, .. } => "the store is read-only",
        StoreError::Backend { fault: Fault::Damaged, .. } => "the store is damaged",
        _ => "the store cannot write",
    }
}

/// The paths of the health checks. A listener serves them even when all its connection slots are taken.
pub(crate) const PATHS: [&str; 2] = [LIVE, READY];
const LIVE: &str = "/livez";
const READY: &str = "/readyz";

/// The routes `/livez` and `/readyz`.
pub(crate) fn router(health: Health) -> Router {
    Router::new().route(LIVE, get(live)).route(READY, get(ready)).with_state(health)
}

async fn live(State(health): State<Health>) -> (StatusCode, String) {
    response(health.is_live().await)
}

async fn ready(State(health): State<Health>) -> (StatusCode, String) {
    match health.is_ready().await {
        Ok(()) => (StatusCode::OK, health.ready_text().await),
        not_ready => response(not_ready),
    }
}

fn response(health: Result<(), String>) -> (StatusCode, String) {
    match health {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

/// The route `/metrics`.
pub(crate) fn metrics_router(
    metrics: Arc<Metrics>,
    store: Arc<dyn Store>,
    deliveries: Arc<DeliveryStatistics>,
) -> Router {
    Router::new().route("/metrics", get(scrape)).with_state(Scraped { metrics, store, deliveries })
}

/// The sources of the metrics.
#[derive(Clone)]
struct Scraped {
    metrics: Arc<Metrics>,
    store: Arc<dyn Store>,
    deliveries: Arc<DeliveryStatistics>,
}

async fn scrape(
    State(Scraped { metrics, store, deliveries }): State<Scraped>,
    headers: HeaderMap,
) -> Result<([(header::HeaderName, &'static str); 2], String), ApiError> {
    let format = Format::accepted(&headers);
    let head = [(header::CONTENT_TYPE, format.content_type()), (header::VARY, "accept")];
    Ok((head, metrics.text(store.as_ref(), &deliveries, format).await?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// The health of a server whose probe writes end with a given result, or never.
    struct Fake {
        writes: Arc<AtomicUsize>,
        results: watch::Sender<Option<Result<(), StoreError>>>,
        draining: CancellationToken,
        health: Health,
    }

    impl Fake {
        fn new() -> Self {
            let (results, receiver) = watch::channel(Some(Ok(())));
            let (writes, draining) = (Arc::<AtomicUsize>::default(), CancellationToken::new());
            let counted = Arc::clone(&writes);
            let write = move || -> BoxFuture<'static, _> {
                counted.fetch_add(1, Ordering::Relaxed);
                let mut results = receiver.clone();
                Box::pin(async move {
                    let result = results.wait_for(Option::is_some).await;
                    result.map_or(Err(StoreError::Closed), |result| result.clone().unwrap())
                })
            };
            let health = Health::with_write(Arc::new(write), Supervisor::default(), draining.clone());
            Self { writes, results, draining, health }
        }

        /// What `/livez` and `/readyz` say, a while after the store has changed.
        async fn says(&self) -> [String; 2] {
            tokio::time::advance(PROBE_FRESH).await;
            [self.health.is_live().await, self.health.is_ready().await]
                .map(|result| result.err().unwrap_or_else(|| "ok".to_owned()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn health_follows_the_writer() {
        let fake = Fake::new();
        assert_eq!(fake.says().await, ["ok", "ok"]);
        // A full disk is no reason to restart the process, and a reason to send no calls.
        fake.results.send_replace(Some(Err(StoreError::Unreadable("full".to_owned()))));
        assert_eq!(fake.says().await, ["ok", "the store cannot write"]);
        let source = Arc::new(std::io::Error::other("locked"));
        fake.results.send_replace(Some(Err(StoreError::Backend { fault: Fault::Busy, source })));
        assert_eq!(fake.says().await, ["ok", "the store is busy"]);
        // The next probe waits, and the last result is reported meanwhile.
        fake.results.send_replace(None);
        assert_eq!(fake.says().await, ["ok", "the store is busy"]);
        tokio::time::advance(STUCK).await;
        assert_eq!(fake.says().await, ["the store's writer is stuck", "the store does not answer"]);
        fake.results.send_replace(Some(Ok(())));
        assert_eq!(fake.says().await, ["ok", "ok"]);
        fake.draining.cancel();
        assert_eq!(fake.says().await, ["ok", "draining"]);
        fake.results.send_replace(Some(Err(StoreError::Closed)));
        assert_eq!(fake.says().await, ["the store's writer has ended", "draining"]);
    }

    #[tokio::test(start_paused = true)]
    async fn health_follows_the_tasks() {
        let fake = Fake::new();
        let tracker = tokio_util::task::TaskTracker::new();
        // The task ends at once until `live` is set.
        let (live, lives) = watch::channel(false);
        fake.health.tasks.supervise(&tracker, "sweep", fake.draining.clone(), move || {
            let lives = lives.clone();
            async move {
                if *lives.borrow() {
                    std::future::pending::<()>().await;
                }
            }
        });
        assert_eq!(fake.says().await, ["ok", "the task `sweep` died"]);
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert_eq!(fake.says().await, ["the task `sweep` dies again and again", "the task `sweep` died"]);
        live.send_replace(true);
        tokio::time::sleep(Duration::from_secs(70)).await;
        assert_eq!(fake.says().await, ["ok", "ok"]);
    }

    #[tokio::test(start_paused = true)]
    async fn health_follows_the_pauses() {
        let pause = |of| Pause::new(of, Default::default());
        let (media, one, other) = (pause("media"), pause("one"), pause("other"));
        let Fake { health, .. } = Fake::new();
        let health = health.with_pauses(Arc::clone(&media), vec![Arc::clone(&one), Arc::clone(&other)]);
        one.begin("cannot work", &"away");
        assert_eq!(health.is_ready().await, Ok(()), "the other works");
        other.begin("cannot work", &"away");
        assert_eq!(health.is_ready().await, Err("one: cannot work; other: cannot work".to_owned()));
        one.end();
        assert_eq!(health.pauses.executors_paused(), ["other: cannot work"]);
        media.begin("no room", &"full");
        assert_eq!((health.is_ready().await, health.is_live().await), (Err("no room".to_owned()), Ok(())));
        media.end();
        assert_eq!(health.is_ready().await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn any_number_of_callers_cost_one_write_a_second() {
        let fake = Fake::new();
        for _ in 0..1_000 {
            fake.health.is_ready().await.unwrap();
            fake.health.is_live().await.unwrap();
        }
        assert_eq!(fake.writes.load(Ordering::Relaxed), 1);
        tokio::time::advance(PROBE_FRESH).await;
        fake.health.is_ready().await.unwrap();
        assert_eq!(fake.writes.load(Ordering::Relaxed), 2);
    }
}
