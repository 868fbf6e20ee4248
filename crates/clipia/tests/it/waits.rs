//! Waits: what ends a wait, what does not, and the polls meanwhile.

use crate::emulated::{Emulated, MODEL, input};
use crate::peer::{ID, Peer, body_reply, error_reply, state, state_with};
use clipia::{Clipia, Error, Generation, Outcome, Status, json};
use clipia_emulator::{Operation, TEST_KEY};
use futures_util::future::join_all;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A generation that does what these words say.
async fn submitted(clipia: &Clipia, words: &str) -> Generation {
    clipia.submit(MODEL, input(words)).await.unwrap().into_generation()
}

#[tokio::test]
async fn a_wait_ends_with_each_outcome() {
    let emulated = Emulated::new(&[]);
    let clipia = emulated.client();
    let fox = clipia.submit(MODEL, input("")).await.unwrap();
    let picture = fox.wait().await.unwrap().completed().unwrap();
    assert_eq!((picture.id(), picture.model(), picture.cost()), (fox.id(), Some(MODEL), fox.cost()));
    assert!(picture.completed_at().unwrap() >= picture.created_at().unwrap());

    let fox = submitted(&clipia, r#"@fail=too_dark:"no light""#).await;
    let Outcome::Failed(failed) = fox.wait().await.unwrap() else { panic!("it failed") };
    assert_eq!((failed.code(), failed.message()), ("too_dark", "no light"));
    let error = Outcome::Failed(failed).completed().unwrap_err();
    assert_eq!(error.to_string(), format!("generation {} failed: no light (too_dark)", fox.id()));
    assert_eq!((error.request_id(), error.is_retryable()), (Some(fox.id()), false));

    let canceled = submitted(&clipia, "@cancel").await.wait().await.unwrap();
    assert!(matches!(canceled.completed().unwrap_err(), Error::Canceled(_)));
    emulated.assert_clean();
}

#[tokio::test]
async fn no_transient_error_ends_a_wait() {
    // Not a 429, after which a client makes few calls for a while.
    let troubles = ["reset", "drop", "cut=10B", "empty", "html", "500", "503", "not_found"];
    let emulated = Emulated::new(&[]);
    for trouble in troubles {
        emulated.fault(&format!("result {trouble} x1"));
    }
    // Without retries, which a wait does not need.
    let clipia = emulated.builder().max_retries(0).build().unwrap();
    let words = ["@status=REHEATING", "@extra", "@polls=3", "@position=7", "@progress=0", "", "", "", ""];
    join_all(
        words.map(async |words| submitted(&clipia, words).await.wait().await.unwrap().completed().unwrap()),
    )
    .await;
    assert!(emulated.emulation().faults().iter().all(|fault| fault.applied == 1));
    assert_eq!(
        emulated.calls(Operation::Status),
        [],
        "where nobody watches, the result is asked for directly"
    );
    emulated.assert_clean();
}

/// What no server of ours says.
#[tokio::test]
async fn no_odd_response_ends_a_wait() {
    let peer = Peer::script(vec![
        state("IN_PROGRESS", json!({})),
        body_reply(404, &[], b"default backend - 404"),
        body_reply(200, &[], b"<h1>Down</h1>"),
        body_reply(408, &[], b"Request Timeout"),
        error_reply(408, "of_a_newer_api", &[]),
        state_with(202, "IN_PROGRESS", json!({ "progress": 250 })),
        state("COMPLETED", json!({})),
    ])
    .await;
    peer.client().generation(ID).wait().await.unwrap().completed().unwrap();
    assert_eq!(peer.seen().len(), 7);
}

#[tokio::test]
async fn a_hung_connection_delays_a_wait_and_no_more() {
    let emulated = Emulated::new(&["result hang x1"]);
    let fox = submitted(&emulated.client(), "").await;
    let clipia = emulated.builder().timeout(Duration::from_millis(100)).build().unwrap();
    clipia.generation(fox.id()).wait().await.unwrap().completed().unwrap();
    assert_eq!(emulated.emulation().faults()[0].applied, 1);
}

#[tokio::test]
async fn a_refusal_ends_a_wait() {
    let emulated = Emulated::new(&[]);
    let clipia = emulated.client();
    let fox = submitted(&clipia, "@stuck").await;
    for code in ["invalid_api_key", "insufficient_scope"] {
        emulated.fault(&format!("result {code} x1 after 1"));
        let error = fox.wait().await.unwrap_err();
        assert_eq!((error.code(), error.request_id()), (Some(code), Some(fox.id())));
    }
    // An id without any known state.
    let before = emulated.calls(Operation::Result).len();
    let nothing = clipia.generation(ID);
    let error = nothing.wait().await.unwrap_err();
    assert_eq!((error.code(), error.request_id()), (Some("not_found"), Some(nothing.id())));
    assert_eq!(emulated.calls(Operation::Result).len(), before + 1);
    // An error is the last update, too.
    let mut updates = nothing.updates();
    assert!(matches!(updates.next().await, Some(Err(Error::NotFound(_)))));
    assert!(updates.next().await.is_none());
}

#[tokio::test]
async fn a_replica_that_lags_behind_does_not_end_a_wait() {
    let emulated = Emulated::new(&["result not_found x2", "status not_found x2"]);
    let clipia = emulated.client();
    submitted(&clipia, "").await.wait().await.unwrap().completed().unwrap();
    let mut updates = submitted(&clipia, "").await.updates();
    let mut last = None;
    while let Some(update) = updates.next().await {
        last = Some(update.unwrap().status);
    }
    assert_eq!(last, Some(Status::Completed));
    assert!(emulated.emulation().faults().iter().all(|fault| fault.applied == 2));
}

#[tokio::test]
async fn a_deadline_names_the_generation_and_its_status() {
    let emulated = Emulated::new(&["result hang after 1"]);
    let fox = submitted(&emulated.client(), "@progress=72 @stuck=72").await;
    let fox = emulated.client().generation(fox.id());
    let error = fox.wait().timeout(Duration::from_millis(300)).await.unwrap_err();
    let id = fox.id();
    assert_eq!(
        error.to_string(),
        format!(
            "gave up waiting for {id} after 0.3 s; it is still IN_PROGRESS (72 %): resume with \
             client.generation(\"{id}\").wait()"
        )
    );
    assert_eq!((error.request_id(), error.is_retryable()), (Some(id), false));
}

#[tokio::test]
async fn a_deadline_shows_the_latest_error() {
    let emulated = Emulated::new(&["result 503"]);
    let fox = emulated.client().generation(ID);
    let error = fox.wait().timeout(Duration::from_millis(300)).await.unwrap_err();
    assert!(error.to_string().contains("nothing is known of it yet"), "{error}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("service_unavailable"), "{cause}");
}

#[tokio::test]
async fn updates_come_in_order_and_end_with_the_terminal_one() {
    let emulated = Emulated::new(&["status reset x1 after 3"]);
    let clipia = emulated.client();
    for (words, expected) in [
        (
            "@position=1,0,0 @progress=50 @fail",
            vec![
                ("IN_QUEUE", Some(1), None),
                ("IN_QUEUE", Some(0), None),
                ("IN_PROGRESS", None, Some(50)),
                ("FAILED", None, None),
            ],
        ),
        ("@status=WARMING_UP", vec![("WARMING_UP", Some(0), None), ("COMPLETED", None, None)]),
    ] {
        let fox = submitted(&clipia, words).await;
        let mut updates = fox.updates();
        let mut updates_seen = Vec::new();
        while let Some(update) = updates.next().await {
            let update = update.unwrap();
            assert_eq!(update.request_id, *fox.id());
            let progress = update.progress.map(|done| done.percent());
            updates_seen.push((update.status.to_string(), update.queue_position, progress));
        }
        let seen = updates_seen.iter().map(|(status, position, progress)| (&**status, *position, *progress));
        assert_eq!(seen.collect::<Vec<_>>(), expected);
        assert!(updates.next().await.is_none());
    }
    assert_eq!(emulated.calls(Operation::Result), []);
}

#[tokio::test]
async fn subscribe_submits_watches_and_brings_the_outcome() {
    let emulated = Emulated::new(&[]);
    let updates_seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&updates_seen);
    let outcome = emulated
        .client()
        .subscribe(MODEL, input("@position=0 @progress=40"))
        .timeout(Duration::from_secs(60))
        .on_update(move |update| sink.lock().unwrap().push(update.status.clone()))
        .await
        .unwrap();
    outcome.completed().unwrap();
    assert_eq!(*updates_seen.lock().unwrap(), [Status::InQueue, Status::InProgress, Status::Completed]);
    // The result is asked for once, at the end.
    assert_eq!(emulated.operations(), ["submit", "status", "status", "status", "result"]);
    emulated.assert_clean();
}

#[tokio::test]
async fn a_generation_that_ended_at_its_submit_is_polled_at_once() {
    let emulated = Emulated::new(&[]);
    let sandbox = emulated.builder().key(TEST_KEY).build().unwrap();
    sandbox.subscribe(MODEL, input("")).await.unwrap().completed().unwrap();
    assert_eq!(emulated.operations(), ["submit", "result"]);
}

#[tokio::test]
async fn two_hundred_waits_share_one_client() {
    let emulated = Emulated::new(&[]);
    let clipia = emulated.client();
    let waits = (0..200).map(async |_| {
        let fox = submitted(&clipia, "@polls=3").await;
        assert_eq!(fox.wait().await.unwrap().completed().unwrap().id(), fox.id());
    });
    join_all(waits).await;
    // Three polls each. On a busy machine some responses come so late that they are asked for again.
    let polls = emulated.calls(Operation::Result).len();
    assert!((600..700).contains(&polls), "{polls} polls");
    emulated.assert_clean();
}

#[tokio::test]
async fn a_dropped_wait_polls_no_more() {
    let emulated = Emulated::new(&[]);
    let clipia = emulated.client();
    let mut updates = submitted(&clipia, "@stuck").await.updates();
    updates.next().await.unwrap().unwrap();
    drop(updates);
    // Another wait lasts long enough for many polls of the first one, if it went on.
    let before = emulated.calls(Operation::Status).len();
    let waited = submitted(&clipia, "@stuck").await.wait().timeout(Duration::from_millis(800)).await;
    assert!(matches!(waited, Err(Error::Deadline { .. })));
    let polls = emulated.calls(Operation::Status).len();
    assert!(polls <= before + 1, "{polls} after {before}: at most the one that was on the way");
}
