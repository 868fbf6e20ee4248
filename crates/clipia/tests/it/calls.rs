//! Single calls: the requests, the retries, and the messages of errors.

use crate::emulated::Emulated;
use crate::peer::{
    ID, KEY, Peer, Reply, account, body_reply, error_reply, id, json_reply, key_of, submitted,
};
use clipia::{CallOptions, Clipia, Error, json};
use clipia_emulator::{KeyLimits, Operation, Settings};
use std::time::Duration;

#[tokio::test]
async fn every_call_has_its_path_and_the_key() {
    let peer = Peer::new(|_, seen| match (seen.method.as_str(), seen.path.as_str()) {
        ("POST", "/v1/models/nano-banana-2") => submitted(),
        ("POST", _) => json_reply(200, json!({ "credits": 12 })),
        (_, "/v1/models") => json_reply(200, json!({ "data": [{ "slug": "a", "type": "hologram" }] })),
        (_, "/v1/models/a%2Fb") => json_reply(200, json!({ "slug": "a/b", "type": "image" })),
        (_, "/v1/account") => account(),
        _ => json_reply(200, json!({ "request_id": ID, "status": "PAUSED", "reason": "maintenance" })),
    })
    .await;
    let clipia = peer.client();

    let fox =
        clipia.submit("nano-banana-2", json!({ "prompt": "a fox" })).webhook("https://x.y/z").await.unwrap();
    assert_eq!(
        (fox.id(), fox.cost().unwrap().whole().unwrap(), fox.warnings()[0].parameter.as_str()),
        (&id(), 12, "promt")
    );
    assert_eq!(clipia.models().await.unwrap()[0].type_.as_str(), "hologram");
    assert_eq!(clipia.model("a/b").await.unwrap().slug, "a/b");
    assert_eq!(clipia.estimate("nano-banana-2", json!({})).await.unwrap().credits.whole().unwrap(), 12);
    let account = clipia.account().await.unwrap();
    assert_eq!(
        (account.balance.credits.whole().unwrap(), &account.extra["plan"]),
        (35, &json!("of a newer API"))
    );
    let status = fox.status().await.unwrap();
    assert_eq!((status.status.as_str(), &status.extra["reason"]), ("PAUSED", &json!("maintenance")));
    assert_eq!(clipia.result(id()).await.unwrap().status.as_str(), "PAUSED");

    let seen = peer.seen();
    assert_eq!(seen.len(), 7);
    assert!(seen.iter().all(|seen| seen.headers["authorization"] == format!("Bearer {KEY}")));
    assert!(seen.iter().all(|seen| seen.headers["user-agent"].starts_with("clipia-rust/")));
    let body: serde_json::Value = serde_json::from_slice(&seen[0].body).unwrap();
    assert_eq!(body, json!({ "input": { "prompt": "a fox" }, "webhook_url": "https://x.y/z" }));
    assert_eq!(key_of(&seen[0]).len(), 36);
}

#[tokio::test]
async fn a_fleet_of_calls_over_the_limit_gets_through_one_budget() {
    // A burst of 300, and then twenty a second.
    const COUNT: usize = 340;
    let limits = KeyLimits { requests_per_minute: Some(1_200), in_flight_max: Some(0), credits: None };
    let emulated = Emulated::start(Settings { limits, ..Settings::default() });
    let clipia = emulated.client();
    let calls = (0..COUNT).map(|_| clipia.account());
    let results = futures_util::future::join_all(calls).await;
    assert!(results.iter().all(Result::is_ok), "{:?}", results.iter().find(|result| result.is_err()));
    // The first calls learn the limit. Each retry waits for a token. Those that are under way when the limit is reached cannot know of it,
    // so there may be findings.
    let seen = emulated.calls(Operation::Account).len();
    assert!(seen <= COUNT + 40 + 10, "{seen}");
}

#[tokio::test]
async fn a_refusal_is_final_and_shows_the_apis_message() {
    for (status, code) in [
        (400, "invalid_request"),
        (400, "webhook_url_invalid"),
        (401, "invalid_api_key"),
        (402, "insufficient_credits"),
        (402, "subscription_required"),
        (403, "insufficient_scope"),
        (403, "upload_limit_exceeded"),
        (413, "upload_too_large"),
        (404, "not_found"),
        (404, "model_not_found"),
        (409, "idempotency_key_reuse"),
        (422, "model_input_invalid"),
        (400, "model_input_invalid"),
        (418, "of_a_newer_api"),
    ] {
        let peer = Peer::script(vec![error_reply(status, code, &[])]).await;
        let error = peer.client().status(id()).await.unwrap_err();
        assert!(!error.is_retryable());
        assert_eq!((error.http_status(), error.code()), (Some(status), Some(code)));
        assert_eq!(error.request_id(), Some(&id()));
        let said = error.to_string();
        assert!(said.starts_with(&format!("because of {code}")), "{said}");
        assert!(said.ends_with(&format!(" ({status} {code})")), "{said}");
        assert_eq!(error.api().unwrap().family(), "api_error");
        assert_eq!(peer.seen().len(), 1, "{code}");
    }
}

