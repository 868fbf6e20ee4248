//! Attempting deliveries when they are due.

use crate::clock::now;
use crate::failpoints;
use crate::outbound::Outbound;
use crate::outbound::client::body;
use crate::store::{AfterAttempt, DeliveryAttempt, DueDelivery, Store};
use clipia_queue::schedules::{DELIVERY_TIMEOUT, delivery_pause};
use reqwest::StatusCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Deliveries under way at the same time.
const UNDER_WAY_MAX: usize = 64;

/// How much of a receiver's answer is read, in bytes.
const REPLY_BYTES_MAX: usize = 16 * 1024;

/// How long a claimed delivery is left to its sender: the time-out and room to record the attempt.
const CLAIM: Duration = Duration::from_secs(DELIVERY_TIMEOUT.as_secs() + 20);

/// The longest rest between two looks at the outbox, against a lost notice.
const REST_MAX: Duration = Duration::from_secs(5);

/// Attempts deliveries until it is stopped.
pub struct Dispatcher {
    store: Arc<dyn Store>,
    outbound: Outbound,
    ended: Arc<Notify>,
    under_way: Arc<Semaphore>,
}

impl Dispatcher {
    /// A dispatcher that looks again when `ended` says that a request has ended.
    pub fn new(store: Arc<dyn Store>, outbound: Outbound, ended: Arc<Notify>) -> Self {
        Self { store, outbound, ended, under_way: Arc::new(Semaphore::new(UNDER_WAY_MAX)) }
    }

    /// Runs until `stop`; the attempts under way end first.
    pub async fn run(self, stop: CancellationToken) {
        let attempts = TaskTracker::new();
        while !stop.is_cancelled() {
            let rest = self.send_due(&attempts).await;
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.ended.notified() => {}
                () = tokio::time::sleep(rest) => {}
            }
        }
        attempts.close();
        attempts.wait().await;
    }

    /// Starts an attempt at each delivery that is due; says how long to rest then.
    async fn send_due(&self, attempts: &TaskTracker) -> Duration {
        loop {
            // At least one place must be free; as many deliveries are taken as there are places.
            let Ok(first) = Arc::clone(&self.under_way).acquire_owned().await else {
                return REST_MAX;
            };
            let mut places = vec![first];
            while let Ok(place) = Arc::clone(&self.under_way).try_acquire_owned() {
                places.push(place);
            }
            let most = places.len();
            let due = match self.store.claim_deliveries(most, CLAIM, now()).await {
                Ok(due) => due,
                Err(error) => {
                    tracing::error!(%error, "cannot read the deliveries that are due");
                    return REST_MAX;
                }
            };
            let all = due.len() < most;
            for (delivery, place) in due.into_iter().zip(places) {
                let (store, outbound) = (Arc::clone(&self.store), self.outbound.clone());
                attempts.spawn(async move {
                    attempt(store.as_ref(), &outbound, delivery).await;
                    drop(place);
                });
            }
            if all {
                let next = self.store.next_delivery().await.ok().flatten();
                return next.map_or(REST_MAX, |at| at.since(now()).min(REST_MAX));
            }
        }
    }
}

/// Sends a delivery once, and records what came of it.
async fn attempt(store: &dyn Store, outbound: &Outbound, delivery: DueDelivery) {
    let started = Instant::now();
    let outcome = match tokio::time::timeout(DELIVERY_TIMEOUT, send(outbound, &delivery)).await {
        Ok(outcome) => outcome,
        Err(_) => Outcome::error(format!("no answer within {} s", DELIVERY_TIMEOUT.as_secs())),
    };
    failpoints::reached("after-delivery");
    let number = delivery.attempts + 1;
    let arrived = outcome.status.is_some_and(|status| status.is_success());
    let next = if arrived {
        AfterAttempt::Delivered
    } else if outcome.status == Some(StatusCode::GONE) {
        AfterAttempt::GiveUp
    } else {
        delivery_pause(number, rand::random(), outcome.retry_after)
            .map_or(AfterAttempt::GiveUp, |pause| AfterAttempt::Retry(now() + pause))
    };
    tracing::info!(
        delivery = %delivery.id,
        attempt = number,
        status = outcome.status.map(|status| status.as_u16()),
        error = outcome.error.as_deref(),
        ?next,
        "webhook attempted"
    );
    let attempt = DeliveryAttempt {
        delivery: delivery.id,
        number,
        status: outcome.status.map(|status| status.as_u16()),
        duration: started.elapsed(),
        error: outcome.error,
        next,
    };
    if let Err(error) = store.record_attempt(attempt, now()).await {
        tracing::error!(delivery = %delivery.id, %error, "cannot record an attempt; it will be repeated");
    }
}

/// What came of sending.
struct Outcome {
    status: Option<StatusCode>,
    retry_after: Option<Duration>,
    error: Option<String>,
}

impl Outcome {
    fn error(error: String) -> Self {
        Self { status: None, retry_after: None, error: Some(error) }
    }
}

async fn send(outbound: &Outbound, delivery: &DueDelivery) -> Outcome {
    let url = match outbound.target().parse(&delivery.url) {
        Ok(url) => url,
        // It was allowed at submit; the operator may have tightened the rules since.
        Err(refused) => return Outcome::error(format!("the webhook URL {refused}")),
    };
    // Signed at each attempt: receivers refuse a signature older than five minutes.
    let timestamp = u64::try_from(now().as_micros() / 1_000_000).unwrap_or(0);
    let signature = clipia_webhook::sign(&delivery.secrets, timestamp, &delivery.body);
    let sent = outbound
        .http()
        .post(url)
        .header("content-type", "application/json")
        .header(clipia_webhook::ID_HEADER, delivery.id.to_string())
        .header(clipia_webhook::TIMESTAMP_HEADER, timestamp.to_string())
        .header(clipia_webhook::SIGNATURE_HEADER, signature)
        .body(delivery.body.clone())
        .send()
        .await;
    let response = match sent {
        Ok(response) => response,
        Err(error) => return Outcome::error(cause(&error)),
    };
    let status = response.status();
    let retry_after = response
        .headers()
        .get("retry-after")
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    // Only read so that the connection can serve again; what it says counts for nothing.
    let _ = body(response, REPLY_BYTES_MAX).await;
    let error = (!status.is_success()).then(|| format!("the receiver answered {status}"));
    Outcome { status: Some(status), retry_after, error }
}

/// The innermost cause of a failed call, which names no URL.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
