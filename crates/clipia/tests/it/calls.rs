//! Single calls: what is sent, what is repeated, and what an error says.

use crate::peer::{
    ID, KEY, Peer, Reply, Seen, body_reply, cut, error_reply, json_reply, submitted, with_headers,
};
use clipia::{Clipia, Error, RequestId, json};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

fn account() -> Reply {
    json_reply(200, json!({ "account_id": "acc", "balance": { "credits": 35 }, "plan": "of a newer API" }))
}

fn id() -> RequestId {
    ID.parse().unwrap()
}

fn key_of(seen: &Seen) -> &str {
    &seen.headers["idempotency-key"]
}

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
    assert_eq!((fox.id(), fox.cost().get(), fox.warnings()[0].parameter.as_str()), (id(), 12, "promt"));
    assert_eq!(clipia.models().await.unwrap()[0].type_.as_str(), "hologram");
    assert_eq!(clipia.model("a/b").await.unwrap().slug, "a/b");
    assert_eq!(clipia.estimate("nano-banana-2", json!({})).await.unwrap().credits.get(), 12);
    let account = clipia.account().await.unwrap();
    assert_eq!((account.balance.credits.get(), &account.extra["plan"]), (35, &json!("of a newer API")));
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
async fn a_repeated_submit_keeps_its_key_and_another_has_its_own() {
    let whole = submitted();
    let peer = Peer::script(vec![Reply::Reset, cut(whole.clone(), 20), whole]).await;
    let clipia = peer.client();
    clipia.submit("m", json!({})).await.unwrap();
    clipia.submit("m", json!({})).await.unwrap();
    clipia.submit("m", json!({})).idempotency_key("mine").await.unwrap();
    let seen = peer.seen();
    assert_eq!(seen.len(), 5);
    assert_eq!(key_of(&seen[0]), key_of(&seen[1]));
    assert_eq!(key_of(&seen[0]), key_of(&seen[2]));
    assert_ne!(key_of(&seen[0]), key_of(&seen[3]));
    assert_eq!(key_of(&seen[4]), "mine");
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    for trouble in [
        error_reply(503, "service_unavailable", &[]),
        error_reply(500, "internal_error", &[]),
        error_reply(409, "request_in_progress", &[]),
        error_reply(429, "concurrency_limit_exceeded", &[]),
        body_reply(502, &[("content-type", "text/html")], b"<h1>Bad Gateway</h1>"),
        Reply::Reset,
        cut(account(), 5),
    ] {
        let peer = Peer::script(vec![trouble, account()]).await;
        assert_eq!(peer.client().account().await.unwrap().account_id, "acc");
        assert_eq!(peer.seen().len(), 2);
    }
}

#[tokio::test]
async fn retry_after_is_heeded_in_seconds_and_as_a_date() {
    for dated in [false, true] {
        // A date has whole seconds: this one is more than one and at most two seconds away.
        let soon = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 2;
        let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(soon));
        let (value, least) = if dated { (date.as_str(), 0.9) } else { ("1", 1.0) };
        let refused = error_reply(429, "rate_limit_exceeded", &[("retry-after", value)]);
        let peer = Peer::script(vec![refused, account()]).await;
        let begun = Instant::now();
        peer.client().account().await.unwrap();
        assert!(begun.elapsed().as_secs_f64() >= least, "{value}: {:?}", begun.elapsed());
        assert_eq!(peer.seen().len(), 2);
    }
}

/// A server that counts: a bucket of ten, twenty a second.
fn counting() -> impl Fn(usize, &Seen) -> Reply {
    let bucket = Mutex::new((10.0, Instant::now()));
    move |_, _| {
        let (tokens, counted) = &mut *bucket.lock().unwrap();
        *tokens = f64::min(10.0, *tokens + counted.elapsed().as_secs_f64() * 20.0);
        *counted = Instant::now();
        let taken = *tokens >= 1.0;
        *tokens -= f64::from(u8::from(taken));
        let remaining = (*tokens as u32).to_string();
        let headers =
            [("ratelimit-limit", "1200"), ("ratelimit-remaining", &*remaining), ("ratelimit-reset", "1")];
        if taken {
            with_headers(200, &headers, json!({ "account_id": "acc", "balance": { "credits": 35 } }))
        } else {
            error_reply(429, "rate_limit_exceeded", &[&headers[..], &[("retry-after", "1")]].concat())
        }
    }
}

#[tokio::test]
async fn a_fleet_of_calls_over_the_limit_gets_through_one_budget() {
    let peer = Peer::new(counting()).await;
    let clipia = peer.client();
    let calls = (0..50).map(|_| clipia.account());
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(Result::is_ok), "{:?}", answers.iter().find(|answer| answer.is_err()));
    // Fifty at once are forty too many; their repeats wait for a token each.
    assert!(peer.seen().len() <= 50 + 40 + 10, "{}", peer.seen().len());
}

#[tokio::test]
async fn a_retry_after_beyond_the_cap_goes_to_the_caller() {
    let peer = Peer::script(vec![error_reply(429, "rate_limit_exceeded", &[("retry-after", "3600")])]).await;
    let error = peer.client().account().await.unwrap_err();
    assert!(matches!(error, Error::RateLimitExceeded(_)));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
    assert_eq!(
        error.to_string(),
        "because of rate_limit_exceeded; try again in 3600 s (429 rate_limit_exceeded)"
    );
    assert_eq!(peer.seen().len(), 1);
}

