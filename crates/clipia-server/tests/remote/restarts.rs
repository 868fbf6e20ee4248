//! What a restart of the server leaves to sessions.

use crate::support::{Server, completion};
use serde_json::json;

#[tokio::test]
async fn an_attempt_goes_on_after_a_restart_of_the_server() {
    let mut server = Server::start().await;
    let session = server.session().await;
    let id = server.submit(json!({ "prompt": "fox" })).await;
    let attempt = session.claim(&server).await;
    session.put(&server, &attempt, "a.png", (0, 6), b"fox").await.done();
    let path = server.data.path().join(format!("remote/{id}-1"));
    // A piece that was being received when the process was killed.
    let torn = [&b"fox"[..], b"torn"].concat();
    std::fs::write(path.join("files/a.png"), torn).unwrap();
    // What no attempt has.
    std::fs::create_dir_all(server.data.path().join("remote/0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de-1/files"))
        .unwrap();
    std::fs::write(server.data.path().join("remote/junk"), "x").unwrap();

    server.stop().await;
    server.start_again().await;
    assert_eq!(server.result(&id).await["status"], "IN_PROGRESS");
    assert_eq!(session.beat(&server, &[&attempt]).await["jobs"][0]["goes_on"], true);
    let known = session.claim_with(&server, 0, 1, std::slice::from_ref(&attempt)).await.done();
    assert_eq!(known["jobs"], json!([]));
    // The upload goes on where it was.
    let received = session.put(&server, &attempt, "a.png", (0, 6), b"fox").await.done()["received"].clone();
    assert_eq!(received, 3);
    session.put(&server, &attempt, "a.png", (3, 6), b"den").await.done();
    let mut order = completion(&attempt);
    order["files"][0]["bytes"] = json!(6);
    session.post(&server, "complete", &order).await.done();
    let url = server.result(&id).await["output"]["images"][0]["url"].as_str().unwrap().to_owned();
    assert_eq!(server.file(&url).await, b"foxden");
    server.until_nothing_is_staged().await;

    // The end is known after another restart, too.
    server.stop().await;
    server.start_again().await;
    session.post(&server, "complete", &order).await.done();
    session.post(&server, "release", &attempt.name()).await.refused(409, "request_in_progress");
}

#[tokio::test]
async fn a_request_whose_model_is_gone_fails_without_reaching_a_worker() {
    let mut server = Server::start().await;
    let session = server.session().await;
    let (waits, runs) = (json!({ "prompt": "waits" }), json!({ "prompt": "runs" }));
    let first = server.submit(runs).await;
    let attempt = session.claim(&server).await;
    let second = server.submit(waits).await;
    server.stop().await;
    let models = crate::support::MODELS.replace("slug = \"flux\"", "slug = \"flux-2\"");
    std::fs::write(server.data.path().join("models.toml"), models).unwrap();
    server.start_again().await;
    let known = session.claim_with(&server, 0, 2, std::slice::from_ref(&attempt)).await.done();
    assert_eq!(known["jobs"], json!([]));
    assert_eq!(session.beat(&server, &[&attempt]).await["jobs"][0]["goes_on"], false);
    for id in [first, second] {
        let result = server.result(&id).await;
        assert_eq!(
            (&result["status"], &result["error"]["message"]),
            (&json!("FAILED"), &json!("the model `flux` is no longer offered")),
            "{result}"
        );
    }
}
