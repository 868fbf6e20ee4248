//! Beats of sessions.

use crate::support::{Attempt, Server, Session};
use clipia_queue::RequestId;
use clipia_store::{Queue, Records};
use serde_json::json;

#[tokio::test]
async fn a_beat_shows_progress_and_logs_to_the_caller() {
    let server = Server::start().await;
    let session = server.session().await;
    let id = server.submit(json!({ "prompt": "fox" })).await;
    let attempt = session.claim(&server).await;
    let job = attempt.with(json!({ "progress": 40, "logs": { "offset": 0, "lines": ["step 1", "step 2"] } }));
    let order = json!({ "jobs": [job] });
    // A report whose response was lost is sent again.
    for _ in 0..2 {
        let answer = session.post(&server, "beat", &order).await.done();
        assert_eq!(answer, json!({ "jobs": [attempt.with(json!({ "goes_on": true }))], "say": "work" }));
    }
    let account = server.result(&id).await;
    assert_eq!((&account["status"], &account["progress"]), (&json!("IN_PROGRESS"), &json!(40)));
    let id: RequestId = id.parse().unwrap();
    let page = server.store().logs(id, None, Default::default(), 10).await.unwrap().unwrap();
    let lines: Vec<&str> = page.lines.iter().map(|line| line.line.as_str()).collect();
    assert_eq!(lines, ["step 1", "step 2"]);
}

#[tokio::test]
async fn a_canceled_attempt_is_told_to_end_and_the_others_go_on() {
    let server = Server::start().await;
    let session = server.session().await;
    for prompt in ["a", "b", "c"] {
        server.submit(json!({ "prompt": prompt })).await;
    }
    let jobs: Vec<Attempt> = session.jobs(&server, 3).await.iter().map(crate::support::attempt).collect();
    session.put(&server, &jobs[1], "a.png", (0, 6), b"fox").await.done();
    server.store().cancel(jobs[1].request.parse().unwrap()).await.unwrap();
    let order =
        json!({ "jobs": [jobs[0].with(json!({ "preparing": true })), jobs[1].name(), jobs[2].name()] });
    let answer = session.post(&server, "beat", &order).await.done();
    let goes_on: Vec<bool> =
        answer["jobs"].as_array().unwrap().iter().map(|job| job["goes_on"].as_bool().unwrap()).collect();
    assert_eq!(goes_on, [true, false, true]);
    assert!(answer["jobs"][1]["why"].as_str().unwrap().contains("no longer in force"), "{answer}");
    server.until_nothing_is_staged().await;
    session.complete_is_stale(&server, &jobs[1]).await;
}

#[tokio::test]
async fn another_sessions_attempt_cannot_be_prolonged() {
    let server = Server::start().await;
    let session = server.session().await;
    server.submit(json!({ "prompt": "fox" })).await;
    let attempt = session.claim(&server).await;
    let other_process = Session::new(&session.token);
    let other_worker = Session::new(&server.worker("box-2", &["gpu"]).await);
    let same_id = Session { token: other_worker.token.clone(), ..session.clone() };
    for stranger in [other_process, other_worker, same_id] {
        let answer = stranger.beat(&server, &[&attempt]).await;
        assert_eq!(answer["jobs"][0]["goes_on"], false, "{answer}");
        stranger.complete_is_stale(&server, &attempt).await;
        let refused = stranger.put(&server, &attempt, "a.png", (0, 3), b"fox").await;
        refused.refused(409, "request_in_progress");
    }
    let never = Attempt { epoch: 7, ..attempt.clone() };
    assert_eq!(session.beat(&server, &[&never]).await["jobs"][0]["goes_on"], false);
    assert_eq!(session.beat(&server, &[&attempt]).await["jobs"][0]["goes_on"], true);
}

#[tokio::test]
async fn too_much_in_a_beat_is_refused() {
    let server = Server::start().await;
    let session = server.session().await;
    server.submit(json!({ "prompt": "fox" })).await;
    let attempt = session.claim(&server).await;
    for lines in [vec!["x".to_owned(); 1_001], vec!["x".repeat(100_000); 3]] {
        let job = attempt.with(json!({ "logs": { "offset": 0, "lines": lines } }));
        session.post(&server, "beat", &json!({ "jobs": [job] })).await.refused(400, "invalid_request");
    }
    let strange = json!({ "jobs": [{ "request_id": "../x", "epoch": 1 }] });
    session.post(&server, "beat", &strange).await.refused(404, "not_found");
}

impl Session {
    pub(crate) async fn complete_is_stale(&self, server: &Server, attempt: &Attempt) {
        let order = attempt.with(json!({ "output": {}, "files": [] }));
        let refused = self.post(server, "complete", &order).await.refused(409, "request_in_progress");
        assert!(refused.contains("not in force, or is another session's"), "{refused}");
    }
}
