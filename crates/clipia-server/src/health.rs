//! Whether the server lives, and whether calls should come to it.
//!
//! `/livez` and `/readyz` need no key and reveal one word: an orchestrator has none, and asks where clients do, so that what it
//! learns holds for them. `/metrics` is the operator's business and stands on the administration's listener alone, which is
//! this machine's unless told; it takes no token, since a scraper keeps none that changes at each start.

use crate::deliveries::Statistics;
use crate::http::ApiError;
use crate::metrics::Metrics;
use crate::store::{Store, StoreError};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use futures_util::future::BoxFuture;
use http::{StatusCode, header};
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
    probe: Arc<Mutex<watch::Receiver<Probe>>>,
}

/// Asks the store for a write.
type Write = dyn Fn() -> BoxFuture<'static, Result<(), StoreError>> + Send + Sync;

/// A write that the store was asked for.
#[derive(Clone, Copy)]
struct Probe {
    asked: Instant,
    answered: Option<(Instant, Answer)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Written,
    Failed,
    /// Nobody is there to write.
    Gone,
}

impl Health {
    /// Of a server with this store, which takes no more work once `draining` is cancelled.
    pub(crate) fn new(store: Arc<dyn Store>, draining: CancellationToken) -> Self {
        let write = move || -> BoxFuture<'static, _> {
            let store = Arc::clone(&store);
            Box::pin(async move { store.probe().await })
        };
        Self::of(Arc::new(write), draining)
    }

    fn of(write: Arc<Write>, draining: CancellationToken) -> Self {
        let probe = Arc::new(Mutex::new(ask(write.as_ref())));
        Self { write, draining, probe }
    }

    /// The last probe, or a new one where that is stale.
    async fn probe(&self) -> Probe {
        let mut probe = {
            let mut current = self.probe.lock().unwrap_or_else(PoisonError::into_inner);
            let answered = current.borrow().answered;
            if answered.is_some_and(|(at, _)| at.elapsed() >= PROBE_FRESH) {
                *current = ask(self.write.as_ref());
            }
            current.clone()
        };
        // Without an answer in time there is the time of the question.
        let _ = tokio::time::timeout(PROBE_WAIT, probe.wait_for(|probe| probe.answered.is_some())).await;
        *probe.borrow()
    }

    /// Whether the writer answers, be it with an error: no restart mends a full disk.
    async fn lives(&self) -> bool {
        let probe = self.probe().await;
        match probe.answered {
            Some((_, answer)) => answer != Answer::Gone,
            None => probe.asked.elapsed() < STUCK,
        }
    }

    /// Whether a submit would be kept, and made.
    async fn is_ready(&self) -> Result<(), &'static str> {
        if self.draining.is_cancelled() {
            return Err("draining");
        }
        match self.probe().await.answered {
            Some((_, Answer::Written)) => Ok(()),
            Some((_, Answer::Failed | Answer::Gone)) => Err("the store cannot write"),
            None => Err("the store does not answer"),
        }
    }
}

/// Asks for a write, and notes the answer.
fn ask(write: &Write) -> watch::Receiver<Probe> {
    let asked = Instant::now();
    let (sender, receiver) = watch::channel(Probe { asked, answered: None });
    let write = write();
    tokio::spawn(async move {
        let answer = match write.await {
            Ok(()) => Answer::Written,
            Err(StoreError::Closed) => Answer::Gone,
            Err(error) => {
                tracing::error!(%error, "the store cannot write");
                Answer::Failed
            }
        };
        sender.send_replace(Probe { asked, answered: Some((Instant::now(), answer)) });
    });
    receiver
}

/// Where health is asked for: a listener answers there when it answers nobody else.
pub(crate) const PATHS: [&str; 2] = [LIVE, READY];
const LIVE: &str = "/livez";
const READY: &str = "/readyz";

/// `/livez` and `/readyz`.
pub(crate) fn router(health: Health) -> Router {
    Router::new().route(LIVE, get(live)).route(READY, get(ready)).with_state(health)
}

async fn live(State(health): State<Health>) -> (StatusCode, &'static str) {
    match health.lives().await {
        true => (StatusCode::OK, "ok\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "the store's writer is stuck\n"),
    }
}

async fn ready(State(health): State<Health>) -> (StatusCode, String) {
    match health.is_ready().await {
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
) -> Result<([(header::HeaderName, &'static str); 1], String), ApiError> {
    const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, TYPE)], metrics.text(store.as_ref(), &deliveries).await?))
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
            let health = Health::of(Arc::new(write), draining.clone());
            Self { asked, answers, draining, health }
        }

        /// Whether it lives and whether it is ready, a while after the store has changed.
        async fn tells(&self) -> (bool, Result<(), &'static str>) {
            tokio::time::advance(PROBE_FRESH).await;
            (self.health.lives().await, self.health.is_ready().await)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn is_that_of_the_writer() {
        let fake = Fake::new();
        assert_eq!(fake.tells().await, (true, Ok(())));
        // A full disk is no reason to start again, and one not to call.
        fake.answers.send_replace(Some(Err(StoreError::Unreadable("full".to_owned()))));
        assert_eq!(fake.tells().await, (true, Err("the store cannot write")));
        fake.answers.send_replace(None);
        assert_eq!(fake.tells().await, (true, Err("the store does not answer")));
        tokio::time::advance(STUCK).await;
        assert_eq!(fake.tells().await, (false, Err("the store does not answer")));
        fake.answers.send_replace(Some(Ok(())));
        assert_eq!(fake.tells().await, (true, Ok(())));
        fake.draining.cancel();
        assert_eq!(fake.tells().await, (true, Err("draining")));
        fake.answers.send_replace(Some(Err(StoreError::Closed)));
        assert!(!fake.tells().await.0);
    }

    #[tokio::test(start_paused = true)]
    async fn costs_one_write_a_second_however_many_ask() {
        let fake = Fake::new();
        for _ in 0..1_000 {
            fake.health.is_ready().await.unwrap();
            fake.health.lives().await;
        }
        assert_eq!(fake.asked.load(Ordering::Relaxed), 1);
        tokio::time::advance(PROBE_FRESH).await;
        fake.health.is_ready().await.unwrap();
        assert_eq!(fake.asked.load(Ordering::Relaxed), 2);
    }
}
