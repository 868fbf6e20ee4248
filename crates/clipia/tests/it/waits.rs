//! Waits: what ends a wait, what does not, and the polls meanwhile.

use crate::peer::{
    ID, Peer, Reply, Seen, another_id, body_reply, cut, error_reply, json_reply, state, state_with, submitted,
};
use clipia::{Error, Outcome, RequestId, Status, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn id() -> RequestId {
    ID.parse().unwrap()
}

fn completed() -> Reply {
    state(
        "COMPLETED",
        json!({ "model": "m", "output": {}, "cost": 12, "completed_at": "2026-01-01T00:00:00Z" }),
    )
}

fn is_status(seen: &Seen) -> bool {
    seen.path == format!("/v1/requests/{ID}/status")
}

#[tokio::test]
async fn a_wait_ends_with_each_outcome() {
    let failed = state(
        "FAILED",
        json!({ "error": { "code": "GENERATION_FAILED", "message": "too dark" }, "cost": 0 }),
    );
    let peer = Peer::script(vec![completed(), failed, state("CANCELED", json!({}))]).await;
    let generation = peer.client().generation(id());

    let outcome = generation.wait().await.unwrap();
    assert_eq!(*outcome.request_id(), id());
    let picture = outcome.completed().unwrap();
    assert_eq!((picture.model(), picture.cost().unwrap().whole().unwrap()), (Some("m"), 12));
    assert_eq!(picture.completed_at().unwrap().to_string(), "2026-01-01T00:00:00Z");

    let Outcome::Failed(failed) = generation.wait().await.unwrap() else { panic!("it failed") };
    assert_eq!((failed.code(), failed.message()), ("GENERATION_FAILED", "too dark"));
    let error = Outcome::Failed(failed).completed().unwrap_err();
    assert_eq!(error.to_string(), format!("generation {ID} failed: too dark (GENERATION_FAILED)"));
    assert_eq!((error.request_id(), error.is_retryable()), (Some(&id()), false));

    let error = generation.wait().await.unwrap().completed().unwrap_err();
    assert!(matches!(error, Error::Canceled(_)), "{error:?}");
}

#[tokio::test]
async fn no_transient_error_ends_a_wait() {
    let troubles = [
        vec![Reply::Reset, error_reply(503, "service_unavailable", &[]), cut(completed(), 10)],
        vec![
            error_reply(429, "rate_limit_exceeded", &[("retry-after", "0")]),
            error_reply(500, "internal_error", &[]),
        ],
        vec![
            body_reply(404, &[], b"default backend - 404"),
            body_reply(200, &[], b"<h1>Down</h1>"),
            Reply::Reset,
        ],
        vec![
            state("REHEATING", json!({ "of": "a newer API" })),
            state_with(202, "IN_PROGRESS", json!({ "progress": 250 })),
        ],
        vec![
            body_reply(408, &[], b"Request Timeout"),
            error_reply(408, "of_a_newer_api", &[]),
            state("IN_PROGRESS", json!({})),
            // From a replica that lags behind.
            error_reply(404, "not_found", &[]),
        ],
    ];
    futures_util::future::join_all(troubles.map(async |mut replies| {
        replies.push(completed());
        let asks = replies.len();
        let peer = Peer::script(replies).await;
        // Without retries, which a wait does not need.
        let clipia = peer.builder().max_retries(0).build().unwrap();
        clipia.generation(id()).wait().await.unwrap().completed().unwrap();
        assert_eq!(peer.seen().len(), asks);
        assert!(!peer.seen().iter().any(is_status), "where nobody watches, the result is asked for directly");
    }))
    .await;
}

#[tokio::test]
async fn a_hung_connection_delays_a_wait_and_no_more() {
    let peer = Peer::script(vec![Reply::Hang, completed()]).await;
    let clipia = peer.builder().timeout(Duration::from_millis(100)).build().unwrap();
    clipia.generation(id()).wait().await.unwrap().completed().unwrap();
}

#[tokio::test]
async fn a_refusal_ends_a_wait() {
    for (status, code) in [(401, "invalid_api_key"), (403, "insufficient_scope")] {
        let peer = Peer::script(vec![state("IN_PROGRESS", json!({})), error_reply(status, code, &[])]).await;
        let error = peer.client().generation(id()).wait().await.unwrap_err();
        assert_eq!((error.code(), error.request_id()), (Some(code), Some(&id())));
    }
    // An id without any known state.
    let peer = Peer::script(vec![error_reply(404, "not_found", &[])]).await;
    let error = peer.client().generation(id()).wait().await.unwrap_err();
    assert_eq!((error.code(), error.request_id(), peer.seen().len()), (Some("not_found"), Some(&id()), 1));
}

#[tokio::test]
async fn a_replica_that_lags_behind_does_not_end_a_wait() {
    let missing = || error_reply(404, "not_found", &[]);
    let peer = Peer::script(vec![submitted(), missing(), missing(), completed()]).await;
    let subscribed = peer.client().subscribe("m", json!({})).await.unwrap();
    assert_eq!(subscribed.completed().unwrap().id(), &id());

    let peer = Peer::script(vec![submitted(), missing(), missing(), state("COMPLETED", json!({}))]).await;
    let submitted = peer.client().submit("m", json!({})).await.unwrap();
    let mut updates = submitted.updates();
    let last = async {
        let mut last = None;
        while let Some(update) = updates.next().await {
            last = Some(update.unwrap().status);
        }
        last
    };
    assert_eq!(last.await, Some(Status::Completed));
}

#[tokio::test]
async fn a_deadline_names_the_generation_and_its_status() {
    let peer = Peer::script(vec![state("IN_PROGRESS", json!({ "progress": 72 })), Reply::Hang]).await;
    let error = peer.client().generation(id()).wait().timeout(Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "gave up waiting for {ID} after 0.3 s; it is still IN_PROGRESS (72 %): resume with \
             client.generation(\"{ID}\").wait()"
        )
    );
    assert_eq!((error.request_id(), error.is_retryable()), (Some(&id()), false));
}

