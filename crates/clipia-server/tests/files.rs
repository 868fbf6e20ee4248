//! Files of any type and length, from the directory of a program to a client.

#![allow(clippy::unwrap_used)] // test code, helpers of tests included: a failed expectation stops the test

use async_trait::async_trait;
use clipia_server::clock::SystemClock;
use clipia_server::executors::{Executor, Job, JobControl, JobError, JobOutput};
use clipia_server::{Config, RateLimit, Service};
use clipia_store_sqlite::SqliteStore;
use clipia_worker::collect::collect;
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const MIB: u64 = 1024 * 1024;

/// The length of the long file.
const LONG: u64 = 1024 * MIB;

/// The most memory that a file of this length may cost.
const MEMORY_MAX: u64 = 32 * MIB;

const MODELS: &str = r#"
[[model]]
executor = "program"
slug = "program"
type = "image"
pricing = { credits = 1 }
input_schema = { parameters = [{ name = "prompt", type = "string" }] }
"#;

/// An executor whose output is in a directory already, by the prompt.
struct Program(PathBuf);

#[async_trait]
impl Executor for Program {
    async fn run(&self, job: Job, _: JobControl) -> Result<JobOutput, JobError> {
        let out = self.0.join(job.input["prompt"].as_str().unwrap());
        let collected = collect(&out, 2 * LONG, Map::new()).await;
        let (output, files) = collected.map_err(|refused| JobError::Failed(refused.to_string()))?;
        Ok(JobOutput { output, files })
    }
}

/// The largest resident memory of this process so far, in bytes. The server runs in it.
fn memory_peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

struct Served {
    service: Service,
    http: reqwest::Client,
}

impl Served {
    async fn call(&self, call: reqwest::RequestBuilder) -> Value {
        let key = &self.service.first_keys().unwrap().live_key;
        let response = call.bearer_auth(key).send().await.unwrap();
        serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
    }

    /// The result of a generation, once it has ended.
    async fn generated(&self, prompt: &str) -> Value {
        let body = json!({ "input": { "prompt": prompt } }).to_string();
        let url = format!("{}/v1/models/program", self.service.url());
        let submitted = self.call(self.http.post(url).body(body)).await;
        let url = submitted["response_url"].as_str().unwrap();
        loop {
            let result = self.call(self.http.get(url)).await;
            if result["status"] != "IN_QUEUE" && result["status"] != "IN_PROGRESS" {
                return result;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_of_any_length_and_type_reaches_the_client_and_takes_no_memory() {
    let (data, made) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let small = made.path().join("small");
    fs::create_dir(&small).unwrap();
    fs::write(small.join("page one.html"), "<script>alert(1)</script>").unwrap();
    fs::write(small.join("mark.svg"), "<svg xmlns=\"http://www.w3.org/2000/svg\"/>").unwrap();
    fs::write(small.join("notes.txt"), "a fox").unwrap();
    let long = made.path().join("long");
    fs::create_dir(&long).unwrap();
    let mut file = File::create(long.join("weights.bin")).unwrap();
    file.set_len(LONG).unwrap();
    file.seek(SeekFrom::Start(LONG - 3)).unwrap();
    file.write_all(b"end").unwrap();

    fs::write(data.path().join("models.toml"), MODELS).unwrap();
    let config = Config {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        limit: Some(RateLimit::per_minute(0)),
        ..Config::new(data.path())
    };
    let store = Arc::new(SqliteStore::open(data.path(), Arc::new(SystemClock)).unwrap());
    let executor = Arc::new(Program(made.path().to_owned()));
    let service = Service::builder(config).store(store).executor("program", executor, 1);
    // The service sets up TLS for the process.
    let service = service.start().await.unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let served = Served { service, http };

    let small = served.generated("small").await;
    let mut seen = Vec::new();
    for file in small["output"]["files"].as_array().unwrap() {
        let response = served.http.get(file["url"].as_str().unwrap()).send().await.unwrap();
        let text =
            |name: &str| response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        assert_eq!(text("content-type"), file["content_type"].as_str().unwrap());
        assert_eq!(text("x-content-type-options"), "nosniff");
        let length = file["file_size"].to_string();
        assert_eq!(text("content-length"), length);
        seen.push((file["file_name"].as_str().unwrap(), text("content-type"), text("content-disposition")));
    }
    let entry = |name, kind: &str, disposition: &str| (name, kind.to_owned(), disposition.to_owned());
    let want = [
        entry("mark.svg", "image/svg+xml", "attachment"),
        entry("notes.txt", "text/plain", ""),
        entry("page-one.html", "text/html", "attachment"),
    ];
    assert_eq!(seen, want);

    let before = memory_peak();
    let result = served.generated("long").await;
    let file = &result["output"]["files"][0];
    assert_eq!((&file["file_name"], &file["file_size"]), (&json!("weights.bin"), &json!(LONG)), "{result}");
    let stored = memory_peak();
    let url = file["url"].as_str().unwrap();
    let mut response = served.http.get(url).send().await.unwrap();
    let (mut bytes, mut last) = (0, Vec::new());
    while let Some(piece) = response.chunk().await.unwrap() {
        bytes += piece.len() as u64;
        last.extend_from_slice(&piece[piece.len().saturating_sub(3)..]);
        last.drain(..last.len().saturating_sub(3));
    }
    assert_eq!((bytes, &last[..]), (LONG, &b"end"[..]));
    let sent = memory_peak();
    println!(
        "peak of memory: {} MiB before, {} MiB after {} MiB were stored, {} MiB after they were downloaded",
        before / MIB,
        stored / MIB,
        LONG / MIB,
        sent / MIB
    );
    assert!(sent - before <= MEMORY_MAX, "{} bytes", sent - before);

    let part = served.http.get(url).header("range", "bytes=-3").send().await.unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(&part.bytes().await.unwrap()[..], b"end");
    let head = served.http.request(Method::HEAD, url).send().await.unwrap();
    assert_eq!(head.headers()["content-length"], LONG.to_string());
    assert_eq!(head.headers()["content-disposition"], "attachment");

    let refused = served.generated("nothing").await;
    assert_eq!(refused["status"], "FAILED", "{refused}");
    served.service.stop().await;
}
