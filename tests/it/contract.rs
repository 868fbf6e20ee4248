//! Every call of the API, as curl makes it: its status, its body, its headers.

use crate::support::{Options, Raw, Response, Server, Spec, until};
use serde_json::{Value, json};

const FOX: &str = "/v1/models/nano-banana-2";
const CLIP: &str = "/v1/models/seedance-2-fast-t2v";

/// The quickest picture to draw.
pub(crate) fn small_fox() -> Value {
    json!({ "input": { "prompt": "a red fox", "resolution": "0.5K" } })
}

/// The body of a response, which must match `schema` in the spec. The response must have the headers that all responses have.
#[track_caller]
pub(crate) fn held(spec: &Spec, response: &Response, schema: &str) -> Value {
    let body = response.json();
    spec.hold(schema, &body);
    for name in ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"] {
        assert!(response.header(name).parse::<u64>().is_ok(), "{name}: {response:?}");
    }
    assert_eq!(response.header("content-type"), "application/json");
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn each_response_matches_its_schema() {
    let spec = Spec::load();
    let server = Server::start(Options::default());
    let live = server.live();
    held(&spec, &live.get("/v1/models").await.expect(200), "ModelList");
    held(&spec, &live.get(FOX).await.expect(200), "Model");
    let estimate = live.post(&format!("{CLIP}/estimate"), &json!({ "input": { "prompt": "waves" } })).await;
    assert_eq!(held(&spec, &estimate.expect(200), "EstimateResponse")["credits"], 120);
    held(&spec, &live.get("/v1/account").await.expect(200), "Account");

    let submitted = held(&spec, &live.post(FOX, &small_fox()).await.expect(200), "SubmitResponse");
    assert_eq!((&submitted["status"], &submitted["cost"]), (&json!("IN_QUEUE"), &json!(12)));
    let path = format!("/v1/requests/{}", submitted["request_id"].as_str().unwrap());
    assert_eq!(submitted["response_url"], format!("{}{path}", server.url));
    assert_eq!(submitted["status_url"], format!("{}{path}/status", server.url));
    let ended = until("the fox", || async {
        let response = live.get(&path).await;
        let body = held(&spec, &response, "ResultResponse");
        let running = ["IN_QUEUE", "IN_PROGRESS"].contains(&body["status"].as_str().unwrap());
        assert_eq!(response.status, if running { 202 } else { 200 }, "{body}");
        // A running request has these fields already.
        assert_eq!((&body["model"], &body["cost"]), (&json!("nano-banana-2"), &json!(12)), "{body}");
        assert!(body["created_at"].is_string() && body["completed_at"].is_string() != running, "{body}");
        (!running).then_some(body)
    });
    let ended = ended.await;
    assert_eq!((&ended["status"], &ended["model"]), (&json!("COMPLETED"), &json!("nano-banana-2")));
    assert!(ended["created_at"].as_str() <= ended["completed_at"].as_str());
    let status = held(&spec, &live.get(&format!("{path}/status")).await.expect(200), "StatusResponse");
    assert_eq!(status, json!({ "request_id": submitted["request_id"], "status": "COMPLETED" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn queue_positions_fall_and_progress_is_reported() {
    let spec = Spec::load();
    let server = Server::start(Options::default());
    let live = server.live();
    let clip = json!({ "input": { "prompt": "waves", "duration": 4, "resolution": "480p" } });
    let mut positions = Vec::new();
    let mut paths = Vec::new();
    for _ in 0..8 {
        let submitted = held(&spec, &live.post(CLIP, &clip).await.expect(200), "SubmitResponse");
        positions.push(submitted["queue_position"].as_u64().unwrap());
        paths.push(format!("/v1/requests/{}", submitted["request_id"].as_str().unwrap()));
    }
    // Each comes behind the one before, of which some are claimed meanwhile.
    assert!(positions.windows(2).all(|two| two[1] <= two[0] + 1) && positions[7] > 0, "{positions:?}");

    // The last request is still queued: its result is 202, with the fields known so far.
    let waiting = held(&spec, &live.get(&paths[7]).await.expect(202), "ResultResponse");
    assert_eq!(waiting["status"], "IN_QUEUE");
    assert!(waiting["queue_position"].as_u64().unwrap() <= positions[7], "{waiting}");
    let known = |middle| ["request_id", "status", middle, "model", "cost", "created_at"];
    assert!(known("queue_position").into_iter().eq(sorted_fields(&waiting)), "{waiting}");
    assert_eq!((&waiting["model"], &waiting["cost"]), (&json!("seedance-2-fast-t2v"), &json!(48)));
    let status = held(&spec, &live.get(&format!("{}/status", paths[7])).await.expect(200), "StatusResponse");
    assert_eq!(status["status"], "IN_QUEUE");

    let running = until("progress", async || {
        let response = live.get(&paths[0]).await.expect(202);
        let running = held(&spec, &response, "ResultResponse");
        (running["progress"].as_u64() > Some(0)).then_some(running)
    });
    let running = running.await;
    assert_eq!(running["status"], "IN_PROGRESS");
    assert!(known("progress").into_iter().eq(sorted_fields(&running)), "{running}");
}

/// The names of an object's fields, in the order of the spec.
fn sorted_fields(object: &Value) -> impl Iterator<Item = &str> {
    let order = ["request_id", "status", "queue_position", "progress", "model", "cost", "created_at"];
    let mut names: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_by_key(|name| order.iter().position(|known| known == name));
    names.into_iter()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_comes_in_three_forms() {
    let server = Server::start(Options::default());
    for (name, value) in [
        ("authorization", format!("Bearer {}", server.live_key)),
        ("authorization", format!("Key {}", server.live_key)),
        ("x-api-key", server.live_key.clone()),
    ] {
        Raw::new(&server.url).header(name, &value).get("/v1/account").await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_generation_ends_at_once_and_charges_nothing() {
    let spec = Spec::load();
    let server = Server::start(Options::default());
    let before = server.balance().await;
    let outputs =
        [(FOX, "images", json!({ "prompt": "fox" })), (CLIP, "video", json!({ "prompt": "waves" }))];
    for (path, output, input) in outputs {
        let response = server.sandbox().post(path, &json!({ "input": input })).await.expect(200);
        let submitted = held(&spec, &response, "SubmitResponse");
        assert_eq!((&submitted["status"], &submitted["queue_position"]), (&json!("COMPLETED"), &json!(0)));
        let path = format!("/v1/requests/{}", submitted["request_id"].as_str().unwrap());
        let result = held(&spec, &server.sandbox().get(&path).await.expect(200), "ResultResponse");
        assert_eq!(result["cost"], submitted["cost"]);
        assert!(!result["output"][output].is_null(), "{result}");
    }
    assert_eq!(server.balance().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_does_what_its_scopes_say() {
    let server = Server::start(Options::default());
    for (scopes, may_submit) in [("generate,read", true), ("generate", true), ("read", false)] {
        let key = server.administer(&["keys", "create", "--test", "--scope", scopes]);
        let client = Raw::new(&server.url).key(key["key"].as_str().unwrap());
        client.get("/v1/account").await.expect(200);
        client.post(&format!("{FOX}/estimate"), &small_fox()).await.expect(200);
        let submitted = client.post(FOX, &small_fox()).await;
        if may_submit {
            submitted.expect(200);
        } else {
            submitted.expect_error("insufficient_scope");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_key_has_requests_a_minute_of_its_own() {
    let spec = Spec::load();
    let server = Server::start(Options { rpm: Some(2), ..Options::default() });
    for left in ["1", "0"] {
        let response = server.live().get("/v1/account").await.expect(200);
        held(&spec, &response, "Account");
        assert_eq!((response.header("ratelimit-limit"), response.header("ratelimit-remaining")), ("2", left));
    }
    let refused = server.live().post(FOX, &small_fox()).await;
    refused.expect_error("rate_limit_exceeded");
    held(&spec, &refused, "ErrorEnvelope");
    assert_eq!(refused.header("ratelimit-remaining"), "0");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=30).contains(&wait), "two a minute: the next within 30 s, not {wait}");
    server.sandbox().get("/v1/account").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_has_a_limit_of_generations_in_flight() {
    let server = Server::start(Options { credits: Some(1_000_000), ..Options::default() });
    // Long clips: none ends while these are submitted.
    let input = json!({ "prompt": "waves", "duration": 12, "resolution": "1080p" });
    let body = json!({ "input": input });
    let mut submits = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (live, body) = (server.live(), body.clone());
        submits.spawn(async move {
            for _ in 0..50 {
                live.post(CLIP, &body).await.expect(200);
            }
        });
    }
    submits.join_all().await;
    let balance = server.balance().await;
    let refused = server.live().post(CLIP, &body).await;
    refused.expect_error("concurrency_limit_exceeded");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(server.balance().await, balance);
}
