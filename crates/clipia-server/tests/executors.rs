//! Executors that a caller brings.

use async_trait::async_trait;
use clipia_api::types::Output;
use clipia_server::executors::{Executor, Job, Made, NotMade, Report};
use clipia_server::{Config, RateLimit, Service};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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

#[tokio::test]
async fn make_models_of_their_name_so_many_at_once() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("models.toml"), MODELS).unwrap();
    let config = Config {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        limit: Some(RateLimit::per_minute(0)),
        ..Config::new(data.path())
    };
    let pair = Pair { barrier: Barrier::new(WORKERS), running: AtomicUsize::new(0) };
    let service = Service::builder(config).executor("pair", Arc::new(pair), WORKERS).start().await.unwrap();
    let key = &service.first_keys().unwrap().live_key;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let call = async |call: reqwest::RequestBuilder| -> Value {
        let answer = call.bearer_auth(key).send().await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    };

    let mut urls = Vec::new();
    for number in 0..2 * WORKERS {
        let body = json!({ "input": { "prompt": number.to_string() } }).to_string();
        let submitted = call(http.post(format!("{}/v1/models/pair", service.url())).body(body)).await;
        urls.push(submitted["response_url"].as_str().unwrap().to_owned());
    }
    for (number, url) in urls.iter().enumerate() {
        let ended = loop {
            let result = call(http.get(url)).await;
            if result["status"] != "IN_QUEUE" && result["status"] != "IN_PROGRESS" {
                break result;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(ended["output"]["echo"], number.to_string(), "{ended}");
    }
    service.stop().await;
}
