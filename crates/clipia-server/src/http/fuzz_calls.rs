//! Fuzz tests with whole calls, by strangers and by a careless operator. Whatever a header, a path, a query or a body
//! holds, the response is of the contract's form, is no 5xx, and is short.

use super::{Admission, App, Budgets, router, upload_slots};
use crate::admin::{self, Admin, access};
use crate::builder::new_request_id;
use crate::clock::SystemClock;
use crate::config::PublicUrl;
use crate::credentials;
use crate::executors::sandbox::Samples;
use crate::media::MediaStore;
use crate::outbound::Target;
use crate::queues::Queues;
use crate::served_models::ServedModels;
use crate::store::{AccountId, NewAccount, Scopes, Store};
use axum::Router;
use axum::body::{Body, to_bytes};
use clipia_queue::Credits;
use clipia_queue::catalogue::Catalogue;
use clipia_queue::limits::RateLimit;
use clipia_store_sqlite::SqliteStore;
use http::{HeaderValue, Method, Request, Uri};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::ServiceExt;

/// The longest response, in bytes.
const RESPONSE_BYTES_MAX: usize = 16 * 1024;

/// A server without workers, so that submitted requests stay queued.
struct Server {
    runtime: Runtime,
    api: Router,
    administration: Router,
    live: String,
    sandbox: String,
    token: String,
    account: String,
    _data: TempDir,
}

static SERVER: LazyLock<Server> = LazyLock::new(Server::new);

impl Server {
    fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let data = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(data.path(), Arc::new(SystemClock)).unwrap());
        let account = AccountId("acct_fuzz".to_owned());
        let [(live, _), (sandbox, _)] = runtime.block_on(async {
            let grant = Credits::new(1_000_000);
            let new =
                NewAccount { id: account.clone(), webhook_secret: credentials::new_webhook_secret(), grant };
            store.create_account(new).await.unwrap();
            let both = Scopes { generate: true };
            let keys = [false, true].map(|sandbox| credentials::new_key(account.clone(), sandbox, both));
            for (_, key) in &keys {
                let mut key = crate::store::NewKey {
                    id: key.id.clone(),
                    account: key.account.clone(),
                    hint: key.hint.clone(),
                    ..*key
                };
                key.limits.in_flight_max = Some(0);
                assert!(store.create_key(key).await.unwrap());
            }
            keys
        });
        let media = MediaStore::of_test(data.path());
        #[cfg(feature = "render")]
        let samples = Samples::new(media.clone(), Some(Arc::new(crate::executors::DrawnSamples)));
        #[cfg(not(feature = "render"))]
        let samples = Samples::new(media.clone(), None);
        let api = router(Arc::new(App {
            store: Arc::clone(&store),
            catalogue: Arc::new(ServedModels::new(Catalogue::built_in())),
            executors: BTreeMap::new(),
            media,
            samples,
            webhooks: Target::new(false, &[]),
            metrics: Arc::default(),
            refused_tokens: Arc::default(),
            budgets: Arc::new(Budgets::new(RateLimit::per_minute(0))),
            request_ids: Arc::new(new_request_id),
            admission: Admission::default(),
            upload_slots: upload_slots(),
            public_url: PublicUrl::default(),
        }));
        let access = access::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)));
        let administration = admin::router(Admin::new(
            store,
            Queues::default(),
            Arc::default(),
            &access,
            Vec::new(),
            None,
            None,
        ));
        let (token, account) = (access.token.reveal().to_owned(), account.0);
        Self { runtime, api, administration, live, sandbox, token, account, _data: data }
    }

    /// Makes a call, and checks what holds for every response.
    fn call(&self, of: &Router, request: Request<Body>) -> Result<(u16, Value), TestCaseError> {
        let (status, body) = self.runtime.block_on(async {
            let (head, body) =
                of.clone().oneshot(request).await.unwrap_or_else(|never| match never {}).into_parts();
            (head.status.as_u16(), to_bytes(body, usize::MAX).await)
        });
        let body = body.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert!(status < 500, "{} {:?}", status, body);
        prop_assert!(body.len() < RESPONSE_BYTES_MAX || status == 200, "{} bytes", body.len());
        let response: Value = serde_json::from_slice(&body)
            .map_err(|error| TestCaseError::fail(format!("{status} {error}: {body:?}")))?;
        if status >= 300 {
            let error = &response["error"];
            prop_assert!(
                ["type", "code", "message"]
                    .iter()
                    .all(|name| error[name].as_str().is_some_and(|text| !text.is_empty())),
                "{}",
                response
            );
        }
        Ok((status, response))
    }
}