#[tokio::test]
async fn a_redirect_does_not_receive_the_key() {
    let elsewhere = Peer::script(vec![account()]).await;
    let there = elsewhere.url.clone() + "/v1/account";
    let peer = Peer::new(move |_, _| body_reply(302, &[("location", &there)], b"")).await;
    let error = peer.client().account().await.unwrap_err();
    assert!(matches!(error, Error::UnexpectedAnswer(_)), "{error:?}");
    assert_eq!(error.http_status(), Some(302));
    assert!(error.to_string().contains(&format!("redirects to {}/v1/account", elsewhere.url)), "{error}");
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn an_impossible_call_is_not_sent() {
    let peer = Peer::script(vec![submitted()]).await;
    let clipia = peer.client();
    let message = |error: Error| error.to_string();
    let array = clipia.submit("m", json!([1])).await.unwrap_err();
    assert_eq!(
        message(array),
        "the input must be a JSON object; got an array; pass an object with a key for each parameter"
    );
    let unwritable = std::collections::BTreeMap::from([((1, 2), 3)]);
    assert!(matches!(clipia.estimate("m", unwritable).await, Err(Error::Input(_))));
    for slug in ["", ".", "..", "..\\account"] {
        assert!(matches!(clipia.submit(slug, json!({})).await, Err(Error::Input(_))), "{slug}");
        assert!(matches!(clipia.model(slug).await, Err(Error::Input(_))), "{slug}");
    }
    let error = clipia.submit("m", json!({})).idempotency_key("two\nlines").await.unwrap_err();
    assert_eq!(
        message(error),
        "the idempotency key cannot be sent in a header; use visible ASCII characters, as a UUID has"
    );
    assert!(peer.seen().is_empty());
}

#[test]
fn a_client_without_a_key_says_how_to_get_one() {
    let error = Clipia::builder().build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "no API key: set `CLIPIA_KEY` or `CLIPIA_API_KEY`, or pass one with `Clipia::builder().key(…)`"
    );
}

/// Futures and handles can move between threads, and errors can be boxed.
#[test]
fn everything_can_be_spawned() {
    fn send<T: Send>(_: T) {}
    fn shared<T: Send + Sync + 'static>() {}
    fn unpin<T: Unpin + Send>(_: &T) {}
    let clipia = Clipia::builder().key(KEY).build().unwrap();
    let handle = clipia.generation(id());
    send(clipia.submit("m", json!({})).into_future());
    send(clipia.subscribe("m", json!({})).on_update(|_| {}).into_future());
    send(clipia.status(id()));
    send(clipia.estimate("m", json!({})));
    send(clipia.check("m", json!({})));
    send(clipia.models());
    send(handle.download("out"));
    unpin(&handle.wait().on_update(|_| {}));
    unpin(&handle.updates());
    shared::<(Clipia, clipia::Generation, clipia::Outcome, Error)>();
}

#[tokio::test]
async fn a_call_has_headers_and_a_timeout_of_its_own() {
    let estimate = json_reply(200, json!({ "credits": 1 }));
    let status = || json_reply(200, json!({ "request_id": ID, "status": "IN_QUEUE" }));
    let unavailable = error_reply(503, "service_unavailable", &[]);
    let peer = Peer::script(vec![
        estimate,
        unavailable,
        submitted(),
        status(),
        status(),
        status(),
        status(),
        status(),
        Reply::Stall(Vec::new()),
    ])
    .await;
    let clipia = peer.builder().header("X-Team", "pictures").max_retries(1).build().unwrap();
    let submit = || clipia.submit("m", json!({})).header("X-Trace", "one").header("x-team", "clips");
    submit().max_cost(5).await.unwrap();
    let options = CallOptions::new().header("X-Trace", "two");
    clipia.status_with(ID, options.clone()).await.unwrap();
    clipia.result_with(ID, options.clone()).await.unwrap();
    clipia.generation(ID).status_with(options.clone()).await.unwrap();
    clipia.generation(ID).result_with(options).await.unwrap();
    clipia.status(ID).await.unwrap();
    let sent: Vec<_> = peer
        .seen()
        .iter()
        .map(|request| ["x-trace", "x-team"].map(|name| request.headers.get(name).cloned()))
        .collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        sent[..3],
        [[some("one"), some("clips")], [some("one"), some("clips")], [some("one"), some("clips")]]
    );
    let with_options = || [some("two"), some("pictures")];
    // Calls of the client, and of a handle.
    assert_eq!(sent[3..7], [with_options(), with_options(), with_options(), with_options()]);
    assert_eq!(sent[7..], [[None, some("pictures")]]);

    let brief = CallOptions::new().timeout(Duration::from_millis(50));
    let one = peer.builder().max_retries(0).build().unwrap();
    assert!(matches!(one.status_with(ID, brief).await, Err(Error::Timeout { .. })));

    let asked = peer.seen().len();
    for name in ["Authorization", "Idempotency-Key", "no name"] {
        let error = submit().header(name, "0123456789").await.unwrap_err();
        let options = CallOptions::new().header(name, "0123456789");
        assert!(!format!("{error:?} {error} {options:?}").contains("0123456789"), "{error:?}");
        assert!(matches!(&error, Error::Input(input) if input.argument() == Some("header")), "{error:?}");
        assert!(matches!(clipia.status_with(ID, options).await, Err(Error::Input(_))));
    }
    assert_eq!(peer.seen().len(), asked);
}
