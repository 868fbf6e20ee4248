//! What a caller sees of an emulator, by the SDK and by a receiver of webhooks.

// Everything here is test code: a failed expectation must stop the test at its place.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use clipia::{Clipia, Error, Outcome};
use clipia_emulator::{Emulator, LIVE_KEY, Occurrence, Pace, Settings};
use http::StatusCode;
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const MODEL: &str = "nano-banana-2";

async fn start(pace: Pace) -> Emulator {
    Emulator::start(Settings { pace, ..Settings::default() }).await.unwrap()
}

fn client(emulator: &Emulator, key: &str) -> Clipia {
    Clipia::builder().key(key).base_url(emulator.url()).build().unwrap()
}

/// Waits until something is so.
async fn until(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(30), "it did not come");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// How a generation with this prompt ends.
async fn outcome(clipia: &Clipia, prompt: &str) -> Result<Outcome, Error> {
    clipia.subscribe(MODEL, json!({ "prompt": prompt })).await
}

/// A receiver that responds with these statuses, one after the other, and then with the last one; it keeps the bodies.
struct Receiver {
    url: String,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    async fn start(statuses: &'static [u16]) -> Self {
        let bodies: Arc<Mutex<Vec<String>>> = Arc::default();
        let receive = async move |State(bodies): State<Arc<Mutex<Vec<String>>>>, body: String| {
            let mut bodies = bodies.lock().unwrap();
            bodies.push(body);
            let status = statuses.get(bodies.len() - 1).or(statuses.last()).copied().unwrap_or(200);
            StatusCode::from_u16(status).unwrap()
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let router = Router::new().route("/hook", post(receive)).with_state(Arc::clone(&bodies));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, bodies }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_outcome_takes_no_time() {
    let emulator = start(Pace::Auto).await;
    let clipia = client(&emulator, LIVE_KEY);
    let began = Instant::now();
    let credits = clipia.account().await.unwrap().balance.credits;
    let completed = outcome(&clipia, "@takes=10m a red fox").await.unwrap().completed().unwrap();
    assert_eq!(completed.output().images.len(), 1);
    let failed = outcome(&clipia, r#"@takes=5m @fail=content_policy:"too violent" a red fox"#).await.unwrap();
    let failed = failed.completed().unwrap_err().to_string();
    assert!(failed.contains("too violent"), "{failed}");
    assert!(matches!(outcome(&clipia, "@cancel a red fox").await.unwrap(), Outcome::Canceled(_)));
    assert!(matches!(outcome(&clipia, "@crash=2 a red fox").await.unwrap(), Outcome::Completed(_)));
    assert!(matches!(outcome(&clipia, "@polls=2 a red fox").await.unwrap(), Outcome::Completed(_)));
    let refused = outcome(&clipia, "@reject=insufficient_credits a red fox").await.unwrap_err().to_string();
    assert!(refused.contains("credits"), "{refused}");
    let typo = outcome(&clipia, "@fial a red fox").await.unwrap_err().to_string();
    assert!(typo.contains("did you mean `@fail`?"), "{typo}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    // Three were made and paid.
    let left = clipia.account().await.unwrap().balance.credits;
    let number = |credits: clipia::Credits| credits.to_string().parse::<u64>().unwrap();
    assert_eq!(number(credits) - number(left), 3 * number(completed.cost().unwrap()));
    emulator.assert_clean();
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_advance_returns_what_happened_in_order() {
    let emulator = start(Pace::Manual).await;
    let clipia = client(&emulator, "clipia_live_of_this_test");
    let receiver = Receiver::start(&[500, 204]).await;
    let submit = async |words: &str| {
        let input = json!({ "prompt": format!("{words} a red fox") });
        clipia.submit(MODEL, input).webhook(&receiver.url).await.unwrap()
    };
    let (slow, quick) = (submit("@takes=30m").await, submit("@takes=10m @fail").await);
    let occurred = emulator.advance(Duration::from_secs(2 * 3_600)).await.unwrap();
    let seen = |id: &str| -> Vec<String> {
        let of = occurred.iter().filter(|Occurrence { request_id, .. }| request_id == id);
        of.map(|occurrence| occurrence.what.clone()).collect()
    };
    assert_eq!(seen(quick.id().as_str()), ["failed", "delivery attempt 1: 500", "delivery attempt 2: 204"]);
    assert_eq!(seen(slow.id().as_str()), ["completed", "delivery attempt 1: 204"]);
    assert!(occurred.is_sorted_by_key(|occurrence| occurrence.at), "{occurred:?}");
    assert!(matches!(slow.wait().await.unwrap(), Outcome::Completed(_)));
    assert!(emulator.advance(Duration::from_secs(3_600)).await.unwrap().is_empty());
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn six_attempts_at_a_delivery_take_no_time() {
    let emulator = start(Pace::Auto).await;
    let clipia = client(&emulator, LIVE_KEY);
    let receiver = Receiver::start(&[500, 500, 500, 500, 500, 200]).await;
    let input = json!({ "prompt": "@takes=10m a red fox" });
    let began = Instant::now();
    clipia.submit(MODEL, input).webhook(&receiver.url).await.unwrap();
    until(|| receiver.bodies.lock().unwrap().len() >= 6).await;
    println!("six attempts took {:?}", began.elapsed());
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_accepts_a_forged_delivery_is_found() {
    let emulator = start(Pace::Auto).await;
    let clipia = client(&emulator, LIVE_KEY);
    let receiver = Receiver::start(&[200]).await;
    let input = json!({ "prompt": "@deliver=forged a red fox" });
    let submitted = clipia.submit(MODEL, input).webhook(&receiver.url).await.unwrap();
    submitted.wait().await.unwrap();
    until(|| !emulator.findings().is_empty()).await;
    let findings = emulator.findings();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].what.contains("signature"), "{findings:?}");
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_early_webhook_comes_before_the_status_says_the_end() {
    let emulator = start(Pace::Real).await;
    let clipia = client(&emulator, LIVE_KEY);
    let receiver = Receiver::start(&[204]).await;
    let input = json!({ "prompt": "@deliver=early a red fox" });
    let submitted = clipia.submit(MODEL, input).webhook(&receiver.url).await.unwrap();
    until(|| !receiver.bodies.lock().unwrap().is_empty()).await;
    assert!(receiver.bodies.lock().unwrap()[0].contains(r#""status":"OK""#));
    let status = async || clipia.status(submitted.id()).await.unwrap().status;
    assert_eq!(status().await, clipia::Status::InProgress);
    assert!(matches!(submitted.wait().await.unwrap(), Outcome::Completed(_)));
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_of_a_scenario_has_its_credits_in_each_run() {
    const KEY: &str = "clipia_live_poor";
    let directory = tempfile::tempdir().unwrap();
    let run = async |credits: u64| {
        let scenario = format!("[[account]]\nkey = \"{KEY}\"\ncredits = {credits}").parse().unwrap();
        let data = Some(directory.path().to_owned());
        Emulator::start(Settings { scenario, data, pace: Pace::Auto, ..Settings::default() }).await
    };
    for _ in 0..2 {
        let emulator = run(20).await.unwrap();
        let clipia = client(&emulator, KEY);
        assert_eq!(clipia.account().await.unwrap().balance.credits, 20.into());
        outcome(&clipia, "a red fox").await.unwrap().completed().unwrap();
        let error = outcome(&clipia, "a red fox").await.unwrap_err();
        assert!(matches!(error, Error::InsufficientCredits(_)), "{error:?}");
        emulator.stop().await;
    }
    // Eight are left, and five would be a test of less than it says.
    let error = run(5).await.unwrap_err().to_string();
    assert!(error.contains("5 credits") && error.contains("its account has 8"), "{error}");
}
