//! Deliveries of the real program to a real receiver.

use crate::support::{Options, Receiver, Server};
use clipia_webhook::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, Verifier};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_delivery_comes_again_signed_anew_under_the_same_id() {
    let receiver = Receiver::start().await;
    receiver.answer([500]);
    let server = Server::start(Options::default());
    let body = json!({ "input": { "prompt": "a red fox" }, "webhook_url": receiver.url() });
    let submitted = server.sandbox().post("/v1/models/nano-banana-2", &body).await.expect(200).json();

    let attempts = receiver.wait_for(2).await;
    let verifier = Verifier::new([&server.webhook_secret]).unwrap();
    for attempt in &attempts {
        let sent: u64 = attempt.header(TIMESTAMP_HEADER).parse().unwrap();
        let delivery = verifier.verify(attempt.header(SIGNATURE_HEADER), &attempt.body, sent).unwrap();
        assert_eq!(delivery.request_id.to_string(), submitted["request_id"]);
        assert_eq!(delivery.payload.unwrap().model, "nano-banana-2");
    }
    assert_eq!(attempts[0].header(ID_HEADER), attempts[1].header(ID_HEADER));
    assert_ne!(attempts[0].header(SIGNATURE_HEADER), attempts[1].header(SIGNATURE_HEADER));
}
