//! Odd responses: a generation that was paid for is found in each of them.

use crate::peer::{ID, NO_LIMIT, Peer, Reply, body_reply, id, json_reply, key_of, with_headers};
use clipia::webhook::{SIGNATURE_HEADER, sign};
use clipia::{Clipia, Credits, Error, Outcome, Status, Timestamp, json};
use serde_json::{Map, Value};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SECRET: &str = "whsec_of_the_account";

/// A peer that replies to everything with the latest reply that was set.
struct Odd(Arc<Mutex<Reply>>, Peer);

impl Odd {
    async fn new() -> Self {
        let reply = Arc::new(Mutex::new(Reply::Hang));
        let next = Arc::clone(&reply);
        let peer = Peer::new(move |_, _| next.lock().unwrap().clone()).await;
        Self(reply, peer)
    }

    fn replies(&self, reply: Reply) {
        *self.0.lock().unwrap() = reply;
    }

    fn says(&self, document: &str) {
        self.replies(body_reply(200, &NO_LIMIT, document.as_bytes()));
    }
}

/// The examples of a schema.
fn examples(schema: &str) -> Vec<Value> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/examples");
    let mut found: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&format!("{schema}.")));
    found.sort();
    assert!(!found.is_empty(), "no example of {schema}");
    found.iter().map(|path| serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()).collect()
}

/// An integer that no float can hold.
const HUGE: &str = match std::str::from_utf8(&[b'9'; 330]) {
    Ok(digits) => digits,
    Err(_) => panic!("digits are UTF-8"),
};

/// Values that replace a value of an example. `missing` removes it.
const KINDS: [(&str, &str); 10] = [
    ("null", "null"),
    ("float", "4.5"),
    ("whole float", "5.0"),
    ("negative", "-1"),
    ("text", "\"odd\""),
    ("list", "[\"odd\", null, {}]"),
    ("object", "{\"odd\": [1]}"),
    ("huge", HUGE),
    ("not a number", "NaN"),
    ("missing", ""),
];

/// A document with the value at one path replaced.
struct Mutant {
    path: String,
    kind: &'static str,
    document: String,
}

/// Every mutant of an example, except those of the whole document.
fn mutants(example: &Value) -> Vec<Mutant> {
    let mut paths = Vec::new();
    gather(example, String::new(), &mut paths);
    let mutate = |path: &String| {
        KINDS.map(|(kind, text)| {
            let mut mutant = example.clone();
            let (parent, last) = path.rsplit_once('/').unwrap();
            match mutant.pointer_mut(parent).unwrap() {
                Value::Object(fields) if kind == "missing" => drop(fields.remove(last)),
                Value::Array(entries) if kind == "missing" => drop(entries.remove(last.parse().unwrap())),
                Value::Object(fields) => drop(fields.insert(last.to_owned(), "<odd>".into())),
                Value::Array(entries) => entries[last.parse::<usize>().unwrap()] = "<odd>".into(),
                _ => panic!("{parent} holds nothing"),
            }
            let document = mutant.to_string().replace("\"<odd>\"", text);
            Mutant { path: path.clone(), kind, document }
        })
    };
    paths.iter().flat_map(mutate).collect()
}

fn gather(value: &Value, path: String, paths: &mut Vec<String>) {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(entries) => {
            entries.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect()
        }
        _ => Vec::new(),
    };
    for (name, value) in inner {
        let path = format!("{path}/{name}");
        paths.push(path.clone());
        gather(value, path, paths);
    }
}

