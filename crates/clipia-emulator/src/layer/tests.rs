//! The layer over a small server of its own: a request runs until the test ends it, or until reads do.

mod sdk;

use super::*;
use crate::findings::FindingKind;
use crate::journal::{Filter, Form};
use crate::{Scenario, words};
use async_trait::async_trait;
use axum::Json;
use axum::extract::Path;
use axum::routing::{get, post};
use clipia_queue::{Moment, RequestId};
use http::{Method, StatusCode};
use serde_json::{Map, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock};
use tower::ServiceExt;

const KEY: &str = "clipia_live_a_test_of_the_layer";

/// The requests of the small server, and whether each has ended.
#[derive(Default)]
struct Small {
    requests: Mutex<BTreeMap<RequestId, bool>>,
    submits: Mutex<u32>,
    accounts: Mutex<Vec<String>>,
    emulation: OnceLock<Arc<Emulation>>,
}

#[async_trait]
impl crate::Server for Small {
    async fn open_account(&self, key: &CallerKey) -> Result<(), ApiError> {
        self.accounts.lock().unwrap().push(key.revealed().to_owned());
        Ok(())
    }

    fn now(&self) -> Moment {
        Moment::from_micros(1_000_000)
    }

    /// The executor of the small server ends a request once it was read often enough.
    async fn ended(&self, request: RequestId) {
        self.emulation.get().unwrap().scripts().polled_enough(request).await;
        self.requests.lock().unwrap().insert(request, true);
    }
}

impl Small {
    fn shown(&self, id: RequestId) -> Value {
        match self.requests.lock().unwrap().get(&id) {
            Some(true) => json!({"request_id": id, "status": "COMPLETED", "output": {"images": []}}),
            Some(false) => json!({"request_id": id, "status": "IN_PROGRESS", "progress": 1}),
            None => json!({"error": {"code": "not_found"}}),
        }
    }
}

struct Emulated {
    small: Arc<Small>,
    router: Router,
    emulation: Arc<Emulation>,
}

impl Emulated {
    fn new(scenario: &str) -> Self {
        let small = Arc::new(Small::default());
        let (submitted, read) = (Arc::clone(&small), Arc::clone(&small));
        let read_result = Arc::clone(&small);
        let with_status = |returned: Value, unfinished| match returned["status"].as_str() {
            Some("COMPLETED") => (StatusCode::OK, Json(returned)),
            Some(_) => (unfinished, Json(returned)),
            None => (StatusCode::NOT_FOUND, Json(returned)),
        };
        let router = Router::new()
            .route(
                "/v1/models/{model}",
                post(async move |body: String| {
                    assert!(body.contains("input"));
                    *submitted.submits.lock().unwrap() += 1;
                    let id = RequestId::generate();
                    submitted.requests.lock().unwrap().insert(id, false);
                    Json(json!({"request_id": id, "status": "IN_QUEUE", "queue_position": 0}))
                }),
            )
            .route(
                "/v1/requests/{id}/status",
                get(async move |Path(id): Path<RequestId>| with_status(read.shown(id), StatusCode::OK)),
            )
            .route(
                "/v1/requests/{id}",
                get(async move |Path(id): Path<RequestId>| {
                    with_status(read_result.shown(id), StatusCode::ACCEPTED)
                }),
            )
            .route("/v1/account", get(async || Json(json!({"account_id": "a"}))));
        let scenario: Scenario = scenario.parse().unwrap();
        let emulation = Arc::new(Emulation::new(Arc::clone(&small) as _, scenario, 7));
        small.emulation.set(Arc::clone(&emulation)).ok().unwrap();
        Self { router: layered(router, Arc::clone(&emulation)), small, emulation }
    }

    fn fault(self, rule: &str) -> Self {
        self.emulation.add_fault(rule.parse().unwrap());
        self
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        idempotency_key: Option<&str>,
        body: String,
    ) -> Response {
        let mut request = http::Request::builder().method(method).uri(path);
        request = request.header("authorization", format!("Bearer {KEY}"));
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap()
    }

