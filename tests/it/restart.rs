//! What was acknowledged goes on, however the server ended.

use crate::support::{Options, Receiver, Server, clipia, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::Command;

/// Submits ten generations with webhooks, the slowest first in line; returns their ids.
async fn submit_ten(server: &Server, webhook: &str) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..10 {
        let resolution = if number % 3 == 0 { "2K" } else { "0.5K" };
        let input = json!({ "prompt": format!("fox {number}"), "resolution": resolution });
        let body = json!({ "input": input, "webhook_url": webhook });
        let submitted = server.live().post("/v1/models/nano-banana-2", &body).await.expect(200).json();
        ids.push(submitted["request_id"].as_str().unwrap().to_owned());
    }
    ids
}

/// How many of these requests have ended, each well.
async fn completed(server: &Server, ids: &[String]) -> usize {
    let mut completed = 0;
    for id in ids {
        let status = server.live().get(&format!("/v1/requests/{id}/status")).await.expect(200).json();
        assert!(status["status"] != "FAILED", "{status}");
        completed += usize::from(status["status"] == "COMPLETED");
    }
    completed
}

/// Waits until all have ended; each must have been charged once, and told of.
async fn all_end(server: &Server, ids: &[String], receiver: &Receiver) {
    until("all ten", || async { (completed(server, ids).await == 10).then_some(()) }).await;
    // Four pictures of 24 credits and six of 12.
    assert_eq!(server.balance().await, 10_000 - 4 * 24 - 6 * 12);
    let wanted: BTreeSet<String> = ids.iter().cloned().collect();
    let mut count = 10;
    loop {
        let deliveries = receiver.wait_for(count).await;
        let told: BTreeSet<String> = deliveries
            .iter()
            .map(|delivery| serde_json::from_slice::<Value>(&delivery.body).unwrap())
            .map(|body| body["request_id"].as_str().unwrap().to_owned())
            .collect();
        if told == wanted {
            break;
        }
        // One came twice, as it may: wait for another.
        count = deliveries.len() + 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_generations_outlive_kill_9_and_are_charged_once() {
    for ended_before in [0, 3] {
        let receiver = Receiver::start().await;
        let mut server = Server::start(Options::default());
        let ids = submit_ten(&server, receiver.url()).await;
        until("the middle", || async { (completed(&server, &ids).await >= ended_before).then_some(()) })
            .await;
        server.kill9();
        server.restart();
        all_end(&server, &ids, &receiver).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_in_the_middle_ends_well_and_the_rest_goes_on() {
    let receiver = Receiver::start().await;
    let mut server = Server::start(Options::default());
    let ids = submit_ten(&server, receiver.url()).await;
    assert_eq!(server.terminate().code(), Some(0), "{}", server.log());
    server.restart();
    all_end(&server, &ids, &receiver).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_in_use_is_refused() {
    let server = Server::start(Options::default());
    let mut second = Command::new(clipia());
    second.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(server.data());
    let output = second.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("is in use by another `clipia serve`"), "{error}");
    server.live().get("/v1/account").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_adds_a_model_and_is_told_of_a_fault() {
    let mut server = Server::start(Options::default());
    let models = server.data().join("models.toml");
    let template = std::fs::read_to_string(&models).unwrap();
    let example: Vec<&str> = template.lines().filter_map(|line| line.strip_prefix("#: ")).collect();
    server.terminate();
    std::fs::write(&models, example.join("\n")).unwrap();
    server.restart();
    let body = json!({ "input": { "prompt": "fox" } });
    let submitted = server.sandbox().post("/v1/models/house-style", &body).await.expect(200).json();
    assert_eq!(submitted["cost"], 5);

    server.terminate();
    std::fs::write(&models, "[[model]]\nexecutor = \"render\"\nslug = \"My model\"\ntype = \"image\"\n")
        .unwrap();
    let mut serve = Command::new(clipia());
    let output =
        serve.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(server.data()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.contains("`models.toml`: model `My model`: `slug` must be of lower-case letters"),
        "{error}"
    );
}
