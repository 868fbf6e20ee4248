//! Whether the server lives, and whether calls should come to it.
//!
//! `/livez` and `/readyz` need no key and reveal one word: an orchestrator has none, and asks where clients do, so that what it
//! learns holds for them. `/metrics` is the operator's business and stands on the administration's listener alone, which is
//! this machine's unless told; it takes no token, since a scraper keeps none that changes at each start.

use crate::deliveries::Statistics;
use crate::exposition::Format;
use crate::http::ApiError;
use crate::metrics::Metrics;
use crate::pause::Pause;
use crate::store::{Fault, Store, StoreError};
use crate::supervisor::Supervisor;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use futures_util::future::BoxFuture;
use http::{HeaderMap, StatusCode, header};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long the answer to a probe stands, so that probes cost the same however many ask.
const PROBE_FRESH: Duration = Duration::from_secs(1);

/// How long a caller waits for a probe. Shorter than the second that orchestrators give by default.
const PROBE_WAIT: Duration = Duration::from_millis(500);

/// How long the writer may keep a probe waiting before the process counts as dead: many times the longest commit seen on a
/// busy disk.
const STUCK: Duration = Duration::from_secs(10);

/// The health of a running server.
#[derive(Clone)]
pub(crate) struct Health {
    write: Arc<Write>,
    draining: CancellationToken,
    tasks: Supervisor,
    probe: Arc<Mutex<watch::Receiver<Probe>>>,
    pauses: Pauses,
}

/// What keeps a submit from being made.
#[derive(Clone, Default)]
struct Pauses {
    media: Option<Arc<Pause>>,
    /// Of each executor.
    executors: Vec<Arc<Pause>>,
}

impl Pauses {
    /// Why no submit of any model would be made now, if that is so.
    fn reason(&self) -> Option<&'static str> {
        let media = self.media.as_ref().and_then(|pause| pause.reason());
        // While one of them works, calls should come.
        let all = !self.executors.is_empty() && self.executors.iter().all(|pause| pause.is_on());
        media.or_else(|| self.executors.iter().filter(|_| all).find_map(|pause| pause.reason()))
    }
}

/// Asks the store for a write.
type Write = dyn Fn() -> BoxFuture<'static, Result<(), StoreError>> + Send + Sync;

/// A write that the store was asked for.
#[derive(Clone, Copy)]
struct Probe {
    asked: Instant,
    answered: Option<(Instant, Answer)>,
    /// The answer before, which tells more than that there is none yet.
    before: Option<Answer>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Written,
    Failed(&'static str),
    /// Nobody is there to write.
    Gone,
}

impl Health {
    /// Of a server with this store and these tasks, which takes no more work once `draining` is cancelled.
    pub(crate) fn new(store: Arc<dyn Store>, tasks: Supervisor, draining: CancellationToken) -> Self {
        let write = move || -> BoxFuture<'static, _> {
            let store = Arc::clone(&store);
            Box::pin(async move { store.probe().await })
        };
        Self::of(Arc::new(write), tasks, draining)
    }

    fn of(write: Arc<Write>, tasks: Supervisor, draining: CancellationToken) -> Self {
        let probe = Arc::new(Mutex::new(ask(write.as_ref(), None)));
        Self { write, draining, tasks, probe, pauses: Pauses::default() }
    }

    /// Heeding the pauses of the media and of each executor.
    pub(crate) fn heeding(self, media: Arc<Pause>, executors: Vec<Arc<Pause>>) -> Self {
        Self { pauses: Pauses { media: Some(media), executors }, ..self }
    }

    /// The last probe, or a new one where that is stale.
    async fn probe(&self) -> Probe {
        let mut probe = {
            let mut current = self.probe.lock().unwrap_or_else(PoisonError::into_inner);
            let answered = current.borrow().answered;
            if let Some((_, answer)) = answered.filter(|(at, _)| at.elapsed() >= PROBE_FRESH) {
                *current = ask(self.write.as_ref(), Some(answer));
            }
            current.clone()
        };
        // Without an answer in time there is the time of the question.
        let _ = tokio::time::timeout(PROBE_WAIT, probe.wait_for(|probe| probe.answered.is_some())).await;
        *probe.borrow()
    }