#[tokio::test]
async fn the_id_and_the_status_are_found_in_every_mutant_of_every_example() {
    let odd = Odd::new().await;
    let clipia = odd.1.builder().max_retries(0).build().unwrap();
    let webhooks = clipia.webhooks(SECRET).unwrap();
    let mut tried = 0;
    let mut lost = Vec::new();

    for example in examples("SubmitResponse") {
        for Mutant { path, kind, document } in mutants(&example) {
            odd.says(&document);
            let wanted = if path == "/request_id" && kind == "text" {
                "odd"
            } else {
                example["request_id"].as_str().unwrap()
            };
            match clipia.submit("m", json!({})).await {
                Ok(fox) if fox.id().as_str() == wanted || path == "/request_id" && kind == "not a number" => {
                }
                other => lost.push(format!("submit {kind} at {path}: {other:?}")),
            }
            tried += 1;
        }
    }
    for example in examples("StatusResponse") {
        for Mutant { path, kind, document } in mutants(&example) {
            odd.says(&document);
            match clipia.status(id()).await {
                Ok(response)
                    if response.request_id == id()
                        && (path == "/status" || response.status.as_str() == example["status"]) => {}
                other => lost.push(format!("status {kind} at {path}: {other:?}")),
            }
            tried += 1;
        }
    }
    for example in examples("ResultResponse") {
        let ending = example["status"].as_str().unwrap();
        for Mutant { path, kind, document } in mutants(&example) {
            odd.says(&document);
            // An output or an error shows the status, too.
            let status_is_a_word = ["text", "not a number", "huge"].contains(&kind) || ending == "CANCELED";
            let status_is_lost = path == "/status" && (status_is_a_word || !ending.ends_with("ED"));
            match clipia.result(id()).await {
                Ok(response)
                    if response.request_id == id()
                        && (status_is_lost || response.status.as_str() == ending) => {}
                other => lost.push(format!("result {kind} at {path}: {other:?}")),
            }
            tried += 1;
        }
    }
    for example in examples("WebhookDelivery") {
        let wanted = example["request_id"].as_str().unwrap();
        for Mutant { path, kind, document } in mutants(&example) {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
            let signature = sign([SECRET], now, document.as_bytes());
            let received = webhooks.receive([(SIGNATURE_HEADER, signature)], document.as_bytes());
            match received {
                Ok(received) if path == "/request_id" || received.request_id().as_str() == wanted => {}
                // It has no request id.
                Err(_) if path == "/request_id" => {}
                Ok(received) => lost.push(format!("delivery {kind} at {path}: {received:?}")),
                Err(refusal) => lost.push(format!("delivery {kind} at {path}: {refusal}")),
            }
            tried += 1;
        }
    }
    assert!(lost.is_empty(), "{} of {tried} are lost:\n{}", lost.len(), lost.join("\n"));
    assert!(tried > 2_000, "{tried}");
}

/// An unreadable entry of a catalogue does not lose the others. Of an account only the odd field is lost.
#[tokio::test]
async fn no_mutant_of_the_catalogue_or_the_account_loses_the_rest() {
    let odd = Odd::new().await;
    let builder = || odd.1.builder().max_retries(0);
    for example in examples("ModelList") {
        // The first two levels of each entry. Deeper levels are read in the same way.
        for Mutant { path, kind, document } in mutants(&example) {
            let depth = path.matches('/').count();
            let Some(entry) = path.strip_prefix("/data/").filter(|_| depth <= 3) else { continue };
            odd.says(&document);
            let count = example["data"].as_array().unwrap().len();
            let models = builder().build().unwrap().models().await;
            let models = models.unwrap_or_else(|error| panic!("{kind} at {path}: {error}"));
            assert!(models.len() + 1 >= count, "{kind} at {path}");
            let is_whole = entry.contains('/') && !entry.ends_with("/slug");
            assert!(!is_whole || models.len() == count, "{kind} at {path}");
        }
    }
    for example in examples("Account") {
        for Mutant { path, kind, document } in mutants(&example) {
            odd.says(&document);
            match builder().build().unwrap().account().await {
                Ok(account)
                    if path == "/balance/credits"
                        || account.balance.credits
                            == Credits::from(example["balance"]["credits"].as_u64().unwrap()) => {}
                Err(Error::UnexpectedAnswer(_)) if path.starts_with("/balance") => {}
                other => panic!("{kind} at {path}: {other:?}"),
            }
        }
    }
    // An unreadable value two levels down stays as it was sent.
    odd.says(
        r#"{"data": [{"slug": "m", "type": "image",
            "pricing": {"multipliers": {"resolution": {"1k": 1, "2k": "twice"}, "quality": {"high": 3}}}}]}"#,
    );
    let models = builder().build().unwrap().models().await.unwrap();
    let pricing = models[0].pricing.as_ref().unwrap();
    assert_eq!((pricing.multipliers["resolution"]["1k"], pricing.multipliers["quality"]["high"]), (1.0, 3.0));
    assert_eq!(serde_json::to_value(pricing).unwrap()["multipliers"]["resolution"]["2k"], "twice");
    // A text model has another shape.
    odd.says(r#"{"data": [{"id": "writer-1", "object": "model", "context_length": 8192}, {"no": "name"}, {"slug": "m", "type": "image"}]}"#);
    let models = builder().build().unwrap().models().await.unwrap();
    let named: Vec<_> = models.iter().map(|model| (model.slug.as_str(), model.type_.as_str())).collect();
    assert_eq!(named, [("writer-1", "text"), ("m", "image")]);
}

