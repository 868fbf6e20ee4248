//! Uploads: files of the caller as inputs; their bounds, their end, and what a broken one leaves.

use crate::contract::held;
use crate::support::{DEADLINE, Options, Raw, Response, Server, Spec, command, output, until};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use clipia::{Clipia, Error, Outcome};
use clipia_queue::uploads::{BYTES_MAX, KEPT};
use http::Method;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const UPLOADS: &str = "/v1/uploads";
const SWAY: &str = "/v1/models/seedance-2-fast-i2v";
const SPEECH: &str = "/v1/models/gemini-3-1-flash-tts";

/// A picture of one colour.
fn picture() -> Bytes {
    let mut png = std::io::Cursor::new(Vec::new());
    let mut canvas = image::RgbImage::new(64, 36);
    canvas.pixels_mut().for_each(|pixel| pixel.0 = [200, 90, 20]);
    canvas.write_to(&mut png, image::ImageFormat::Png).unwrap();
    png.into_inner().into()
}

async fn upload(client: &Raw, query: &str, body: Bytes) -> Response {
    let client = client.clone().header("content-type", "application/octet-stream");
    client.send(Method::POST, &format!("{UPLOADS}{query}"), body).await
}

fn sway(url: &str) -> Value {
    json!({ "input": { "prompt": "sway", "image_url": url, "duration": 1, "resolution": "480p" } })
}

/// The result of a request, once it has ended.
async fn ended(server: &Server, submitted: &Value) -> Value {
    let path = format!("/v1/requests/{}", submitted["request_id"].as_str().unwrap());
    until("the end", async || {
        let response = server.live().get(&path).await;
        (response.status == 200).then(|| response.json())
    })
    .await
}

/// The directories of uploads, in order.
fn kept(server: &Server) -> Vec<PathBuf> {
    let entries = fs::read_dir(server.data().join("media/uploads")).into_iter().flatten();
    let mut kept: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    kept.sort();
    kept
}

/// Waits for a sweep since the server started.
async fn sweep(server: &Server) {
    const ROUNDS: &str = "clipia_maintenance_rounds_total{service=\"upload_sweeper\",outcome=\"completed\"}";
    until("a sweep", async || {
        let metrics = Raw::new(&server.admin_url).get("/metrics").await.expect(200).body;
        String::from_utf8(metrics.to_vec()).unwrap().contains(ROUNDS).then_some(())
    })
    .await;
}

/// Whether no file is staged.
fn nothing_is_staged(server: &Server) -> bool {
    fs::read_dir(server.staging()).map_or(true, |mut entries| entries.next().is_none())
}

