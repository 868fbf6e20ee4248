//! `spec/workers.yaml` beside a running server, and beside the types that are generated from it.

use crate::examples::{Example, bodies, examples_in, through};
use crate::support::{Options, Raw, Server, Spec, until};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use clipia_remote::{Operation, types};
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const EXAMPLES: &str = "spec/examples-workers";

/// A model of an executor that workers elsewhere alone make.
const MODELS: &str = "
[[executor]]
name = \"gpu\"

[[model]]
executor = \"gpu\"
slug = \"flux\"
type = \"image\"
pricing = { credits = 4 }
input_schema = { parameters = [{ name = \"image_url\", type = \"image\" }] }
";

/// The SHA-256 of `fox`.
const FOX: &str = "776cb326ab0cd5f0a974c1b9606044d8485201f2db19cf8e3749bdee5f36e200";

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
    table! { BeatAnswer BeatOrder Claimed ClaimOrder CompleteOrder FailOrder FileReceived ReleaseOrder }
}

#[test]
fn each_example_is_what_its_schema_says_and_comes_through_its_type_whole() {
    let spec = Spec::workers();
    for Example { file, schema, value, .. } in examples_in(EXAMPLES) {
        spec.hold(&schema, &value);
        assert_eq!(through_its_type(&schema, &value).as_ref(), Ok(&value), "{file}");
    }
}

#[test]
fn each_body_of_the_document_has_an_example() {
    let mut documented = BTreeSet::new();
    bodies(&Spec::workers().document()["paths"], &mut documented);
    let shown: BTreeSet<String> = examples_in(EXAMPLES).into_iter().map(|example| example.schema).collect();
    assert_eq!(shown, documented);
}

/// A typing error in an order is refused; a newer server's response is read.
#[test]
fn orders_are_closed_and_responses_may_grow() {
    for Example { file, schema, mut value, .. } in examples_in(EXAMPLES) {
        value.as_object_mut().unwrap().insert("a_newer_field".to_owned(), json!(1));
        let read = through_its_type(&schema, &value);
        assert_eq!(read.is_err(), schema.ends_with("Order"), "{file}: {read:?}");
    }
}

/// Calls a server as the document describes it.
struct Caller {
    spec: Spec,
    client: Raw,
    called: BTreeSet<String>,
}

impl Caller {
    /// Makes a call that succeeds. The bodies must be what the document says.
    async fn call(&mut self, path: &str, order: Value) -> Value {
        let documented = &self.spec.document()["paths"][format!("/worker/v1/{path}")]["post"];
        self.spec.hold_to(&documented["requestBody"]["content"]["application/json"]["schema"], &order);
        let client = self.client.clone().header("content-type", "application/json");
        let answer = client.send(Method::POST, &format!("/worker/v1/{path}"), order.to_string().into()).await;
        let answer = answer.expect(200).json();
        let response = self.spec.resolve(&documented["responses"]["200"]);
        self.spec.hold_to(&response["content"]["application/json"]["schema"], &answer);
        self.called.insert(path.to_owned());
        answer
    }

    async fn claim(&mut self) -> Value {
        let about = json!({ "host": "box", "version": "1.0.0", "slots": 1 });
        let order = json!({
            "executor": "gpu", "slots_free": 1, "wait_seconds": 20, "held": [], "full_accounts": [], "about": about,
        });
        let claimed = self.call("claim", order).await;
        json!({ "request_id": claimed["jobs"][0]["request_id"], "epoch": claimed["jobs"][0]["epoch"] })
    }

    /// Sends `fox` as a file.
    async fn put(&mut self, attempt: &Value) {
        let digest: Vec<u8> =
            (0..32).map(|at| u8::from_str_radix(&FOX[2 * at..2 * at + 2], 16).unwrap()).collect();
        let client = self.client.clone().header("content-range", "bytes 0-2/3");
        let client = client.header("content-digest", &format!("sha-256=:{}:", STANDARD.encode(digest)));
        let answer = client.send(Method::PUT, &path("files", attempt, "/a.png"), "fox".into()).await;
        self.spec.hold("FileReceived", &answer.expect(200).json());
        self.called.insert("files".to_owned());
    }
}

fn path(call: &str, attempt: &Value, rest: &str) -> String {
    format!("/worker/v1/{call}/{}/{}{rest}", attempt["request_id"].as_str().unwrap(), attempt["epoch"])
}

fn with(attempt: &Value, fields: Value) -> Value {
    let mut order = attempt.clone();
    order.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    order
}

/// A server with the model, and the token of a new worker.
fn served() -> (Server, String) {
    let server = Server::start(Options { models: Some(MODELS.into()), ..Options::default() });
    let made = server.administer(&["workers", "create", "box", "--executors", "gpu"]);
    let token = made["token"].as_str().unwrap().to_owned();
    (server, token)
}

/// The client of the worker's session.
fn session(server: &Server, token: &str) -> Raw {
    Raw::new(&server.url).key(token).header("clipia-session", "0198c2f1-6a70-4cc1-b7a5-1f6de1a9c0de")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_is_answered_as_the_document_says() {
    let (server, token) = served();
    let client = session(&server, &token);
    let mut caller = Caller { spec: Spec::workers(), client, called: BTreeSet::new() };
    let mut last = Value::Null;
    for call in ["release", "lose", "complete", "fail"] {
        if call != "lose" && call != "complete" {
            let input = json!({ "input": { "image_url": "data:image/png;base64,AAAA" } });
            server.live().post("/v1/models/flux", &input).await.expect(200);
        }
        let attempt = caller.claim().await;
        let beat = with(&attempt, json!({ "progress": 7, "logs": { "offset": 0, "lines": ["step"] } }));
        caller.call("beat", json!({ "jobs": [beat] })).await;
        let input = caller.client.get(&path("inputs", &attempt, "?parameter=image_url&number=0")).await;
        assert_eq!(input.expect(200).body, Bytes::from_static(&[0, 0, 0]));
        caller.called.insert("inputs".to_owned());
        let order = match call {
            "release" => attempt.clone(),
            "complete" => {
                caller.put(&attempt).await;
                let files = json!([{ "name": "a.png", "bytes": 3 }]);
                with(&attempt, json!({ "output": { "images": [{ "url": "a.png" }] }, "files": files }))
            }
            _ => with(&attempt, json!({ "message": "too dark" })),
        };
        caller.call(call, order).await;
        last = attempt;
    }
    let documented: BTreeSet<String> = Operation::ALL
        .iter()
        .map(|operation| operation.path().split('/').nth(3).unwrap().to_owned())
        .collect();
    assert_eq!(caller.called, documented, "every call of the document is made here");
    let stale = caller.client.post("/worker/v1/release", &last).await;
    stale.expect_error("request_in_progress");
    caller.spec.hold("ErrorEnvelope", &stale.json());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_outlives_a_server_that_was_killed() {
    let (mut server, token) = served();
    let client = session(&server, &token);
    let mut caller = Caller { spec: Spec::workers(), client, called: BTreeSet::new() };
    server.live().post("/v1/models/flux", &json!({ "input": {} })).await.expect(200);
    let attempt = caller.claim().await;
    caller.put(&attempt).await;
    server.kill9();
    server.restart();
    let made = server.administer(&["workers", "list"]);
    assert_eq!(made[0]["sessions"][0]["running"], 1, "{made}");
    caller.client = session(&server, &token);
    let files = json!([{ "name": "a.png", "bytes": 3 }]);
    let order = with(&attempt, json!({ "output": { "images": [{ "url": "a.png" }] }, "files": files }));
    caller.call("complete", order).await;
    let id = attempt["request_id"].as_str().unwrap();
    let result = until("the result", async || {
        let result = server.live().get(&format!("/v1/requests/{id}")).await.expect(200).json();
        (result["status"] == "COMPLETED").then_some(result)
    })
    .await;
    assert!(result["output"]["images"][0]["url"].as_str().unwrap().ends_with("/a.png"), "{result}");
    assert_eq!(server.administer(&["doctor"])["violation"], Value::Null);
}