#[tokio::test]
async fn readable_fields_are_read_and_the_others_stay_as_they_were_sent() {
    let odd = Odd::new().await;
    let clipia = odd.1.client();
    odd.says(&format!(
        r#"{{"request_id": "{ID}", "status": "IN_QUEUE", "queue_position": 3.0, "cost": 4.5, "warnings": ["typo",
            {{"code": "c", "parameter": "p", "message": "m"}}], "status_url": null, "response_url": 7}}"#
    ));
    let fox = clipia.submit("m", json!({})).await.unwrap();
    let (response, cost) = (fox.response(), fox.cost().unwrap());
    assert_eq!((response.queue_position, cost.to_string().as_str(), cost.whole()), (Some(3), "4.5", None));
    assert_eq!((fox.warnings().len(), &response.extra["warnings"][0]), (1, &json!("typo")));
    assert_eq!(response.response_url.as_deref(), Some("7"));

    odd.says(&format!(
        r#"{{"request_id": "{ID}", "status": "IN_PROGRESS", "progress": "45%", "logs": "step 1", "queue_position": -1}}"#
    ));
    let response = clipia.status(id()).await.unwrap();
    assert_eq!((response.progress.unwrap().percent(), response.logs), (45, vec![json!("step 1")]));
    assert_eq!(response.extra["queue_position"], -1);

    let images = json!([{ "url": "/1.png", "width": 1024.0, "height": "tall" }, { "width": 5 }, "/3.png"]);
    let result = json!({
        "request_id": ID, "status": "COMPLETED", "cost": null, "created_at": "yesterday",
        "completed_at": "2026-11-28T19:00:00Z",
        "output": { "images": images, "video": { "url": "/c.mp4", "duration": "8" } },
    });
    odd.says(&result.to_string());
    let picture = clipia.generation(ID).wait().await.unwrap().completed().unwrap();
    let output = picture.output();
    assert_eq!((output.images.len(), output.images[0].width, output.images[0].height), (1, Some(1024), None));
    assert_eq!(output.video.as_ref().unwrap().duration, Some(8.0));
    let completed_at = picture.completed_at().unwrap();
    assert_eq!(
        (picture.created_at(), completed_at),
        (None, "2026-11-28T19:00:00Z".parse::<Timestamp>().unwrap())
    );
    // When written again, no field is there twice, and unread fields are as they were sent.
    let written = serde_json::to_string(picture.response()).unwrap();
    assert_eq!(written.matches("\"images\"").count(), 1, "{written}");
    let again: Map<String, Value> = serde_json::from_str(&written).unwrap();
    assert_eq!(again["created_at"], "yesterday");
    assert_eq!(
        (&again["output"]["images"][1], &again["output"]["images"][2]),
        (&json!({ "width": 5 }), &json!("/3.png"))
    );
    assert_eq!(serde_json::from_str::<clipia::ResultResponse>(&written).unwrap(), *picture.response());

    odd.says(r#"{"status": "FAILED", "error": "the model was overloaded", "cost": 0}"#);
    let Outcome::Failed(failed) = clipia.generation(ID).wait().await.unwrap() else { panic!("it failed") };
    assert_eq!((failed.code(), failed.message()), ("GENERATION_FAILED", "the model was overloaded"));
}

