//! `spec/administration.yaml` beside a running server, and beside the types that are generated from it.

use crate::examples::{Example, bodies, examples_in, through};
use crate::support::{Options, Raw, Receiver, Server, Spec, until};
use bytes::Bytes;
use clipia_admin::{GRANT_MAX, Operation, types};
use http::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Debug;

const EXAMPLES: &str = "spec/examples-administration";

const FOX: &str = "/v1/models/nano-banana-2";
const CLIP: &str = "/v1/models/seedance-2-fast-t2v";

/// Reads a value as the type generated for its schema, and writes it again.
fn through_its_type(schema: &str, value: &Value) -> Result<Value, String> {
    macro_rules! table {
        ($($schema:ident)*) => {
            match schema {
                $(stringify!($schema) => through::<types::$schema>(value),)*
                _ => Err("`through_its_type` has no type for this schema".to_owned()),
            }
        };
    }
    table! {
        AccountMade AccountOrder AccountPage AuditList BackupMade BackupOrder DeliveryDetails DeliveryList Findings
        GrantMade GrantOrder HeldSettled KeyMade KeyOrder KeyPage LogPage QueueList QueueListing Replayed ReplayOrder
        LogLevel LogLevelOrder RequestCanceled RequestDetails
        RequestPage RotationOrder SecretMade SecretsListing TicketMade WithdrawalMade WithdrawalOrder WorkerList WorkerListing WorkerMade WorkerOrder WorkerRevoked
    }
}

fn has(map: &Value, name: &str) -> bool {
    map.get(name).is_some()
}

#[test]
fn each_example_is_what_its_schema_says_and_comes_through_its_type_whole() {
    let spec = Spec::administration();
    for Example { file, schema, value, .. } in examples_in(EXAMPLES) {
        spec.hold(&schema, &value);
        assert_eq!(through_its_type(&schema, &value).as_ref(), Ok(&value), "{file}");
    }
}

#[test]
fn each_body_that_the_administration_documents_has_an_example() {
    let spec = Spec::administration();
    let mut documented = BTreeSet::new();
    bodies(&spec.document()["paths"], &mut documented);
    let shown: BTreeSet<String> = examples_in(EXAMPLES).into_iter().map(|example| example.schema).collect();
    assert_eq!(shown, documented);
}

/// A typing error in an order is refused; a newer server's response is read.
#[test]
fn orders_are_closed_and_responses_may_grow() {
    for Example { file, schema, mut value, .. } in examples_in(EXAMPLES) {
        let Some(fields) = value.as_object_mut() else { continue };
        fields.insert("a_newer_field".to_owned(), json!(1));
        let read = through_its_type(&schema, &value);
        assert_eq!(read.is_err(), schema.ends_with("Order"), "{file}: {read:?}");
    }
}

#[test]
fn no_secret_is_in_a_debug_form() {
    fn shown<T: DeserializeOwned + Debug>(value: &Value) -> String {
        format!("{:?}", serde_json::from_value::<T>(value.clone()).unwrap())
    }
    for Example { schema, value, .. } in examples_in(EXAMPLES) {
        let (shown, secret) = match schema.as_str() {
            "AccountMade" => (shown::<types::AccountMade>(&value), &value["webhook_secret"]),
            "KeyMade" => (shown::<types::KeyMade>(&value), &value["key"]),
            "WorkerMade" => (shown::<types::WorkerMade>(&value), &value["token"]),
            "TicketMade" => (shown::<types::TicketMade>(&value), &value["ticket"]),
            "SecretMade" => (shown::<types::SecretMade>(&value), &value["webhook_secret"]),
            _ => continue,
        };
        assert!(shown.contains("hidden") && !shown.contains(secret.as_str().unwrap()), "{shown}");
    }
}

/// The client checks what the server checks.
#[test]
fn a_grant_has_the_bound_that_the_document_names() {
    let spec = Spec::administration();
    for order in ["AccountOrder", "GrantOrder", "WithdrawalOrder"] {
        assert_eq!(spec.schema(order)["properties"]["credits"]["maximum"], GRANT_MAX, "{order}");
    }
}

/// Calls a server as the document describes it.
struct Caller {
    spec: Spec,
    client: Raw,
    called: BTreeSet<String>,
}

impl Caller {
    fn new(server: &Server) -> Self {
        let access = std::fs::read(server.data().join("admin.json")).unwrap();
        let access: Value = serde_json::from_slice(&access).unwrap();
        let client = Raw::new(access["url"].as_str().unwrap()).key(access["token"].as_str().unwrap());
        Self { spec: Spec::administration(), client, called: BTreeSet::new() }
    }

    /// The path and the method of an operation, and what the document says of it.
    fn find(&self, id: &str) -> (String, Method, Value) {
        let operations = operations(&self.spec);
        let found = operations.into_iter().find(|(_, _, operation)| operation["operationId"] == id);
        found.unwrap_or_else(|| panic!("the document has no operation `{id}`"))
    }

