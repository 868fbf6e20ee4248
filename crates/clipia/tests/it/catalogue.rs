//! The catalogue is cached and shared, and inputs are checked against it.

use crate::peer::{Peer, Reply, error_reply, json_reply};
use clipia::{Clipia, Error, json};
use futures_util::future::join_all;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// The lifetime of a cached response, as documented.
const LIFETIME: Duration = Duration::from_secs(300);

fn model() -> Reply {
    json_reply(
        200,
        json!({ "slug": "nano-banana-2", "type": "image", "input_schema": { "parameters": [
            { "name": "prompt", "type": "string", "required": true, "minLength": 1 },
            { "name": "aspect_ratio", "type": "select", "options": ["1:1", "16:9", "9:16"] },
            { "name": "seed", "type": "integer", "min": 0 },
        ] } }),
    )
}

fn fox() -> serde_json::Value {
    json!({ "prompt": "a red fox" })
}

/// Lets time pass.
async fn later(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// Polls a future until the peer has received a request, then no more.
async fn begin<T: std::fmt::Debug>(mut call: std::pin::Pin<&mut impl Future<Output = T>>, peer: &Peer) {
    poll_fn(|context| {
        assert!(call.as_mut().poll(context).is_pending());
        if peer.seen().is_empty() {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}

#[tokio::test]
async fn a_check_reports_every_fault_and_submits_nothing() {
    let peer = Peer::script(vec![model()]).await;
    let clipia = peer.client();
    assert_eq!(clipia.check("nano-banana-2", fox()).await.unwrap(), []);

    let error =
        clipia.check("nano-banana-2", json!({ "prompt": "", "aspect_ratio": "17:9" })).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`prompt` must not be empty; `aspect_ratio` must be one of 1:1, 16:9, 9:16; got \"17:9\" \
         (model_input_invalid)"
    );
    assert_eq!((error.code(), error.is_retryable()), (Some("model_input_invalid"), false));
    let Error::Input(input) = error else { panic!("{error:?}") };
    let parameters: Vec<&str> = input.faults().iter().map(|fault| fault.parameter.as_str()).collect();
    assert_eq!((input.model(), parameters), (Some("nano-banana-2"), vec!["prompt", "aspect_ratio"]));

    let warnings = clipia.check("nano-banana-2", json!({ "prompt": "a fox", "sede": 7 })).await.unwrap();
    assert_eq!((warnings.len(), warnings[0].parameter.as_str()), (1, "sede"));
    let misspelt = clipia.check("nano-banana-2", json!({ "promt": "a fox" })).await.unwrap_err();
    assert_eq!(
        misspelt.to_string(),
        "`prompt` is required; `promt` is not a parameter of nano-banana-2 and is ignored; \
         did you mean `prompt`? (model_input_invalid)"
    );
    assert!(matches!(clipia.check("nano-banana-2", json!("a fox")).await, Err(Error::Input(_))));

    let seen = peer.seen();
    assert_eq!((seen.len(), seen[0].method.as_str()), (1, "GET"));
    assert_eq!(seen[0].path, "/v1/models/nano-banana-2");
}

#[tokio::test]
async fn five_hundred_simultaneous_checks_make_one_call() {
    let peer = Peer::script(vec![model()]).await;
    let clipia = peer.client();
    let checks = (0..500).map(|_| {
        let clipia = clipia.clone();
        async move { clipia.check("nano-banana-2", fox()).await }
    });
    assert!(join_all(checks).await.iter().all(Result::is_ok));
    assert_eq!(clipia.model("nano-banana-2").await.unwrap().slug, "nano-banana-2");
    assert_eq!(peer.seen().len(), 1);
}

#[tokio::test]
async fn a_cached_response_is_fetched_again_after_its_lifetime() {
    let peer = Peer::new(|_, seen| match seen.path.as_str() {
        "/v1/models" => json_reply(200, json!({ "data": [{ "slug": "a", "type": "image" }] })),
        _ => model(),
    })
    .await;
    let clipia = peer.client();
    for asked in [2, 4] {
        for _ in 0..2 {
            assert_eq!(clipia.models().await.unwrap().len(), 1);
            // The list may have fewer details than the model itself.
            assert!(clipia.model("a").await.unwrap().input_schema.is_some());
            assert_eq!(peer.seen().len(), asked);
            later(LIFETIME / 2 - Duration::from_secs(10)).await;
        }
        later(Duration::from_secs(20)).await;
    }
}

#[tokio::test]
async fn an_error_is_shared_by_simultaneous_callers_and_not_cached() {
    let refused = error_reply(403, "insufficient_scope", &[]);
    for (trouble, message) in [
        (refused, "because of insufficient_scope"),
        (error_reply(404, "model_not_found", &[]), "because of model_not_found"),
        (
            error_reply(429, "rate_limit_exceeded", &[("retry-after", "120")]),
            "because of rate_limit_exceeded",
        ),
        (Reply::Reset, "the connection to the server broke: "),
        (Reply::Hang, "the server did not answer in time"),
        (json_reply(200, json!([])), "the response lacks fields that the API documents: []"),
    ] {
        let peer = Peer::script(vec![trouble, model()]).await;
        let clipia = peer.builder().max_retries(0).timeout(Duration::from_millis(300)).build().unwrap();
        let failed = join_all((0..50).map(|_| clipia.check("nano-banana-2", fox()))).await;
        for result in failed {
            let error = result.unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
        assert_eq!(peer.seen().len(), 1, "{message}");
    }
    let peer = Peer::script(vec![error_reply(404, "model_not_found", &[]), model()]).await;
    let clipia = peer.client();
    assert!(matches!(clipia.model("nano-banana-2").await, Err(Error::ModelNotFound(_))));
    clipia.model("nano-banana-2").await.unwrap();
}

#[tokio::test]
async fn no_caller_waits_for_another_that_was_dropped_or_is_not_polled() {
    for gives_up in [false, true] {
        let peer = Peer::script(vec![model()]).await;
        let clipia = peer.client();
        let mut first = Box::pin(clipia.check("nano-banana-2", fox()));
        begin(first.as_mut(), &peer).await;
        if gives_up {
            drop(first);
            clipia.check("nano-banana-2", fox()).await.unwrap();
        } else {
            // The first call still exists, but is not polled.
            clipia.check("nano-banana-2", fox()).await.unwrap();
            first.await.unwrap();
        }
        assert_eq!(peer.seen().len(), 1);
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn no_caller_waits_for_a_runtime_that_is_not_driven() {
    let alive = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let peer = alive.block_on(Peer::script(vec![model()]));
    let clipia: Clipia = peer.client();
    let (idle, ended) = (runtime(), runtime());
    let mut first = pin!(clipia.check("nano-banana-2", fox()));
    idle.block_on(begin(first.as_mut(), &peer));
    runtime().block_on(clipia.check("nano-banana-2", fox())).unwrap();
    idle.block_on(first).unwrap();
    // Nor for a runtime that was shut down with its task.
    let other = peer.client();
    let mut second = pin!(other.check("nano-banana-2", fox()));
    ended.block_on(begin(second.as_mut(), &peer));
    drop(ended);
    runtime().block_on(second).unwrap();
}
