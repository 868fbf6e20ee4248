//! What a generation costs, and when.

use crate::support::{Options, Server, until};
use serde_json::{Value, json};

const FOX: &str = "/v1/models/nano-banana-2";

/// The result of a request, once it has ended.
async fn ended(server: &Server, submitted: &Value) -> Value {
    let path = format!("/v1/requests/{}", submitted["request_id"].as_str().unwrap());
    let live = server.live();
    until("the end", || async {
        let answer = live.get(&path).await;
        (answer.status == 200).then(|| answer.json())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn credits_are_reserved_then_charged_on_success_and_returned_on_failure() {
    let server = Server::start(Options { credits: Some(1_000), ..Options::default() });
    let fox = json!({ "input": { "prompt": "a red fox", "resolution": "0.5K" } });
    let submitted = server.live().post(FOX, &fox).await.expect(200).json();
    assert_eq!(server.balance().await, 988);
    assert_eq!(ended(&server, &submitted).await["cost"], 12);
    assert_eq!(server.balance().await, 988);

    let image = "data:image/png;base64,AAAA";
    let broken =
        json!({ "input": { "prompt": "sway", "image_url": image, "duration": 1, "resolution": "480p" } });
    let submitted = server.live().post("/v1/models/seedance-2-fast-i2v", &broken).await.expect(200).json();
    assert_eq!(submitted["cost"], 12);
    let failed = ended(&server, &submitted).await;
    assert_eq!((&failed["status"], &failed["cost"]), (&json!("FAILED"), &json!(0)));
    assert_eq!(failed["error"]["code"], "GENERATION_FAILED");
    assert!(failed.get("output").is_none(), "{failed}");
    let account = server.live().get("/v1/account").await.expect(200).json();
    assert_eq!(account["balance"]["credits"], 988);
    assert_eq!(account["usage_30d"], json!({ "requests": 2, "credits_spent": 12 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_estimate_is_what_a_submit_reserves() {
    let server = Server::start(Options { credits: Some(100_000), ..Options::default() });
    for (model, input) in [
        ("nano-banana-2", json!({ "prompt": "fox", "resolution": "2K" })),
        ("nano-banana-pro", json!({ "prompt": "fox", "num_images": 3 })),
        ("seedance-2-fast-t2v", json!({ "prompt": "fox", "duration": 7, "resolution": "1080p" })),
        ("gemini-3-1-flash-tts", json!({ "text": "a".repeat(250) })),
    ] {
        let body = json!({ "input": input });
        let path = format!("/v1/models/{model}");
        let estimate = server.live().post(&format!("{path}/estimate"), &body).await.expect(200).json();
        let cost = server.sandbox().post(&path, &body).await.expect(200).json()["cost"].clone();
        assert_eq!(estimate["credits"], cost, "{model}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_idempotency_key_is_one_request_and_one_charge() {
    let server = Server::start(Options { credits: Some(1_000), ..Options::default() });
    let client = server.live().header("idempotency-key", "fox-1");
    let fox = json!({ "input": { "prompt": "a red fox", "resolution": "0.5K" } });
    let submits = (0..8).map(|_| {
        let (client, fox) = (client.clone(), fox.clone());
        tokio::spawn(async move { client.post(FOX, &fox).await.expect(200).json()["request_id"].clone() })
    });
    let mut ids = Vec::new();
    for submit in submits.collect::<Vec<_>>() {
        ids.push(submit.await.unwrap());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(server.balance().await, 988);
    let other = json!({ "input": { "prompt": "a grey fox" } });
    client.post(FOX, &other).await.expect_error("idempotency_key_reuse");
    assert_eq!(server.balance().await, 988);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_model_does_not_know_is_named_and_ignored() {
    let server = Server::start(Options::default());
    let fox = json!({ "input": { "prompt": "a red fox", "aspectRatio": "16:9" } });
    let submitted = server.sandbox().post(FOX, &fox).await.expect(200).json();
    assert_eq!(submitted["warnings"][0]["code"], "unknown_parameter");
    assert_eq!(submitted["warnings"][0]["parameter"], "aspectRatio");
}