    async fn submit(&self, prompt: &str, idempotency_key: &str) -> (StatusCode, Value) {
        let body = json!({"input": {"prompt": prompt}}).to_string();
        parsed(self.send(Method::POST, "/v1/models/m", Some(idempotency_key), body).await).await
    }

    async fn submitted(&self, prompt: &str) -> String {
        let (status, returned) = self.submit(prompt, prompt).await;
        assert_eq!(status, StatusCode::OK, "{returned}");
        returned["request_id"].as_str().unwrap().to_owned()
    }

    async fn get(&self, path: &str) -> Response {
        self.send(Method::GET, path, None, String::new()).await
    }

    async fn status(&self, id: &str) -> Value {
        parsed(self.get(&format!("/v1/requests/{id}/status")).await).await.1
    }

    fn journal(&self) -> Vec<Value> {
        let listed = self.emulation.journal(&Filter::default(), Form::Steady);
        listed.iter().map(|call| serde_json::to_value(call).unwrap()).collect()
    }
}

async fn parsed(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

fn is_reset(response: &Response) -> bool {
    response.extensions().get::<Reset>().is_some()
}

#[tokio::test]
async fn each_read_takes_a_request_a_step_on_until_its_end() {
    let emulated = Emulated::new("");
    let id = emulated.submitted("@polls=3 a fox").await;
    let says = |returned: Value| {
        let text = |name: &str| returned[name].as_str().map(str::to_owned);
        (text("status").unwrap(), returned["queue_position"].as_u64(), returned["progress"].as_u64())
    };
    assert_eq!(says(emulated.status(&id).await), ("IN_QUEUE".to_owned(), Some(0), None));
    // Only the owner takes it on.
    assert_eq!(emulated.status(&RequestId::generate().to_string()).await["error"]["code"], "not_found");
    let (status, result) = parsed(emulated.get(&format!("/v1/requests/{id}")).await).await;
    assert_eq!((status, says(result)), (StatusCode::ACCEPTED, ("IN_PROGRESS".to_owned(), None, Some(50))));
    assert_eq!(says(emulated.status(&id).await).0, "COMPLETED");
    let (status, result) = parsed(emulated.get(&format!("/v1/requests/{id}")).await).await;
    assert_eq!((status, says(result).0), (StatusCode::OK, "COMPLETED".to_owned()));
    assert_eq!(emulated.emulation.findings(), []);

    let id = emulated.submitted("@position=12,3 @status=PAUSED @extra").await;
    let first = emulated.get(&format!("/v1/requests/{id}/status")).await;
    assert_eq!(first.headers()[FAULT], "@position @status @extra");
    let first = parsed(first).await.1;
    assert_eq!((&first["status"], &first["queue_position"]), (&json!("PAUSED"), &json!(12)));
    assert!(first["emulator_extra"].is_object());
    emulated.status(&id).await;
    let last = emulated.get(&format!("/v1/requests/{id}")).await;
    let last = parsed(last).await.1;
    assert_eq!(last["status"], "COMPLETED");
    assert!(last["output"]["emulator_extra"].is_object());
}

#[tokio::test]
async fn a_submit_tells_the_first_position_and_a_mistyped_word_is_refused() {
    let emulated = Emulated::new("");
    let (_, returned) = emulated.submit("@position=12,3 a fox", "1").await;
    assert_eq!(returned["queue_position"], 12);
    let (status, returned) = emulated.submit("@fial a fox", "2").await;
    assert_eq!((status.as_u16(), &returned["error"]["code"]), (422, &json!("model_input_invalid")));
    assert!(returned["error"]["message"].as_str().unwrap().contains("did you mean `@fail`?"));
    assert_eq!(*emulated.small.submits.lock().unwrap(), 1);
    assert_eq!(*emulated.small.accounts.lock().unwrap(), [KEY, KEY]);
}

#[tokio::test]
async fn a_submit_is_refused_as_its_script_says() {
    let emulated = Emulated::new("[[script]]\nprompt = \"poor\"\nwords = \"@reject=insufficient_credits\"");
    for expected in [429, 429, 200, 200] {
        let (status, returned) = emulated.submit("@reject=429*2 a fox", "1").await;
        assert_eq!(status.as_u16(), expected, "{returned}");
    }
    assert_eq!(emulated.submit("@reject=429*2 a fox", "2").await.0.as_u16(), 429);
    let (status, returned) = emulated.submit("a poor fox", "3").await;
    assert_eq!((status.as_u16(), &returned["error"]["type"]), (402, &json!("billing_error")));
    let body = json!({"input": {"prompt": "@reject=429"}}).to_string();
    let refused = emulated.send(Method::POST, "/v1/models/m", Some("4"), body).await;
    assert_eq!(
        (&refused.headers()[FAULT], &refused.headers()["retry-after"]),
        (&HeaderValue::from_static("@reject=429"), &HeaderValue::from_static("0"))
    );
    assert_eq!(emulated.emulation.findings(), []);
}

#[tokio::test]
async fn the_executor_learns_the_script_of_a_rule() {
    let emulated = Emulated::new("[[script]]\nmodel = \"m\"\ntimes = 1\nwords = \"@crash=2\"");
    let id = emulated.submitted("a fox").await.parse().unwrap();
    let script = emulated.emulation.scripts().of(id, &Map::new()).await;
    assert_eq!(*script, "@crash=2".parse::<words::Script>().unwrap());
    assert_eq!(emulated.journal()[0]["script"], "@crash=2");
}

#[tokio::test]
async fn faults_bend_calls() {
    let emulated = Emulated::new("").fault("account 503 retry-after=2s x1").fault("account html x1");
    let emulated = emulated.fault("account empty x1").fault("account reset x1").fault("account drop x1");
    let refused = emulated.get("/v1/account").await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["retry-after"]),
        (503, &HeaderValue::from_static("2"))
    );
    assert_eq!(refused.headers()[FAULT], "503 retry-after=2s");
    assert_eq!(parsed(refused).await.1["error"]["code"], "service_unavailable");
    let page = emulated.get("/v1/account").await;
    assert_eq!((page.status().as_u16(), &page.headers()[FAULT]), (502, &HeaderValue::from_static("html")));
    let empty = emulated.get("/v1/account").await;
    assert_eq!((empty.status().as_u16(), &empty.headers()[FAULT]), (200, &HeaderValue::from_static("empty")));
    assert_eq!(axum::body::to_bytes(empty.into_body(), 100).await.unwrap().len(), 0);
    assert!(is_reset(&emulated.get("/v1/account").await));
    assert!(is_reset(&emulated.get("/v1/account").await));
    assert_eq!(parsed(emulated.get("/v1/account").await).await.1["account_id"], "a");
    let noted: Vec<_> =
        emulated.journal().iter().map(|call| (call["response"].clone(), call["fault"].clone())).collect();
    let expected = [
        (json!(503), json!("503 retry-after=2s")),
        (json!(502), json!("html")),
        (json!(200), json!("empty")),
        (json!(null), json!("reset")),
        (json!(null), json!("drop")),
        (json!(200), json!(null)),
    ];
    assert_eq!(noted, expected);
}