    /// Whether the writer answers, be it with an error, since no restart mends a full disk; and whether every task can be
    /// kept alive.
    async fn lives(&self) -> Result<(), String> {
        if let Some(task) = self.tasks.failing() {
            return Err(format!("the task `{task}` dies again and again"));
        }
        let probe = self.probe().await;
        match probe.answered {
            Some((_, Answer::Gone)) => Err("the store's writer has ended".to_owned()),
            None if probe.asked.elapsed() >= STUCK => Err("the store's writer is stuck".to_owned()),
            _ => Ok(()),
        }
    }

    /// Whether a submit would be kept, and made.
    async fn is_ready(&self) -> Result<(), String> {
        if self.draining.is_cancelled() {
            return Err("draining".to_owned());
        }
        if let Some(task) = self.tasks.dead().or_else(|| self.tasks.failing()) {
            return Err(format!("the task `{task}` died"));
        }
        let probe = self.probe().await;
        let why = match (probe.answered.map(|(_, answer)| answer), probe.before) {
            (Some(Answer::Written), _) => self.pauses.reason(),
            (Some(Answer::Gone), _) => Some("the store cannot write"),
            (Some(Answer::Failed(why)), _) => Some(why),
            // It waits for what it waited for before.
            (None, Some(Answer::Failed(why))) if probe.asked.elapsed() < STUCK => Some(why),
            (None, _) => Some("the store does not answer"),
        };
        why.map_or(Ok(()), |why| Err(why.to_owned()))
    }
}

/// Asks for a write, and notes the answer.
fn ask(write: &Write, before: Option<Answer>) -> watch::Receiver<Probe> {
    let asked = Instant::now();
    let (sender, receiver) = watch::channel(Probe { asked, answered: None, before });
    let write = write();
    tokio::spawn(async move {
        let answer = match write.await {
            Ok(()) => Answer::Written,
            Err(StoreError::Closed) => Answer::Gone,
            Err(error) => {
                tracing::error!(%error, "the store cannot write");
                Answer::Failed(word(&error))
            }
        };
        sender.send_replace(Probe { asked, answered: Some((Instant::now(), answer)), before });
    });
    receiver
}

/// What of an error is told to whoever asks.
fn word(error: &StoreError) -> &'static str {
    match error {
        StoreError::Backend { fault: Fault::Busy, .. } => "the store is busy",
        StoreError::Backend { fault: Fault::Full, .. } => "the store has no room on its disk",
        StoreError::Backend { fault: Fault::ReadOnly, .. } => "the store is read-only",
        StoreError::Backend { fault: Fault::Damaged, .. } => "the store is damaged",
        _ => "the store cannot write",
    }
}

/// Where health is asked for: a listener answers there when it answers nobody else.
pub(crate) const PATHS: [&str; 2] = [LIVE, READY];
const LIVE: &str = "/livez";
const READY: &str = "/readyz";

/// `/livez` and `/readyz`.
pub(crate) fn router(health: Health) -> Router {
    Router::new().route(LIVE, get(live)).route(READY, get(ready)).with_state(health)
}

async fn live(State(health): State<Health>) -> (StatusCode, String) {
    told(health.lives().await)
}

async fn ready(State(health): State<Health>) -> (StatusCode, String) {
    told(health.is_ready().await)
}

