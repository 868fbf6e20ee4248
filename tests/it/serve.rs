//! `clipia serve`: starts, ends, and later starts on the same data directory.

use crate::support::{Options, Raw, Server};
use serde_json::json;

const FOX: &str = "/v1/models/nano-banana-2";

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_shown_once_and_survive_every_kind_of_end() {
    let mut server = Server::start(Options { credits: Some(500), ..Options::default() });
    assert!(server.live_key.starts_with("clipia_live_"));
    assert!(server.test_key.starts_with("clipia_test_"));
    assert!(!server.webhook_secret.is_empty());
    let before = server.live().get("/v1/account").await.expect(200).json();
    assert_eq!(before["balance"]["credits"], 500);

    let end = server.terminate();
    assert_eq!(end.code(), Some(0), "{}", server.log());
    server.restart();
    assert_eq!(server.live().get("/v1/account").await.expect(200).json(), before);

    server.kill9();
    server.restart();
    assert_eq!(server.live().get("/v1/account").await.expect(200).json(), before);
    server.sandbox().get("/v1/account").await.expect(200);
    Raw::new(&server.url).get("/v1/account").await.expect_error("invalid_api_key");
}

#[tokio::test(flavor = "multi_thread")]
async fn loopback_webhooks_are_called_only_with_dev() {
    let body = json!({ "input": { "prompt": "a red fox" }, "webhook_url": "http://127.0.0.1:9/clipia" });
    let strict = Server::start(Options { dev: false, ..Options::default() });
    strict.sandbox().post(FOX, &body).await.expect_error("webhook_url_invalid");
    let dev = Server::start(Options::default());
    dev.sandbox().post(FOX, &body).await.expect(200);
}
