//! Claims.

use super::peer::{Answer, Call, Peer};
use super::*;
use crate::remote::Over;
use std::sync::atomic::{AtomicU32, Ordering};

/// A peer that answers the first claims as listed, and holds later ones open.
async fn claims(answers: Vec<Answer>) -> Peer {
    let next = AtomicU32::new(0);
    Peer::start(move |call: &Call| match call.target.as_str() {
        "POST /worker/v1/claim" => {
            let number = next.fetch_add(1, Ordering::Relaxed) as usize;
            answers.get(number).cloned().unwrap_or(Answer::Hangs)
        }
        _ => Answer::ok(&Value::Null),
    })
    .await
}

#[tokio::test]
async fn idle_workers_share_one_call_and_each_gets_a_request() {
    let (first, second, third) = (attempt(), attempt(), attempt());
    let two = jobs(&[claimed(second, &json!({})), claimed(third, &json!({}))]);
    let one = Answer::ok(&jobs(&[claimed(first, &json!({}))]));
    let peer = claims(vec![Answer::Later(Duration::from_millis(200), Box::new(one)), Answer::ok(&two)]).await;
    let session = Session::with(&peer);
    let (a, b, c) = tokio::join!(session.claim(), session.claim(), session.claim());
    let got: Vec<AttemptId> = [&a, &b, &c].map(|claimed| claimed.as_ref().unwrap().attempt).to_vec();
    assert_eq!(got, [first, second, third]);
    let calls = peer.calls("POST /worker/v1/claim");
    assert_eq!(calls.len(), 2);
    let (one, two) = (calls[0].json(), calls[1].json());
    assert_eq!(
        (&one["executor"], &one["held"], &one["about"]["host"]),
        (&json!("gpu"), &json!([]), &json!("box"))
    );
    assert_eq!((&one["wait_seconds"], &two["slots_free"]), (&json!(25), &json!(2)));
    assert_eq!(two["held"], json!([{ "request_id": first.id.to_string(), "epoch": 1 }]));
    let header = |name| calls[0].header(name).unwrap().to_owned();
    assert_eq!(header("authorization"), "Bearer clipia_worker_secret");
    assert_eq!(calls[1].header("clipia-session").unwrap(), header("clipia-session"));
    // What has ended is not held.
    drop((a, b));
    let waits = session.claim();
    tokio::select! {
        _ = waits => panic!("there is nothing to claim"),
        () = async { while peer.calls("POST /worker/v1/claim").len() < 3 { tokio::task::yield_now().await } } => {}
    }
    let held = &peer.calls("POST /worker/v1/claim")[2].json()["held"];
    assert_eq!(held, &json!([{ "request_id": third.id.to_string(), "epoch": 1 }]));
}

#[tokio::test]
async fn claims_go_on_after_a_server_was_away() {
    let one = Answer::ok(&jobs(&[claimed(attempt(), &json!({}))]));
    let html = Answer::Says(200, "content-type: text/html\r\n", b"<html>log in</html>".to_vec());
    let unavailable = Answer::refused(503, "the store is full");
    let peer = claims(vec![Answer::Lost, Answer::bad_gateway(), html, unavailable, one]).await;
    assert!(Session::with(&peer).claim().await.is_some());
}

#[tokio::test]
async fn the_server_looks_for_unknown_leases_first_and_after_a_lost_response() {
    let one = || Answer::ok(&jobs(&[claimed(attempt(), &json!({}))]));
    let peer = claims(vec![one(), one(), Answer::Lost, one(), one()]).await;
    let session = Session::with(&peer);
    let began = std::time::Instant::now();
    for _ in 0..4 {
        assert!(session.claim().await.is_some());
    }
    let took = began.elapsed();
    let calls = peer.calls("POST /worker/v1/claim");
    let sure: Vec<_> = calls.iter().map(|call| call.json()["held_is_all"] == true).collect();
    assert_eq!((sure.len(), sure[0], sure[3]), (5, false, false));
    // A machine that is too busy for that looks more often.
    assert!(
        sure == [false, true, true, false, true] || took > Duration::from_secs(1),
        "{sure:?} in {took:?}"
    );
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    tokio::select! {
        _ = session.claim() => panic!("there is nothing to claim"),
        () = async { while peer.calls("POST /worker/v1/claim").len() < 6 { tokio::task::yield_now().await } } => {}
    }
    let last = peer.calls("POST /worker/v1/claim")[5].json();
    assert_ne!(last["held_is_all"], true, "it looks once a second");
}

