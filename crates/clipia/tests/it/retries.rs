//! Calls over a bad line: which are retried, and the errors of those that fail in the end.

use crate::emulated::{COST, Emulated, MODEL, input};
use crate::peer::{KEY, Peer, Reply, account, body_reply, cut, error_reply, id, key_of, parts, submitted};
use crate::secrets::Everything;
use clipia::{Builder, Clipia, Error, json};
use futures_util::future::join_all;
use std::future::IntoFuture;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[tokio::test]
async fn a_retried_submit_keeps_its_key_and_another_submit_has_its_own() {
    let emulated = Emulated::new(&["submit reset x1", "submit cut=20B x1"]);
    let clipia = emulated.client();
    clipia.submit(MODEL, input("")).await.unwrap();
    clipia.submit(MODEL, input("")).await.unwrap();
    clipia.submit(MODEL, input("")).idempotency_key("mine").await.unwrap();
    let keys = emulated.idempotency_keys();
    let [first, again, found, other, mine] = &keys[..] else { panic!("five calls: {keys:?}") };
    assert!(first == again && first == found && first != other && mine == "mine");
    // The cut response was to a submit that was accepted.
    assert_eq!(clipia.account().await.unwrap().balance.credits, (1_000_000 - 3 * COST).into());
}

/// The first reply to a submit is `trouble`, the second a success.
async fn survives(what: &str, trouble: Reply) {
    let peer = Peer::script(vec![trouble, submitted()]).await;
    let clipia = peer.builder().timeout(Duration::from_millis(500)).build().unwrap();
    let fox = clipia.submit("m", json!({})).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(*fox.id(), id(), "{what}");
    let seen = peer.seen();
    assert_eq!((seen.len(), key_of(&seen[0])), (2, key_of(&seen[1])), "{what}");
}

#[tokio::test]
async fn transient_errors_are_retried() {
    let emulated = Emulated::new(&[]);
    let clipia = emulated.client();
    for trouble in [
        "503",
        "500",
        "request_in_progress",
        "rate_limit_exceeded",
        "concurrency_limit_exceeded",
        "reset",
        "drop",
        "empty",
        "html",
    ] {
        emulated.fault(&format!("submit {trouble} x1"));
        let fox = clipia.submit(MODEL, input("")).await;
        fox.unwrap_or_else(|error| panic!("{trouble}: {error}"));
        let keys = emulated.idempotency_keys();
        assert_eq!(keys[keys.len() - 2], keys[keys.len() - 1], "{trouble}");
    }
    // What no server of ours says.
    for status in [408, 425] {
        survives("a newer code", error_reply(status, "of_a_newer_api", &[])).await;
    }
    for status in [408, 425, 502, 520, 524, 530] {
        let page = body_reply(status, &[("content-type", "text/html")], b"<h1>Sorry</h1>");
        survives(&format!("a page with {status}"), page).await;
    }
}

