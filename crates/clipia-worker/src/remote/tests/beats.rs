//! Beats.

use super::peer::{Answer, Call, Peer};
use super::*;
use crate::work::ReportRefused;
use clipia_queue::logs::LogLines;
use std::sync::atomic::{AtomicU32, Ordering};

/// Answers a beat: every attempt goes on but those in `lost`.
fn goes_on(call: &Call, lost: &[String]) -> Answer {
    let order = call.json();
    let answers: Vec<Value> = order["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| {
            let goes_on = !lost.iter().any(|id| job["request_id"] == **id);
            json!({ "request_id": job["request_id"], "epoch": job["epoch"], "goes_on": goes_on, "why": "canceled" })
        })
        .collect();
    Answer::ok(&json!({ "jobs": answers, "say": "work" }))
}

#[tokio::test]
async fn beats_that_come_during_a_call_share_the_next_one() {
    let canceled = attempt();
    let lost = vec![canceled.id.to_string()];
    let peer = Peer::start(move |call: &Call| {
        Answer::Later(Duration::from_millis(100), Box::new(goes_on(call, &lost)))
    })
    .await;
    let session = Session::with(&peer);
    let logs = || LogLines { offset: 3, lines: ["step".to_owned()].into() };
    let beats = futures(&session, 20, logs());
    let (lost, held, on) = tokio::join!(
        session.line.beat(canceled, 40, LogLines::default()),
        session.line.hold(attempt()),
        beats,
    );
    assert!(
        matches!(&lost, Err(ReportRefused::Lost(why)) if why.to_string().contains("canceled")),
        "{lost:?}"
    );
    assert!(held.is_ok() && on.iter().all(Result::is_ok), "{held:?} {on:?}");
    let calls = peer.calls("POST /worker/v1/beat");
    assert_eq!(calls.len(), 2, "one beat, and all that came meanwhile");
    let sent: Vec<Value> =
        calls.iter().flat_map(|call| call.json()["jobs"].as_array().unwrap().clone()).collect();
    assert_eq!((sent.len(), &sent[0]["progress"], &sent[1]["preparing"]), (22, &json!(40), &json!(true)));
    assert_eq!(sent[2]["logs"], json!({ "offset": 3, "lines": ["step"] }));
}

async fn futures(session: &Session, count: u8, logs: LogLines) -> Vec<Result<(), ReportRefused>> {
    let mut beats = tokio::task::JoinSet::new();
    for percent in 0..count {
        let (line, logs) = (Arc::clone(&session.line), logs.clone());
        beats.spawn(async move { line.beat(attempt(), percent, logs).await });
    }
    beats.join_all().await
}

#[tokio::test]
async fn a_beat_that_did_not_arrive_can_be_repeated() {
    let calls = AtomicU32::new(0);
    let peer = Peer::start(move |call: &Call| match calls.fetch_add(1, Ordering::Relaxed) {
        0 => Answer::Lost,
        1 => Answer::bad_gateway(),
        2 => Answer::ok(&json!({ "jobs": [], "say": "work" })),
        _ => goes_on(call, &[]),
    })
    .await;
    let session = Session::with(&peer);
    let beats = attempt();
    for _ in 0..3 {
        let refused = within(session.line.beat(beats, 1, LogLines::default())).await;
        assert!(matches!(refused, Err(ReportRefused::Unrecorded { transient: true, .. })), "{refused:?}");
    }
    assert!(within(session.line.beat(beats, 1, LogLines::default())).await.is_ok());
}

#[tokio::test]
async fn a_revoked_worker_loses_what_it_runs() {
    let peer = Peer::start(|_| Answer::refused(401, "revoked")).await;
    let session = Session::with(&peer);
    let refused = within(session.line.beat(attempt(), 1, LogLines::default())).await;
    assert!(matches!(refused, Err(ReportRefused::Lost(_))), "{refused:?}");
    assert!(within(session.line.over()).await.to_string().contains("was revoked"));
}
