//! Deliveries of the real program to a real receiver.

use crate::support::{Delivery, Options, Raw, Receiver, Server, Spec, until};
use axum::Router;
use axum::routing::post;
use clipia::{Clipia, Received};
use clipia_queue::schedules::DELIVERY_TIMEOUT;
use clipia_webhook::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, Verifier};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const FOX: &str = "/v1/models/nano-banana-2";

/// Submits a small fox that is told to `webhook`; returns its id.
async fn submit(client: &Raw, webhook: &str) -> String {
    let input = json!({ "prompt": "a red fox", "resolution": "0.5K" });
    let submitted = client.post(FOX, &json!({ "input": input, "webhook_url": webhook })).await.expect(200);
    submitted.json()["request_id"].as_str().unwrap().to_owned()
}

/// The body of a delivery as a careful receiver takes it: signed with this secret now, and of the documented shape.
#[track_caller]
fn verified(delivery: &Delivery, secret: &str) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let signature = delivery.header(SIGNATURE_HEADER);
    let verifier = Verifier::new([secret]).unwrap();
    verifier
        .verify(signature, &delivery.body, now)
        .unwrap_or_else(|refusal| panic!("{refusal}: {delivery:?}"));
    assert!(signature.starts_with(&format!("t={},", delivery.header(TIMESTAMP_HEADER))), "{delivery:?}");
    assert_eq!(delivery.header("content-type"), "application/json");
    let body = serde_json::from_slice(&delivery.body).unwrap();
    Spec::load().hold("WebhookDelivery", &body);
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn live_and_sandbox_generations_are_told_with_what_they_made() {
    let receiver = Receiver::start().await;
    let server = Server::start(Options::default());
    for client in [server.live(), server.sandbox()] {
        let id = submit(&client, receiver.url()).await;
        let told = receiver.wait_until(|body| body["request_id"] == id.as_str()).await;
        let body = verified(&told, &server.webhook_secret);
        assert_eq!((&body["status"], &body["payload"]["cost"]), (&json!("OK"), &json!(12)), "{body}");
        let result = client.get(&format!("/v1/requests/{id}")).await.expect(200).json();
        for field in ["model", "output"] {
            assert_eq!(body["payload"][field], result[field], "the result says the same");
        }
        assert!(
            Verifier::new(["whsec_of_another"])
                .unwrap()
                .verify(
                    told.header(SIGNATURE_HEADER),
                    &told.body,
                    told.header(TIMESTAMP_HEADER).parse().unwrap()
                )
                .is_err()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_believes_them_and_ends_its_waits_with_them() {
    let server = Server::start(Options::default());
    let clipia = Clipia::builder().key(&server.live_key).base_url(&server.url).build().unwrap();
    let webhooks = clipia.webhooks(&server.webhook_secret).unwrap();
    let (arrived, mut deliveries) = mpsc::unbounded_channel();
    let router = Router::new()
        .route("/clipia", post(async move |received: Received| arrived.send(received).unwrap()))
        .with_state(webhooks);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/clipia", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });

    let input = json!({ "prompt": "a red fox", "resolution": "0.5K" });
    let fox = clipia.submit("nano-banana-2", input).webhook(url).await.unwrap();
    let received = deliveries.recv().await.unwrap();
    assert_eq!((received.request_id(), received.is_duplicate()), (fox.id(), false));
    let delivered = received.outcome().unwrap().completed().unwrap();
    let waited = fox.wait().await.unwrap().completed().unwrap();
    assert_eq!(waited.response(), delivered.response(), "kept for the wait that began later");
    let asked = fox.result().await.unwrap();
    assert_eq!((&asked.output, asked.cost), (&waited.response().output, waited.response().cost));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_told_with_its_reason() {
    let receiver = Receiver::start().await;
    let server = Server::start(Options::default());
    let input = json!({ "prompt": "sway", "image_url": "data:image/png;base64,AAAA", "duration": 1 });
    let body = json!({ "input": input, "webhook_url": receiver.url() });
    let submitted = server.live().post("/v1/models/seedance-2-fast-i2v", &body).await.expect(200).json();
    let told = verified(&receiver.wait_for(1).await[0], &server.webhook_secret);
    assert_eq!((&told["request_id"], &told["status"]), (&submitted["request_id"], &json!("ERROR")));
    assert_eq!(told["error"]["code"], "GENERATION_FAILED");
    assert!(told.get("payload").is_none(), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_account_has_a_secret_of_its_own() {
    let receiver = Receiver::start().await;
    let server = Server::start(Options::default());
    let account = server.administer(&["accounts", "create", "--credits", "50"]);
    let account_id = account["account_id"].as_str().unwrap();
    let key = server.administer(&["keys", "create", "--account", account_id]);
    submit(&Raw::new(&server.url).key(key["key"].as_str().unwrap()), receiver.url()).await;
    let told = &receiver.wait_for(1).await[0];
    verified(told, account["webhook_secret"].as_str().unwrap());
    assert_ne!(account["webhook_secret"], server.webhook_secret.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_delivery_comes_again_signed_anew_under_the_same_id() {
    let receiver = Receiver::start().await;
    receiver.answer([500]);
    let server = Server::start(Options::default());
    let id = submit(&server.sandbox(), receiver.url()).await;
    let attempts = receiver.wait_for(2).await;
    for attempt in &attempts {
        assert_eq!(verified(attempt, &server.webhook_secret)["request_id"], id.as_str());
    }
    assert_eq!(attempts[0].body, attempts[1].body);
    assert_eq!(attempts[0].header(ID_HEADER), attempts[1].header(ID_HEADER));
    assert_ne!(attempts[0].header(SIGNATURE_HEADER), attempts[1].header(SIGNATURE_HEADER));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_says_gone_is_not_called_again() {
    let receiver = Receiver::start().await;
    receiver.answer([410, 500]);
    let server = Server::start(Options::default());
    let gone = submit(&server.sandbox(), receiver.url()).await;
    receiver.wait_for(1).await;
    // The second delivery's repeat is the clock: the first one's, were there any, would have come before it.
    let refused = submit(&server.sandbox(), receiver.url()).await;
    until("the server to know both answers", async || {
        (server.log().matches("webhook attempted").count() >= 2).then_some(())
    })
    .await;
    let told = receiver.wait_for(3).await;
    let ids: Vec<Value> = told
        .iter()
        .map(|delivery| verified(delivery, &server.webhook_secret)["request_id"].clone())
        .collect();
    assert_eq!(ids, [gone.as_str(), refused.as_str(), refused.as_str()]);
    assert!(server.log().contains("next=\"give_up\""), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_never_answers_keeps_nobody_else_waiting() {
    // The kernel takes the connections; nobody ever reads them.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silence = format!("http://{}/clipia", silent.local_addr().unwrap());
    let receiver = Receiver::start().await;
    let server = Server::start(Options::default());
    for _ in 0..20 {
        submit(&server.sandbox(), &silence).await;
    }
    let id = submit(&server.sandbox(), receiver.url()).await;
    assert_eq!(verified(&receiver.wait_for(1).await[0], &server.webhook_secret)["request_id"], id.as_str());
    // Not because the silent ones had been given up by then.
    assert!(!server.log().contains("no answer within"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_under_way_when_the_server_was_killed_is_sent_again_at_once() {
    let receiver = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/clipia", receiver.local_addr().unwrap());
    let mut server = Server::start(Options::default());
    let id = submit(&server.sandbox(), &url).await;
    let (first, _) = receiver.accept().await.unwrap();
    server.kill9();
    server.restart();
    // Sooner than a sender of the same run would be taken for dead: its lease is longer than an attempt.
    let again = tokio::time::timeout(DELIVERY_TIMEOUT, receiver.accept()).await;
    let (mut stream, _) = again.expect("sent again").unwrap();
    let mut sent = Vec::new();
    while !String::from_utf8_lossy(&sent).contains(&id) {
        assert!(stream.read_buf(&mut sent).await.unwrap() > 0, "it ended early");
    }
    drop(first);
}
