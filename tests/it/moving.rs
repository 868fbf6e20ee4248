//! A server whose store moves to PostgreSQL.

use crate::contract::small_fox;
use crate::support::{Options, Receiver, Server, command, output, until};
use serde_json::{Value, json};
use std::path::Path;

const FOX: &str = "/v1/models/nano-banana-2";

/// What a command on a database says, which must succeed.
fn on(database: &str, arguments: &[&str]) -> Value {
    let ended = output(command(arguments).env("CLIPIA_DATABASE_URL", database).arg("--json"));
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    serde_json::from_slice(&ended.stdout).unwrap()
}

/// What a command on a data directory says, which must fail.
fn refused(data: &Path, arguments: &[&str]) -> String {
    let ended = output(command(arguments).arg("--data").arg(data));
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    String::from_utf8(ended.stderr).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_goes_on_in_a_database_where_it_stopped() {
    let Some(databases) = clipia_tests_postgres::Server::shared() else { return };
    let database = databases.database("template1");
    let url = database.url();
    let receiver = Receiver::start().await;
    let mut server = Server::start(Options { credits: Some(1_000), ..Options::default() });
    let submit = async |server: &Server| {
        let mut body = small_fox();
        body["webhook_url"] = receiver.url().into();
        let made = server.live().post(FOX, &body).await.expect(200).json();
        made["request_id"].as_str().unwrap().to_owned()
    };
    let result = async |server: &Server, id: &str| {
        until("the end", async || {
            let status = server.live().get(&format!("/v1/requests/{id}/status")).await.expect(200).json();
            (status["status"] == "COMPLETED").then_some(())
        })
        .await;
        server.live().get(&format!("/v1/requests/{id}")).await.expect(200).json()
    };
    let ended = submit(&server).await;
    let picture = result(&server, &ended).await;
    receiver.wait_until(|delivered| delivered["request_id"] == ended.as_str()).await;
    // Some wait when the server stops.
    server.administer(&["queues", "pause", "render"]);
    let waiting = [submit(&server).await, submit(&server).await];
    let (balance, url_before) = (server.balance().await, server.url.clone());

    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("store.jsonl");
    let file = file.to_str().unwrap();
    let running = refused(server.data(), &["export", file]);
    assert!(running.contains("is in use by another `clipia serve`"), "{running}");
    server.terminate();
    let exported = server.administer(&["export", file]);
    let moved = refused(server.data(), &["serve", "--listen", "127.0.0.1:0"]);
    assert!(moved.contains("clipia.moved"), "{moved}");
    on(&url, &["migrate"]);
    let imported = on(&url, &["import", file]);
    assert_eq!(imported["figures"], exported["figures"]);
    assert_eq!(imported["figures"]["requests"], json!({ "completed": 1, "queued": 2 }));

    server.options = server.options.clone().with(&["--database-url", &url]);
    server.restart();
    assert_eq!(server.balance().await, balance);
    let picture = picture.to_string().replace(&url_before, &server.url);
    let picture: Value = serde_json::from_str(&picture).unwrap();
    assert_eq!(result(&server, &ended).await, picture);
    for (position, id) in waiting.iter().enumerate() {
        let status = server.live().get(&format!("/v1/requests/{id}/status")).await.expect(200).json();
        assert_eq!((&status["status"], &status["queue_position"]), (&json!("IN_QUEUE"), &json!(position)));
    }
    // The media are where they were.
    let image = picture["output"]["images"][0]["original_url"].as_str().unwrap();
    server.live().get(&image[image.find("/media/").unwrap()..]).await.expect(200);
    server.administer(&["queues", "resume", "render"]);
    for id in &waiting {
        receiver.wait_until(|delivered| delivered["request_id"] == id.as_str()).await;
    }
    assert_eq!(server.administer(&["doctor"])["violation"], Value::Null);
}
