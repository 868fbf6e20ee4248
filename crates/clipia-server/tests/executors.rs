//! Executors that a caller brings.

// Everything here is test code, helpers included: a failed expectation should stop the test where it stands.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use async_trait::async_trait;
use clipia_api::types::Output;
use clipia_server::executors::{Executor, Job, Made, NotMade, Report};
use clipia_server::{Config, RateLimit, Service};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Barrier;

const WORKERS: usize = 2;

const MODELS: &str = r#"
[[model]]
executor = "pair"
slug = "pair"
type = "image"
pricing = { credits = 1 }
input_schema = { parameters = [{ name = "prompt", type = "string" }] }
"#;

/// Ends a generation only when another one runs beside it.
struct Pair {
    barrier: Barrier,
    running: AtomicUsize,
}

#[async_trait]
impl Executor for Pair {
    async fn run(&self, job: Job, _: Report) -> Result<Made, NotMade> {
        assert!(self.running.fetch_add(1, Ordering::SeqCst) < WORKERS);
        self.barrier.wait().await;
        self.running.fetch_sub(1, Ordering::SeqCst);
        let mut output = Output::default();
        output.extra.insert("echo".to_owned(), job.input["prompt"].clone());
        Ok(Made { output, files: Vec::new() })
    }
}

/// A server with `pair` made by this executor, and how its API is called with its key.
struct House {
    service: Service,
    http: reqwest::Client,
    _data: tempfile::TempDir,
}

impl House {
    async fn of(executor: impl Executor + 'static) -> Self {
        let data = tempfile::tempdir().unwrap();
        std::fs::write(data.path().join("models.toml"), MODELS).unwrap();
        let config = Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            limit: RateLimit::per_minute(0),
            ..Config::new(data.path())
        };
        let service = Service::builder(config).executor("pair", Arc::new(executor), WORKERS);
        let service = service.start().await.unwrap();
        Self { service, http: reqwest::Client::builder().no_proxy().build().unwrap(), _data: data }
    }

    async fn call(&self, call: reqwest::RequestBuilder) -> Value {
        let answer = call.bearer_auth(&self.service.first_keys().unwrap().live_key).send().await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    /// Submits one; tells where its result will be.
    async fn submit(&self, prompt: &str) -> String {
        let body = json!({ "input": { "prompt": prompt } }).to_string();
        let submit = self.http.post(format!("{}/v1/models/pair", self.service.url())).body(body);
        self.call(submit).await["response_url"].as_str().unwrap().to_owned()
    }

    /// The result there, once there is one.
    async fn end(&self, url: &str) -> Value {
        loop {
            let result = self.call(self.http.get(url)).await;
            if result["status"] != "IN_QUEUE" && result["status"] != "IN_PROGRESS" {
                return result;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn make_models_of_their_name_so_many_at_once() {
    let pair = Pair { barrier: Barrier::new(WORKERS), running: AtomicUsize::new(0) };
    let house = House::of(pair).await;
    let mut urls = Vec::new();
    for number in 0..2 * WORKERS {
        urls.push(house.submit(&number.to_string()).await);
    }
    for (number, url) in urls.iter().enumerate() {
        let ended = house.end(url).await;
        assert_eq!(ended["output"]["echo"], number.to_string(), "{ended}");
    }
    house.service.stop().await;
}

/// Cannot work while it is away.
#[derive(Clone, Default)]
struct Machine(Arc<(AtomicBool, AtomicUsize)>);

#[async_trait]
impl Executor for Machine {
    async fn run(&self, _: Job, _: Report) -> Result<Made, NotMade> {
        let (away, asked) = &*self.0;
        asked.fetch_add(1, Ordering::SeqCst);
        match away.load(Ordering::SeqCst) {
            true => Err(NotMade::NotNow("the machine is away".to_owned())),
            false => Ok(Made { output: Output::default(), files: Vec::new() }),
        }
    }
}

#[tokio::test]
async fn that_cannot_work_now_fail_nothing_and_are_left_alone_for_a_while() {
    const SUBMITS: usize = 5;
    let machine = Machine::default();
    let (away, asked) = &*machine.0;
    away.store(true, Ordering::SeqCst);
    let house = House::of(machine.clone()).await;
    let mut urls = Vec::new();
    for number in 0..SUBMITS {
        urls.push(house.submit(&number.to_string()).await);
    }
    while asked.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    away.store(false, Ordering::SeqCst);
    for url in &urls {
        assert_eq!(house.end(url).await["status"], "COMPLETED");
    }
    // Each worker may have asked once before it knew.
    assert!(asked.load(Ordering::SeqCst) <= SUBMITS + WORKERS, "{asked:?}");
    house.service.stop().await;
}