#[tokio::test]
async fn a_deadline_shows_the_latest_error() {
    let peer = Peer::script(vec![error_reply(503, "service_unavailable", &[])]).await;
    let error = peer.client().generation(id()).wait().timeout(Duration::from_millis(300)).await.unwrap_err();
    assert!(error.to_string().contains("nothing is known of it yet"), "{error}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("service_unavailable"), "{cause}");
}

#[tokio::test]
async fn updates_come_in_order_and_end_with_the_terminal_one() {
    let peer = Peer::script(vec![
        state("IN_QUEUE", json!({ "queue_position": 1 })),
        state("IN_QUEUE", json!({ "queue_position": 0 })),
        state("IN_QUEUE", json!({ "queue_position": 0 })),
        Reply::Reset,
        state("WARMING_UP", json!({})),
        state("IN_PROGRESS", json!({ "progress": 50 })),
        state("FAILED", json!({})),
    ])
    .await;
    let mut updates = peer.client().generation(id()).updates();
    let mut updates_seen = Vec::new();
    while let Some(update) = updates.next().await {
        let update = update.unwrap();
        assert_eq!(update.request_id, id());
        updates_seen.push((
            update.status.to_string(),
            update.queue_position,
            update.progress.map(|done| done.percent()),
        ));
    }
    let updates_seen: Vec<_> =
        updates_seen.iter().map(|(status, position, progress)| (&**status, *position, *progress)).collect();
    assert_eq!(
        updates_seen,
        [
            ("IN_QUEUE", Some(1), None),
            ("IN_QUEUE", Some(0), None),
            ("WARMING_UP", None, None),
            ("IN_PROGRESS", None, Some(50)),
            ("FAILED", None, None),
        ]
    );
    assert!(updates.next().await.is_none());
    assert!(peer.seen().iter().all(is_status));
}

#[tokio::test]
async fn an_error_is_the_last_update() {
    let peer = Peer::script(vec![error_reply(404, "not_found", &[])]).await;
    let mut updates = peer.client().generation(id()).updates();
    assert!(matches!(updates.next().await, Some(Err(Error::NotFound(_)))));
    assert!(updates.next().await.is_none());
}

#[tokio::test]
async fn subscribe_submits_watches_and_brings_the_outcome() {
    let peer = Peer::new(|n, _| match n {
        0 => submitted(),
        1 => state("IN_QUEUE", json!({ "queue_position": 0 })),
        2 => state("IN_PROGRESS", json!({ "progress": 40 })),
        _ => completed(),
    })
    .await;
    let updates_seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&updates_seen);
    let outcome = peer
        .client()
        .subscribe("m", json!({}))
        .timeout(Duration::from_secs(60))
        .on_update(move |update| sink.lock().unwrap().push(update.status.clone()))
        .await
        .unwrap();
    outcome.completed().unwrap();
    assert_eq!(*updates_seen.lock().unwrap(), [Status::InQueue, Status::InProgress, Status::Completed]);
    let asked: Vec<_> = peer.seen()[1..].iter().map(is_status).collect();
    assert_eq!(asked, [true, true, true, false], "the result is asked for once, at the end");
}