#[tokio::test]
async fn a_lost_response_is_of_a_submit_that_was_taken() {
    for (rule, submits) in [("submit drop x1", 1), ("submit reset x1", 0)] {
        let emulated = Emulated::new("").fault(rule);
        let body = json!({"input": {"prompt": "a fox"}}).to_string();
        let lost = emulated.send(Method::POST, "/v1/models/m", Some("1"), body).await;
        assert!(is_reset(&lost));
        assert_eq!(*emulated.small.submits.lock().unwrap(), submits, "{rule}");
        assert_eq!(emulated.journal()[0]["request_id"].is_string(), submits == 1);
    }
}

#[tokio::test]
async fn a_cut_body_breaks_off() {
    for (rule, kept) in [("account cut=5B", 5), ("account cut=1000B", 17)] {
        let emulated = Emulated::new("").fault(rule);
        let cut = emulated.get("/v1/account").await;
        assert_eq!(cut.headers()["content-length"], "18");
        let mut chunks = cut.into_body().into_data_stream();
        let mut read = Vec::new();
        let end = loop {
            match futures_util::StreamExt::next(&mut chunks).await {
                Some(Ok(chunk)) => read.extend_from_slice(&chunk),
                other => break other,
            }
        };
        assert!(matches!(end, Some(Err(_))), "{rule}");
        assert_eq!(read, br#"{"account_id":"a"}"#[..kept]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_response_comes_late_and_a_call_that_hangs_ends_with_the_server() {
    let emulated = Emulated::new("").fault("account slow=2s x1").fault("account hang");
    let asked = tokio::time::Instant::now();
    let slow = emulated.get("/v1/account").await;
    assert_eq!((slow.status(), asked.elapsed()), (StatusCode::OK, Duration::from_secs(2)));
    let hangs = emulated.get("/v1/account");
    let mut hangs = std::pin::pin!(hangs);
    assert!(tokio::time::timeout(Duration::from_secs(1_000), hangs.as_mut()).await.is_err());
    emulated.emulation.release_held_calls();
    assert!(is_reset(&hangs.await));
    assert_eq!(emulated.journal()[1]["fault"], "hang");
}

#[tokio::test]
async fn calls_are_noted_without_secrets_and_long_bodies_pass() {
    let emulated = Emulated::new("");
    emulated.submit("a fox", "1").await;
    emulated.get(&format!("/v1/nowhere?api_key={KEY}")).await;
    let long = format!("{{\"input\": \"{}\"}}", "x".repeat(9 * 1024 * 1024));
    let passed = emulated.send(Method::POST, "/v1/models/m", Some("2"), long).await;
    // The small server has a limit of its own.
    assert_eq!(passed.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let journal = emulated.journal();
    assert_eq!(
        journal[0],
        json!({
            "number": 1, "operation": "submit", "method": "POST", "route": "/v1/models/{model}", "model": "m",
            "key": "clipia_live_…ayer", "request_id": "request-1", "idempotency_key": "idempotency-key-1",
            "input": {"prompt": "a fox"}, "response": 200, "request_status": "IN_QUEUE"
        })
    );
    assert_eq!((&journal[1]["operation"], &journal[1]["route"]), (&json!(null), &json!("none")));
    assert!(!format!("{journal:?}").contains(KEY));
    let kinds: Vec<FindingKind> = emulated.emulation.findings().iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [FindingKind::SecretInUrl]);
}

#[tokio::test]
async fn two_runs_have_the_same_journal() {
    let run = async || {
        let emulated = Emulated::new("[[fault]]\noperation = \"any\"\nwhat = \"503\"\npercent = 30");
        for number in 0..30 {
            let (status, returned) =
                emulated.submit("@polls=2 a fox", &RequestId::generate().to_string()).await;
            if status == StatusCode::OK && number % 2 == 0 {
                emulated.status(returned["request_id"].as_str().unwrap()).await;
            }
        }
        serde_json::to_string(&emulated.journal()).unwrap()
    };
    let one = run().await;
    assert_eq!(one, run().await);
    assert!(one.contains("\"fault\":\"503\""));
}

#[tokio::test]
async fn a_rule_counts_no_submit_that_a_fault_refused() {
    let emulated = Emulated::new("[[script]]\ntimes = 1\nwords = \"@polls=2\"").fault("submit 503 x1");
    assert_eq!(emulated.submit("a fox", "1").await.0, StatusCode::SERVICE_UNAVAILABLE);
    for (idempotency_key, script) in [("2", json!("@polls=2")), ("3", Value::Null)] {
        assert_eq!(emulated.submit("a fox", idempotency_key).await.0, StatusCode::OK);
        assert_eq!(emulated.journal().last().unwrap()["script"], script);
    }
}
