//! Servers whose media are in an S3-compatible store.

use crate::support::s3::{BUCKET, KEY_ID, S3, SECRET};
use crate::support::{Options, Raw, Server, command, output, until};
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

const SWAY: &str = "/v1/models/seedance-2-fast-i2v";
const SPEECH: &str = "/v1/models/gemini-3-1-flash-tts";

/// The environment of a server with this store.
fn environment(store: &S3) -> Vec<(&'static str, std::ffi::OsString)> {
    let of = |name, value: &str| (name, value.into());
    vec![
        of("AWS_ENDPOINT_URL", &store.url),
        of("AWS_ALLOW_HTTP", "true"),
        of("AWS_ACCESS_KEY_ID", KEY_ID),
        of("AWS_SECRET_ACCESS_KEY", SECRET),
    ]
}

fn server(store: &S3) -> Server {
    let arguments = vec![format!("--media=s3://{BUCKET}/files")];
    Server::start(Options { arguments, environment: environment(store), ..Options::default() })
}

async fn submit(server: &Server, model: &str, input: Value) -> String {
    let submitted = server.live().post(model, &json!({ "input": input })).await.expect(200).json();
    submitted["request_id"].as_str().unwrap().to_owned()
}

async fn readiness(server: &Server) -> String {
    String::from_utf8(Raw::new(&server.url).get("/readyz").await.body.to_vec()).unwrap()
}

/// The path of a file of the server.
fn path_of<'u>(server: &Server, url: &'u str) -> &'u str {
    url.strip_prefix(&server.url).unwrap_or_else(|| panic!("{url} is not of {}", server.url))
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_served_from_a_bucket_and_removed_by_retention() {
    let store = S3::start().await;
    let (mut server, other) = (server(&store), server(&store));
    // An upload to one server is an input of a generation.
    let mut picture = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(64, 36).write_to(&mut picture, image::ImageFormat::Png).unwrap();
    let picture = Bytes::from(picture.into_inner());
    let upload = server.live().header("content-type", "application/octet-stream");
    let uploaded =
        upload.send(Method::POST, "/v1/uploads?file_name=fox.png", picture.clone()).await.expect(201).json();
    let url = uploaded["url"].as_str().unwrap();
    let id = submit(
        &server,
        SWAY,
        json!({ "prompt": "sway", "image_url": url, "duration": 1, "resolution": "480p" }),
    )
    .await;
    let made = server.result(&id).await;
    assert_eq!(made["status"], "COMPLETED", "{made}");
    let file = path_of(&server, made["output"]["video"]["url"].as_str().unwrap()).to_owned();
    let upload = path_of(&server, url).to_owned();
    let (file, upload) = (file.as_str(), upload.as_str());
    // Every server with the bucket serves both, by the rules of HTTP.
    let (here, there) = (Raw::new(&server.url), Raw::new(&other.url));
    let whole = here.get(file).await.expect(200);
    assert!(whole.body.len() > 1_000);
    assert_eq!(whole.header("content-type"), "video/mp4");
    for client in [&here, &there] {
        assert_eq!(client.get(upload).await.expect(200).body, picture);
        assert_eq!(client.get(file).await.expect(200).body, whole.body);
        let part = client.clone().header("range", "bytes=100-299").get(file).await.expect(206);
        assert_eq!(part.body, whole.body[100..300]);
        assert_eq!(part.header("etag"), whole.header("etag"));
        client.clone().header("if-none-match", whole.header("etag")).get(file).await.expect(304);
        let head = client.send(Method::HEAD, file, Bytes::new()).await.expect(200);
        assert_eq!(head.header("content-length"), whole.body.len().to_string());
        client.get(&file.replace("video", "none")).await.expect_error("not_found");
    }
    assert!(store.keys().iter().all(|key| key.starts_with("files/")), "{:?}", store.keys());
    assert!(!server.data().join("media").exists());

    // A month and a day later, neither is kept any more. Files of requests that the store does not know stay.
    let unknown = format!("files/01900000-0000-7000-8000-000000000000/{:032x}/a.png", 7);
    store.leave(&unknown);
    let clock = server.data().join("clock");
    std::fs::write(&clock, (31 * 24 * 60 * 60).to_string()).unwrap();
    server.options.environment.push(("FAULT_CLOCK", clock.into()));
    server.terminate();
    server.restart();
    until("all files to be removed", async || (store.keys() == [unknown.clone()]).then_some(())).await;
    for path in [file, upload] {
        Raw::new(&server.url).get(path).await.expect_error("not_found");
        there.get(path).await.expect_error("not_found");
    }
    let expired = server.live().get(&format!("/v1/requests/{id}")).await.expect(200).json();
    assert!(expired["expired_at"].is_string(), "{expired}");
}

