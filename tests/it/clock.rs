//! A wall clock that is set while the server runs, and between two runs.

use crate::support::{Options, Receiver, Response, Server};
use clipia_webhook::TIMESTAMP_HEADER;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

const FOX: &str = "/v1/models/nano-banana-2";

/// An hour, in seconds.
const HOUR: i64 = 3_600;

/// The largest difference between a reported time and the clock, in seconds, on a busy machine.
const NEAR: i64 = 30;

/// The wall clock of one server.
struct WallClock(TempDir);

impl WallClock {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Sets the clock to a difference from the machine's, in seconds. The server reads it each time.
    fn set(&self, seconds: i64) {
        let part = self.0.path().join("part");
        std::fs::write(&part, seconds.to_string()).unwrap();
        std::fs::rename(part, self.0.path().join("clock")).unwrap();
    }

    /// A server with this clock, whose keys may make 100 requests a second.
    fn server(&self) -> Server {
        let environment = vec![("FAULT_CLOCK", self.0.path().join("clock").into())];
        Server::start(Options { rpm: Some(6_000), environment, ..Options::default() })
    }
}

/// The difference between a time on the wire and the machine's clock, in seconds.
fn beside(time: &Value) -> i64 {
    let time = time.as_str().unwrap().parse::<clipia::Timestamp>().unwrap();
    time.as_second() - machine()
}

/// The machine's clock, in seconds.
fn machine() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

/// Submits a generation with this webhook and this idempotency key.
async fn submit(server: &Server, webhook: &str, key: &str, sandbox: bool) -> Response {
    let client = if sandbox { server.sandbox() } else { server.live() };
    let input = json!({ "prompt": "a red fox", "resolution": "0.5K" });
    let body = json!({ "input": input, "webhook_url": webhook });
    client.header("idempotency-key", key).post(FOX, &body).await
}

fn id(response: Response) -> String {
    response.expect(200).json()["request_id"].as_str().unwrap().to_owned()
}

/// The id of the newest request in the operator's list.
fn newest(server: &Server) -> String {
    let listed = server.administer(&["requests", "list", "--limit", "1"]);
    listed[0]["request_id"].as_str().unwrap_or_else(|| panic!("{listed}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_changes_reported_times_and_no_duration() {
    let (clock, receiver) = (WallClock::new(), Receiver::start().await);
    let server = clock.server();
    let first = id(submit(&server, receiver.url(), "first", true).await);
    let mut pauses = vec![];
    // The rate limit stores the time of the calls.
    server.live().get("/v1/account").await.expect(200);
    for (row, seconds) in [-HOUR, HOUR, 25 * HOUR, -25 * HOUR, 0].into_iter().enumerate() {
        clock.set(seconds);
        let mut refused = 0;
        for _ in 0..100 {
            let response = server.live().get("/v1/account").await;
            if response.status == 429 {
                refused += 1;
                pauses.push(response.header("retry-after").to_owned());
            }
        }
        assert_eq!(
            refused,
            0,
            "of 100 calls, with the clock at {seconds} s; `Retry-After`: {:?}",
            pauses.last()
        );
        // An idempotency key is kept for a day of the server's time, not for one that the clock skipped.
        assert_eq!(id(submit(&server, receiver.url(), "first", true).await), first, "{seconds}");
        let another = id(submit(&server, receiver.url(), &format!("row {row}"), true).await);
        assert_eq!(newest(&server), another, "{seconds}");
        let delivery = receiver.wait_until(|body| body["request_id"] == another.as_str()).await;
        let signed = delivery.header(TIMESTAMP_HEADER).parse::<i64>().unwrap() - machine();
        let result = server.sandbox().get(&format!("/v1/requests/{another}")).await.expect(200).json();
        for (what, beside) in [
            ("signed at", signed),
            ("created_at", beside(&result["created_at"])),
            ("completed_at", beside(&result["completed_at"])),
        ] {
            assert!((beside - seconds).abs() < NEAR, "{what}: {beside} s beside, not {seconds}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_between_two_runs_delays_nothing() {
    let (clock, receiver) = (WallClock::new(), Receiver::start().await);
    clock.set(HOUR);
    let mut server = clock.server();
    receiver.respond_with([500]);
    let before = id(submit(&server, receiver.url(), "before", true).await);
    let webhook = async |server: &Server| {
        crate::support::until("the failed attempt", async || {
            let listed = server.administer(&["webhooks", "list"]);
            Some(listed[0].clone()).filter(|delivery| delivery["attempts"] == 1)
        })
        .await
    };
    let due = beside(&webhook(&server).await["next_at"]);
    assert!((due - HOUR).abs() < NEAR, "due {due} s beside");
    server.kill9();
    clock.set(0);
    server.restart();
    let due = beside(&webhook(&server).await["next_at"]);
    assert!(due < NEAR, "the next attempt is due in {due} s");
    assert_eq!(id(submit(&server, receiver.url(), "before", true).await), before);
    let after = id(submit(&server, receiver.url(), "after", true).await);
    assert_eq!(newest(&server), after);
    let result = server.sandbox().get(&format!("/v1/requests/{after}")).await.expect(200).json();
    let created = beside(&result["created_at"]);
    assert!(created.abs() < NEAR, "created {created} s beside");
}
