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

/// Submits a generation with this webhook, and returns its id.
async fn submit(client: &Raw, webhook: &str) -> String {
    let input = json!({ "prompt": "a red fox", "resolution": "0.5K" });
    let submitted = client.post(FOX, &json!({ "input": input, "webhook_url": webhook })).await.expect(200);
    submitted.json()["request_id"].as_str().unwrap().to_owned()
}

/// The body of a delivery, verified with this secret and this time, and matched with its schema.
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
async fn live_and_sandbox_generations_are_delivered_with_their_output() {
    let receiver = Receiver::start().await;
    let server = Server::start(Options::default());
    for client in [server.live(), server.sandbox()] {
        let id = submit(&client, receiver.url()).await;
        let delivery = receiver.wait_until(|body| body["request_id"] == id.as_str()).await;
        let body = verified(&delivery, &server.webhook_secret);
        assert_eq!((&body["status"], &body["payload"]["cost"]), (&json!("OK"), &json!(12)), "{body}");
        let result = client.get(&format!("/v1/requests/{id}")).await.expect(200).json();
        for field in ["model", "output"] {
            assert_eq!(body["payload"][field], result[field], "the result says the same");
        }
        assert!(
            Verifier::new(["whsec_of_another"])
                .unwrap()
                .verify(
                    delivery.header(SIGNATURE_HEADER),
                    &delivery.body,
                    delivery.header(TIMESTAMP_HEADER).parse().unwrap()
                )
                .is_err()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_verifies_deliveries_and_ends_its_waits_with_them() {
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
async fn a_failure_is_delivered_with_its_reason() {
    let receiver = Receiver::start().await;
    let server = Server::start(Options::default());
    let input = json!({ "prompt": "sway", "image_url": "data:image/png;base64,AAAA", "duration": 1 });
    let body = json!({ "input": input, "webhook_url": receiver.url() });
    let submitted = server.live().post("/v1/models/seedance-2-fast-i2v", &body).await.expect(200).json();
    let body = verified(&receiver.wait_for(1).await[0], &server.webhook_secret);
    assert_eq!((&body["request_id"], &body["status"]), (&submitted["request_id"], &json!("ERROR")));
    assert_eq!(body["error"]["code"], "GENERATION_FAILED");
    assert!(body.get("payload").is_none(), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_account_has_a_secret_of_its_own() {
    let receiver = Receiver::start().await;
    let server = Server::start(Options::default());
    let account = server.administer(&["accounts", "create", "--credits", "50"]);
    let account_id = account["account_id"].as_str().unwrap();
    let key = server.administer(&["keys", "create", "--account", account_id]);
    submit(&Raw::new(&server.url).key(key["key"].as_str().unwrap()), receiver.url()).await;
    let delivery = &receiver.wait_for(1).await[0];
    verified(delivery, account["webhook_secret"].as_str().unwrap());
    assert_ne!(account["webhook_secret"], server.webhook_secret.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_delivery_is_attempted_again_with_a_new_signature_and_the_same_id() {
    let receiver = Receiver::start().await;
    receiver.respond_with([500]);
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
async fn a_receiver_that_responds_410_is_not_called_again() {
    let receiver = Receiver::start().await;
    receiver.respond_with([410, 500]);
    let server = Server::start(Options::default());
    let gone = submit(&server.sandbox(), receiver.url()).await;
    receiver.wait_for(1).await;
    // The second delivery is repeated. A repeat of the first one would have come before.
    let refused = submit(&server.sandbox(), receiver.url()).await;
    until("the server to know both responses", async || {
        (server.log().matches("webhook attempted").count() >= 2).then_some(())
    })
    .await;
    let deliveries = receiver.wait_for(3).await;
    let ids: Vec<Value> = deliveries
        .iter()
        .map(|delivery| verified(delivery, &server.webhook_secret)["request_id"].clone())
        .collect();
    assert_eq!(ids, [gone.as_str(), refused.as_str(), refused.as_str()]);
    assert!(server.log().contains("next=\"give_up\""), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_receiver_delays_no_other_delivery() {
    // The kernel accepts the connections, and nobody reads them.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silence = format!("http://{}/clipia", silent.local_addr().unwrap());
    let receiver = Receiver::start().await;
    let server = Server::start(Options::default());
    for _ in 0..20 {
        submit(&server.sandbox(), &silence).await;
    }
    let id = submit(&server.sandbox(), receiver.url()).await;
    assert_eq!(verified(&receiver.wait_for(1).await[0], &server.webhook_secret)["request_id"], id.as_str());
    // The attempts at silent receivers must not have timed out by then.
    assert!(!server.log().contains("no answer within"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_under_way_at_a_kill_is_attempted_again_at_the_next_start() {
    let receiver = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/clipia", receiver.local_addr().unwrap());
    let mut server = Server::start(Options::default());
    let id = submit(&server.sandbox(), &url).await;
    let (first, _) = receiver.accept().await.unwrap();
    server.kill9();
    server.restart();
    // The attempt comes before the lease of the killed sender expires: a lease is longer than an attempt.
    let again = tokio::time::timeout(DELIVERY_TIMEOUT, receiver.accept()).await;
    let (mut stream, _) = again.expect("sent again").unwrap();
    let mut sent = Vec::new();
    while !String::from_utf8_lossy(&sent).contains(&id) {
        assert!(stream.read_buf(&mut sent).await.unwrap() > 0, "it ended early");
    }
    drop(first);
}