fn path_of<'u>(server: &Server, url: &'u str) -> &'u str {
    url.strip_prefix(&server.url).unwrap_or_else(|| panic!("{url} is not of {}", server.url))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_uploaded_picture_is_the_input_of_a_clip() {
    let (spec, server) = (Spec::load(), Server::start(Options::default()));
    let png = picture();
    let response = upload(&server.live(), "?file_name=my%20fox.png", png.clone()).await.expect(201);
    let uploaded = held(&spec, &response, "Upload");
    let url = uploaded["url"].as_str().unwrap();
    assert!(
        url.starts_with(&format!("{}/media/uploads/", server.url)) && url.ends_with("/my-fox.png"),
        "{url}"
    );
    assert_eq!(
        (&uploaded["file_name"], &uploaded["content_type"], &uploaded["file_size"]),
        (&json!("my-fox.png"), &json!("image/png"), &json!(png.len()))
    );
    assert!(nothing_is_staged(&server));

    // Whoever knows the URL may read the file. A browser saves it.
    let file = Raw::new(&server.url).get(path_of(&server, url)).await.expect(200);
    assert!(file.body == png);
    for (name, value) in [
        ("content-type", "image/png"),
        ("content-disposition", "attachment"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(file.header(name), value);
    }
    assert!(file.header("content-security-policy").contains("sandbox"));

    let submitted = server.live().post(SWAY, &sway(url)).await.expect(200).json();
    let result = ended(&server, &submitted).await;
    assert_eq!(result["status"], "COMPLETED", "{result}");
    // The same picture in the input itself makes the same clip.
    let data = format!("data:image/png;base64,{}", STANDARD.encode(&png));
    let submitted = server.live().post(SWAY, &sway(&data)).await.expect(200).json();
    assert_eq!(ended(&server, &submitted).await["status"], "COMPLETED");

    // Another account may name it, and a sandbox key may upload.
    let account = server.administer(&["accounts", "create", "--credits", "1000"]);
    let other = server.administer(&["keys", "create", "--account", account["account_id"].as_str().unwrap()]);
    let other = Raw::new(&server.url).key(other["key"].as_str().unwrap());
    other.post(SWAY, &sway(url)).await.expect(200);
    upload(&server.sandbox(), "", png).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_and_a_type_follow_from_what_is_sent() {
    let server = Server::start(Options::default());
    for (query, body, name, content_type) in [
        ("", picture(), "file.png", "image/png"),
        ("?file_name=fox", picture(), "fox.png", "image/png"),
        ("?file_name=../../etc/passwd", Bytes::from_static(b"root"), "passwd", "application/octet-stream"),
        ("?file_name=%00%0d%0a.mp4", Bytes::from_static(b"a clip"), "file.mp4", "video/mp4"),
        ("?file_name=page.html", Bytes::from_static(b"<script>"), "page.html", "text/html"),
        ("?other=1", Bytes::from_static(b"\x07"), "file", "application/octet-stream"),
    ] {
        let uploaded = upload(&server.live(), query, body.clone()).await.expect(201).json();
        assert_eq!(
            (&uploaded["file_name"], &uploaded["content_type"]),
            (&json!(name), &json!(content_type)),
            "{query}"
        );
        let url = uploaded["url"].as_str().unwrap();
        let file = Raw::new(&server.url).get(path_of(&server, url)).await.expect(200);
        assert_eq!(
            (file.body, file.headers["content-type"].to_str().unwrap()),
            (body, content_type),
            "{query}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_refused_with_its_reason_and_leaves_nothing() {
    let server = Server::start(Options::default());
    upload(&Raw::new(&server.url), "", picture()).await.expect_error("invalid_api_key");
    let reader = server.administer(&["keys", "create", "--scope", "read"]);
    let reader = Raw::new(&server.url).key(reader["key"].as_str().unwrap());
    upload(&reader, "", picture()).await.expect_error("insufficient_scope");
    upload(&server.live(), "", Bytes::new()).await.expect_error("invalid_request");
    server.live().send(Method::GET, UPLOADS, Bytes::new()).await.expect(405);

    // A length that is too large is refused before a byte is read. One that is not announced is refused on the way.
    let announced = format!("content-length: {}", BYTES_MAX + 1);
    let refused = refused(&server, &announced, 0).await;
    assert!(refused.contains(" 413 ") && refused.contains("upload_too_large"), "{refused}");
    let chunked = self::refused(&server, "transfer-encoding: chunked", BYTES_MAX + 1).await;
    assert!(chunked.contains(" 413 ") && chunked.contains("the file is longer than 100 MiB"), "{chunked}");
    until("nothing is left", async || (nothing_is_staged(&server) && kept(&server).is_empty()).then_some(()))
        .await;
    assert!(server.memory_peak() < 256, "{} MiB", server.memory_peak());

    // A URL of an upload that never was.
    let nowhere = format!("{}/media/uploads/00112233445566778899aabbccddeeff/fox.png", server.url);
    let response = server.live().post(SWAY, &sway(&nowhere)).await;
    response.expect_error("model_input_invalid");
    assert!(response.json()["error"]["message"].as_str().unwrap().starts_with("`image_url` names no upload"));

    // A body that is too long for a submit says what to do.
    let data = format!("data:image/png;base64,{}", "A".repeat(7 * 1024 * 1024));
    let response = server.live().post(SWAY, &sway(&data)).await.expect(400);
    assert!(
        response.json()["error"]["message"].as_str().unwrap().contains("`POST /v1/uploads`"),
        "{response:?}"
    );
}

/// Sends the head of an upload, and then so many bytes in chunks; returns the beginning of the response.
async fn refused(server: &Server, length: &str, bytes: u64) -> String {
    use tokio::io::AsyncReadExt;
    let stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
    let (mut reads, mut writes) = stream.into_split();
    let key = server.live().value("authorization").to_owned();
    let head = format!("POST {UPLOADS} HTTP/1.1\r\nhost: a\r\nauthorization: {key}\r\n{length}\r\n\r\n");
    writes.write_all(head.as_bytes()).await.unwrap();
    let sending = tokio::spawn(async move {
        let piece = vec![7; 1024 * 1024];
        let mut left = bytes;
        while left > 0 {
            let some = left.min(piece.len() as u64);
            let chunk = &piece[..usize::try_from(some).unwrap()];
            let sent = async {
                writes.write_all(format!("{some:x}\r\n").as_bytes()).await?;
                writes.write_all(chunk).await?;
                writes.write_all(b"\r\n").await
            };
            if sent.await.is_err() {
                return;
            }
            left -= some;
        }
        // The other side may have closed the connection.
        let _ = writes.write_all(b"0\r\n\r\n").await;
        let _ = writes.shutdown().await;
    });
    let mut said = vec![0; 4_096];
    let read = tokio::time::timeout(DEADLINE, reads.read(&mut said)).await.unwrap().unwrap();
    sending.abort();
    String::from_utf8_lossy(&said[..read]).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let mut server = Server::start(Options::default());
    let half = async |server: &Server| {
        let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
        let key = server.live().value("authorization").to_owned();
        let head = format!(
            "POST {UPLOADS} HTTP/1.1\r\nhost: a\r\nauthorization: {key}\r\ncontent-length: 4000000\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&vec![7; 2_000_000]).await.unwrap();
        until("some of it is on the disk", async || (!nothing_is_staged(server)).then_some(())).await;
        stream
    };
    // The client goes away.
    drop(half(&server).await);
    until("it is removed", async || nothing_is_staged(&server).then_some(())).await;
    assert_eq!(kept(&server), Vec::<PathBuf>::new());
    // The server is killed.
    let _stream = half(&server).await;
    server.kill9();
    assert!(!nothing_is_staged(&server));
    server.restart();
    until("it is swept", async || nothing_is_staged(&server).then_some(())).await;
    assert_eq!(kept(&server), Vec::<PathBuf>::new());
    upload(&server.live(), "", picture()).await.expect(201);
}

/// A server whose clock a test sets between two runs, and whose disk is full while a file exists.
struct Faulty {
    directory: TempDir,
    server: Server,
}

impl Faulty {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let environment: Vec<(&str, OsString)> = vec![
            ("FAULT_CLOCK", directory.path().join("clock").into()),
            ("FAULT_MEDIA_FULL", directory.path().join("full").into()),
        ];
        let server = Server::start(Options { environment, ..Options::default() });
        Self { directory, server }
    }

    /// Starts the server again, when an upload of the first run has expired.
    fn restart_later(&mut self) {
        let later = KEPT.as_secs() + 60;
        fs::write(self.directory.path().join("clock"), later.to_string()).unwrap();
        self.server.kill9();
        self.server.restart();
    }

    fn full(&self) -> PathBuf {
        self.directory.path().join("full")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_upload_is_removed_and_cannot_be_named() {
    let mut faulty = Faulty::start();
    let uploaded = upload(&faulty.server.live(), "", picture()).await.expect(201).json();
    let (first, path) = (faulty.server.url.clone(), uploaded["url"].as_str().unwrap().to_owned());
    let path = path.strip_prefix(&first).unwrap().to_owned();
    // What a process left that ended before it stored the upload: old files are removed, and new ones stay.
    let left = |secret: &str| faulty.server.data().join("media/uploads").join(secret);
    let (old, new) = (left(&"0".repeat(32)), left(&"1".repeat(32)));
    for directory in [&old, &new] {
        fs::create_dir_all(directory).unwrap();
        fs::write(directory.join("fox.png"), "a fox").unwrap();
    }
    let past = std::time::SystemTime::now() - KEPT - Duration::from_secs(1);
    fs::File::open(&old).unwrap().set_modified(past).unwrap();
    // A process whose clock was not set finds the old one alone.
    faulty.server.kill9();
    faulty.server.restart();
    until("the old one is swept", async || (!old.exists()).then_some(())).await;
    assert!(new.exists() && kept(&faulty.server).len() == 2);
    Raw::new(&faulty.server.url).get(&path).await.expect(200);

    faulty.restart_later();
    let server = &faulty.server;
    let response = server.live().post(SWAY, &sway(&format!("{}{path}", server.url))).await;
    response.expect_error("model_input_invalid");
    until("both are swept", async || kept(server).is_empty().then_some(())).await;
    Raw::new(&server.url).get(&path).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_waits_keeps_its_upload() {
    let mut faulty = Faulty::start();
    let uploaded = upload(&faulty.server.live(), "", picture()).await.expect(201).json();
    // The disk is full: generations wait, and no file is taken.
    fs::write(faulty.full(), "").unwrap();
    let words = json!({ "input": { "prompt": "a word" } });
    faulty.server.live().post(SPEECH, &words).await.expect(200);
    until("the pause", async || {
        (Raw::new(&faulty.server.url).get("/readyz").await.status == 503).then_some(())
    })
    .await;
    let refused = upload(&faulty.server.live(), "", picture()).await;
    refused.expect_error("service_unavailable");
    assert!(refused.header("retry-after").parse::<u32>().unwrap() > 0);
    let url = uploaded["url"].as_str().unwrap();
    let submitted = faulty.server.live().post(SWAY, &sway(url)).await.expect(200).json();
    let before = kept(&faulty.server);

    let path = path_of(&faulty.server, url).to_owned();
    faulty.restart_later();
    let again = format!("{}{path}", faulty.server.url);
    faulty.server.live().post(SWAY, &sway(&again)).await.expect_error("model_input_invalid");
    sweep(&faulty.server).await;
    assert_eq!(kept(&faulty.server), before);
    fs::remove_file(faulty.full()).unwrap();
    let result = ended(&faulty.server, &submitted).await;
    assert_eq!(result["status"], "COMPLETED", "{result}");
    faulty.server.kill9();
    faulty.server.restart();
    until("it is swept", async || kept(&faulty.server).is_empty().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_an_upload_and_pauses_nothing() {
    let faulty = Faulty::start();
    upload(&faulty.server.live(), "", picture()).await.expect(201);
    fs::write(faulty.full(), "").unwrap();
    upload(&faulty.server.live(), "", picture()).await.expect_error("service_unavailable");
    assert_eq!(Raw::new(&faulty.server.url).get("/readyz").await.status, 200);
    assert!(nothing_is_staged(&faulty.server) && kept(&faulty.server).len() == 1);
    fs::remove_file(faulty.full()).unwrap();
    upload(&faulty.server.live(), "", picture()).await.expect(201);
}

fn client(server: &Server) -> Clipia {
    Clipia::builder().base_url(&server.url).key(&server.live_key).build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_uploads_a_file_and_bytes() {
    let server = Server::start(Options::default());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fox.png");
    fs::write(&path, picture()).unwrap();
    let clipia = client(&server);
    let fox = clipia.upload(&path).await.unwrap();
    assert_eq!((fox.file_name.as_deref(), fox.file_size), (Some("fox.png"), Some(picture().len() as u64)));
    assert!(fox.expires_at.is_some());
    let input = json!({ "image_url": fox.url, "duration": 1, "resolution": "480p" });
    let outcome = clipia.subscribe("seedance-2-fast-i2v", input).await.unwrap();
    assert!(matches!(outcome, Outcome::Completed(_)), "{outcome:?}");

    // A long file: it arrives whole, and is in memory nowhere.
    let long = directory.path().join("long.bin");
    let bytes: Vec<u8> = (0..20_000_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
    fs::write(&long, &bytes).unwrap();
    let uploaded = clipia.upload(&long).await.unwrap();
    let file = Raw::new(&server.url).get(path_of(&server, &uploaded.url)).await.expect(200);
    assert!(file.body == bytes);

    let named = clipia.upload_bytes(picture(), "hen").await.unwrap();
    assert_eq!(
        (named.file_name.as_deref(), named.content_type.as_deref()),
        (Some("hen.png"), Some("image/png"))
    );
    let missing = clipia.upload(directory.path().join("none.png")).await.unwrap_err();
    assert!(
        matches!(&missing, Error::UploadFile { .. }) && missing.to_string().contains("none.png"),
        "{missing}"
    );
    let empty = clipia.upload_bytes("", "empty.png").await.unwrap_err();
    assert_eq!(empty.to_string(), "`empty.png` is empty; pass a file with content");
}

/// Runs the program as a client, in `directory`.
fn run(directory: &Path, server: &Server, arguments: &[&str]) -> (Output, String) {
    let mut ran = command(arguments);
    ran.current_dir(directory).env("CLIPIA_BASE_URL", &server.url).env("CLIPIA_KEY", &server.live_key);
    let output = output(&mut ran);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, said)
}

#[test]
fn the_program_uploads_the_files_of_an_input() {
    let server = Server::start(Options::default());
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let picture_at = |name: &str| format!("image_url=@{name}");
    let run = |command: &str, name: &str| {
        let file = picture_at(name);
        let set = ["--set", &file, "--set", "duration=1", "--set", "resolution=480p"];
        run(here, &server, &[&[command, "seedance-2-fast-i2v"], &set[..]].concat())
    };
    // A file that is not there is found before anything is sent.
    for command in ["generate", "estimate"] {
        let (ran, said) = run(command, "none.png");
        assert_eq!(ran.status.code(), Some(1), "{said}");
        assert!(said.contains("`--set image_url=@none.png`: cannot read the file"), "{said}");
    }
    fs::write(here.join("fox.png"), picture()).unwrap();
    let (ran, said) = run("estimate", "fox.png");
    assert!(ran.status.success(), "{said}");
    assert_eq!(serde_json::from_slice::<Value>(&ran.stdout).unwrap()["credits"], 12);
    assert!(kept(&server).is_empty());

    let (ran, said) = run("generate", "fox.png");
    assert!(ran.status.success() && said.contains("uploaded fox.png\n"), "{said}");
    let submitted: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(kept(&server).len(), 1);
    let id = submitted["request_id"].as_str().unwrap();
    let (ran, said) = self::run(here, &server, &["result", id]);
    assert!(ran.status.success(), "{said}");
}
