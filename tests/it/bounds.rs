//! Bounds on the cost of a call and on the size of its response, whoever calls.

use crate::contract::small_fox;
use crate::support::{Options, Raw, Server, until};
use http::Method;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const FOX: &str = "/v1/models/nano-banana-2";
const SWAY: &str = "/v1/models/seedance-2-fast-i2v";

/// The largest response with its head, and the most that a call may add to the store beyond its own size, and to the log.
const RESPONSE_BYTES_MAX: usize = 16 * 1024;
const STORED_BYTES_MAX: u64 = 256 * 1024;
const LOGGED_BYTES_MAX: usize = 2 * 1024;

/// Sizes: one fits into a body several times, the other into a head.
const LARGE: usize = 1_000_000;
const LONG: usize = 10_000;

/// A call with one large value in it.
struct Case {
    what: &'static str,
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// The allowed statuses of the response.
    statuses: &'static [u16],
}

impl Case {
    fn post(what: &'static str, path: &str, body: impl Into<Vec<u8>>, statuses: &'static [u16]) -> Self {
        let (method, path, body) = (Method::POST, path.to_owned(), body.into());
        Self { what, method, path, headers: Vec::new(), body, statuses }
    }

    fn get(what: &'static str, path: &str, statuses: &'static [u16]) -> Self {
        Self { method: Method::GET, ..Self::post(what, path, "", statuses) }
    }

    fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// Calls with something large in each place of the API.
fn cases() -> Vec<Case> {
    let (large, long) = ("a".repeat(LARGE), "a".repeat(LONG));
    let submit = |input: Value| json!({ "input": input }).to_string();
    let many = |count: usize| {
        let names: Vec<String> = (0..count).map(|number| format!("\"{number}\":0")).collect();
        format!("{{\"input\": {{\"prompt\": \"fox\", {}}}}}", names.join(","))
    };
    let image = format!("data:image/png;base64,{large}");
    vec![
        Case::post("as many unknown keys as are read", FOX, many(9_990), &[200]),
        Case::post("6 MB of unknown keys", FOX, many(540_000), &[400]),
        Case::post(
            "6 MB of objects",
            FOX,
            format!("{{\"input\": {{\"prompt\": \"fox\", \"x\": [{}0]}}}}", "{\"\":0},".repeat(750_000)),
            &[400],
        ),
        Case::post("an unknown key", FOX, submit(json!({ "prompt": "fox", (&*large): 0 })), &[200]),
        Case::post("an unknown key's value", FOX, submit(json!({ "prompt": "fox", "x": large })), &[200]),
        Case::post(
            "control characters",
            FOX,
            submit(json!({ "prompt": "fox", ("\u{1}".repeat(160_000)): 0 })),
            &[200],
        ),
        Case::post(
            "an unknown member",
            FOX,
            json!({ "input": { "prompt": "fox" }, (&*large): 0 }).to_string(),
            &[200],
        ),
        Case::post(
            "a webhook",
            FOX,
            json!({ "input": { "prompt": "fox" }, "webhook_url": large }).to_string(),
            &[400],
        ),
        Case::post("a prompt", FOX, submit(json!({ "prompt": large })), &[400, 422]),
        Case::post("an option", FOX, submit(json!({ "prompt": "fox", "resolution": large })), &[400, 422]),
        Case::post("an image", SWAY, submit(json!({ "prompt": "fox", "image_url": image })), &[200]),
        Case::post("no image", SWAY, submit(json!({ "prompt": "fox", "image_url": large })), &[400, 422]),
        Case::post(
            "a number",
            FOX,
            format!("{{\"input\": {{\"prompt\": \"fox\", \"seed\": {}}}}}", "9".repeat(LARGE)),
            &[400, 422],
        ),
        Case::post("no JSON", FOX, format!("{{\"input\": \"{large}"), &[400]),
        Case::post("a key of the input", FOX, submit(json!({ "prompt": "fox" })), &[400])
            .header("idempotency-key", long.clone()),
        Case::get("a path", &format!("/v1/{long}"), &[404]),
        Case::get("a model", &format!("/v1/models/{long}"), &[404]),
        Case::get("an id", &format!("/v1/requests/{long}/status"), &[404]),
        Case::get("a query", &format!("/v1/account?{long}"), &[200]),
        Case::get("an API key", "/v1/account", &[401]).header("authorization", format!("Bearer {long}")),
        Case { method: Method::from_bytes(long.as_bytes()).unwrap(), ..Case::get("a method", FOX, &[405]) },
        Case::post("a host", FOX, submit(json!({ "prompt": "fox" })), &[400]).header("host", long.clone()),
        Case::post("a protocol", FOX, submit(json!({ "prompt": "fox" })), &[200])
            .header("x-forwarded-proto", format!("https, {long}")),
    ]
}

/// The same bodies as estimates.
fn estimates() -> Vec<Case> {
    let submits = cases().into_iter().filter(|case| {
        case.path == FOX && case.method == Method::POST && case.headers.is_empty() && case.what != "a webhook"
    });
    submits.map(|case| Case { path: format!("{FOX}/estimate"), ..case }).collect()
}

/// Calls with something large in each place of the administration.
fn orders() -> Vec<Case> {
    let (large, long) = ("a".repeat(1_000_000), "a".repeat(LONG));
    vec![
        Case::post("an unknown member", "/keys", json!({ (&*large): 0 }).to_string(), &[400]),
        Case::post("an account", "/accounts/acct_1/grants", json!({ "credits": large }).to_string(), &[400]),
        Case::post("a file", "/backups", json!({ "path": large }).to_string(), &[400]),
        Case::post("a moment", "/deliveries/replay", json!({ "failed_since": large }).to_string(), &[400]),
        Case::post(
            "an account",
            &format!("/accounts/{long}/grants"),
            json!({ "credits": 1 }).to_string(),
            &[404],
        ),
        Case::get("a limit", &format!("/requests?limit={long}"), &[400]),
        Case::get("a name", &format!("/deliveries?{long}=1"), &[400]),
        Case::get("a state", &format!("/requests?limit=1&status={long}"), &[400]),
        Case::get("an id", &format!("/requests/{long}"), &[404]),
        Case { method: Method::DELETE, ..Case::get("a key", &format!("/keys/{long}"), &[404]) },
    ]
}

/// The size of the store.
fn stored(server: &Server) -> u64 {
    let path = server.data().join("clipia.db");
    let store = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let value = |of: &str| store.query_row(of, [], |row| row.get::<_, i64>(0)).unwrap();
    u64::try_from(value("PRAGMA page_count") * value("PRAGMA page_size")).unwrap()
}

async fn ask_all(server: &Server, url: &str, key: &str, cases: Vec<Case>) {
    let mut wrong = Vec::new();
    let (mut before, mut logged) = (stored(server), server.log().len());
    for Case { what, method, path, headers, body, statuses } in cases {
        let size = body.len() as u64;
        let mut client = Raw::new(url).key(key).header("content-type", "application/json");
        for (name, value) in &headers {
            client = client.only(name, value);
        }
        let response = client.send(method, &path, body.into()).await;
        let head: usize =
            response.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        let (after, log) = (stored(server), server.log().len());
        let error = response.status.is_success() || response.json()["error"]["message"].is_string();
        if !statuses.contains(&response.status.as_u16())
            || !error
            || head + response.body.len() > RESPONSE_BYTES_MAX
            || after - before > size + STORED_BYTES_MAX
            || log - logged > LOGGED_BYTES_MAX
        {
            let body: String = String::from_utf8_lossy(&response.body).chars().take(200).collect();
            wrong.push(format!(
                "{what} ({size} bytes): {} with {} bytes, {} stored, {} logged: {body}",
                response.status,
                head + response.body.len(),
                after - before,
                log - logged,
            ));
        }
        (before, logged) = (after, log);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn large_values_cost_a_bounded_response_store_and_log() {
    let server = Server::start(Options::default());
    ask_all(&server, &server.url, &server.test_key, cases()).await;
    ask_all(&server, &server.url, &server.live_key, estimates()).await;
    let access: Value =
        serde_json::from_slice(&std::fs::read(server.data().join("admin.json")).unwrap()).unwrap();
    ask_all(&server, &server.admin_url, access["token"].as_str().unwrap(), orders()).await;
    let metrics = Raw::new(&server.admin_url).get("/metrics").await.expect(200);
    assert!(metrics.body.len() < 64 * 1024, "{} bytes of metrics", metrics.body.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_names_are_listed_in_warnings() {
    let server = Server::start(Options::default());
    let body = json!({
        "input": { "prompt": "fox", "sed": 7 },
        "webhok_url": "https://example.com/", "resolution": "1K", "x": 0,
    });
    let submitted = server.live().header("idempotency-key", "1");
    let first = submitted.post(FOX, &body).await.expect(200).json();
    let estimate = server.live().post(&format!("{FOX}/estimate"), &body).await.expect(200).json();
    let warnings = json!([
        {
            "code": "unknown_parameter", "parameter": "resolution",
            "message": "`resolution` is not known beside `input` and is ignored; a parameter stands in `input`",
        },
        {
            "code": "unknown_parameter", "parameter": "webhok_url",
            "message": "`webhok_url` is not known beside `input` and is ignored; did you mean `webhook_url`?",
        },
        { "code": "unknown_parameter", "parameter": "x", "message": "`x` is not known beside `input` and is ignored" },
        {
            "code": "unknown_parameter", "parameter": "sed",
            "message": "`sed` is not a parameter of nano-banana-2 and is ignored; did you mean `seed`?",
        },
    ]);
    assert_eq!((&first["warnings"], &estimate["warnings"]), (&warnings, &warnings));
    // A repeated submit has the same warnings.
    let again = submitted.post(FOX, &body).await.expect(200).json();
    assert_eq!((&again["request_id"], &again["warnings"]), (&first["request_id"], &warnings));
    let known = json!({ "input": { "prompt": "fox" }, "webhook_url": null });
    let quiet = server.live().post(&format!("{FOX}/estimate"), &known).await.expect(200).json();
    assert!(quiet["warnings"].as_array().is_none_or(Vec::is_empty), "{quiet}");
}

#[tokio::test(flavor = "multi_thread")]
async fn urls_begin_with_the_address_of_the_first_proxy() {
    let server = Server::start(Options::default());
    let client = server.live().only("host", "queue.example.com").header("x-forwarded-proto", "HTTPS , http");
    let submitted = client.post(FOX, &small_fox()).await.expect(200).json();
    let url = submitted["status_url"].as_str().unwrap();
    assert!(url.starts_with("https://queue.example.com/v1/requests/"), "{url}");
    for host in ["a b", "user@queue.example.com", "queue.example.com:x", &"a".repeat(256)] {
        server.live().only("host", host).post(FOX, &small_fox()).await.expect_error("invalid_request");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_of_one_account_delay_no_other_account() {
    const DECLARED: usize = 6 * 1024 * 1024;
    let server = Server::start(Options::default());
    let account = server.administer(&["accounts", "create", "--credits", "1000"]);
    let account = account["account_id"].as_str().unwrap();
    let noisy = server.administer(&["keys", "create", "--test", "--account", account]);
    let noisy = Raw::new(&server.url).key(noisy["key"].as_str().unwrap());

    // The account takes its whole share, and then sends nothing.
    let mut stalled = Vec::new();
    for _ in 0..8 {
        let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
        let key = noisy.value("authorization");
        let head = format!(
            "POST {FOX} HTTP/1.1\r\nhost: a\r\nauthorization: {key}\r\ncontent-length: {DECLARED}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(b"{\"input\": {\"prompt\": \"").await.unwrap();
        stalled.push(stream);
    }
    let image = |bytes: usize| {
        let url = format!("data:image/png;base64,{}", "A".repeat(bytes));
        json!({ "input": { "prompt": "fox", "image_url": url } })
    };
    let quiet = server.sandbox();
    for _ in 0..5 {
        quiet.post(FOX, &small_fox()).await.expect(200);
    }
    quiet.post(SWAY, &image(1_000_000)).await.expect(200);
    noisy.post(FOX, &small_fox()).await.expect(200);
    drop(stalled);

    // The account sends as much as it can. Most bodies are accepted in turn; those that wait too long get `Retry-After`.
    let large = image(3_000_000).to_string();
    let mut sending = JoinSet::new();
    for _ in 0..8 {
        let (noisy, large) = (noisy.clone(), large.clone());
        sending.spawn(async move { noisy.send(Method::POST, SWAY, large.into()).await });
    }
    let (mut beside, mut taken) = (0, 0);
    while !sending.is_empty() {
        quiet.post(FOX, &small_fox()).await.expect(200);
        beside += 1;
        while let Some(response) = sending.try_join_next() {
            let response = response.unwrap();
            if response.status.is_success() {
                taken += 1;
            } else {
                response.expect_error("concurrency_limit_exceeded");
                assert_eq!(response.header("retry-after"), "1");
            }
        }
    }
    assert!(beside > 0 && taken > 0, "{beside} beside {taken}");
    // The share is free again.
    until("there is room for a large body", async || {
        let response = noisy.send(Method::POST, SWAY, large.clone().into()).await;
        response.status.is_success().then_some(())
    })
    .await;
}
