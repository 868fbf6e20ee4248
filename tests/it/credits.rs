//! What a generation costs, and when.

use crate::support::{Options, Raw, Server, until};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const FOX: &str = "/v1/models/nano-banana-2";

/// The result of a request, once it has ended.
async fn ended(server: &Server, submitted: &Value) -> Value {
    let path = format!("/v1/requests/{}", submitted["request_id"].as_str().unwrap());
    let live = server.live();
    until("the end", || async {
        let response = live.get(&path).await;
        (response.status == 200).then(|| response.json())
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
    for (model, input, credits) in [
        ("nano-banana-2", json!({ "prompt": "fox" }), 12),
        ("nano-banana-2", json!({ "prompt": "fox", "resolution": "2K" }), 24),
        ("nano-banana-2", json!({ "prompt": "fox", "resolution": null, "colour": "red" }), 12),
        ("nano-banana-pro", json!({ "prompt": "fox", "num_images": 3 }), 72),
        ("nano-banana-pro", json!({ "prompt": "fox", "num_images": 4, "resolution": "4K" }), 384),
        ("seedance-2-fast-t2v", json!({ "prompt": "fox", "duration": 7, "resolution": "1080p" }), 336),
        ("seedance-2-fast-t2v", json!({ "prompt": "fox", "duration": 2.0, "resolution": "480p" }), 24),
        ("gemini-3-1-flash-tts", json!({ "prompt": "a".repeat(1_000) }), 2),
        ("gemini-3-1-flash-tts", json!({ "prompt": "ä".repeat(1_001) }), 4),
    ] {
        let body = json!({ "input": input });
        let path = format!("/v1/models/{model}");
        let estimate = server.live().post(&format!("{path}/estimate"), &body).await.expect(200).json();
        assert_eq!(estimate["credits"], credits, "{model} {input}");
        // A sandbox key is charged nothing, and its cost is what a live key would pay.
        let sample = server.sandbox().post(&path, &body).await.expect(200).json();
        assert_eq!(sample["cost"], credits, "{model} {input}");
        assert_eq!(sample["warnings"], estimate["warnings"]);
        let before = server.balance().await;
        let submitted = server.live().post(&path, &body).await.expect(200).json();
        assert_eq!(submitted["cost"], credits, "{model} {input}");
        assert_eq!(server.balance().await, before - credits);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_credits_are_spent_once_however_many_want_them() {
    // Enough for three.
    let server = Server::start(Options { credits: Some(3 * 12 + 11), ..Options::default() });
    let mut submits = JoinSet::new();
    for number in 0..12 {
        let live = server.live();
        submits.spawn(async move {
            let input = json!({ "prompt": format!("fox {number}"), "resolution": "0.5K" });
            let response = live.post(FOX, &json!({ "input": input })).await;
            if response.status != 200 {
                response.expect_error("insufficient_credits");
            }
            response.status == 200
        });
    }
    let accepted = submits.join_all().await.into_iter().filter(|accepted| *accepted).count();
    assert_eq!((accepted, server.balance().await), (3, 11));
}

/// What a key with this name has spent, by the list of keys.
fn spent(server: &Server, key: &Value) -> Value {
    let keys = server.administer(&["keys", "list"]);
    let listed = keys.as_array().unwrap().iter().find(|listed| listed["id"] == key["id"]);
    listed.unwrap()["spent"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_spends_no_more_than_its_budget_of_a_month() {
    let mut server = Server::start(Options { credits: Some(1_000), ..Options::default() });
    let key = server.administer(&["keys", "create", "--credits", "30", "--per", "month"]);
    let client = |server: &Server| Raw::new(&server.url).key(key["key"].as_str().unwrap());
    let thrifty = client(&server);
    let fox = json!({ "input": { "prompt": "a red fox", "resolution": "0.5K" } });
    let named = thrifty.clone().header("idempotency-key", "fox-1");
    let first = named.post(FOX, &fox).await.expect(200).json();
    let mut submits = JoinSet::new();
    for _ in 0..12 {
        let (thrifty, fox) = (thrifty.clone(), fox.clone());
        submits.spawn(async move { thrifty.post(FOX, &fox).await });
    }
    let (accepted, refused): (Vec<_>, Vec<_>) =
        submits.join_all().await.into_iter().partition(|response| response.status == 200);
    assert_eq!((accepted.len(), server.balance().await), (1, 976));
    let whole_at = spent(&server, &key)["whole_at"].as_str().unwrap().to_owned();
    assert_eq!(spent(&server, &key)["credits"], 24);
    assert!(whole_at.ends_with("-01T00:00:00Z"), "{whole_at}");
    for response in refused {
        response.expect_error("insufficient_credits");
        assert_eq!(response.status, 402);
        let message = response.json()["error"]["message"].as_str().unwrap().to_owned();
        let what = "this costs 12 credits, and the key has spent 24 of the 30 that it may spend a month";
        assert!(message.starts_with(what) && message.contains(&whole_at), "{message}");
    }
    // A repeated submit spends nothing, and another key of the account has no budget.
    let again = named.post(FOX, &fox).await.expect(200).json();
    assert_eq!(again["request_id"], first["request_id"]);
    server.live().post(FOX, &fox).await.expect(200);
    assert_eq!(server.balance().await, 964);

    // What was spent is still spent after a restart.
    for submitted in [&first, &accepted[0].json()] {
        ended(&server, submitted).await;
    }
    server.terminate();
    server.restart();
    let thrifty = client(&server);
    thrifty.post(FOX, &fox).await.expect_error("insufficient_credits");
    assert_eq!(spent(&server, &key)["credits"], 24);

    // One that fails gives its credits back.
    let key = server.administer(&["keys", "create", "--credits", "12"]);
    let thrifty = Raw::new(&server.url).key(key["key"].as_str().unwrap());
    let broken = json!({ "input": {
        "prompt": "sway", "image_url": "data:image/png;base64,AAAA", "duration": 1, "resolution": "480p",
    } });
    let submitted = thrifty.post("/v1/models/seedance-2-fast-i2v", &broken).await.expect(200).json();
    assert_eq!(ended(&server, &submitted).await["status"], "FAILED");
    assert_eq!(spent(&server, &key)["credits"], 0);
    thrifty.post(FOX, &fox).await.expect(200);
    thrifty.post(FOX, &fox).await.expect_error("insufficient_credits");
    let findings = server.administer(&["doctor"]);
    assert_eq!(findings["violation"], Value::Null, "{findings}");

    // A key of the sandbox spends nothing.
    let key = server.administer(&["keys", "create", "--test", "--credits", "1"]);
    let sandbox = Raw::new(&server.url).key(key["key"].as_str().unwrap());
    for _ in 0..2 {
        sandbox.post(FOX, &fox).await.expect(200);
    }
    assert_eq!(spent(&server, &key)["credits"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_idempotency_key_is_one_request_and_one_charge() {
    let server = Server::start(Options { credits: Some(1_000), ..Options::default() });
    let client = server.live().header("idempotency-key", "fox-1");
    let fox = json!({ "input": { "prompt": "a red fox", "resolution": "0.5K" } });
    let mut submits = JoinSet::new();
    for _ in 0..8 {
        let (client, fox) = (client.clone(), fox.clone());
        submits.spawn(async move { client.post(FOX, &fox).await.expect(200).json() });
    }
    let submits = submits.join_all().await;
    for submitted in &submits {
        assert_eq!(submitted["request_id"], submits[0]["request_id"]);
        assert_eq!(submitted["cost"], 12);
    }
    assert_eq!(server.balance().await, 988);
    // The same holds after the request has ended.
    ended(&server, &submits[0]).await;
    let again = client.post(FOX, &fox).await.expect(200).json();
    assert_eq!((&again["request_id"], &again["status"]), (&submits[0]["request_id"], &json!("COMPLETED")));
    assert_eq!(server.balance().await, 988);

    let other = json!({ "input": { "prompt": "a grey fox" } });
    client.post(FOX, &other).await.expect_error("idempotency_key_reuse");
    assert_eq!(server.balance().await, 988);

    // Idempotency keys belong to an account: another account can use the same one.
    let account = server.administer(&["accounts", "create", "--credits", "50"]);
    let key = server.administer(&["keys", "create", "--account", account["account_id"].as_str().unwrap()]);
    let stranger = Raw::new(&server.url).key(key["key"].as_str().unwrap()).header("idempotency-key", "fox-1");
    let theirs = stranger.post(FOX, &other).await.expect(200).json();
    assert_ne!(theirs["request_id"], submits[0]["request_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_parameters_are_named_and_ignored() {
    let server = Server::start(Options::default());
    let fox = json!({ "input": { "prompt": "a red fox", "aspectRatio": "16:9" } });
    let submitted = server.sandbox().post(FOX, &fox).await.expect(200).json();
    assert_eq!(submitted["warnings"][0]["code"], "unknown_parameter");
    assert_eq!(submitted["warnings"][0]["parameter"], "aspectRatio");
}