#[tokio::test(flavor = "multi_thread")]
async fn generations_wait_for_a_store_that_is_away_and_none_is_lost() {
    let store = S3::start().await;
    let mut server = server(&store);
    let first = submit(&server, SPEECH, json!({ "prompt": "a word" })).await;
    let first = server.result(&first).await;
    // It goes away in the middle of an output of several files or of the next one.
    store.go_away_after(1);
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(submit(&server, SPEECH, json!({ "prompt": "a word" })).await);
    }
    until("the pause", async || (readiness(&server).await == "media cannot be written\n").then_some(()))
        .await;
    let upload = server.live().header("content-type", "application/octet-stream");
    let refused = upload.send(Method::POST, "/v1/uploads", Bytes::from_static(b"fox")).await;
    refused.expect_error("service_unavailable");
    Raw::new(&server.url).get("/livez").await.expect(200);
    // Nothing is lost with the process either.
    server.kill9();
    store.come_back();
    server.restart();
    for id in &ids {
        assert_eq!(server.result(id).await["status"], "COMPLETED");
    }
    assert_eq!(readiness(&server).await, "ok\n");
    // A file from before, at the address of the server that has started since.
    let url = first["output"]["audio"]["url"].as_str().unwrap();
    Raw::new(&server.url).get(&url[url.find("/media/").unwrap()..]).await.expect(200);
    until("the sweep of files that no output names", async || {
        let of_request = |id: &String| store.keys().iter().filter(|key| key.contains(id)).count();
        ids.iter().all(|id| of_request(id) == 1).then_some(())
    })
    .await;
    assert_eq!(server.administer(&["doctor"])["violation"], Value::Null);
    let log = server.log();
    assert!(![SECRET, KEY_ID].iter().any(|secret| log.contains(secret)), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_does_not_start_with_a_store_that_it_cannot_use() {
    let store = S3::start().await;
    let data = tempfile::tempdir().unwrap();
    for (variable, value, expected) in [
        ("AWS_SECRET_ACCESS_KEY", "another+secret", "SignatureDoesNotMatch"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1", "refused"),
        ("CLIPIA_SERVE_MEDIA", "https://clipia.s3.amazonaws.com", "no other kind of URL"),
    ] {
        let mut serve = command(&["serve", "--listen=127.0.0.1:0", "--data"]);
        serve.arg(data.path()).env("CLIPIA_SERVE_MEDIA", format!("s3://{BUCKET}/files"));
        serve.envs(environment(&store)).env(variable, value);
        let ended = tokio::task::spawn_blocking(move || output(&mut serve)).await.unwrap();
        let told = String::from_utf8(ended.stderr).unwrap();
        assert!(!ended.status.success() && told.contains(expected), "{told}");
        assert!(![SECRET, KEY_ID, "another+secret"].iter().any(|secret| told.contains(secret)), "{told}");
    }
    let mut printed = command(&["serve", "--print-config", "--media", "s3://clipia/files"]);
    let printed = output(printed.envs(environment(&store)));
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(printed.contains("media = \"s3://clipia/files\""), "{printed}");
    assert!(!printed.contains(SECRET), "{printed}");
}