/// A text that is a number, or looks like one.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "0",
            "-0",
            "-0.0",
            "1",
            "-1",
            "1.5",
            "1e0",
            "1e3",
            "4294967295",
            "4294967296",
            "9007199254740993",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551615",
            "18446744073709551616",
            "1e308",
            "1e400",
            "-1e400",
            "NaN",
            "Infinity",
            "0x10",
            "1_000",
            "\"1\"",
            "",
            "null",
            "true",
            "[]",
            "{}",
        ])
        .prop_map(str::to_owned),
        any::<f64>().prop_map(|number| number.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
    ]
}

fn header_value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..40),
        number().prop_map(String::into_bytes),
        "[ -~]{0,60}".prop_map(String::into_bytes),
        (0..70_000_usize).prop_map(|length| vec![b'a'; length]),
    ]
}

/// A header that the server reads.
fn header() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    let name = prop::sample::select(vec![
        "host",
        "x-forwarded-proto",
        "forwarded",
        "idempotency-key",
        "content-type",
        "content-length",
        "authorization",
        "x-api-key",
        "accept",
        "range",
        "expect",
        "transfer-encoding",
    ]);
    let host =
        "([a-z.]{1,9}|\\\\[[0-9a-f:]{2,9}\\\\]|[0-9.]{1,9})(:[0-9]{0,6})?".prop_map(String::into_bytes);
    let proto = "(https?|HTTPS|ws)?( ?, ?(https?|x))?".prop_map(String::into_bytes);
    prop_oneof![
        2 => (name, header_value()),
        1 => (Just("host"), host),
        1 => (Just("x-forwarded-proto"), proto),
    ]
}

/// A segment of a path, or a value of a query.
fn segment() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9._~-]{0,12}",
        "(%[0-9a-fA-F]{2}){1,6}",
        Just("nano-banana-2".to_owned()),
        Just("acct_fuzz".to_owned()),
        Just("0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de".to_owned()),
        number().prop_map(|number| number.replace(['"', '{', '}', '[', ']'], "%22")),
        (0..60_000_usize).prop_map(|length| "a".repeat(length)),
    ]
}

fn request(method: &Method, path: &str, key: &str, body: Vec<u8>) -> Option<Request<Body>> {
    let uri: Uri = path.parse().ok()?;
    let request = Request::builder().method(method).uri(uri).header("authorization", format!("Bearer {key}"));
    request.header("content-type", "application/json").body(Body::from(body)).ok()
}

