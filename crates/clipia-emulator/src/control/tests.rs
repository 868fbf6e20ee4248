use super::*;
use crate::Scenario;
use axum::body::Body;
use clipia_queue::Moment;
use http::{Method, Request};
use std::sync::Mutex;
use tower::ServiceExt;

/// What was driven, as text.
#[derive(Default)]
struct Noted(Mutex<Vec<String>>);

impl Noted {
    fn note(&self, what: String) {
        self.0.lock().unwrap().push(what);
    }
}

#[async_trait]
impl Control for Noted {
    async fn clock(&self) -> Value {
        json!({"mode": "manual"})
    }

    async fn advance(&self, by: Duration) -> Result<Value, ControlError> {
        self.note(format!("advance {by:?}"));
        Ok(json!({"happened": []}))
    }

    async fn set_credits(&self, key: &CallerKey, credits: u64) -> Result<(), ControlError> {
        self.note(format!("{} {credits}", key.revealed()));
        Ok(())
    }

    async fn finish(&self, _: RequestId, finish: Finish) -> Result<(), ControlError> {
        self.note(format!("{finish:?}"));
        Err(ControlError::NotFound("request"))
    }

    async fn deliveries(&self) -> Result<Vec<Value>, ControlError> {
        Ok(vec![json!({"id": "1"})])
    }

    async fn send(&self, delivery: &str, send: Resend) -> Result<Value, ControlError> {
        self.note(format!("{delivery} {send:?}"));
        Ok(json!({"response": 401}))
    }

    async fn reset(&self) -> Result<(), ControlError> {
        self.note("reset".to_owned());
        Ok(())
    }
}

#[async_trait]
impl crate::Server for Noted {
    async fn open_account(&self, _: &CallerKey) -> Result<(), ApiError> {
        Ok(())
    }

    fn now(&self) -> Moment {
        Moment::default()
    }

    async fn ended(&self, _: RequestId) {}
}

struct Driver {
    noted: Arc<Noted>,
    router: Router,
    emulation: Arc<Emulation>,
}

impl Driver {
    fn new() -> Self {
        let noted = Arc::new(Noted::default());
        let emulation = Arc::new(Emulation::new(Arc::clone(&noted) as _, Scenario::default(), 0));
        let api = Router::new().route("/v1/account", get(async || axum::Json(json!({}))));
        let router = crate::layered(api, Arc::clone(&emulation));
        let router = router.merge(super::router(Arc::clone(&emulation), Arc::clone(&noted) as _));
        Self { noted, router, emulation }
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let mut request = Request::builder().method(method).uri(path);
        if path.starts_with("/v1") {
            request = request.header("x-api-key", "clipia_live_one");
        }
        let request = match body {
            Value::Null => request.body(Body::empty()),
            body => request.header("content-type", "application/json").body(Body::from(body.to_string())),
        };
        let response = self.router.clone().oneshot(request.unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, returned) = self.call(Method::GET, path, Value::Null).await;
        assert_eq!(status, 200, "{path}: {returned}");
        returned
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let (status, returned) = self.call(Method::POST, path, body).await;
        assert_eq!(status, 200, "{path}: {returned}");
        returned
    }
}

#[tokio::test]
async fn faults_are_added_counted_and_removed() {
    let driver = Driver::new();
    assert_eq!(
        driver.post("/_emulator/faults", json!({"fault": "account 503 x1"})).await,
        json!({"number": 1})
    );
    let rule = json!({"operation": "account", "what": "402", "times": 5});
    assert_eq!(driver.post("/_emulator/faults", rule).await, json!({"number": 2}));
    assert_eq!(driver.call(Method::GET, "/v1/account", Value::Null).await.0, 503);
    assert_eq!(driver.call(Method::GET, "/v1/account", Value::Null).await.0, 402);
    let returned = driver.get("/_emulator/faults").await;
    assert_eq!(
        returned["faults"][1],
        json!({"number": 2, "operation": "account", "what": "402", "times": 5, "after": 0, "seen": 1, "applied": 1})
    );
    assert_eq!(driver.call(Method::DELETE, "/_emulator/faults/2", Value::Null).await.0, 200);
    assert_eq!(driver.call(Method::DELETE, "/_emulator/faults/2", Value::Null).await.0, 404);
    assert_eq!(driver.call(Method::GET, "/v1/account", Value::Null).await.0, 200);
    driver.call(Method::DELETE, "/_emulator/faults", Value::Null).await;
    assert_eq!(driver.get("/_emulator/faults").await, json!({"faults": []}));
}

