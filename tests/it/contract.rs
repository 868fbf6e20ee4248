//! Every call of the contract, made as curl would: its status, its shape, its headers, and each way to be refused.

use crate::examples::Spec;
use crate::support::{Answer, Options, Raw, Server, until};
use http::Method;
use serde_json::{Value, json};

const FOX: &str = "/v1/models/nano-banana-2";
const CLIP: &str = "/v1/models/seedance-2-fast-t2v";

fn small_fox() -> Value {
    json!({ "input": { "prompt": "a red fox", "resolution": "0.5K" } })
}

/// The answer's body, which must be what the spec says of `schema`, under the headers that go with every answer.
#[track_caller]
fn held(spec: &Spec, answer: &Answer, schema: &str) -> Value {
    let body = answer.json();
    if let Err(error) = spec.validator(schema).validate(&body) {
        panic!("not a {schema}: {error}: {body}");
    }
    for name in ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"] {
        assert!(answer.header(name).parse::<u64>().is_ok(), "{name}: {answer:?}");
    }
    assert_eq!(answer.header("content-type"), "application/json");
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_is_answered_in_its_shape() {
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
    for url in ["status_url", "response_url"] {
        assert!(submitted[url].as_str().unwrap().starts_with(&server.url), "{submitted}");
    }
    let path = format!("/v1/requests/{}", submitted["request_id"].as_str().unwrap());
    let ended = until("the fox", || async {
        let answer = live.get(&path).await;
        let body = held(&spec, &answer, "ResultResponse");
        let running = ["IN_QUEUE", "IN_PROGRESS"].contains(&body["status"].as_str().unwrap());
        assert_eq!(answer.status, if running { 202 } else { 200 }, "{body}");
        (!running).then_some(body)
    });
    let ended = ended.await;
    assert_eq!((&ended["status"], &ended["model"]), (&json!("COMPLETED"), &json!("nano-banana-2")));
    assert!(ended["created_at"].as_str() <= ended["completed_at"].as_str());
    let status = held(&spec, &live.get(&format!("{path}/status")).await.expect(200), "StatusResponse");
    assert_eq!(status, json!({ "request_id": submitted["request_id"], "status": "COMPLETED" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_line_moves_and_progress_is_told() {
    let server = Server::start(Options::default());
    let live = server.live();
    let clip = json!({ "input": { "prompt": "waves", "duration": 4, "resolution": "480p" } });
    let mut positions = Vec::new();
    let mut paths = Vec::new();
    for _ in 0..8 {
        let submitted = live.post(CLIP, &clip).await.expect(200).json();
        positions.push(submitted["queue_position"].as_u64().unwrap());
        paths.push(format!("/v1/requests/{}/status", submitted["request_id"].as_str().unwrap()));
    }
    assert!(positions.is_sorted() && positions[7] > 0, "{positions:?}");
    let last = &paths[7];
    let now = live.get(last).await.expect(200).json();
    assert!(now["queue_position"].as_u64().unwrap() <= positions[7], "{now}");
    until("progress", || async {
        let status = live.get(&paths[0]).await.expect(200).json();
        (status["status"] == "IN_PROGRESS" && status["progress"].as_u64().unwrap() > 0).then_some(())
    })
    .await;
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
async fn the_sandbox_answers_at_once_and_charges_nothing() {
    let spec = Spec::load();
    let server = Server::start(Options::default());
    let before = server.balance().await;
    let outputs =
        [(FOX, "images", json!({ "prompt": "fox" })), (CLIP, "video", json!({ "prompt": "waves" }))];
    for (path, output, input) in outputs {
        let answer = server.sandbox().post(path, &json!({ "input": input })).await.expect(200);
        let submitted = held(&spec, &answer, "SubmitResponse");
        assert_eq!((&submitted["status"], &submitted["queue_position"]), (&json!("COMPLETED"), &json!(0)));
        let path = format!("/v1/requests/{}", submitted["request_id"].as_str().unwrap());
        let result = held(&spec, &server.sandbox().get(&path).await.expect(200), "ResultResponse");
        assert_eq!(result["cost"], submitted["cost"]);
        assert!(!result["output"][output].is_null(), "{result}");
    }
    assert_eq!(server.balance().await, before);
}

/// Keys that a case may call with.
struct Keys {
    live: String,
    test: String,
    revoked: String,
    reader: String,
    stranger: String,
    poor: String,
}

fn keys(server: &Server) -> Keys {
    let create = |arguments: &[&str]| {
        let made = server.administer(&[&["keys", "create"], arguments].concat());
        (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned())
    };
    let account = |credits: &str| {
        let made = server.administer(&["accounts", "create", "--credits", credits]);
        made["account_id"].as_str().unwrap().to_owned()
    };
    let (id, revoked) = create(&[]);
    server.administer(&["keys", "revoke", &id]);
    Keys {
        live: server.live_key.clone(),
        test: server.test_key.clone(),
        revoked,
        reader: create(&["--scopes", "read"]).1,
        stranger: create(&["--account", &account("100")]).1,
        poor: create(&["--account", &account("11")]).1,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_in_the_envelope_and_nothing_is_lost() {
    let spec = Spec::load();
    let server = Server::start(Options { dev: false, ..Options::default() });
    let keys = keys(&server);
    let mine = server.live().post(FOX, &small_fox()).await.expect(200).json();
    let mine = format!("/v1/requests/{}", mine["request_id"].as_str().unwrap());
    let before = server.balance().await;

    let input = |input: Value| json!({ "input": input }).to_string();
    let hook = |url: Value| json!({ "input": { "prompt": "fox" }, "webhook_url": url }).to_string();
    let deep = format!("{{\"input\": {}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let fox = input(json!({ "prompt": "fox" }));
    let unknown = "/v1/requests/0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de";
    let (get, post) = (Method::GET, Method::POST);
    let none = String::new();
    let cases = [
        (&none, &post, FOX, fox.clone(), 401, "invalid_api_key"),
        (&none, &get, "/v1/account", none.clone(), 401, "invalid_api_key"),
        (&"clipia_live_wrong".to_owned(), &post, FOX, fox.clone(), 401, "invalid_api_key"),
        (&keys.revoked, &get, "/v1/account", none.clone(), 401, "invalid_api_key"),
        (&keys.reader, &post, FOX, fox.clone(), 403, "insufficient_scope"),
        (&keys.poor, &post, FOX, fox.clone(), 402, "insufficient_credits"),
        (&keys.live, &post, "/v1/models/none", fox.clone(), 404, "model_not_found"),
        (&keys.live, &get, "/v1/models/none", none.clone(), 404, "model_not_found"),
        (&keys.live, &post, "/v1/models/none/estimate", fox.clone(), 404, "model_not_found"),
        (&keys.live, &get, unknown, none.clone(), 404, "not_found"),
        (&keys.live, &get, "/v1/requests/17/status", none.clone(), 404, "not_found"),
        (&keys.stranger, &get, &mine, none.clone(), 404, "not_found"),
        (&keys.live, &get, "/v1/nothing", none.clone(), 404, "not_found"),
        (&keys.live, &Method::DELETE, FOX, none.clone(), 405, "invalid_request"),
        (&keys.live, &get, "/v1/models/%ff", none.clone(), 400, "invalid_request"),
        (&keys.live, &post, FOX, "fox".into(), 400, "invalid_request"),
        (&keys.live, &post, FOX, none.clone(), 400, "invalid_request"),
        (&keys.live, &post, FOX, "[]".into(), 400, "invalid_request"),
        (&keys.live, &post, FOX, "{}".into(), 400, "invalid_request"),
        (&keys.live, &post, FOX, input(json!(["fox"])), 400, "invalid_request"),
        (&keys.live, &post, FOX, input(json!(null)), 400, "invalid_request"),
        (&keys.live, &post, FOX, deep, 400, "invalid_request"),
        (&keys.live, &post, FOX, "a".repeat(10_000_000), 400, "invalid_request"),
        (&keys.live, &post, FOX, hook(json!("fox")), 400, "webhook_url_invalid"),
        (&keys.live, &post, FOX, hook(json!(7)), 400, "webhook_url_invalid"),
        (&keys.live, &post, FOX, hook(json!("ftp://example.com/")), 400, "webhook_url_invalid"),
        (&keys.live, &post, FOX, hook(json!("http://example.com/")), 400, "webhook_url_invalid"),
        (&keys.live, &post, FOX, hook(json!("https://10.0.0.1/")), 400, "webhook_url_invalid"),
        (&keys.live, &post, FOX, hook(json!("https://u:p@example.com/")), 400, "webhook_url_invalid"),
        (&keys.live, &post, FOX, input(json!({})), 422, "model_input_invalid"),
        (&keys.live, &post, FOX, input(json!({ "prompt": 7 })), 422, "model_input_invalid"),
        (&keys.live, &post, FOX, input(json!({ "prompt": "" })), 422, "model_input_invalid"),
        (&keys.live, &post, FOX, input(json!({ "prompt": "f", "seed": -1 })), 422, "model_input_invalid"),
        (
            &keys.test,
            &post,
            FOX,
            input(json!({ "prompt": "f", "resolution": 9 })),
            422,
            "model_input_invalid",
        ),
    ];
    for (key, method, path, body, status, code) in cases {
        let client = if key.is_empty() { Raw::new(&server.url) } else { Raw::new(&server.url).key(key) };
        let what = format!("{method} {path} {}", &body[..body.len().min(80)]);
        let answer = client.send(method.clone(), path, body.into()).await;
        let refused = held(&spec, &answer, "ErrorEnvelope");
        assert_eq!(
            (answer.status.as_u16(), &refused["error"]["code"]),
            (status, &json!(code)),
            "{what}: {refused}"
        );
    }
    server.live().header("idempotency-key", &"k".repeat(2_000)).post(FOX, &small_fox()).await.expect(400);
    assert_eq!(server.balance().await, before);
    server.live().get(&mine).await;
}
