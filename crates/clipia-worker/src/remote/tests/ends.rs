//! The ends of attempts.

use super::peer::{Answer, Call, Peer};
use super::*;
use crate::output::JobOutput;
use crate::work::{End, ReportRefused};
use clipia_api::types::Output;
use clipia_queue::Failure;
use clipia_queue::logs::LogLines;
use std::sync::atomic::{AtomicU32, Ordering};

async fn output(session: &Session, attempt: AttemptId) -> End {
    let made = JobOutput { output: Output::default(), files: Vec::new() };
    End::Completed(within(session.line.keep_files(attempt, made)).await.unwrap())
}

#[tokio::test]
async fn each_end_is_one_call_and_an_output_without_files_no_other() {
    let peer = Peer::start(|_| Answer::ok(&Value::Null)).await;
    let session = Session::with(&peer);
    let ended = attempt();
    let why = || Failure::coded("content_policy", "too dark");
    let logs = || LogLines { offset: 0, lines: ["last".to_owned()].into() };
    let ends = [output(&session, ended).await, End::Failed(why()), End::Lost(why()), End::Released];
    for end in &ends {
        within(session.line.end(ended, end, logs())).await.unwrap();
    }
    let calls = peer.calls("");
    let targets: Vec<&str> =
        calls.iter().map(|call| call.target.trim_start_matches("POST /worker/v1/")).collect();
    assert_eq!(targets, ["complete", "fail", "lose", "release"]);
    for call in &calls {
        let order = call.json();
        assert_eq!((&order["request_id"], &order["epoch"]), (&json!(ended.id.to_string()), &json!(1)));
        assert_eq!(order["logs"], json!({ "offset": 0, "lines": ["last"] }));
    }
    assert_eq!(calls[1].json()["code"], "content_policy");
    assert_eq!(calls[2].json()["message"], "too dark");
}

#[tokio::test]
async fn an_end_that_did_not_arrive_is_repeated_and_a_stale_one_is_not() {
    for (answer, is_lost, is_transient) in [
        (Answer::Lost, false, true),
        (Answer::bad_gateway(), false, true),
        (Answer::refused(503, "full"), false, true),
        (Answer::refused(409, "stale"), true, false),
        (Answer::refused(401, "revoked"), true, false),
        (Answer::refused(400, "malformed"), false, false),
    ] {
        let peer = Peer::start(move |_| answer.clone()).await;
        let session = Session::with(&peer);
        match within(session.line.end(attempt(), &End::Released, LogLines::default())).await {
            Err(ReportRefused::Lost(error)) => assert!(is_lost, "{error}"),
            Err(ReportRefused::Unrecorded { error, transient }) => {
                assert!(!is_lost && transient == is_transient, "{error}");
            }
            Ok(()) => panic!("it was not recorded"),
        }
    }
}

#[tokio::test]
async fn files_that_a_server_has_lost_are_sent_again() {
    let completes = AtomicU32::new(0);
    let peer = Peer::start(move |call: &Call| {
        if call.is("PUT") {
            return Answer::ok(&json!({ "received": 3 }));
        }
        match completes.fetch_add(1, Ordering::Relaxed) {
            0 => Answer::refused(400, "`a.txt` is not whole"),
            _ => Answer::ok(&Value::Null),
        }
    })
    .await;
    let session = Session::with(&peer);
    let ended = attempt();
    let files = vec![crate::output::MediaFile::new("a.txt", b"fox".to_vec())];
    let made = JobOutput { output: Output::default(), files };
    let end = End::Completed(within(session.line.keep_files(ended, made)).await.unwrap());
    within(session.line.end(ended, &end, LogLines::default())).await.unwrap();
    assert_eq!(peer.calls("PUT").len(), 2);
    let complete = peer.calls("POST /worker/v1/complete")[1].json();
    assert_eq!(complete["files"], json!([{ "name": "a.txt", "bytes": 3 }]));
}
