//! Tests of a session's line over peers that hang, break off, lose responses, or are proxies.

mod beats;
mod claims;
mod ends;
mod files;
mod inputs;
mod peer;

use super::{About, HttpLine, Settings};
use crate::job::Job;
use crate::work::{AttemptId, Claimed, Line, PreparationRoom};
use clipia_queue::lifecycle::Epoch;
use clipia_queue::{AccountId, RequestId};
use peer::Peer;
use serde_json::{Value, json};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The longest wait for anything; only a failing test waits so long.
const DEADLINE: Duration = Duration::from_secs(20);

/// A session with a peer.
struct Session {
    line: Arc<HttpLine>,
    drain: CancellationToken,
    stop: CancellationToken,
}

impl Session {
    fn with(peer: &Peer) -> Self {
        let (drain, stop) = (CancellationToken::new(), CancellationToken::new());
        let about = About {
            host: "box".to_owned(),
            gpu: None,
            version: "1".to_owned(),
            slots: NonZeroU32::new(2).unwrap(),
        };
        let settings = Settings {
            server: peer.url.clone(),
            token: "clipia_worker_secret".to_owned(),
            executor: "gpu".to_owned(),
            about,
        };
        assert!(!format!("{settings:?}").contains("secret"));
        let line = HttpLine::start(settings, drain.clone(), stop.clone()).unwrap();
        Self { line, drain, stop }
    }

    /// Claims a request.
    async fn claim(&self) -> Option<Claimed> {
        within(self.line.claim(&Room::default())).await.unwrap()
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("the deadline of a test")
}

/// The accounts that are full, as a test says.
#[derive(Clone, Default)]
struct Room(Arc<Mutex<Vec<AccountId>>>);

impl PreparationRoom for Room {
    fn full(&self) -> Vec<AccountId> {
        self.0.lock().unwrap().clone()
    }

    fn free_for(&self, _: &AccountId) -> usize {
        1
    }
}

fn attempt() -> AttemptId {
    AttemptId { id: RequestId::generate(), epoch: Epoch(1) }
}

/// A claimed request as a server says it.
fn claimed(attempt: AttemptId, input: &Value) -> Value {
    json!({
        "request_id": attempt.id.to_string(), "epoch": attempt.epoch.0, "account_id": "a", "base_url": "http://here",
        "model": { "slug": "m", "type": "image" }, "input": input,
    })
}

/// The response to a claim.
fn jobs(jobs: &[Value]) -> Value {
    json!({ "jobs": jobs, "say": "work" })
}

/// The job of a claimed request.
fn job(claimed: Option<Claimed>) -> (Job, AttemptId, Box<dyn std::any::Any + Send + Sync>) {
    let claimed = claimed.unwrap();
    (claimed.job.unwrap(), claimed.attempt, claimed.alive)
}