#[tokio::test]
async fn a_generation_that_ended_at_its_submit_is_polled_at_once() {
    let sandbox = json_reply(
        200,
        json!({ "request_id": ID, "status": "COMPLETED", "queue_position": 0, "cost": 12,
                "status_url": "x", "response_url": "y" }),
    );
    let peer = Peer::script(vec![sandbox, completed()]).await;
    peer.client().subscribe("m", json!({})).await.unwrap().completed().unwrap();
    assert_eq!(peer.seen().len(), 2);
}

#[tokio::test]
async fn two_hundred_waits_share_one_client() {
    let asked = Mutex::new(std::collections::HashMap::<String, u32>::new());
    let peer = Peer::new(move |_, seen| {
        let mut asked = asked.lock().unwrap();
        let times = asked.entry(seen.path.clone()).or_default();
        *times += 1;
        let status = if *times < 3 { "IN_PROGRESS" } else { "COMPLETED" };
        let Reply::Bytes(bytes, keep) = state(status, json!({})) else { unreachable!() };
        let id = seen.path.rsplit('/').next().unwrap();
        Reply::Bytes(String::from_utf8(bytes).unwrap().replace(ID, id).into_bytes(), keep)
    })
    .await;
    let clipia = peer.client();
    let waits: Vec<_> = (0..200).map(|_| clipia.generation(another_id())).collect();
    let ended = futures_util::future::join_all(waits.iter().map(|generation| generation.wait())).await;
    for (generation, outcome) in waits.iter().zip(ended) {
        assert_eq!(outcome.unwrap().completed().unwrap().id(), generation.id());
    }
    assert_eq!(peer.seen().len(), 600);
}

#[tokio::test]
async fn a_dropped_wait_polls_no_more() {
    let peer = Peer::script(vec![state("IN_PROGRESS", json!({}))]).await;
    let clipia = peer.client();
    let mut updates = clipia.generation(id()).updates();
    updates.next().await.unwrap().unwrap();
    drop(updates);
    // Another wait lasts long enough for many polls of the first one, if it went on.
    let other = clipia.generation(another_id());
    let before = peer.seen().iter().filter(|seen| is_status(seen)).count();
    let waited = other.wait().timeout(Duration::from_millis(800)).await;
    assert!(matches!(waited, Err(Error::Deadline { .. })));
    let asked = peer.seen().iter().filter(|seen| is_status(seen)).count();
    assert!(asked <= before + 1, "{asked} after {before}: at most the one that was on the way");
}