    /// Makes a call that succeeds, with `segment` as the variable part of its path. Its body and the body of the response
    /// must be what the document says.
    async fn call(&mut self, id: &str, segment: &str, query: &str, body: Option<Value>) -> Value {
        let (path, method, operation) = self.find(id);
        let path = filled(&path, segment) + query;
        let order = &operation["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(body.is_some(), order.is_object(), "{id}");
        let mut client = self.client.clone();
        if let Some(body) = &body {
            self.spec.hold_to(order, body);
            client = client.header("content-type", "application/json");
        }
        let sent = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let answer = client.send(method, &path, sent).await.expect(200);
        assert_eq!(answer.header("content-type"), "application/json");
        let response = self.spec.resolve(&operation["responses"]["200"]).clone();
        let answer = answer.json();
        self.spec.hold_to(&response["content"]["application/json"]["schema"], &answer);
        self.called.insert(id.to_owned());
        answer
    }

    /// Makes a call that is refused with this error.
    async fn refused(&self, client: &Raw, id: &str, query: &str, code: &str) {
        let (path, method, operation) = self.find(id);
        let path = filled(&path, "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de") + query;
        let client = client.clone().header("content-type", "application/json");
        // An order that has every form but that of an order, and is looked at after the path.
        let body = if has(&operation, "requestBody") { "{\"x\": 1}" } else { "" };
        let answer = client.send(method, &path, body.into()).await;
        answer.expect_error(code);
        self.spec.hold("ErrorEnvelope", &answer.json());
    }
}

/// The path with this in place of its variable segment.
fn filled(path: &str, segment: &str) -> String {
    match (path.find('{'), path.find('}')) {
        (Some(begin), Some(end)) => format!("{}{segment}{}", &path[..begin], &path[end + 1..]),
        _ => path.to_owned(),
    }
}

/// The operations of a document, each with its path and method.
fn operations(spec: &Spec) -> Vec<(String, Method, Value)> {
    let mut operations = Vec::new();
    for (path, item) in spec.document()["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations.push((path.clone(), method.to_uppercase().parse().unwrap(), operation.clone()));
        }
    }
    operations
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_is_answered_as_the_document_says() {
    let receiver = Receiver::start().await;
    let server = Server::start(Options { credits: Some(1_000_000), ..Options::default() });
    let mut caller = Caller::new(&server);

    let made = caller.call("create_account", "", "", Some(json!({ "credits": 7 }))).await;
    let account = made["account_id"].as_str().unwrap().to_owned();
    let granted = caller.call("grant_credits", &account, "", Some(json!({ "credits": 35 }))).await;
    assert_eq!((&granted["granted"], &granted["available"]), (&json!(35), &json!(42)));
    let taken = caller.call("withdraw_credits", &account, "", Some(json!({ "credits": 40 }))).await;
    assert_eq!((&taken["withdrawn"], &taken["available"]), (&json!(40), &json!(2)));
    let level = json!({ "filter": "info,clipia_server=debug" });
    assert_eq!(caller.call("set_log_level", "", "", Some(level.clone())).await, level);
    let page = caller.call("list_accounts", "", "?limit=1", None).await;
    let next = page["next"].as_str().expect("there are two accounts").to_owned();
    assert_eq!(caller.call("list_accounts", "", &format!("?after={next}"), None).await["next"], Value::Null);
    caller.call("rotate_webhook_secret", &account, "", Some(json!({}))).await;
    let changed = json!({ "new_last_in_seconds": 60, "old_end_in_seconds": 3_600 });
    caller.call("replan_rotation", &account, "", Some(changed)).await;
    let secrets = caller.call("list_webhook_secrets", &account, "", None).await;
    assert_eq!(secrets["secrets"].as_array().map(Vec::len), Some(2), "{secrets}");

    let budget = json!({ "max": 100, "per": "month" });
    for limits in [json!([null, null, null]), json!([60, 0, budget])] {
        let limits =
            json!({ "requests_per_minute": limits[0], "in_flight_max": limits[1], "credits": limits[2] });
        let order = json!({ "account_id": account, "sandbox": true, "scopes": { "generate": true }, "limits": limits });
        let made = caller.call("create_key", "", "", Some(order)).await;
        let revoked = caller.call("revoke_key", made["id"].as_str().unwrap(), "", None).await;
        assert_eq!(revoked, Value::Null);
    }
    assert_eq!(caller.call("list_keys", "", "", None).await["keys"].as_array().map(Vec::len), Some(4));

    let made =
        caller.call("create_worker", "", "", Some(json!({ "name": "box", "executors": ["render"] }))).await;
    assert_eq!(caller.call("list_workers", "", "", None).await[0]["name"], made["name"]);
    assert_eq!(caller.call("quiet_worker", "box", "", None).await["quiet"], true);
    assert_eq!(caller.call("resume_worker", "box", "", None).await["quiet"], false);
    assert_eq!(caller.call("revoke_worker", "box", "", None).await["taken_back"], 0);

    // One that failed to arrive, and requests in every state that takes its time.
    receiver.respond_with([410]);
    let fox = json!({ "input": { "prompt": "a red fox" }, "webhook_url": receiver.url() });
    server.sandbox().post(FOX, &fox).await.expect(200);
    let clip = json!({ "input": { "prompt": "waves", "duration": 12, "resolution": "1080p" } });
    let mut clips = Vec::new();
    for _ in 0..std::thread::available_parallelism().unwrap().get() + 2 {
        let submitted = server.live().post(CLIP, &clip).await.expect(200).json();
        clips.push(submitted["request_id"].as_str().unwrap().to_owned());
    }
    let running = "?status=IN_PROGRESS&model=seedance-2-fast-t2v&limit=10";
    until("a worker", async || {
        let running = Caller::new(&server).call("list_requests", "", running, None).await;
        (running["requests"] != json!([])).then_some(())
    })
    .await;
    let paused = caller.call("pause_queue", "render", "", None).await;
    assert_eq!(paused["accounts"], 1, "{paused}");
    assert_eq!(caller.call("list_queues", "", "", None).await, json!([paused]));
    assert_eq!(caller.call("resume_queue", "render", "", None).await["paused_at"], Value::Null);
    let page = caller.call("list_requests", "", "?limit=2", None).await;
    assert_eq!(page["requests"][0]["status"], "IN_QUEUE", "{page}");
    let next = page["next"].as_str().unwrap();
    caller.call("list_requests", "", &format!("?limit=100&after={next}"), None).await;
    for id in clips.iter().rev() {
        assert_eq!(caller.call("cancel_request", id, "", None).await["request_id"], id.as_str());
        caller.call("get_request", id, "", None).await;
        let page = caller.call("list_log_lines", id, "?attempt=1&after=1.7&limit=5", None).await;
        assert_eq!(
            (&page["lines"], &page["position"], &page["more"]),
            (&json!([]), &json!("1.7"), &json!(false))
        );
    }

    let failed = until("the failure", async || {
        let failed =
            Caller::new(&server).call("list_deliveries", "", "?state=abandoned&limit=10", None).await;
        failed.get(0).cloned()
    })
    .await;
    caller.call("list_deliveries", "", "?limit=10", None).await;
    let id = failed["id"].as_str().unwrap();
    let details = caller.call("get_delivery", id, "", None).await;
    assert_eq!(details["log"][0]["status"], 410, "{details}");
    caller.call("get_request", failed["request_id"].as_str().unwrap(), "", None).await;
    caller
        .call("replay_failed_deliveries", "", "", Some(json!({ "failed_since": "2026-01-31T09:30:00Z" })))
        .await;
    assert_eq!(caller.call("replay_delivery", id, "", None).await, Value::Null);
    for settle in ["resume_deliveries", "abandon_deliveries"] {
        assert_eq!(caller.call(settle, "", "", None).await["count"], 0);
    }

    let file = server.data().join("copy.db");
    caller.call("back_up", "", "", Some(json!({ "path": file }))).await;
    assert_eq!(caller.call("examine", "", "", None).await["violation"], Value::Null);
    let page = caller.call("list_audit", "", "?limit=2", None).await;
    caller.call("list_audit", "", &format!("?limit=100&before={}", page[1]["number"]), None).await;

    caller.call("create_ticket", "", "", None).await;
    let documented: BTreeSet<String> = operations(&caller.spec)
        .iter()
        .map(|(_, _, operation)| operation["operationId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(caller.called, documented, "every call of the document is made here");
    assert_eq!(documented.len(), Operation::ALL.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_document_does_not_have_is_refused_in_its_form() {
    let server = Server::start(Options::default());
    let caller = Caller::new(&server);
    let stranger = Raw::new(&server.admin_url);
    let spec = Spec::administration();
    for (path, _, operation) in operations(&spec) {
        let id = operation["operationId"].as_str().unwrap();
        caller.refused(&stranger, id, "", "invalid_api_key").await;
        if has(&operation, "requestBody") {
            caller.refused(&caller.client, id, "", "invalid_request").await;
        } else if path.contains('{') {
            caller.refused(&caller.client, id, "", "not_found").await;
        }
        if operation["parameters"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| spec.resolve(one)["in"] == "query"))
        {
            caller.refused(&caller.client, id, "?limit=1&x=1", "invalid_request").await;
        }
    }
    // Only the methods that the document names.
    for (path, item) in spec.document()["paths"].as_object().unwrap() {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let name = method.as_str().to_lowercase();
            if !has(item, &name) {
                let answer = caller.client.send(method, &filled(path, "x"), Bytes::new()).await.expect(405);
                spec.hold("ErrorEnvelope", &answer.json());
            }
        }
    }
}
