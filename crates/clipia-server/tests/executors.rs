//! Servers with executors of the caller's own.

#![allow(clippy::unwrap_used)] // test code, helpers of tests included: a failed expectation stops the test

use async_trait::async_trait;
use clipia_api::types::Output;
use clipia_server::clock::SystemClock;
use clipia_server::executors::{Executor, Job, JobControl, JobError, JobOutput};
use clipia_server::{Config, RateLimit, Service};
use clipia_store_sqlite::SqliteStore;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;
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

/// An executor that ends a job only when another one runs at the same time.
struct Pair {
    barrier: Barrier,
    running: AtomicUsize,
}

#[async_trait]
impl Executor for Pair {
    async fn run(&self, job: Job, _: JobControl) -> Result<JobOutput, JobError> {
        assert!(self.running.fetch_add(1, Ordering::SeqCst) < WORKERS);
        self.barrier.wait().await;
        self.running.fetch_sub(1, Ordering::SeqCst);
        let mut output = Output::default();
        output.extra.insert("echo".to_owned(), job.input["prompt"].clone());
        Ok(JobOutput { output, files: Vec::new() })
    }
}

/// A server with an executor for the model `pair`.
struct Served {
    service: Service,
    http: reqwest::Client,
    _data: TempDir,
}

impl Served {
    async fn start(executor: impl Executor + 'static, workers: usize) -> Self {
        let data = tempfile::tempdir().unwrap();
        std::fs::write(data.path().join("models.toml"), MODELS).unwrap();
        let config = Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            limit: Some(RateLimit::per_minute(0)),
            ..Config::new(data.path())
        };
        let store = Arc::new(SqliteStore::open(data.path(), Arc::new(SystemClock)).unwrap());
        let service = Service::builder(config).store(store).executor("pair", Arc::new(executor), workers);
        // The service sets up TLS for the process.
        let service = service.start().await.unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { service, http, _data: data }
    }

    async fn call(&self, call: reqwest::RequestBuilder) -> Value {
        let key = &self.service.first_keys().unwrap().live_key;
        let response = call.bearer_auth(key).send().await.unwrap();
        serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
    }

    /// Submits a prompt; returns the URL of the result.
    async fn submit(&self, prompt: &str) -> String {
        let body = json!({ "input": { "prompt": prompt } }).to_string();
        let url = format!("{}/v1/models/pair", self.service.url());
        let submitted = self.call(self.http.post(url).body(body)).await;
        submitted["response_url"].as_str().unwrap().to_owned()
    }

    /// The result, once the generation has ended.
    async fn ended(&self, url: &str) -> Value {
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
async fn an_executor_runs_as_many_jobs_at_once_as_it_has_workers() {
    let pair = Pair { barrier: Barrier::new(WORKERS), running: AtomicUsize::new(0) };
    let served = Served::start(pair, WORKERS).await;
    let mut urls = Vec::new();
    for number in 0..2 * WORKERS {
        urls.push(served.submit(&number.to_string()).await);
    }
    for (number, url) in urls.iter().enumerate() {
        let ended = served.ended(url).await;
        assert_eq!(ended["output"]["echo"], number.to_string(), "{ended}");
    }
    served.service.stop().await;
}

/// An executor that panics on some prompts, at once or after an await.
struct Fragile;

#[async_trait]
impl Executor for Fragile {
    async fn run(&self, job: Job, _: JobControl) -> Result<JobOutput, JobError> {
        assert_ne!(job.input["prompt"], "break");
        tokio::task::yield_now().await;
        assert_ne!(job.input["prompt"], "break later");
        Ok(JobOutput { output: Output::default(), files: Vec::new() })
    }
}

#[tokio::test]
async fn a_panic_fails_its_generation_and_nothing_else() {
    let served = Served::start(Fragile, 1).await;
    let account = format!("{}/v1/account", served.service.url());
    let mut urls = Vec::new();
    for prompt in ["break", "break later", "break", "hold"] {
        urls.push((prompt, served.submit(prompt).await));
    }
    for (prompt, url) in urls {
        let ended = tokio::time::timeout(Duration::from_secs(60), served.ended(&url)).await;
        let ended = ended.expect("the one worker goes on");
        let expected = if prompt == "hold" { "COMPLETED" } else { "FAILED" };
        assert_eq!(ended["status"], expected, "{prompt}: {ended}");
    }
    // The credits of failed generations were returned.
    let account = served.call(served.http.get(account)).await;
    assert_eq!(account["balance"]["credits"], 9_999, "{account}");
    let metrics = served.http.get(format!("{}/metrics", served.service.admin_url())).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    for line in ["clipia_generations_running 0", "clipia_task_restarts_total{task=\"worker\"} 0"] {
        assert!(metrics.lines().any(|metric| metric == line), "no {line} in {metrics}");
    }
    served.service.stop().await;
}

/// An executor whose machine may be away.
#[derive(Clone, Default)]
struct Machine(Arc<(AtomicBool, AtomicUsize)>);

#[async_trait]
impl Executor for Machine {
    async fn run(&self, _: Job, _: JobControl) -> Result<JobOutput, JobError> {
        let (away, runs) = &*self.0;
        runs.fetch_add(1, Ordering::SeqCst);
        match away.load(Ordering::SeqCst) {
            true => Err(JobError::Unavailable("the machine is away".to_owned())),
            false => Ok(JobOutput { output: Output::default(), files: Vec::new() }),
        }
    }
}

#[tokio::test]
async fn an_unavailable_executor_fails_nothing_and_is_tried_again_after_a_pause() {
    const SUBMITS: usize = 5;
    let machine = Machine::default();
    let (away, runs) = &*machine.0;
    away.store(true, Ordering::SeqCst);
    let served = Served::start(machine.clone(), WORKERS).await;
    let mut urls = Vec::new();
    for number in 0..SUBMITS {
        urls.push(served.submit(&number.to_string()).await);
    }
    while runs.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    away.store(false, Ordering::SeqCst);
    for url in &urls {
        assert_eq!(served.ended(url).await["status"], "COMPLETED");
    }
    // Each worker may have run one job before the pause began.
    assert!(runs.load(Ordering::SeqCst) <= SUBMITS + WORKERS, "{runs:?}");
    served.service.stop().await;
}

#[tokio::test]
async fn a_server_without_the_built_in_model_offers_only_its_own_models() {
    let served = Served::start(Fragile, 1).await;
    let models = served.call(served.http.get(format!("{}/v1/models", served.service.url()))).await;
    let slugs: Vec<&str> =
        models["data"].as_array().unwrap().iter().map(|of| of["slug"].as_str().unwrap()).collect();
    assert_eq!(slugs, ["pair"], "{models}");
    let test_key = served.service.first_keys().unwrap().test_key.clone();
    let body = json!({ "input": { "prompt": "fox" } }).to_string();
    let submit = served.http.post(format!("{}/v1/models/pair", served.service.url())).body(body);
    let refused = submit.bearer_auth(test_key).send().await.unwrap();
    let refused: Value = serde_json::from_slice(&refused.bytes().await.unwrap()).unwrap();
    assert_eq!(refused["error"]["code"], "invalid_request", "{refused}");
    assert!(
        refused["error"]["message"].as_str().unwrap().contains("no samples for the sandbox"),
        "{refused}"
    );
    served.service.stop().await;
}

/// An executor whose program crashes as often as it says, and then works.
#[derive(Clone, Default)]
struct Crashing(Arc<(AtomicUsize, AtomicUsize)>);

#[async_trait]
impl Executor for Crashing {
    async fn run(&self, _: Job, _: JobControl) -> Result<JobOutput, JobError> {
        let (crashes, runs) = &*self.0;
        runs.fetch_add(1, Ordering::SeqCst);
        match crashes.load(Ordering::SeqCst) {
            0 => Ok(JobOutput { output: Output::default(), files: Vec::new() }),
            left => {
                crashes.store(left - 1, Ordering::SeqCst);
                Err(JobError::Lost("the program crashed: it died of SIGSEGV".to_owned()))
            }
        }
    }
}

#[tokio::test]
async fn a_lost_attempt_is_made_again_and_the_last_one_fails_and_is_refunded() {
    let crashing = Crashing::default();
    let (crashes, runs) = &*crashing.0;
    crashes.store(2, Ordering::SeqCst);
    let served = Served::start(crashing.clone(), 1).await;
    let made = served.submit("fox").await;
    assert_eq!(served.ended(&made).await["status"], "COMPLETED");
    assert_eq!(runs.swap(0, Ordering::SeqCst), 3);
    crashes.store(usize::MAX, Ordering::SeqCst);
    let failed = served.submit("fox").await;
    let failed = served.ended(&failed).await;
    assert_eq!(failed["status"], "FAILED", "{failed}");
    assert_eq!(failed["error"]["message"], "the program crashed: it died of SIGSEGV", "{failed}");
    // As many attempts as a request has whose lease expires.
    assert_eq!(runs.load(Ordering::SeqCst), 5);
    let account = served.call(served.http.get(format!("{}/v1/account", served.service.url()))).await;
    assert_eq!(account["balance"]["credits"], 9_999, "{account}");
    served.service.stop().await;
}

/// An executor that is ready when a test says so.
#[derive(Clone)]
struct Gated(tokio::sync::watch::Sender<Gate>);

#[derive(Clone, Copy, PartialEq)]
enum Gate {
    Loading,
    Broken,
    Open,
}

#[async_trait]
impl Executor for Gated {
    async fn run(&self, _: Job, _: JobControl) -> Result<JobOutput, JobError> {
        assert!(*self.0.borrow() == Gate::Open, "it runs before it is ready");
        Ok(JobOutput { output: Output::default(), files: Vec::new() })
    }

    async fn ready(&self, _trial: bool) -> Result<(), String> {
        let mut gate = self.0.subscribe();
        let gate = *gate.wait_for(|gate| *gate != Gate::Loading).await.unwrap();
        if gate == Gate::Open { Ok(()) } else { Err("its program died 5 times in a row".to_owned()) }
    }
}

#[tokio::test]
async fn nothing_is_claimed_before_an_executor_is_ready_and_a_broken_one_is_reported() {
    let gate = tokio::sync::watch::Sender::new(Gate::Loading);
    let served = Served::start(Gated(gate.clone()), WORKERS).await;
    let ready = async || {
        let ready = served.http.get(format!("{}/readyz", served.service.url())).send().await.unwrap();
        (ready.status().as_u16(), ready.text().await.unwrap())
    };
    let url = served.submit("fox").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(served.call(served.http.get(&url)).await["status"], "IN_QUEUE");
    assert_eq!(ready().await, (200, "ok\n".to_owned()));
    gate.send_replace(Gate::Broken);
    let broken = (503, "executor pair: the executor cannot work now\n".to_owned());
    let reported = async {
        while ready().await != broken {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), reported).await.expect("the breaker is reported");
    assert_eq!(served.call(served.http.get(&url)).await["status"], "IN_QUEUE");
    // One worker tries after a pause.
    gate.send_replace(Gate::Open);
    assert_eq!(served.ended(&url).await["status"], "COMPLETED");
    assert_eq!(ready().await, (200, "ok\n".to_owned()));
    served.service.stop().await;
}