/// JSON that a strict parser refuses, and HTTP that is not as documented.
#[tokio::test]
async fn a_response_in_an_odd_form_is_read() {
    let odd = Odd::new().await;
    let clipia = odd.1.builder().max_retries(0).build().unwrap();
    let submitted = |more: &[u8]| {
        let head = format!(
            r#"{{"request_id": "{ID}", "status": "IN_QUEUE", "queue_position": 0, "cost": 12, "note": "#
        );
        [head.as_bytes(), more, b"}"].concat()
    };
    let nested = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let plain = submitted(b"1");
    let gzip = {
        let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut coder, &plain).unwrap();
        coder.finish().unwrap()
    };
    for (what, reply) in [
        ("invalid UTF-8", body_reply(200, &[], &submitted(b"\"a \xff\xfe fox\""))),
        ("half a surrogate pair", body_reply(200, &[], &submitted(br#""a \ud83d fox""#))),
        ("200 levels", body_reply(200, &[], &submitted(nested.as_bytes()))),
        ("a byte order mark", body_reply(200, &[], &[b"\xef\xbb\xbf", &plain[..]].concat())),
        ("201", body_reply(201, &[], &plain)),
        ("202", body_reply(202, &[], &plain)),
        ("gzip", body_reply(200, &[("content-encoding", "gzip")], &gzip)),
        ("gzip without a header", body_reply(200, &[], &gzip)),
        ("plain, called br", body_reply(200, &[("content-encoding", "br")], &plain)),
        ("a type of text", body_reply(200, &[("content-type", "text/html")], &plain)),
    ] {
        odd.replies(reply);
        let fox = clipia.submit("m", json!({})).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!((fox.id(), fox.cost()), (&id(), Some(12.into())), "{what}");
    }
}

/// An unreadable response leaves the key, its beginning and the id, once for all attempts.
#[tokio::test]
async fn an_unreadable_response_to_a_submit_leaves_key_beginning_and_id() {
    let page = format!("<html>accepted as {ID}, thank you</html>");
    let brotli = [("content-encoding", "br")];
    for (reply, status, beginning, found) in [
        (body_reply(200, &[], page.as_bytes()), 200, Some(page.as_str()), Some(id())),
        (json_reply(200, json!({ "id": ID })), 200, Some(&*json!({ "id": ID }).to_string()), Some(id())),
        (json_reply(200, json!([])), 200, Some("[]"), None),
        (body_reply(204, &[], b""), 204, None, None),
        (body_reply(200, &brotli, b"\x0b\x02\x80"), 200, None, None),
    ] {
        let peer = Peer::script(vec![reply]).await;
        let clipia = peer.builder().retry_delay(Duration::from_millis(1)).max_retries(2).build().unwrap();
        let error = clipia.subscribe("m", json!({})).await.unwrap_err();
        assert!(matches!(error, Error::SubmitUnanswered { .. }), "{error:?}");
        let seen = peer.seen();
        assert_eq!(seen.len(), 3, "the same again tells it, if the trouble passes");
        assert!(seen.iter().all(|seen| key_of(seen) == error.idempotency_key().unwrap()));
        let api = error.api().unwrap();
        assert_eq!((api.http_status(), api.beginning()), (status, beginning), "{error}");
        assert_eq!(error.request_id(), found.as_ref(), "{error}");
    }
    // Once the trouble has passed, the same key finds the generation.
    let peer = Peer::script(vec![
        body_reply(200, &[], b"<html>one moment</html>"),
        with_headers(200, &NO_LIMIT, json!({ "request_id": ID, "status": "COMPLETED" })),
        json_reply(200, json!({ "status": "COMPLETED", "output": {} })),
    ])
    .await;
    let ended = peer.client().subscribe("m", json!({})).await.unwrap();
    assert_eq!((ended.request_id(), &ended.response().status), (&id(), &Status::Completed));
    let seen = peer.seen();
    assert_eq!(key_of(&seen[0]), key_of(&seen[1]));
}

#[tokio::test]
async fn a_large_response_of_small_values_is_bounded() {
    let zeros = vec!["0"; 14_000_000].join(",");
    let document =
        format!(r#"{{"request_id": "{ID}", "status": "IN_QUEUE", "junk": [{zeros}], "cost": 12}}"#);
    let odd = Odd::new().await;
    odd.says(&document);
    let fox = odd.1.client().submit("m", json!({})).await.unwrap();
    assert_eq!((fox.id(), fox.cost()), (&id(), Some(12.into())));
    assert!(fox.response().extra["junk"].as_array().unwrap().len() <= 100_000);
}

/// An id is an opaque text.
#[tokio::test]
async fn ids_need_not_be_uuids() {
    for (odd, path) in [
        ("gen_42", "/v1/requests/gen_42"),
        ("0198C2F1-6A70-7CC1-B7A5-1F6DE1A9C0DE", "/v1/requests/0198C2F1-6A70-7CC1-B7A5-1F6DE1A9C0DE"),
        ("a/../b?c", "/v1/requests/a%2F..%2Fb%3Fc"),
    ] {
        let peer = Peer::script(vec![
            with_headers(200, &NO_LIMIT, json!({ "request_id": odd, "status": "IN_QUEUE" })),
            json_reply(200, json!({ "request_id": odd, "status": "COMPLETED", "output": {} })),
        ])
        .await;
        let clipia: Clipia = peer.client();
        let ended = clipia.subscribe("m", json!({})).await.unwrap();
        assert_eq!(ended.request_id().as_str(), odd);
        assert_eq!(peer.seen()[1].path, path);
    }
    let nowhere = Peer::script(vec![]).await;
    for wrong in ["", ".", ".."] {
        let error = nowhere.client().status(wrong).await.unwrap_err();
        assert!(matches!(error, Error::Input(_)), "{error:?}");
    }
}
