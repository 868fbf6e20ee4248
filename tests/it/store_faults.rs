//! A store that another program holds, and backups that cannot be written.

use crate::contract::small_fox;
use crate::support::{Options, Raw, Server, command, output, until};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const FOX: &str = "/v1/models/nano-banana-2";
const CLIP: &str = "/v1/models/seedance-2-fast-i2v";

/// The longest time of a call while the store is busy, on a busy machine.
const BOUNDED: Duration = Duration::from_secs(8);

/// The exit code and the stderr of a command that fails.
fn refused(server: &Server, directory: &Path, arguments: &[&str]) -> (i32, String) {
    let output = output(command(arguments).arg("--data").arg(server.data()).current_dir(directory));
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_another_program_holds_is_busy_until_it_is_free() {
    let server = Server::start(Options::default());
    let public = Raw::new(&server.url);
    let submitted = server.live().post(FOX, &small_fox()).await.expect(200).json();
    let id = submitted["request_id"].as_str().unwrap().to_owned();
    let status = format!("/v1/requests/{id}/status");
    until("the end", async || {
        (server.live().get(&status).await.expect(200).json()["status"] == "COMPLETED").then_some(())
    })
    .await;

    let other = rusqlite::Connection::open(server.data().join("clipia.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let asked = Instant::now();
    let mut responses = JoinSet::new();
    for _ in 0..20 {
        let client = server.live();
        responses.spawn(async move { (client.post(FOX, &small_fox()).await, asked.elapsed()) });
    }
    for (response, took) in responses.join_all().await {
        let wait = response.header("retry-after").parse::<u64>().unwrap();
        assert!((1..=10).contains(&wait) && took < BOUNDED, "{took:?}");
        assert_eq!(response.status, 503);
        let error: Value = response.json();
        assert_eq!(error["error"]["code"], "service_unavailable", "{error}");
        assert!(error["error"]["message"].as_str().unwrap().contains("the store is busy"), "{error}");
    }
    println!("the responses to twenty submits came after {:?}", asked.elapsed());
    // Calls that only read still work.
    server.live().get(&status).await.expect(200);
    server.live().get("/v1/account").await.expect(200);
    until("readiness", async || {
        let response = public.get("/readyz").await;
        (response.status == 503 && response.body == "the store is busy\n").then_some(())
    })
    .await;
    assert_eq!(public.get("/livez").await.status, 200);
    let (code, error) = refused(&server, Path::new("."), &["keys", "create"]);
    assert!(code == 6 && error.contains("the store is busy"), "{code} {error}");

    other.execute_batch("ROLLBACK").unwrap();
    until("readiness", async || (public.get("/readyz").await.status == 200).then_some(())).await;
    let again = server.live().post(FOX, &small_fox()).await.expect(200).json();
    let status = format!("/v1/requests/{}/status", again["request_id"].as_str().unwrap());
    until("the end", async || {
        (server.live().get(&status).await.expect(200).json()["status"] == "COMPLETED").then_some(())
    })
    .await;
    let findings = server.administer(&["doctor"]);
    assert_eq!(findings["violation"], Value::Null, "{findings}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_fails_says_where_and_why() {
    let mut server = Server::start(Options::default());
    let here = tempfile::tempdir().unwrap();
    let directory = here.path().canonicalize().unwrap();
    fs::write(directory.join("file"), "").unwrap();
    for (file, why) in [
        ("none/backup.db", "No such file or directory"),
        ("file", "exists already"),
        ("file/backup.db", "Not a directory"),
        (".", "exists already"),
    ] {
        let (code, error) = refused(&server, &directory, &["backup", file]);
        assert_eq!(code, 3, "{error}");
        let path: PathBuf = directory.join(file).components().collect();
        assert!(error.contains(path.to_str().unwrap()) && error.contains(why), "{file}: {error}");
    }
    // A relative path begins at the caller's directory, not at the server's.
    let output = output(command(&["backup", "mine.db", "--data"]).arg(server.data()).current_dir(&directory));
    assert!(output.status.success(), "{output:?}");
    assert!(directory.join("mine.db").is_file());

    // No space: the server may not write a file as large as the copy.
    let whole = fs::metadata(directory.join("mine.db")).unwrap().len();
    fs::remove_file(directory.join("mine.db")).unwrap();
    server.terminate();
    server.restart_with_largest_file(whole - 4_096);
    let (code, error) = refused(&server, &directory, &["backup", "mine.db"]);
    assert_eq!(code, 3, "{error}");
    let path = directory.join("mine.db");
    assert!(error.contains(path.to_str().unwrap()) && error.contains("File too large"), "{error}");
    let left: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["file"]);
    // The store refuses what it has no space for, and continues.
    let image = format!("data:image/png;base64,{}", "A".repeat(400_000));
    let large = json!({ "input": { "prompt": "sway", "image_url": image, "duration": 1 } });
    let response = server.live().post(CLIP, &large).await;
    response.expect_error("service_unavailable");
    assert_eq!(response.header("retry-after"), "10");
    server.live().post(FOX, &small_fox()).await.expect(200);
}
