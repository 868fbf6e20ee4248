//! The ends that sessions report.

use crate::support::{Attempt, EXECUTOR, Server, Session, completion};
use serde_json::json;

#[tokio::test]
async fn a_completed_attempt_is_an_output_that_callers_read_and_pay_once() {
    let server = Server::start().await;
    let session = server.session().await;
    let before = server.credits().await["available"].as_f64();
    let id = server.submit(json!({ "prompt": "fox" })).await;
    let attempt = session.claim(&server).await;
    assert_eq!(session.complete(&server, &attempt).await.done(), json!(null));
    let result = server.result(&id).await;
    assert_eq!(result["status"], "COMPLETED", "{result}");
    let url = result["output"]["images"][0]["url"].as_str().unwrap();
    assert_eq!(server.file(url).await, b"fox");
    assert!(url.ends_with("/a.png"), "{url}");
    let paid = server.credits().await;
    // The response was lost, and the report comes again.
    for _ in 0..2 {
        session.post(&server, "complete", &completion(&attempt)).await.done();
    }
    assert_eq!(server.credits().await, paid);
    assert!(before > paid["available"].as_f64() || before.is_none());
    session.post(&server, "release", &attempt.name()).await.refused(409, "request_in_progress");
    server.until_nothing_is_staged().await;
    let metrics = server.metrics().await;
    assert!(metrics.contains("clipia_generations_running 0"), "{metrics}");
    assert!(
        metrics.contains(r#"clipia_generations_ended_total{model="flux",outcome="completed"} 1"#),
        "{metrics}"
    );
}

#[tokio::test]
async fn each_end_is_what_it_says_and_may_be_repeated() {
    let server = Server::start().await;
    let session = server.session().await;
    let id = server.submit(json!({ "prompt": "fox" })).await;
    let message = json!({ "message": "it crashed" });
    let mut last = None;
    for call in ["release", "lose", "release"] {
        let attempt = session.claim(&server).await;
        let order = if call == "lose" { attempt.with(message.clone()) } else { attempt.name() };
        for _ in 0..2 {
            session.post(&server, call, &order).await.done();
        }
        assert_eq!(server.result(&id).await["status"], "IN_QUEUE");
        last = Some(attempt);
    }
    let attempt = session.claim(&server).await;
    session.complete_is_stale(&server, &last.unwrap()).await;
    let logs = json!({ "offset": 0, "lines": ["too dark"] });
    let failure =
        attempt.with(json!({ "message": "it is too dark", "code": "content_policy", "logs": logs }));
    for _ in 0..2 {
        session.post(&server, "fail", &failure).await.done();
    }
    session.post(&server, "lose", &attempt.with(message)).await.refused(409, "request_in_progress");
    let result = server.result(&id).await;
    assert_eq!(
        (&result["status"], &result["error"]["code"], &result["error"]["message"]),
        (&json!("FAILED"), &json!("content_policy"), &json!("it is too dark")),
        "{result}"
    );
}

#[tokio::test]
async fn a_request_that_is_lost_too_often_fails_with_the_last_sentence() {
    let server = Server::start().await;
    let session = server.session().await;
    let id = server.submit(json!({ "prompt": "fox" })).await;
    for number in 0..5 {
        let attempt = session.claim(&server).await;
        let lost = attempt.with(json!({ "message": format!("crash {number}") }));
        for _ in 0..2 {
            session.post(&server, "lose", &lost).await.done();
        }
    }
    let result = server.result(&id).await;
    assert_eq!((&result["status"], &result["error"]["message"]), (&json!("FAILED"), &json!("crash 4")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_is_reported_twice_at_once_is_recorded_once() {
    let server = Server::start().await;
    let session = server.session().await;
    server.submit(json!({ "prompt": "fox" })).await;
    let attempt = session.claim(&server).await;
    session.put(&server, &attempt, "a.png", (0, 3), b"fox").await.done();
    let order = completion(&attempt);
    let reports = (0..8).map(|_| session.post(&server, "complete", &order));
    for answer in futures_util::future::join_all(reports).await {
        answer.done();
    }
    assert_eq!(server.result(&attempt.request).await["status"], "COMPLETED");
}

#[tokio::test]
async fn an_output_must_be_of_its_files() {
    let server = Server::start().await;
    let session = server.session().await;
    server.submit(json!({ "prompt": "fox" })).await;
    let attempt = session.claim(&server).await;
    session.put(&server, &attempt, "a.png", (0, 3), b"fox").await.done();
    session.put(&server, &attempt, "half.png", (0, 6), b"fox").await.done();
    let file = |name: &str, bytes: u64| json!({ "name": name, "bytes": bytes });
    for (output, files, part) in [
        (
            json!({ "images": [{ "url": "../../x" }] }),
            vec![file("a.png", 3)],
            "`../../x`, which is none of its files",
        ),
        (json!({ "video": { "url": "https://elsewhere/v.mp4" } }), vec![], "which is none of its files"),
        (json!({}), vec![file("a.png", 3), file("a.png", 3)], "two files of the name `a.png`"),
        (json!({}), vec![file("a.png", 4)], "`a.png` is not whole: 3 of 4 bytes"),
        (json!({}), vec![file("half.png", 6)], "`half.png` is not whole: 3 of 6 bytes"),
        (json!({}), vec![file("half.png", 3)], "`half.png` is not whole"),
        (json!({}), vec![file("none.png", 0)], "`none.png` is not whole: nothing of it was received"),
        (json!({}), vec![file("../a.png", 3)], "`../a.png` is not whole"),
    ] {
        let order = attempt.with(json!({ "output": output, "files": files }));
        let refused = session.post(&server, "complete", &order).await.refused(400, "invalid_request");
        assert!(refused.contains(part), "{refused}");
    }
    // Nothing of that has ended it.
    session.complete(&server, &attempt).await.done();
}

#[tokio::test]
async fn an_output_without_files_is_one_too() {
    let server = Server::start().await;
    let session = server.session().await;
    let id = server.submit(json!({ "prompt": "fox" })).await;
    let attempt = session.claim(&server).await;
    let order = attempt.with(json!({ "output": { "seed": 7 }, "files": [] }));
    session.post(&server, "complete", &order).await.done();
    assert_eq!(server.result(&id).await["output"]["seed"], 7);
}

#[tokio::test]
async fn an_attempt_that_another_one_followed_is_refused() {
    let server = Server::start().await;
    let session = server.session().await;
    server.submit(json!({ "prompt": "fox" })).await;
    let first = session.claim(&server).await;
    session.post(&server, "release", &first.name()).await.done();
    let other = Session::new(&server.worker("box-2", &[EXECUTOR]).await);
    let second = other.claim(&server).await;
    assert_eq!(second, Attempt { epoch: 2, ..first.clone() });
    session.complete_is_stale(&server, &first).await;
    session.put(&server, &first, "a.png", (0, 3), b"fox").await.refused(409, "request_in_progress");
    other.complete(&server, &second).await.done();
}