#[tokio::test]
async fn an_empty_response_is_not_asked_for_again_at_once() {
    let empty = Answer::ok(&jobs(&[]));
    let peer = claims(vec![empty.clone(), empty, Answer::ok(&jobs(&[claimed(attempt(), &json!({}))]))]).await;
    let session = Session::with(&peer);
    let began = std::time::Instant::now();
    assert!(session.claim().await.is_none() && session.claim().await.is_none());
    within(session.line.work_submitted()).await;
    assert!(session.claim().await.is_some());
    assert!(began.elapsed() > Duration::from_millis(300), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_quiet_worker_asks_again_after_a_while() {
    let quiet = Answer::ok(&json!({ "jobs": [], "say": "quiet" }));
    let peer = claims(vec![quiet, Answer::ok(&jobs(&[claimed(attempt(), &json!({}))]))]).await;
    let session = Session::with(&peer);
    assert!(session.claim().await.is_none());
    let began = std::time::Instant::now();
    within(session.line.work_submitted()).await;
    assert!(session.claim().await.is_some());
    assert!(began.elapsed() > Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_session_ends_with_the_reason_when_its_claims_are_refused() {
    for (status, expected) in [
        (401, Over::Token("no such token".to_owned())),
        (403, Over::Executor { executor: "gpu".to_owned(), why: "no such token".to_owned() }),
        (404, Over::Executor { executor: "gpu".to_owned(), why: "no such token".to_owned() }),
        (400, Over::Refused("no such token".to_owned())),
    ] {
        let peer = claims(vec![Answer::refused(status, "no such token")]).await;
        let session = Session::with(&peer);
        tokio::select! {
            claimed = session.claim() => panic!("{:?}", claimed.map(|claimed| claimed.attempt)),
            over = within(session.line.over()) => assert_eq!(over, expected),
        }
    }
}

#[tokio::test]
async fn a_drained_session_gives_back_what_nobody_takes() {
    let (late, unknown) = (attempt(), attempt());
    let peer = claims(vec![
        Answer::Hangs,
        Answer::ok(&jobs(&[claimed(late, &json!({})), claimed(unknown, &json!({}))])),
    ])
    .await;
    let session = Session::with(&peer);
    tokio::select! {
        _ = session.claim() => panic!("there is nothing to claim"),
        () = within(session.line.ready()) => {}
    }
    let (claimed, ()) = tokio::join!(session.claim(), async {
        while peer.calls("POST /worker/v1/claim").is_empty() {
            tokio::task::yield_now().await;
        }
        session.drain.cancel();
    });
    assert!(claimed.is_none());
    within(session.line.all_claims_given()).await;
    assert_eq!(peer.calls("POST /worker/v1/claim")[1].json()["wait_seconds"], 0);
    let mut released: Vec<Value> =
        peer.calls("POST /worker/v1/release").iter().map(|call| call.json()["request_id"].clone()).collect();
    released.sort_by_key(ToString::to_string);
    let mut expected = vec![json!(late.id.to_string()), json!(unknown.id.to_string())];
    expected.sort_by_key(ToString::to_string);
    assert_eq!(released, expected);
    assert!(session.claim().await.is_none(), "it claims nothing more");
}

#[tokio::test]
async fn an_account_with_room_again_is_claimed_for_at_once() {
    let one = Answer::ok(&jobs(&[claimed(attempt(), &json!({}))]));
    let peer = claims(vec![Answer::Hangs, one]).await;
    let session = Session::with(&peer);
    let room = Room::default();
    room.0.lock().unwrap().push(AccountId("slow".to_owned()));
    let (claimed, ()) = tokio::join!(within(session.line.claim(&room)), async {
        while peer.calls("POST /worker/v1/claim").is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        session.line.wake();
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(peer.calls("POST /worker/v1/claim").len(), 1, "it is full still");
        room.0.lock().unwrap().clear();
        session.line.wake();
    });
    assert!(claimed.unwrap().is_some());
    let full = |number: usize| peer.calls("POST /worker/v1/claim")[number].json()["full_accounts"].clone();
    assert_eq!((full(0), full(1)), (json!(["slow"]), json!([])));
}
