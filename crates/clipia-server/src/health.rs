//! Whether the server lives, and whether calls should come to it.
//!
//! `/livez` and `/readyz` need no key and reveal one word: an orchestrator has none, and asks where clients do, so that what it
//! learns holds for them. `/metrics` is the operator's business and stands on the administration's listener alone, which is
//! this machine's unless told; it takes no token, since a scraper keeps none that changes at each start.

use crate::http::ApiError;
use crate::metrics::Metrics;
use crate::store::{Store, StoreError};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
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
    store: Arc<dyn Store>,
    draining: CancellationToken,
    probe: Arc<Mutex<watch::Receiver<Probe>>>,
}

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
        let probe = ask(Arc::clone(&store));
        Self { store, draining, probe: Arc::new(Mutex::new(probe)) }
    }

    /// The last probe, or a new one where that is stale.
    async fn probe(&self) -> Probe {
        let mut probe = {
            let mut current = self.probe.lock().unwrap_or_else(PoisonError::into_inner);
            let answered = current.borrow().answered;
            if answered.is_some_and(|(at, _)| at.elapsed() >= PROBE_FRESH) {
                *current = ask(Arc::clone(&self.store));
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

/// Asks the store for a write. The task ends with its answer.
fn ask(store: Arc<dyn Store>) -> watch::Receiver<Probe> {
    let asked = Instant::now();
    let (sender, receiver) = watch::channel(Probe { asked, answered: None });
    tokio::spawn(async move {
        let answer = match store.probe().await {
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

/// `/livez` and `/readyz`.
pub(crate) fn router(health: Health) -> Router {
    Router::new().route("/livez", get(live)).route("/readyz", get(ready)).with_state(health)
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
pub(crate) fn metrics_router(metrics: Arc<Metrics>, store: Arc<dyn Store>) -> Router {
    Router::new().route("/metrics", get(scrape)).with_state((metrics, store))
}

async fn scrape(
    State((metrics, store)): State<(Arc<Metrics>, Arc<dyn Store>)>,
) -> Result<([(header::HeaderName, &'static str); 1], String), ApiError> {
    const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, TYPE)], metrics.text(store.as_ref()).await?))
}
