//! Every kind of refusal: the response is an error envelope, never a 5xx, and nothing is lost or charged.

use crate::contract::{held, small_fox};
use crate::support::{Options, Raw, Server, Spec};
use clipia_api::error_code::ErrorCode;
use http::Method;
use serde_json::{Value, json};

const FOX: &str = "/v1/models/nano-banana-2";
const PRO: &str = "/v1/models/nano-banana-pro";
const CLIP: &str = "/v1/models/seedance-2-fast-t2v";
const SWAY: &str = "/v1/models/seedance-2-fast-i2v";

/// A call, and the code of its refusal.
struct Case {
    what: String,
    key: String,
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    code: &'static str,
}

impl Case {
    fn get(what: &str, key: &str, path: &str, code: &'static str) -> Self {
        let (what, key, path) = (what.to_owned(), key.to_owned(), path.to_owned());
        Self { what, key, method: Method::GET, path, headers: Vec::new(), body: Vec::new(), code }
    }

    fn post(what: &str, key: &str, path: &str, body: impl Into<Vec<u8>>, code: &'static str) -> Self {
        Self { method: Method::POST, body: body.into(), ..Self::get(what, key, path, code) }
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// Runs every case, and reports all whose response differs.
async fn refuse_all(server: &Server, cases: Vec<Case>) {
    let spec = Spec::load();
    let mut wrong = Vec::new();
    for case in cases {
        let mut client = Raw::new(&server.url);
        if !case.key.is_empty() {
            client = client.key(&case.key);
        }
        for (name, value) in &case.headers {
            client = client.header(name, value);
        }
        let response = client.send(case.method, &case.path, case.body.into()).await;
        let refused = held(&spec, &response, "ErrorEnvelope");
        let known = ErrorCode::from_code(case.code).unwrap();
        // HTTP has its own status for this, and the API has no code.
        let status = if case.what == "another method" { 405 } else { known.http_status() };
        let found = (response.status.as_u16(), &refused["error"]["code"], &refused["error"]["type"]);
        if found != (status, &json!(case.code), &json!(known.family())) {
            wrong.push(format!("{}: {} {refused}", case.what, response.status));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Checks the server after the refusals.
async fn is_well(server: &Server, balance: u64) {
    assert_eq!(server.balance().await, balance);
    server.sandbox().post(FOX, &small_fox()).await.expect(200);
    let log = server.log();
    assert!(!log.contains(" ERROR ") && !log.contains("panicked"), "{log}");
}

fn with_input(input: Value) -> String {
    json!({ "input": input }).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_keys_and_paths() {
    let server = Server::start(Options::default());
    let create = |arguments: &[&str]| -> (String, String) {
        let made = server.administer(&[&["keys", "create"], arguments].concat());
        (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned())
    };
    let account = |credits: &str| {
        let made = server.administer(&["accounts", "create", "--credits", credits]);
        made["account_id"].as_str().unwrap().to_owned()
    };
    let (id, revoked) = create(&[]);
    // A key that is revoked at once.
    Raw::new(&server.url).key(&revoked).get("/v1/account").await.expect(200);
    server.administer(&["keys", "revoke", &id]);
    let (_, reader) = create(&["--scope", "read"]);
    let (_, stranger) = create(&["--account", &account("100")]);
    let (_, poor) = create(&["--account", &account("11")]);
    let live = server.live_key.as_str();
    let last_changed = format!("{}0", &live[..live.len() - 1]);
    let last_changed =
        if last_changed == live { format!("{}1", &live[..live.len() - 1]) } else { last_changed };

    let body = small_fox();
    let mine = server.live().header("idempotency-key", "mine").post(FOX, &body).await.expect(200).json();
    let mine = format!("/v1/requests/{}", mine["request_id"].as_str().unwrap());
    let balance = server.balance().await;

    let fox = body.to_string();
    let (id_key, unknown) = ("idempotency-key", "/v1/requests/0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de");
    let mut cases = vec![
        Case::get("no key", "", "/v1/account", "invalid_api_key"),
        Case::post("no key", "", FOX, &*fox, "invalid_api_key"),
        Case::get("no key, no path", "", "/v1/nothing", "invalid_api_key"),
        Case::get("a wrong key", "clipia_live_wrong", "/v1/account", "invalid_api_key"),
        Case::get("all but a key", &last_changed, "/v1/account", "invalid_api_key"),
        Case::get("a revoked key", &revoked, "/v1/account", "invalid_api_key"),
        Case::post("a revoked key", &revoked, FOX, &*fox, "invalid_api_key"),
        Case::get("another scheme", "", "/v1/account", "invalid_api_key")
            .header("authorization", "Basic Zm94"),
        Case::get("an empty key", "", "/v1/account", "invalid_api_key").header("x-api-key", ""),
        Case::get("a scheme alone", "", "/v1/account", "invalid_api_key").header("authorization", "Bearer"),
        Case::get("bytes", "", "/v1/account", "invalid_api_key").header("authorization", "Bearer \u{fc}"),
        Case::post("no scope", &reader, FOX, &*fox, "insufficient_scope"),
        Case::post("no scope, no input", &reader, FOX, "", "insufficient_scope"),
        Case::post("no credits", &poor, FOX, with_input(json!({ "prompt": "fox" })), "insufficient_credits"),
        Case::get("no such request", live, unknown, "not_found"),
        Case::get("no such request", live, &format!("{unknown}/status"), "not_found"),
        Case::get("no id", live, "/v1/requests/17", "not_found"),
        Case::get("no id", live, "/v1/requests/17/status", "not_found"),
        Case::get("bytes for an id", live, "/v1/requests/%ff", "invalid_request"),
        Case::get("another's request", &stranger, &mine, "not_found"),
        Case::get("another's request", &stranger, &format!("{mine}/status"), "not_found"),
        Case::get("no such path", live, "/v1/nothing", "not_found"),
        Case::get("no such path", live, "/", "not_found"),
        Case::get("bytes for a path", live, "/%ff/%00", "not_found"),
        Case::get("bytes for a model", live, "/v1/models/%ff", "invalid_request"),
        Case::get("no such model", live, "/v1/models/none", "model_not_found"),
        Case::get("no such model", live, "/v1/models/..%2f..%2fetc%2fpasswd", "model_not_found"),
        Case::get("no such model", live, "/v1/models/Nano-Banana-2", "model_not_found"),
        Case::post("no such model", live, "/v1/models/none", &*fox, "model_not_found"),
        Case::post("no such model", live, "/v1/models/none/estimate", &*fox, "model_not_found"),
        Case::post(
            "a key of an earlier submit",
            live,
            FOX,
            with_input(json!({ "prompt": "cat" })),
            "idempotency_key_reuse",
        )
        .header(id_key, "mine"),
        Case::post(
            "a key of another model's submit",
            live,
            PRO,
            with_input(json!({ "prompt": "a red fox" })),
            "idempotency_key_reuse",
        )
        .header(id_key, "mine"),
        Case::post("too long a key", live, FOX, &*fox, "invalid_request").header(id_key, &"k".repeat(2_000)),
        Case::post("an empty key", live, FOX, &*fox, "invalid_request").header(id_key, ""),
        Case::post("bytes for a key", live, FOX, &*fox, "invalid_request").header(id_key, "\u{fc}"),
    ];
    for (method, path) in [
        (Method::DELETE, FOX),
        (Method::PUT, FOX),
        (Method::POST, "/v1/account"),
        (Method::POST, "/v1/models"),
        (Method::GET, "/v1/models/nano-banana-2/estimate"),
        (Method::POST, unknown),
        // The API has no cancel, although older descriptions have one.
        (Method::DELETE, unknown),
    ] {
        cases.push(Case { method, ..Case::get("another method", live, path, "invalid_request") });
    }
    refuse_all(&server, cases).await;
    is_well(&server, balance).await;
    // The submitted request is still there, and the balances are unchanged.
    server.live().get(&format!("{mine}/status")).await.expect(200);
    let account = Raw::new(&server.url).key(&poor).get("/v1/account").await.expect(200).json();
    assert_eq!((&account["balance"]["credits"], &account["usage_30d"]["requests"]), (&json!(11), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_bodies() {
    let server = Server::start(Options::default());
    let (live, balance) = (server.live_key.as_str(), server.balance().await);
    let mut cases = Vec::new();
    let nested = |open: &str, close: &str| {
        format!("{{\"input\": {{\"prompt\": {}1{}}}}}", open.repeat(10_000), close.repeat(10_000))
    };
    for (what, body) in [
        ("nothing", Vec::new()),
        ("no JSON", b"fox".to_vec()),
        ("half of JSON", b"{\"input\": {\"prompt\": \"fo".to_vec()),
        ("two of JSON", b"{\"input\": {\"prompt\": \"fox\"}} {}".to_vec()),
        ("no UTF-8", b"{\"input\": {\"prompt\": \"\xff\xfe\"}}".to_vec()),
        ("half a character", br#"{"input": {"prompt": "\ud800"}}"#.to_vec()),
        ("too great a number", br#"{"input": {"prompt": "fox", "seed": 1e999}}"#.to_vec()),
        ("no number", br#"{"input": {"prompt": "fox", "seed": NaN}}"#.to_vec()),
        ("an array", b"[]".to_vec()),
        ("a string", b"\"fox\"".to_vec()),
        ("null", b"null".to_vec()),
        ("no input", b"{}".to_vec()),
        ("the input itself", br#"{"prompt": "fox"}"#.to_vec()),
        ("an array for input", with_input(json!(["fox"])).into()),
        ("a string for input", with_input(json!("fox")).into()),
        ("null for input", with_input(json!(null)).into()),
        ("10,000 arrays in each other", nested("[", "]").into()),
        ("10,000 objects in each other", nested("{\"a\":", "}").into()),
        ("10 MB of no JSON", vec![b'a'; 10_000_000]),
        ("10 MB of JSON", with_input(json!({ "prompt": "a".repeat(10_000_000) })).into()),
    ] {
        cases.push(Case::post(what, live, FOX, body.clone(), "invalid_request"));
        cases.push(Case::post(what, live, &format!("{FOX}/estimate"), body, "invalid_request"));
    }
    refuse_all(&server, cases).await;
    is_well(&server, balance).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_inputs() {
    let server = Server::start(Options::default());
    let (live, balance) = (server.live_key.as_str(), server.balance().await);
    let mut cases = Vec::new();
    for (what, model, input) in [
        ("nothing", FOX, json!({})),
        ("null for what is required", FOX, json!({ "prompt": null })),
        ("a number for a string", FOX, json!({ "prompt": 7 })),
        ("an array for a string", FOX, json!({ "prompt": ["fox"] })),
        ("an empty string", FOX, json!({ "prompt": "" })),
        ("too long a string", FOX, json!({ "prompt": "a".repeat(2_001) })),
        ("a string for a number", FOX, json!({ "prompt": "fox", "seed": "7" })),
        ("less than the least", FOX, json!({ "prompt": "fox", "seed": -1 })),
        ("more than the most", FOX, json!({ "prompt": "fox", "seed": 4_294_967_296_u64 })),
        ("half", FOX, json!({ "prompt": "fox", "seed": 1.5 })),
        ("no option", FOX, json!({ "prompt": "fox", "aspect_ratio": "17:9" })),
        ("an option of another model", FOX, json!({ "prompt": "fox", "resolution": "4K" })),
        ("a number for an option", FOX, json!({ "prompt": "fox", "resolution": 1 })),
        ("too many", PRO, json!({ "prompt": "fox", "num_images": 5 })),
        ("none", PRO, json!({ "prompt": "fox", "num_images": 0 })),
        ("too long a clip", CLIP, json!({ "prompt": "waves", "duration": 13 })),
        ("no image", SWAY, json!({ "prompt": "sway" })),
        ("a path for an image", SWAY, json!({ "prompt": "sway", "image_url": "/etc/passwd" })),
        ("a file for an image", SWAY, json!({ "prompt": "sway", "image_url": "file:///etc/passwd" })),
        ("a text for a prompt", "/v1/models/gemini-3-1-flash-tts", json!({ "text": "hello" })),
    ] {
        let body = with_input(input);
        for key in [live, &server.test_key] {
            cases.push(Case::post(what, key, model, &*body, "model_input_invalid"));
        }
        cases.push(Case::post(what, live, &format!("{model}/estimate"), body, "model_input_invalid"));
    }
    refuse_all(&server, cases).await;
    is_well(&server, balance).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_webhook_urls() {
    let server = Server::start(Options { dev: false, ..Options::default() });
    let (live, balance) = (server.live_key.as_str(), server.balance().await);
    let mut cases = Vec::new();
    for url in [
        json!(7),
        json!(["https://example.com/"]),
        json!(""),
        json!("fox"),
        json!("/clipia"),
        json!("https://"),
        json!("ftp://example.com/"),
        json!("javascript:alert(1)"),
        json!("http://example.com/"),
        json!("https://user@example.com/"),
        json!("https://user:password@example.com/"),
        json!("https://example.com:22/"),
        json!("https://127.0.0.1/"),
        json!("https://2130706433/"),
        json!("https://10.0.0.1/"),
        json!("https://192.168.1.1/"),
        json!("https://169.254.169.254/latest/meta-data"),
        json!("https://[::1]/"),
        json!("https://[::ffff:10.0.0.1]/"),
        json!("https://[fd00::1]/"),
        json!(format!("https://example.com/{}", "a".repeat(5_000))),
    ] {
        let body = json!({ "input": { "prompt": "fox" }, "webhook_url": url }).to_string();
        cases.push(Case::post(&url.to_string(), live, FOX, body, "webhook_url_invalid"));
    }
    refuse_all(&server, cases).await;
    is_well(&server, balance).await;
}