#[tokio::test]
async fn the_journal_is_asked_by_operation_key_and_number() {
    let driver = Driver::new();
    for _ in 0..2 {
        driver.call(Method::GET, "/v1/account", Value::Null).await;
    }
    let listed = async |query: &str| {
        let returned = driver.get(&format!("/_emulator/journal{query}")).await;
        returned["calls"].as_array().unwrap().len()
    };
    assert_eq!(listed("").await, 2, "calls of the control are not in it");
    assert_eq!(listed("?since=1&operation=account&key=clipia_live_one").await, 1);
    assert_eq!(listed("?key=clipia_live_other").await, 0);
    let steady = driver.get("/_emulator/journal?form=steady").await;
    assert!(steady["calls"][0].get("at").is_none());
    let (status, refused) =
        driver.call(Method::GET, "/_emulator/journal?operation=sumbit", Value::Null).await;
    assert_eq!((status, &refused["error"]["code"]), (400, &json!("invalid_request")));
    driver.call(Method::DELETE, "/_emulator/journal", Value::Null).await;
    assert_eq!(listed("").await, 0);
    assert_eq!(driver.get("/_emulator/findings").await, json!({"findings": []}));
}

#[tokio::test]
async fn scripts_are_added_and_removed_and_a_reset_forgets_all() {
    let driver = Driver::new();
    let rule = json!({"model": "m", "prompt": "fox", "times": 2, "words": "@fail"});
    assert_eq!(driver.post("/_emulator/scripts", rule.clone()).await, json!({"number": 1}));
    let returned = driver.get("/_emulator/scripts").await;
    assert_eq!(
        (&returned["scripts"][0]["words"], &returned["scripts"][0]["used"]),
        (&json!("@fail"), &json!(0))
    );
    assert_eq!(driver.call(Method::DELETE, "/_emulator/scripts/1", Value::Null).await.0, 200);
    assert_eq!(driver.call(Method::DELETE, "/_emulator/scripts/1", Value::Null).await.0, 404);
    driver.post("/_emulator/scripts", rule).await;
    driver.post("/_emulator/faults", json!({"fault": "any 503"})).await;
    driver.call(Method::GET, "/v1/account", Value::Null).await;
    driver.post("/_emulator/reset", Value::Null).await;
    assert_eq!(driver.get("/_emulator/scripts").await, json!({"scripts": []}));
    assert_eq!(driver.get("/_emulator/faults").await, json!({"faults": []}));
    assert_eq!(driver.get("/_emulator/journal").await, json!({"calls": []}));
    assert_eq!(driver.emulation.findings(), []);
    assert_eq!(*driver.noted.0.lock().unwrap(), ["reset"]);
}

#[tokio::test]
async fn the_clock_accounts_requests_and_deliveries_are_driven() {
    let driver = Driver::new();
    assert_eq!(driver.get("/_emulator/clock").await, json!({"mode": "manual"}));
    assert_eq!(driver.post("/_emulator/clock", json!({"advance": "10m"})).await, json!({"happened": []}));
    driver.post("/_emulator/accounts/clipia_live_poor", json!({"credits": 5})).await;
    let request = format!("/_emulator/requests/{}", RequestId::generate());
    let (status, returned) = driver.call(Method::POST, &request, json!({"finish": "failed"})).await;
    assert_eq!((status, &returned["error"]["message"]), (404, &json!("there is no such request")));
    assert_eq!(driver.get("/_emulator/deliveries").await, json!({"deliveries": [{"id": "1"}]}));
    let sent = driver.post("/_emulator/deliveries/1", json!({"send": "forged"})).await;
    assert_eq!(sent, json!({"response": 401}));
    assert_eq!(*driver.noted.0.lock().unwrap(), ["advance 600s", "clipia_live_poor 5", "Failed", "1 Forged"]);
}

#[tokio::test]
async fn a_mistake_says_what_to_send() {
    let driver = Driver::new();
    for (path, body, expected) in [
        ("/_emulator/faults", json!({"fault": "sttaus 503"}), "did you mean `status`?"),
        ("/_emulator/faults", json!({"operation": "status", "wat": "503"}), "wat"),
        ("/_emulator/scripts", json!({"words": "@fial"}), "did you mean `@fail`?"),
        ("/_emulator/scripts", json!({"words": "@fail", "prompt": "a("}), "no regular expression"),
        ("/_emulator/clock", json!({"advance": "10"}), "a duration such as \"10m\""),
        ("/_emulator/clock", json!({}), "advance"),
        ("/_emulator/accounts/sk_live_1", json!({"credits": 5}), "clipia_live_my_test"),
        ("/_emulator/accounts/clipia_live_a", json!({"credits": 10_000_000_000_000_u64}), "from 0 to"),
        ("/_emulator/requests/1", json!({"finish": "failed"}), "UUID"),
        ("/_emulator/requests/0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de", json!({"finish": "done"}), "completed"),
        ("/_emulator/deliveries/1", json!({"send": "twice"}), "again"),
        ("/_emulator/reset", json!(null), ""),
    ] {
        let (status, returned) = driver.call(Method::POST, path, body).await;
        if path.ends_with("reset") {
            assert_eq!(status, 200);
            continue;
        }
        let message = returned["error"]["message"].as_str().unwrap_or_default();
        assert!(status == 400 && message.contains(expected), "{path}: {status} {returned}");
    }
    assert_eq!(driver.call(Method::GET, "/_emulator/nothing", Value::Null).await.0, 404);
}
