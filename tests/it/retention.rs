//! Retention: parts of a request are removed when their time is over, and no earlier.

use crate::support::{Options, Raw, Receiver, Server, until};
use serde_json::{Value, json};

const SPEECH: &str = "/v1/models/gemini-3-1-flash-tts";

fn server(keep: &[&str]) -> Server {
    Server::start(Options {
        arguments: keep.iter().map(|argument| (*argument).to_owned()).collect(),
        dev: true,
        ..Options::default()
    })
}

async fn submit(client: &Raw, webhook: Option<&str>) -> String {
    let body = json!({ "input": { "prompt": "a word" }, "webhook_url": webhook });
    client.post(SPEECH, &body).await.expect(200).json()["request_id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_without_its_files_has_expired_at() {
    let keep = ["--keep-media", "2s", "--keep-inputs", "2s", "--keep-attempts", "2s"];
    let (server, receiver) = (server(&keep), Receiver::start().await);
    let id = submit(&server.live(), Some(receiver.url())).await;
    let made = server.result(&id).await;
    receiver.wait_for(1).await;
    assert_eq!(made["expired_at"], Value::Null, "{made}");
    let path = format!("/v1/requests/{id}");
    let expired = until("its files to be removed", async || {
        let result = server.live().get(&path).await.expect(200).json();
        result["expired_at"].is_string().then_some(result)
    })
    .await;
    assert!(expired["expired_at"].as_str() > made["completed_at"].as_str(), "{expired}");
    assert_eq!(expired["output"], made["output"]);
    let url = made["output"]["audio"]["url"].as_str().unwrap();
    let file = url.strip_prefix(&server.url).unwrap();
    Raw::new(&server.url).get(file).await.expect_error("not_found");
    assert_eq!(std::fs::read_dir(server.data().join("media")).unwrap().filter(is_of_a_request).count(), 0);
    until("the attempts to be removed", async || {
        let shown = server.administer(&["requests", "show", &id]);
        let claims =
            shown["timeline"].as_array().unwrap().iter().filter(|of| of["attempt"].is_number()).count();
        (claims == 0 && shown["deliveries"][0]["log"] == json!([])).then_some(())
    })
    .await;
    assert_eq!(server.administer(&["doctor"])["violation"], Value::Null);
}

fn is_of_a_request(entry: &std::io::Result<std::fs::DirEntry>) -> bool {
    entry.as_ref().is_ok_and(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_removed_and_their_credits_are_carried_forward() {
    let (server, receiver) = (server(&["--keep-requests", "2s"]), Receiver::start().await);
    let live = server.live();
    let plain = submit(&live, None).await;
    let named = live.clone().header("idempotency-key", "word-1");
    let found_by_key = submit(&named, None).await;
    // The delivery of this request is attempted for hours.
    receiver.respond_with([500; 20]);
    let still_told = submit(&live, Some(receiver.url())).await;
    for id in [&plain, &found_by_key, &still_told] {
        server.result(id).await;
    }
    let account = live.get("/v1/account").await.expect(200).json();
    let path = format!("/v1/requests/{plain}");
    until("the request to be removed", async || (live.get(&path).await.status == 404).then_some(())).await;
    live.get(&path).await.expect_error("not_found");
    for id in [&found_by_key, &still_told] {
        live.get(&format!("/v1/requests/{id}")).await.expect(200);
    }
    assert_eq!(submit(&named, None).await, found_by_key);
    assert_eq!(live.get("/v1/account").await.expect(200).json(), account);
    let findings = server.administer(&["doctor"]);
    assert_eq!(
        (&findings["violation"], &findings["checked"]["requests"]),
        (&Value::Null, &json!(2)),
        "{findings}"
    );
}