fn told(health: Result<(), String>) -> (StatusCode, String) {
    match health {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

/// `/metrics`.
pub(crate) fn metrics_router(
    metrics: Arc<Metrics>,
    store: Arc<dyn Store>,
    deliveries: Arc<Statistics>,
) -> Router {
    Router::new().route("/metrics", get(scrape)).with_state(Scraped { metrics, store, deliveries })
}

/// Whoever counts something.
#[derive(Clone)]
struct Scraped {
    metrics: Arc<Metrics>,
    store: Arc<dyn Store>,
    deliveries: Arc<Statistics>,
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

    /// A store that answers as told, or not at all, and the health of its server.
    struct Fake {
        asked: Arc<AtomicUsize>,
        answers: watch::Sender<Option<Result<(), StoreError>>>,
        draining: CancellationToken,
        health: Health,
    }

    impl Fake {
        fn new() -> Self {
            let (answers, receiver) = watch::channel(Some(Ok(())));
            let (asked, draining) = (Arc::<AtomicUsize>::default(), CancellationToken::new());
            let counted = Arc::clone(&asked);
            let write = move || -> BoxFuture<'static, _> {
                counted.fetch_add(1, Ordering::Relaxed);
                let mut answers = receiver.clone();
                Box::pin(async move {
                    let answer = answers.wait_for(Option::is_some).await;
                    answer.map_or(Err(StoreError::Closed), |answer| answer.clone().unwrap())
                })
            };
            let health = Health::of(Arc::new(write), Supervisor::default(), draining.clone());
            Self { asked, answers, draining, health }
        }

        /// Whether it lives and whether it is ready, a while after the store has changed.
        async fn tells(&self) -> [String; 2] {
            tokio::time::advance(PROBE_FRESH).await;
            [self.health.lives().await, self.health.is_ready().await]
                .map(|told| told.err().unwrap_or_else(|| "ok".to_owned()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn is_that_of_the_writer() {
        let fake = Fake::new();
        assert_eq!(fake.tells().await, ["ok", "ok"]);
        // A full disk is no reason to start again, and one not to call.
        fake.answers.send_replace(Some(Err(StoreError::Unreadable("full".to_owned()))));
        assert_eq!(fake.tells().await, ["ok", "the store cannot write"]);
        let source = Arc::new(std::io::Error::other("locked"));
        fake.answers.send_replace(Some(Err(StoreError::Backend { fault: Fault::Busy, source })));
        assert_eq!(fake.tells().await, ["ok", "the store is busy"]);
        // The next write waits as long as the last.
        fake.answers.send_replace(None);
        assert_eq!(fake.tells().await, ["ok", "the store is busy"]);
        tokio::time::advance(STUCK).await;
        assert_eq!(fake.tells().await, ["the store's writer is stuck", "the store does not answer"]);
        fake.answers.send_replace(Some(Ok(())));
        assert_eq!(fake.tells().await, ["ok", "ok"]);
        fake.draining.cancel();
        assert_eq!(fake.tells().await, ["ok", "draining"]);
        fake.answers.send_replace(Some(Err(StoreError::Closed)));
        assert_eq!(fake.tells().await, ["the store's writer has ended", "draining"]);
    }

    #[tokio::test(start_paused = true)]
    async fn is_that_of_the_tasks_too() {
        let fake = Fake::new();
        let tracker = tokio_util::task::TaskTracker::new();
        // Dies until it is let.
        let (live, lives) = watch::channel(false);
        fake.health.tasks.keep(&tracker, "sweep", fake.draining.clone(), move || {
            let lives = lives.clone();
            async move {
                if *lives.borrow() {
                    std::future::pending::<()>().await;
                }
            }
        });
        assert_eq!(fake.tells().await, ["ok", "the task `sweep` died"]);
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert_eq!(fake.tells().await, ["the task `sweep` dies again and again", "the task `sweep` died"]);
        live.send_replace(true);
        tokio::time::sleep(Duration::from_secs(70)).await;
        assert_eq!(fake.tells().await, ["ok", "ok"]);
    }

    #[tokio::test(start_paused = true)]
    async fn is_that_of_the_media_and_of_the_executors() {
        let pause = |of| Pause::new(of, &Metrics::default());
        let (media, one, other) = (pause("media"), pause("one"), pause("other"));
        let Fake { health, .. } = Fake::new();
        let health = health.heeding(Arc::clone(&media), vec![Arc::clone(&one), Arc::clone(&other)]);
        one.begin("cannot work", &"away");
        assert_eq!(health.is_ready().await, Ok(()), "the other works");
        other.begin("cannot work", &"away");
        assert_eq!(health.is_ready().await, Err("cannot work".to_owned()));
        one.end();
        media.begin("no room", &"full");
        assert_eq!((health.is_ready().await, health.lives().await), (Err("no room".to_owned()), Ok(())));
        media.end();
        assert_eq!(health.is_ready().await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn costs_one_write_a_second_however_many_ask() {
        let fake = Fake::new();
        for _ in 0..1_000 {
            fake.health.is_ready().await.unwrap();
            fake.health.lives().await.unwrap();
        }
        assert_eq!(fake.asked.load(Ordering::Relaxed), 1);
        tokio::time::advance(PROBE_FRESH).await;
        fake.health.is_ready().await.unwrap();
        assert_eq!(fake.asked.load(Ordering::Relaxed), 2);
    }
}
