//! Who may call.

use crate::support::{EXECUTOR, Server, Session, claim_order, send};
use clipia_store::Workers;
use http::Method;
use serde_json::json;

#[tokio::test]
async fn nothing_is_there_until_the_first_worker_is_made() {
    let server = Server::start().await;
    let stranger = Session::new("clipia_worker_x");
    for call in ["claim", "beat", "complete", "fail", "lose", "release", "nonsense"] {
        stranger.post(&server, call, &json!({})).await.refused(404, "not_found");
    }
    let id = server.submit(json!({ "prompt": "fox" })).await;
    let path = format!("inputs/{id}/1?parameter=image_url&number=0");
    send(stranger.calling(&server, Method::GET, &path)).await.refused(404, "not_found");
    // A server whose models wait for workers elsewhere is as ready as any.
    assert_eq!(server.ready().await, 200);

    server.worker("box", &[EXECUTOR]).await;
    stranger.post(&server, "claim", &claim_order(0, 1, &[])).await.refused(401, "invalid_api_key");
    stranger.post(&server, "nonsense", &json!({})).await.refused(401, "invalid_api_key");
}

#[tokio::test]
async fn a_worker_is_only_the_executors_that_it_may_be() {
    let server = Server::start().await;
    let session = Session::new(&server.worker("box", &["other"]).await);
    let refused = session.claim_with(&server, 0, 1, &[]).await.refused(403, "insufficient_scope");
    assert_eq!(refused, "the worker `box` may not be the executor `gpu`");
    let mut order = claim_order(0, 1, &[]);
    order["executor"] = json!("none");
    session.post(&server, "claim", &order).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_call_that_is_malformed_is_refused_with_a_sentence() {
    let server = Server::start().await;
    let session = server.session().await;
    for id in ["", "box", "0198c2f1"] {
        let strange = Session { id: id.to_owned(), ..session.clone() };
        let refused = strange.claim_with(&server, 0, 1, &[]).await.refused(400, "invalid_request");
        assert!(refused.contains("`Clipia-Session`"), "{refused}");
    }
    let mut typing_error = claim_order(0, 1, &[]);
    typing_error["wait_second"] = json!(1);
    let mut no_slots = claim_order(0, 1, &[]);
    no_slots["slots_free"] = json!(0);
    let mut strange_host = claim_order(0, 1, &[]);
    strange_host["about"]["host"] = json!("\u{1b}[31mred");
    for order in [typing_error, no_slots, strange_host, claim_order(0, 257, &[]), json!([])] {
        session.post(&server, "claim", &order).await.refused(400, "invalid_request");
    }
    let long = session.calling(&server, Method::POST, "beat").body("x".repeat(2 << 20));
    assert!(send(long).await.refused(400, "invalid_request").contains("longer than 1024 KiB"));
    let other = session.calling(&server, Method::DELETE, "claim");
    assert_eq!(send(other).await.status, 405);
    send(session.calling(&server, Method::GET, "nonsense")).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_revoked_worker_is_let_in_no_more_and_its_request_runs_elsewhere() {
    let server = Server::start().await;
    let session = server.session().await;
    server.submit(json!({ "prompt": "fox" })).await;
    let lost = session.claim(&server).await;
    session.put(&server, &lost, "a.png", (0, 6), b"fox").await.done();
    // One that is held open is told, too.
    let held = {
        let (session, server) = (session.clone(), &server);
        async move { session.claim_with(server, 25, 1, &[]).await }
    };
    let revoke = async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        server.store().revoke_worker("box").await.unwrap();
    };
    let (answer, ()) = tokio::join!(held, revoke);
    assert!(answer.status == 401 || answer.done()["jobs"] != json!([]), "{answer:?}");
    session.post(&server, "beat", &json!({ "jobs": [lost.name()] })).await.refused(401, "invalid_api_key");
    session.complete_refused(&server, &lost).await;

    let other = Session::new(&server.worker("box-2", &[EXECUTOR]).await);
    let attempt = other.claim(&server).await;
    assert_eq!((&attempt.request, attempt.epoch), (&lost.request, lost.epoch + 1));
    other.complete(&server, &attempt).await.done();
    assert_eq!(server.result(&attempt.request).await["status"], "COMPLETED");
}

impl Session {
    async fn complete_refused(&self, server: &Server, attempt: &crate::support::Attempt) {
        let order = crate::support::completion(attempt);
        self.post(server, "complete", &order).await.refused(401, "invalid_api_key");
    }
}
