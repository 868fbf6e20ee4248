//! Source images, fetched from hosts that respond and from hosts that hang.

#![allow(clippy::unwrap_used)] // test code, helpers of tests included: a failed expectation stops the test

use clipia_admin::Administration;
use clipia_admin::types::{AccountOrder, KeyLimits, KeyOrder, ListRequestsQuery, Scopes};
use clipia_api::{RequestId, Status};
use clipia_server::clock::SystemClock;
use clipia_server::{Config, RateLimit, Service};
use clipia_store_sqlite::SqliteStore;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const DEADLINE: Duration = Duration::from_secs(40);

const MODELS: &str = r#"
[[model]]
executor = "render"
slug = "clip"
type = "video"
pricing = { credits = 1 }
[[model.input_schema.parameters]]
name = "image_url"
type = "image"
[[model.input_schema.parameters]]
name = "duration"
type = "number"
default = 0.1
[[model.input_schema.parameters]]
name = "resolution"
type = "string"
default = "240p"
"#;

/// A host of images, and the number of calls to it.
struct Host {
    url: String,
    calls: Arc<AtomicUsize>,
}

/// Starts a host that sends these bytes to each call, and then hangs.
async fn host(response: Vec<u8>) -> Host {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/a.png", listener.local_addr().unwrap());
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let response = response.clone();
            tokio::spawn(async move {
                let mut request = [0; 2_048];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(&response).await;
                while stream.read(&mut request).await.is_ok_and(|length| length > 0) {}
            });
        }
    });
    Host { url, calls }
}

fn ok(length: usize, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// A client with an account of its own.
struct Client {
    http: reqwest::Client,
    url: String,
    key: String,
}

impl Client {
    async fn new(service: &Service, data: &Path) -> Self {
        let administration = Administration::of(data).unwrap();
        let account = administration.create_account(&AccountOrder { credits: 1_000 }).await;
        let order = KeyOrder {
            account_id: account.unwrap().account_id,
            sandbox: false,
            scopes: Scopes { generate: true },
            limits: KeyLimits { in_flight_max: Some(0), ..KeyLimits::default() },
        };
        let key = administration.create_key(&order).await.unwrap().key.reveal().to_owned();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { http, url: service.url().to_owned(), key }
    }

    async fn call(&self, call: reqwest::RequestBuilder) -> Value {
        let response = call.bearer_auth(&self.key).send().await.unwrap();
        serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
    }

    /// Submits a clip, from the image at `image_url` if one is given; returns the URL of the result.
    async fn submit(&self, image_url: Option<&str>) -> String {
        let input = image_url.map_or(json!({}), |url| json!({ "image_url": url }));
        let body = json!({ "input": input }).to_string();
        let submitted = self.call(self.http.post(format!("{}/v1/models/clip", self.url)).body(body)).await;
        submitted["response_url"].as_str().unwrap_or_else(|| panic!("{submitted}")).to_owned()
    }

    /// The result at this URL, once the generation has ended.
    async fn ended(&self, url: &str) -> Value {
        let start = Instant::now();
        loop {
            let result = self.call(self.http.get(url)).await;
            if result["status"] != "IN_QUEUE" && result["status"] != "IN_PROGRESS" {
                return result;
            }
            assert!(start.elapsed() < DEADLINE, "{result}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn config(data: &Path) -> Config {
    Config {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        limit: Some(RateLimit::per_minute(0)),
        dev: true,
        ..Config::new(data)
    }
}

async fn serve(data: &Path) -> Service {
    let store = Arc::new(SqliteStore::open(data, Arc::new(SystemClock)).unwrap());
    Service::builder(config(data)).store(store).render().start().await.unwrap()
}

fn id(result: &str) -> RequestId {
    result.rsplit('/').next().unwrap().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_hang_delay_only_the_requests_that_name_them() {
    let mut png = Vec::new();
    let picture = image::DynamicImage::new_rgb8(8, 8);
    picture.write_to(&mut std::io::Cursor::new(&mut png), image::ImageFormat::Png).unwrap();
    let well = host(ok(png.len(), &png)).await;
    let endless = host(ok(30 << 20, b"")).await;
    let wrong = host(b"HTTP/1.1 404 \r\ncontent-length: 0\r\n\r\n".to_vec()).await;
    // One host sends nothing. The other sends a part of the body that it announced.
    let hanging = [host(Vec::new()).await, host(ok(1_000, b"a part")).await];

    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("models.toml"), MODELS).unwrap();
    let service = serve(data.path()).await;
    let (noisy, quiet) = (Client::new(&service, data.path()).await, Client::new(&service, data.path()).await);
    let mut hung = Vec::new();
    for number in 0..60 {
        hung.push(noisy.submit(Some(&hanging[number % 2].url)).await);
    }
    let start = Instant::now();
    let mut results = Vec::new();
    for (image_url, message) in [
        (Some(&well.url), None),
        (None, None),
        (Some(&wrong.url), Some("was answered with 404")),
        (Some(&endless.url), Some("longer than 20971520 bytes")),
        (Some(&well.url), None),
    ] {
        results.push((quiet.submit(image_url.map(String::as_str)).await, message));
    }
    for (result, message) in &results {
        let ended = quiet.ended(result).await;
        match message {
            None => assert_eq!(ended["status"], "COMPLETED", "{ended}"),
            Some(message) => {
                assert!(ended["error"]["message"].as_str().unwrap().contains(message), "{ended}")
            }
        }
    }
    // A request of the noisy account that names no host does not wait either.
    assert_eq!(noisy.ended(&noisy.submit(None).await).await["status"], "COMPLETED");
    assert!(start.elapsed() < Duration::from_secs(25), "a fetch had to end first: {:?}", start.elapsed());
    let calls = || hanging.iter().map(|host| host.calls.load(Ordering::SeqCst)).sum::<usize>();
    assert_eq!(calls(), 8, "one account has half of the preparation slots");

    // A canceled request frees its slot for the next at once.
    let administration = Administration::of(data.path()).unwrap();
    let running =
        ListRequestsQuery { status: Some(Status::InProgress), limit: 100, ..ListRequestsQuery::default() };
    let running = administration.requests(running).await.unwrap();
    let workers = std::thread::available_parallelism().unwrap().get();
    assert!((8..=8 + workers).contains(&running.len()), "a worker may be ahead by one: {}", running.len());
    let oldest = running.last().unwrap();
    administration.cancel_request(&oldest.request_id).await.unwrap();
    administration.cancel_request(&id(&hung[59])).await.unwrap();
    while calls() < 9 {
        assert!(start.elapsed() < DEADLINE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(administration.examine().await.unwrap().violation, None);

    // A server that stops releases the requests that it prepares, and prepares them again at its next start.
    let stopping = Instant::now();
    service.stop().await;
    assert!(stopping.elapsed() < Duration::from_secs(7), "{:?}", stopping.elapsed());
    let service = serve(data.path()).await;
    while calls() < 17 {
        assert!(start.elapsed() < DEADLINE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let administration = Administration::of(data.path()).unwrap();
    assert_eq!(administration.examine().await.unwrap().violation, None);
    service.stop().await;
}
