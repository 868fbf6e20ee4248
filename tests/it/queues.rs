//! Queues: turns go round the accounts, positions are those of that order, and an operator pauses and resumes.

use crate::contract::small_fox;
use crate::program::hold;
use crate::support::{Options, Raw, Server, command, output_on_terminal, until};
use clipia::Timestamp;
use serde_json::{Value, json};

const FOX: &str = "/v1/models/nano-banana-2";

/// Another account with credits, by its live key.
fn other_account(server: &Server) -> Raw {
    let account = server.administer(&["accounts", "create", "--credits", "1000"]);
    let account = account["account_id"].as_str().unwrap().to_owned();
    let key = server.administer(&["keys", "create", "--account", &account]);
    Raw::new(&server.url).key(key["key"].as_str().unwrap())
}

/// Submits a fox. Returns its id, and its position.
async fn submit(client: &Raw) -> (String, u64) {
    let submitted = client.post(FOX, &small_fox()).await.expect(200).json();
    (submitted["request_id"].as_str().unwrap().to_owned(), submitted["queue_position"].as_u64().unwrap())
}

async fn status(client: &Raw, id: &str) -> Value {
    client.get(&format!("/v1/requests/{id}/status")).await.expect(200).json()
}

async fn completed(client: &Raw, id: &str) {
    until("the fox", async || (status(client, id).await["status"] == "COMPLETED").then_some(())).await;
}

/// When a request was claimed first.
fn claimed_at(server: &Server, id: &str) -> Option<Timestamp> {
    let shown = server.administer(&["requests", "show", id]);
    let mut timeline = shown["timeline"].as_array().unwrap().iter();
    let started = timeline.find(|happened| happened["what"] == "started")?;
    Some(started["at"].as_str().unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_of_one_account_do_not_keep_another_waiting() {
    let mut server = Server::start(Options::default());
    let (one, other) = (server.live(), other_account(&server));
    server.administer(&["queues", "pause", "render"]);
    let mut many = Vec::new();
    for n in 0..200 {
        let (id, position) = submit(&one).await;
        assert_eq!(position, n);
        many.push(id);
    }
    let (first, position) = submit(&other).await;
    assert_eq!(position, 1);
    let (second, position) = submit(&other).await;
    assert_eq!(position, 3);
    // The turns are stored with the requests.
    server.kill9();
    server.restart();
    let (one, other) = (server.live(), Raw::new(&server.url).key(key_of(&other)));
    for (n, id) in (0..).zip(&many) {
        assert_eq!(status(&one, id).await["queue_position"], n + u64::min(n, 2), "{n}");
    }
    for (id, position) in [(&first, 1), (&second, 3)] {
        assert_eq!(status(&other, id).await["queue_position"], position);
    }
    let queues = server.administer(&["queues", "list"]);
    assert_eq!(
        json!([&queues[0]["waiting"], &queues[0]["running"], &queues[0]["accounts"], &queues[0]["order"]]),
        json!([202, 0, 2, "turns"])
    );

    server.administer(&["queues", "resume", "render"]);
    completed(&other, &first).await;
    completed(&other, &second).await;
    server.administer(&["queues", "pause", "render"]);
    let second = claimed_at(&server, &second).unwrap();
    let before = many.iter().take(20).filter(|id| claimed_at(&server, id).is_some_and(|at| at < second));
    // Two: but workers that claim at the same time may read the clock in another order.
    assert!(before.count() <= 2 + std::thread::available_parallelism().unwrap().get());
    assert_eq!(claimed_at(&server, &many[199]), None);
    let doctor = server.administer(&["doctor"]);
    assert_eq!(doctor["violation"], Value::Null, "{doctor}");
}

/// The key that a client calls with.
fn key_of(client: &Raw) -> &str {
    client.value("authorization").strip_prefix("Bearer ").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_queue_takes_submits_and_starts_nothing_until_it_is_resumed() {
    let mut server = Server::start(Options::default());
    let run = |server: &Server, arguments: &[&str]| {
        let ran = output_on_terminal(command(arguments).arg("--data").arg(server.data()));
        let text = [ran.stdout, ran.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        format!("$ clipia {}\n{text}--- exit code {}\n", arguments.join(" "), ran.status.code().unwrap())
    };
    let mut all = run(&server, &["queues", "list"]);
    all += &run(&server, &["queues", "pause", "render"]);
    let (id, position) = submit(&server.live()).await;
    assert_eq!((position, &status(&server.live(), &id).await["status"]), (0, &json!("IN_QUEUE")));
    let ready = async |server: &Server| {
        let ready = Raw::new(&server.url).get("/readyz").await.expect(200);
        String::from_utf8(ready.body.to_vec()).unwrap()
    };
    let metric = async |server: &Server, line: &str| {
        let metrics = Raw::new(&server.admin_url).get("/metrics").await.expect(200);
        String::from_utf8(metrics.body.to_vec()).unwrap().lines().any(|found| found == line)
    };
    assert_eq!(ready(&server).await, "ok, but paused by the operator: render\n");
    assert!(metric(&server, "clipia_queue_paused{queue=\"render\"} 1").await);
    server.kill9();
    server.restart();
    assert_eq!(ready(&server).await, "ok, but paused by the operator: render\n");
    all += &run(&server, &["queues", "pause", "render"]);
    all += &run(&server, &["queues", "list"]);
    all += &run(&server, &["queues", "list", "--json"]);
    assert_eq!(status(&server.live(), &id).await["status"], "IN_QUEUE");
    all += &run(&server, &["queues", "resume", "render"]);
    completed(&server.live(), &id).await;
    all += &run(&server, &["queues", "resume", "render"]);
    all += &run(&server, &["queues", "pause", "gpu"]);
    all += &run(&server, &["audit"]);
    assert_eq!(ready(&server).await, "ok\n");
    assert!(metric(&server, "clipia_queue_paused{queue=\"render\"} 0").await);
    hold("program_queues", &all);
}