#[tokio::test]
async fn a_refusal_is_final_and_says_what_the_api_said() {
    for (status, code) in [
        (400, "invalid_request"),
        (400, "webhook_url_invalid"),
        (401, "invalid_api_key"),
        (402, "insufficient_credits"),
        (402, "subscription_required"),
        (403, "insufficient_scope"),
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
        assert_eq!(error.request_id(), Some(id()));
        assert_eq!(error.to_string(), format!("because of {code} ({status} {code})"));
        assert_eq!(error.api().unwrap().family(), "api_error");
        assert_eq!(peer.seen().len(), 1, "{code}");
    }
}

#[tokio::test]
async fn a_page_of_html_keeps_its_status() {
    let page = body_reply(502, &[("content-type", "text/html")], b"<h1>Bad Gateway</h1>");
    let peer = Peer::script(vec![page]).await;
    let error = peer.client().account().await.unwrap_err();
    assert_eq!(
        (error.http_status(), error.code(), error.is_retryable()),
        (Some(502), Some("http_502"), true)
    );
    assert!(error.to_string().ends_with("(502 http_502, tried 3 times)"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_read_is_said_so() {
    let peer = Peer::script(vec![body_reply(200, &[], b"<h1>Log in</h1>")]).await;
    assert!(matches!(peer.client().account().await, Err(Error::Decode { .. })));
    assert_eq!(peer.seen().len(), 1);
}

#[tokio::test]
async fn a_hung_call_ends_in_time() {
    let peer = Peer::script(vec![Reply::Hang]).await;
    let clipia = peer.builder().timeout(Duration::from_millis(100)).max_retries(1).build().unwrap();
    let error = clipia.status(id()).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { attempts: 2, .. }), "{error:?}");
    assert_eq!(error.request_id(), Some(id()));
}

#[tokio::test]
async fn nobody_there_is_said_in_plain_words() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = format!("http://127.0.0.1:{port}");
    let clipia = Clipia::builder().key(KEY).base_url(nobody).max_retries(0).build().unwrap();
    let error = clipia.account().await.unwrap_err();
    assert!(matches!(error, Error::Connection { attempts: 1, .. }), "{error:?}");
    assert!(error.is_retryable());
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_redirect_does_not_take_the_key_along() {
    let elsewhere = Peer::script(vec![account()]).await;
    let there = elsewhere.url.clone() + "/v1/account";
    let peer = Peer::new(move |_, _| body_reply(302, &[("location", &there)], b"")).await;
    assert!(matches!(peer.client().account().await, Err(Error::Decode { .. })));
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn what_cannot_be_sent_is_not() {
    let peer = Peer::script(vec![submitted()]).await;
    let clipia = peer.client();
    let told = |error: Error| error.to_string();
    let array = clipia.submit("m", json!([1])).await.unwrap_err();
    assert_eq!(told(array), "the input must be a JSON object; got an array");
    let unwritable = std::collections::BTreeMap::from([((1, 2), 3)]);
    assert!(matches!(clipia.estimate("m", unwritable).await, Err(Error::Input { .. })));
    for slug in ["", ".", "..", "..\\account"] {
        assert!(matches!(clipia.submit(slug, json!({})).await, Err(Error::Input { .. })), "{slug}");
        assert!(matches!(clipia.model(slug).await, Err(Error::Input { .. })), "{slug}");
    }
    let error = clipia.submit("m", json!({})).idempotency_key("two\nlines").await.unwrap_err();
    assert_eq!(told(error), "the idempotency key cannot be sent in a header");
    assert!(peer.seen().is_empty());
}

#[test]
fn a_client_without_a_key_says_how_to_get_one() {
    let error = Clipia::builder().build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "no API key: set `CLIPIA_KEY`, or pass one with `Clipia::builder().key(…)`"
    );
}

/// Runs itself with another environment: a process's own must not change under other tests.
#[test]
fn the_environment_sets_up_a_client() {
    if std::env::var_os("CLIPIA_TEST_TELLS").is_some() {
        return println!("{:?}", Clipia::from_env());
    }
    for (key, url, told) in [
        (Some(KEY), None, r#"Ok(Clipia { base_url: "https://api.clipia.ai/", key: clipia_live_…k3Qz })"#),
        (
            Some(KEY),
            Some("http://[::1]:1"),
            r#"Ok(Clipia { base_url: "http://[::1]:1/", key: clipia_live_…k3Qz })"#,
        ),
        (Some(KEY), Some(""), r#"Ok(Clipia { base_url: "https://api.clipia.ai/", key: clipia_live_…k3Qz })"#),
        (Some(KEY), Some("http://localhost.evil.com"), "Err(BaseUrl"),
        (Some("two words"), None, "Err(KeyMalformed"),
        (None, None, "Err(KeyMissing)"),
    ] {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "calls::the_environment_sets_up_a_client", "--nocapture"]);
        child.env_remove("CLIPIA_KEY").env_remove("CLIPIA_BASE_URL").env("CLIPIA_TEST_TELLS", "");
        child.envs(key.map(|key| ("CLIPIA_KEY", key))).envs(url.map(|url| ("CLIPIA_BASE_URL", url)));
        let said = String::from_utf8(child.output().unwrap().stdout).unwrap();
        assert!(said.contains(told), "{key:?} {url:?}: {said}");
    }
}

/// The futures and handles cross threads, and errors can be boxed.
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
