//! The key and the inputs are in no log, no error and no `Debug`.

use crate::peer::{ID, KEY, Peer, Reply, body_reply, error_reply, json_reply, state, submitted};
use clipia::{Error, json};
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

const PROMPT: &str = "a fox that nobody must know of";

/// Records everything that is traced on one thread. Other tests run on other threads.
#[derive(Clone)]
pub(crate) struct Everything(Arc<Mutex<String>>, ThreadId);

impl Everything {
    /// Records the calling thread.
    pub(crate) fn here() -> Self {
        Self(Arc::default(), std::thread::current().id())
    }

    /// The record so far.
    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Everything {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        std::thread::current().id() == self.1
    }

    /// Never cached, because the result depends on the thread.
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut text = self.0.lock().unwrap();
        text.push_str(span.metadata().name());
        span.record(&mut Line(&mut text));
        text.push('\n');
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Line(&mut self.0.lock().unwrap()));
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = self.0.lock().unwrap();
        event.record(&mut Line(&mut text));
        text.push('\n');
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn neither_traces_nor_debug_nor_errors_contain_them() {
    let everything = Everything::here();
    tracing::subscriber::set_global_default(everything.clone()).unwrap();
    let peer = Peer::script(vec![
        Reply::Reset,
        error_reply(503, "service_unavailable", &[]),
        submitted(),
        Reply::Reset,
        state("IN_PROGRESS", json!({})),
        error_reply(401, "invalid_api_key", &[]),
        error_reply(422, "model_input_invalid", &[]),
        // A server that repeats the key and the input in its errors.
        json_reply(422, json!({ "error": {
            "type": "invalid_request_error", "code": "model_input_invalid", "message": format!("no: {PROMPT}"),
        } })),
        Reply::Reset,
    ])
    .await;
    let clipia = peer.builder().timeout(Duration::from_secs(5)).max_retries(2).build().unwrap();
    let mut said = String::new();
    let submit = clipia.submit("m", json!({ "prompt": PROMPT }));
    write!(said, "{clipia:?} {:?} {submit:?}", peer.builder()).unwrap();
    let fox = submit.await.unwrap();
    let wait = fox.wait();
    write!(said, "{fox:?} {wait:?}").unwrap();
    let error = wait.await.unwrap_err();
    write!(said, "{error} {error:?} {:?}", fox.saved()).unwrap();
    let submit = || clipia.submit("m", json!({ "prompt": PROMPT }));
    let error = submit().await.unwrap_err();
    write!(said, "{error} {error:?}").unwrap();
    let refused = submit().await.unwrap_err();
    assert!(refused.to_string().contains(PROMPT), "the server's message reaches the caller: {refused}");
    let lost = submit().await.unwrap_err();
    write!(said, "{lost} {lost:?}").unwrap();
    assert!(matches!(lost, Error::SubmitUnanswered { .. }), "{lost:?}");
    let host = Peer::script(vec![
        state("COMPLETED", json!({ "output": { "images": [{ "url": "/fox.png?signature=0123456789ab" }] } })),
        Reply::Reset,
        body_reply(200, &[("content-type", "image/png")], b"a fox"),
    ])
    .await;
    let dir = tempfile::tempdir().unwrap();
    let download = host.client().generation(fox.id()).download(dir.path());
    write!(said, "{download:?}").unwrap();
    download.await.unwrap();
    let traced = everything.text();

    assert!(said.contains("clipia_live_…k3Qz"), "{said}");
    for text in [&said, &traced] {
        assert!(!text.contains(KEY) && !text.contains("0123456789ab"), "{text}");
        assert!(!text.contains(PROMPT), "{text}");
    }
    assert!(traced.contains(ID), "ids are what traces are for: {traced}");
    // The events in the documentation of the crate.
    for line in [
        "clipia operation=\"submit\" model=\"m\"\n",
        &format!("clipia operation=\"wait\" model=\"m\" request_id={ID}\n"),
        &format!("clipia operation=\"download\" request_id={ID}\n"),
        " message=trying again error=cannot download http://127.0.0.1:",
        &format!(" message=downloaded request_id={ID} bytes=5 path="),
        " message=tried operation=\"submit\" http_status=503 code=\"service_unavailable\" duration_ms=",
        " message=tried operation=\"submit\" duration_ms=",
        " message=tried operation=\"submit\" http_status=200 duration_ms=",
        &format!(" message=tried operation=\"result\" request_id={ID} http_status=401"),
        " message=trying again error=because of service_unavailable (503 service_unavailable) tries=2 elapsed_ms=",
        &format!(" request_id={ID} message=submitted request_id={ID} cost=12\n"),
    ] {
        assert!(traced.contains(line), "no {line:?} in {traced}");
    }
}