proptest! {
    /// Any number in an input, and any name beside it.
    #[test]
    fn any_number_and_name_in_a_submit_gets_a_response(
        (model, parameter) in prop::sample::select(vec![
            ("nano-banana-2", "seed"), ("nano-banana-pro", "num_images"), ("seedance-2-fast-t2v", "duration"),
            ("seedance-2-fast-t2v", "resolution"), ("gemini-3-1-flash-tts", "speed"), ("nano-banana-2", "prompt"),
        ]),
        number in number(),
        name in prop_oneof!["[ -~]{0,20}", any::<String>(), (0..50_000_usize).prop_map(|length| "\u{1}".repeat(length))],
        estimate in any::<bool>(),
        sandbox in any::<bool>(),
    ) {
        let name = Value::from(name);
        let body = format!("{{\"input\": {{\"prompt\": \"fox\", \"text\": \"fox\", {name}: 1, \"{parameter}\": {number}}}, {name}: {number}}}");
        let path = format!("/v1/models/{model}{}", if estimate { "/estimate" } else { "" });
        let key = if sandbox { &SERVER.sandbox } else { &SERVER.live };
        let (status, response) = SERVER.call(&SERVER.api, request(&Method::POST, &path, key, body.into_bytes()).unwrap())?;
        prop_assert!([200, 400, 402, 422].contains(&status), "{} {}", status, response);
        prop_assert!(response.to_string().len() < RESPONSE_BYTES_MAX, "{}", response);
    }

    /// Any headers, with a valid key or in its place.
    #[test]
    fn any_headers_get_a_response(headers in vec(header(), 0..4), submits in any::<bool>()) {
        let body = br#"{"input": {"prompt": "fox"}}"#.to_vec();
        let asked = match submits {
            true => request(&Method::POST, "/v1/models/nano-banana-2", &SERVER.sandbox, body),
            false => request(&Method::GET, "/v1/account", &SERVER.live, Vec::new()),
        };
        let mut asked = asked.unwrap();
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                asked.headers_mut().append(name, value);
            }
        }
        let (_, response) = SERVER.call(&SERVER.api, asked)?;
        prop_assert!(response.to_string().len() < RESPONSE_BYTES_MAX, "{}", response);
    }

    /// Any path with any method.
    #[test]
    fn any_path_gets_a_response(
        resource in prop::sample::select(vec!["models", "requests", "account", "media", ""]),
        segment in segment(),
        rest in prop::sample::select(vec!["", "/status", "/estimate", "/cancel", "?limit=nan"]),
        method in prop::sample::select(vec![Method::GET, Method::POST, Method::PUT, Method::DELETE]),
    ) {
        if let Some(asked) = request(&method, &format!("/v1/{resource}/{segment}{rest}"), &SERVER.live, Vec::new()) {
            SERVER.call(&SERVER.api, asked)?;
        }
    }

    /// Any query of the administration.
    #[test]
    fn any_query_of_the_administration_gets_a_response(
        path in prop::sample::select(vec!["/requests", "/deliveries"]),
        query in vec((
            prop::sample::select(vec!["limit", "status", "state", "account_id", "request_id", "model", "after", "before", "x"]),
            segment(),
        ), 0..4),
    ) {
        let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if let Some(asked) = request(&Method::GET, &format!("{path}?{}", query.join("&")), &SERVER.token, Vec::new()) {
            SERVER.call(&SERVER.administration, asked)?;
        }
    }

    /// Any order to the administration.
    #[test]
    fn any_order_to_the_administration_gets_a_response(
        (path, body) in prop::sample::select(vec![
            ("/accounts/ACCOUNT/grants", r#"{"credits": NUMBER}"#),
            ("/accounts/SEGMENT/grants", r#"{"credits": 1}"#),
            ("/accounts/SEGMENT/webhook-secret", "null"),
            ("/keys", r#"{"account_id": "ACCOUNT", "sandbox": true, "scopes": {"generate": true, "read": true}, "limits": {"requests_per_minute": NUMBER, "in_flight_max": NUMBER}}"#),
            ("/keys", r#"{"account_id": "SEGMENT", "sandbox": NUMBER}"#),
            ("/keys", r#"{"SEGMENT": NUMBER}"#),
            ("/requests/SEGMENT/cancel", "null"),
            ("/deliveries/replay", r#"{"failed_since": "SEGMENT"}"#),
            ("/deliveries/replay", r#"{"failed_since": NUMBER}"#),
            ("/deliveries/SEGMENT/replay", "null"),
            ("/backups", r#"{"path": "SEGMENT"}"#),
        ]),
        number in number(),
        segment in segment(),
    ) {
        let filled = |text: &str| text.replace("ACCOUNT", &SERVER.account).replace("NUMBER", &number).replace("SEGMENT", &segment);
        if let Some(asked) = request(&Method::POST, &filled(path), &SERVER.token, filled(body).into_bytes()) {
            SERVER.call(&SERVER.administration, asked)?;
        }
    }
}