/// A client with a long timeout, because a paused clock jumps to the next timer.
fn patient(peer: &Peer) -> Builder {
    let day = Duration::from_secs(86_400);
    peer.builder().timeout(day).connect_timeout(day)
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_without_meaning_does_not_shorten_the_pauses() {
    for (status, code) in [
        (429, "rate_limit_exceeded"),
        (429, "concurrency_limit_exceeded"),
        (429, "of_a_newer_api"),
        (503, "service_unavailable"),
    ] {
        for retry_after in ["0", "-5", "Sun, 06 Nov 1994 08:49:37 GMT", "soon", "1"] {
            let refused = error_reply(status, code, &[("retry-after", retry_after)]);
            for what in ["submit", "call", "wait", "subscribe"] {
                let reply = refused.clone();
                let peer = Peer::new(move |n, _| match (what, n) {
                    ("subscribe", 0) => submitted(),
                    _ => reply.clone(),
                })
                .await;
                let clipia = patient(&peer).retry_within(Duration::from_secs(10)).build().unwrap();
                let ten_seconds = Duration::from_secs(10);
                let error = match what {
                    "submit" => clipia.submit("m", json!({})).await.unwrap_err(),
                    "call" => clipia.account().await.unwrap_err(),
                    "wait" => clipia.generation(id()).wait().timeout(ten_seconds).await.unwrap_err(),
                    _ => clipia.subscribe("m", json!({})).timeout(ten_seconds).await.unwrap_err(),
                };
                let seen = peer.seen().len();
                assert!(
                    (2..=12).contains(&seen),
                    "{status} {code} {retry_after}: {seen} for a {what}; {error}"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_fleet_that_is_refused_for_ever_calls_rarely() {
    let peer = Peer::script(vec![error_reply(429, "rate_limit_exceeded", &[("retry-after", "0")])]).await;
    let clipia = patient(&peer).retry_within(Duration::from_secs(10)).build().unwrap();
    let submits = join_all((0..50).map(|_| clipia.submit("m", json!({})).into_future()));
    let ended = tokio::time::timeout(Duration::from_secs(10), submits).await;
    // One call asks for the limit, and then there is a call now and then.
    let seen = peer.seen().len();
    assert!((2..=12).contains(&seen), "{seen}: {ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_long_pause_logs_once_what_it_waits_for() {
    for (status, code, waits_for) in [
        (429, "rate_limit_exceeded", "the rate limit"),
        (429, "concurrency_limit_exceeded", "the concurrency limit"),
        (409, "request_in_progress", "the first submit of this idempotency key"),
        (503, "service_unavailable", "the server to recover"),
    ] {
        let everything = Everything::here();
        let tracing = tracing::subscriber::set_default(everything.clone());
        let refused = error_reply(status, code, &[("retry-after", "30")]);
        let peer = Peer::script(vec![refused.clone(), submitted(), refused.clone()]).await;
        let submitted = patient(&peer).build().unwrap().submit("m", json!({})).await.unwrap();
        let line = format!("waits_for=\"{waits_for}\"");
        let logged = |event: &str| {
            let of_event = |text: &&str| text.contains(event) && text.contains(&line);
            everything.text().lines().filter(of_event).count()
        };
        assert_eq!(logged("message=trying again"), 1, "{}", everything.text());
        if status != 409 {
            submitted.wait().timeout(Duration::from_secs(20)).await.unwrap_err();
            assert_eq!(logged("message=asking again"), 1, "{}", everything.text());
        }
        drop(tracing);
    }
    // And for calls that wait in the queue.
    let everything = Everything::here();
    let _tracing = tracing::subscriber::set_default(everything.clone());
    let peer = Peer::script(vec![error_reply(429, "rate_limit_exceeded", &[("retry-after", "30")])]).await;
    let clipia = patient(&peer).build().unwrap();
    let fleet = join_all((0..50).map(|_| clipia.submit("m", json!({})).into_future()));
    assert!(tokio::time::timeout(Duration::from_secs(25), fleet).await.is_err());
    let text = everything.text();
    let still_queued: Vec<_> =
        text.lines().filter(|line| line.contains("still in queue for the request budget")).collect();
    assert_eq!(still_queued.len(), 1, "{still_queued:?}");
    assert!(
        still_queued[0].contains("calls=49") && still_queued[0].contains("waits_for=\"the rate limit\""),
        "{still_queued:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_first_submit_of_a_key_is_waited_for() {
    let first = error_reply(409, "request_in_progress", &[]);
    let peer = Peer::script([vec![first.clone(); 12], vec![submitted()]].concat()).await;
    let clipia = patient(&peer).max_retries(1).build().unwrap();
    let begun = tokio::time::Instant::now();
    assert_eq!(clipia.submit("m", json!({})).idempotency_key("mine").await.unwrap().id(), &id());
    assert!((60..300).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    assert!(peer.seen().iter().all(|seen| key_of(seen) == "mine"));

    // But not for ever, and the error has the key.
    let peer = Peer::script(vec![first]).await;
    let clipia = patient(&peer).retry_within(Duration::from_secs(20)).build().unwrap();
    let error = clipia.submit("m", json!({})).idempotency_key("mine").await.unwrap_err();
    assert_eq!((error.code(), error.idempotency_key()), (Some("request_in_progress"), Some("mine")));
}

#[tokio::test(start_paused = true)]
async fn a_server_without_a_limit_is_not_waited_for() {
    let Reply::Bytes(reply, keep) = submitted() else { unreachable!() };
    let unlimited = String::from_utf8(reply).unwrap().replace("ratelimit", "x-unlimited");
    let peer = Peer::script(vec![Reply::Bytes(unlimited.into_bytes(), keep)]).await;
    let clipia = patient(&peer).build().unwrap();
    let begun = tokio::time::Instant::now();
    let submits = join_all((0..100).map(|_| clipia.submit("m", json!({})).into_future())).await;
    assert!(submits.iter().all(Result::is_ok));
    assert!(begun.elapsed() <= Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_fleet_gets_through_a_limit_without_headers() {
    // Two requests a second and ten at once, without any header.
    let Reply::Bytes(reply, keep) = submitted() else { unreachable!() };
    let unlimited = String::from_utf8(reply).unwrap().replace("ratelimit", "x-unlimited").into_bytes();
    let bucket = Mutex::new((10.0, tokio::time::Instant::now()));
    let peer = Peer::new(move |_, _| {
        let (tokens, counted) = &mut *bucket.lock().unwrap();
        *tokens = (*tokens + counted.elapsed().as_secs_f64() * 2.0).min(10.0);
        *counted = tokio::time::Instant::now();
        if *tokens < 1.0 {
            return error_reply(429, "rate_limit_exceeded", &[]);
        }
        *tokens -= 1.0;
        Reply::Bytes(unlimited.clone(), keep)
    })
    .await;
    let clipia = patient(&peer).build().unwrap();
    let begun = tokio::time::Instant::now();
    let submits = join_all((0..200).map(|_| clipia.submit("m", json!({})).into_future())).await;
    for submit in submits {
        submit.unwrap();
    }
    let (took, refused) = (begun.elapsed(), peer.seen().len() - 200);
    // A client that knows the limit needs 95 s.
    assert!(took <= Duration::from_secs(160) && refused <= 30, "{took:?}, {refused} refused");
}

#[tokio::test]
async fn a_truncated_response_is_fetched_again() {
    let ((head, body), half) = (parts(submitted()), 100);
    let whole = [&head[..], &body].concat();
    let length = |length: usize, keep| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
        Reply::Bytes([head.as_bytes(), &body].concat(), keep)
    };
    let chunk = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n", body.len());
    let troubles = [
        ("reset before the response", Reply::Reset),
        ("closed before the response", Reply::Bytes(Vec::new(), false)),
        ("reset in the head", Reply::Torn(head[..20].to_vec())),
        ("closed in the head", Reply::Bytes(head[..20].to_vec(), false)),
        ("reset in the body", Reply::Torn(whole[..head.len() + half].to_vec())),
        ("half a body", cut(submitted(), half)),
        (
            "half a body without a length",
            Reply::Bytes([b"HTTP/1.1 200 OK\r\n\r\n", &body[..half]].concat(), false),
        ),
        ("no last chunk", Reply::Bytes([chunk.as_bytes(), &body].concat(), false)),
        ("too great a length", length(body.len() + 10, false)),
        ("too great a length, and silence", length(body.len() + 10, true)),
        ("too small a length", length(half, true)),
        ("an empty body", body_reply(200, &[], b"")),
        ("silence", Reply::Hang),
        ("silence in the head", Reply::Bytes(head[..20].to_vec(), true)),
        ("garbage", Reply::Bytes(b"\x16\x03\x01 this is no HTTP\r\n\r\n".to_vec(), true)),
        (
            "an endless head",
            Reply::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), b"x-more: and more\r\n".to_vec()),
        ),
    ];
    join_all(troubles.map(|(what, trouble)| survives(what, trouble))).await;
}

#[tokio::test]
async fn a_broken_request_is_sent_again() {
    let input = json!({ "prompt": "fox ".repeat(1_000_000) });
    for bytes in [0, 50, 100_000] {
        let peer = Peer::resetting(vec![bytes, bytes], |_, _| submitted()).await;
        assert_eq!(peer.client().submit("m", &input).await.unwrap().id(), &id(), "{bytes}");
        let (_, sent) = (&peer.seen()[0].headers, &peer.seen()[0].body);
        assert_eq!(serde_json::from_slice::<serde_json::Value>(sent).unwrap()["input"], input, "{bytes}");
    }
}

#[tokio::test]
async fn a_reset_after_the_response_is_no_error() {
    let (head, body) = parts(account());
    let peer = Peer::script(vec![Reply::Torn([head, body].concat())]).await;
    let clipia = peer.client();
    for _ in 0..3 {
        assert_eq!(clipia.account().await.unwrap().account_id.as_deref(), Some("acc"));
    }
}

#[tokio::test]
async fn an_endless_response_is_cut() {
    let endless = |status: u16| {
        Reply::Endless(format!("HTTP/1.1 {status} Whatever\r\n\r\n").into_bytes(), vec![b' '; 65_536])
    };
    let peer = Peer::script(vec![endless(200)]).await;
    let error = peer.client().account().await.unwrap_err();
    assert_eq!(error.to_string(), "the response is longer than 32 MiB (200 http_200)");
    let peer = Peer::script(vec![endless(503), account()]).await;
    assert_eq!(peer.client().account().await.unwrap().account_id.as_deref(), Some("acc"));
}

#[tokio::test]
async fn retry_after_is_obeyed_in_seconds_and_as_a_date() {
    for dated in [false, true] {
        // A date has whole seconds, so this one is more than one and at most two seconds away.
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
    // From a server whose clock is years behind.
    let dates = [("date", "Tue, 24 Nov 2020 10:00:00 GMT"), ("retry-after", "Tue, 24 Nov 2020 10:00:01 GMT")];
    let peer = Peer::script(vec![error_reply(429, "rate_limit_exceeded", &dates), account()]).await;
    let begun = Instant::now();
    peer.client().account().await.unwrap();
    assert!(begun.elapsed().as_secs_f64() >= 1.0, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_retry_after_beyond_the_bound_is_returned_to_the_caller() {
    let peer = Peer::script(vec![error_reply(
        429,
        "rate_limit_exceeded",
        &[("retry-after", "3600"), ("ratelimit-limit", "120")],
    )])
    .await;
    let error = peer.client().account().await.unwrap_err();
    assert!(matches!(error, Error::RateLimitExceeded(_)));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
    assert_eq!(
        error.to_string(),
        "because of rate_limit_exceeded; 120 requests a minute on key clipia_live_…k3Qz; \
         next request in 3600 s (429 rate_limit_exceeded)"
    );
    assert_eq!(peer.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_is_waited_for_while_there_is_time() {
    let full = error_reply(429, "concurrency_limit_exceeded", &[("retry-after", "0")]);
    let peer = Peer::script([vec![full.clone(); 10], vec![submitted()]].concat()).await;
    patient(&peer).max_retries(2).build().unwrap().submit("m", json!({})).await.unwrap();
    assert_eq!(peer.seen().len(), 11);

    let peer = Peer::script(vec![full]).await;
    let begun = tokio::time::Instant::now();
    let clipia = patient(&peer).retry_within(Duration::from_secs(60)).build().unwrap();
    let error = clipia.submit("m", json!({})).await.unwrap_err();
    assert!(matches!(error, Error::ConcurrencyLimitExceeded(_)), "{error:?}");
    assert!(begun.elapsed() <= Duration::from_secs(90), "{:?}", begun.elapsed());
    let seen = peer.seen().len();
    let error = patient(&peer).max_retries(0).build().unwrap().submit("m", json!({})).await.unwrap_err();
    assert!(matches!(error, Error::ConcurrencyLimitExceeded(_)), "{error:?}");
    assert_eq!(peer.seen().len(), seen + 1);
}

#[tokio::test]
async fn a_submit_without_a_response_returns_its_key() {
    for (faults, http_status, retryable) in [
        (vec!["submit reset"], None, true),
        (vec!["submit 503"], Some(503), true),
        (vec!["submit html"], Some(502), true),
        (vec!["submit empty"], Some(200), true),
        // It says nothing about the first attempt.
        (vec!["submit reset x1", "submit invalid_api_key"], Some(401), false),
    ] {
        let emulated = Emulated::new(&faults);
        let error = emulated.client().submit(MODEL, input("")).await.unwrap_err();
        assert!(matches!(error, Error::SubmitUnanswered { .. }), "{error:?}");
        let key = error.idempotency_key().unwrap();
        assert!(emulated.idempotency_keys().iter().all(|sent| sent == key));
        assert_eq!((error.http_status(), error.is_retryable()), (http_status, retryable), "{error}");
        assert!(error.to_string().contains(&format!(".idempotency_key(\"{key}\")")), "{error}");
    }
    // Neither was accepted: the key of the first was refused, and the last response to the second excludes it.
    for (faults, code) in [
        (vec!["submit invalid_api_key"], "invalid_api_key"),
        (vec!["submit reset x1", "submit insufficient_credits"], "insufficient_credits"),
    ] {
        let error = Emulated::new(&faults).client().submit(MODEL, input("")).await.unwrap_err();
        assert_eq!((error.code(), error.idempotency_key()), (Some(code), None), "{error:?}");
    }
    // A call that only reads has no idempotency key.
    let error = Emulated::new(&["account reset"]).client().account().await.unwrap_err();
    assert!(matches!(error, Error::Connection { attempts: 3, .. }), "{error:?}");
}

#[tokio::test]
async fn a_page_of_html_keeps_its_status() {
    let error = Emulated::new(&["account html"]).client().account().await.unwrap_err();
    assert_eq!(
        (error.http_status(), error.code(), error.is_retryable()),
        (Some(502), Some("http_502"), true)
    );
    let said = error.to_string();
    assert!(said.starts_with("the response is not the API's: <html>"), "{said}");
    assert!(
        said.contains("502 Bad Gateway") && said.contains("(502 http_502, tried 3 times over "),
        "{said}"
    );
}

#[tokio::test]
async fn an_unreadable_response_is_an_error_that_says_so() {
    let peer = Peer::script(vec![body_reply(200, &[], b"<h1>Log in</h1>")]).await;
    assert!(matches!(peer.client().account().await, Err(Error::UnexpectedAnswer(_))));
    assert_eq!(peer.seen().len(), 1);
}

#[tokio::test]
async fn a_hung_call_ends_in_time() {
    let emulated = Emulated::new(&["status hang"]);
    let clipia = emulated.builder().timeout(Duration::from_millis(100)).max_retries(1).build().unwrap();
    let error = clipia.status(id()).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { attempts: 2, .. }), "{error:?}");
    assert_eq!(error.request_id(), Some(&id()));
}

#[tokio::test]
async fn a_missing_server_is_an_error_in_plain_words() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = format!("http://127.0.0.1:{port}");
    let clipia = Clipia::builder().key(KEY).base_url(&nobody).max_retries(0).build().unwrap();
    let error = clipia.account().await.unwrap_err();
    assert!(error.is_retryable());
    let said = error.to_string();
    assert!(said.starts_with(&format!("no connection to the server at {nobody}: ")), "{said}");
    assert!(said.contains("refused"), "{said}");
    // No server can have accepted it.
    let error = clipia.submit("m", json!({})).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { attempts: 1, .. }), "{error:?}");
}
