//! A server with an executor that workers elsewhere alone make, and sessions that call it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clipia_server::clock::SystemClock;
use clipia_server::{Config, RateLimit, Service};
use clipia_store::{KeyHash, NewWorker, Store, Workers};
use clipia_store_sqlite::SqliteStore;
use http::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use uuid::Uuid;

/// The executor and its model.
pub(crate) const EXECUTOR: &str = "gpu";
pub(crate) const MODELS: &str = r#"
[[executor]]
name = "gpu"
output_bytes_max = "512MiB"

[[model]]
executor = "gpu"
slug = "flux"
type = "image"
pricing = { credits = 4 }
input_schema = { parameters = [
  { name = "prompt", type = "string" },
  { name = "image_url", type = "image" },
] }
"#;

/// How long a condition may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until there is a value.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("no {what} in time"))
}

pub(crate) struct Server {
    service: Option<Service>,
    store: Option<Arc<SqliteStore>>,
    http: reqwest::Client,
    key: String,
    pub(crate) data: TempDir,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(MODELS).await
    }

    pub(crate) async fn with(models: &str) -> Self {
        let data = tempfile::tempdir().unwrap();
        std::fs::write(data.path().join("models.toml"), models).unwrap();
        let (service, store) = serve(data.path()).await;
        let key = service.first_keys().unwrap().live_key.clone();
        // The service sets up TLS for the process.
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { service: Some(service), store: Some(store), http, key, data }
    }

    pub(crate) fn store(&self) -> &SqliteStore {
        self.store.as_ref().unwrap()
    }

    pub(crate) fn url(&self) -> &str {
        self.service.as_ref().unwrap().url()
    }

    pub(crate) fn admin_url(&self) -> &str {
        self.service.as_ref().unwrap().admin_url()
    }

    pub(crate) async fn stop(&mut self) {
        self.service.take().unwrap().stop().await;
        // Whoever has it has the data directory.
        self.store = None;
    }

    /// Starts again on the same data, at another address.
    pub(crate) async fn start_again(&mut self) {
        let (service, store) = serve(self.data.path()).await;
        self.store = Some(store);
        self.service = Some(service);
    }

    /// A new worker for these executors; returns its token.
    pub(crate) async fn worker(&self, name: &str, executors: &[&str]) -> String {
        let token = format!("clipia_worker_{name}_secret");
        let worker = NewWorker {
            name: name.to_owned(),
            hash: KeyHash(Sha256::digest(token.as_bytes()).into()),
            hint: "clipia_worker_…cret".to_owned(),
            executors: executors.iter().map(|name| (*name).to_owned()).collect(),
        };
        self.store().create_worker(worker).await.unwrap();
        token
    }

    /// A session of a new worker `box`.
    pub(crate) async fn session(&self) -> Session {
        Session::new(&self.worker("box", &[EXECUTOR]).await)
    }

    /// Submits; returns the id of the request.
    pub(crate) async fn submit(&self, input: Value) -> String {
        self.submit_to("flux", input).await
    }

    pub(crate) async fn submit_to(&self, model: &str, input: Value) -> String {
        let url = format!("{}/v1/models/{model}", self.url());
        let call = self.http.post(url).bearer_auth(&self.key).body(json!({ "input": input }).to_string());
        let body = call.send().await.unwrap().bytes().await.unwrap();
        let submitted: Value = serde_json::from_slice(&body).unwrap();
        submitted["request_id"].as_str().unwrap_or_else(|| panic!("{submitted}")).to_owned()
    }

    pub(crate) async fn result(&self, id: &str) -> Value {
        let call = self.http.get(format!("{}/v1/requests/{id}", self.url())).bearer_auth(&self.key);
        serde_json::from_slice(&call.send().await.unwrap().bytes().await.unwrap()).unwrap()
    }

    pub(crate) async fn credits(&self) -> Value {
        let call = self.http.get(format!("{}/v1/account", self.url())).bearer_auth(&self.key);
        serde_json::from_slice(&call.send().await.unwrap().bytes().await.unwrap()).unwrap()
    }

    /// The content of a file at a URL.
    pub(crate) async fn file(&self, url: &str) -> Vec<u8> {
        let response = self.http.get(url).send().await.unwrap();
        assert_eq!(response.status(), 200, "{url}");
        response.bytes().await.unwrap().to_vec()
    }

    pub(crate) async fn metrics(&self) -> String {
        self.http.get(format!("{}/metrics", self.admin_url())).send().await.unwrap().text().await.unwrap()
    }

    pub(crate) async fn ready(&self) -> u16 {
        self.http.get(format!("{}/readyz", self.url())).send().await.unwrap().status().as_u16()
    }

    /// The names of the directories of attempts.
    pub(crate) fn staged(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.data.path().join("remote")) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Waits until no attempt has files any more.
    pub(crate) async fn until_nothing_is_staged(&self) {
        until("empty staging", async || self.staged().is_empty().then_some(())).await;
    }
}

async fn serve(data: &Path) -> (Service, Arc<SqliteStore>) {
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let config = Config {
        listen: local,
        admin_listen: local,
        dev: true,
        limit: Some(RateLimit::per_minute(0)),
        ..Config::new(data)
    };
    let store = Arc::new(SqliteStore::open(data, Arc::new(SystemClock)).unwrap());
    let shared: Arc<dyn Store> = Arc::clone(&store) as _;
    (Service::builder(config).store(shared).start().await.unwrap(), store)
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    /// The body of a call that must have succeeded.
    pub(crate) fn done(&self) -> Value {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }

    /// The message of a call that must have been refused so.
    pub(crate) fn refused(&self, status: u16, code: &str) -> String {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{text}");
        let body = self.json();
        assert_eq!(body["error"]["code"], code, "{text}");
        body["error"]["message"].as_str().unwrap().to_owned()
    }
}

/// A process that works.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) token: String,
    pub(crate) id: String,
    pub(crate) http: reqwest::Client,
}

/// An attempt that a session has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) request: String,
    pub(crate) epoch: i64,
}

impl Attempt {
    pub(crate) fn name(&self) -> Value {
        json!({ "request_id": self.request, "epoch": self.epoch })
    }

    /// An order of this attempt with more fields.
    pub(crate) fn with(&self, fields: Value) -> Value {
        let mut order = self.name();
        order.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        order
    }
}

impl Session {
    pub(crate) fn new(token: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { token: token.to_owned(), id: Uuid::new_v4().to_string(), http }
    }

    /// A call of this session.
    pub(crate) fn calling(&self, server: &Server, method: Method, path: &str) -> reqwest::RequestBuilder {
        let call = self.http.request(method, format!("{}/worker/v1/{path}", server.url()));
        call.bearer_auth(&self.token).header("clipia-session", &self.id)
    }

    pub(crate) async fn post(&self, server: &Server, call: &str, order: &Value) -> Answer {
        send(self.calling(server, Method::POST, call).body(order.to_string())).await
    }

    /// Claims; `held` are the attempts that the session knows of.
    pub(crate) async fn claim_with(
        &self,
        server: &Server,
        wait: u32,
        slots: u32,
        held: &[Attempt],
    ) -> Answer {
        self.post(server, "claim", &claim_order(wait, slots, held)).await
    }

    /// The jobs that this session gets now.
    pub(crate) async fn jobs(&self, server: &Server, slots: u32) -> Vec<Value> {
        let claimed = self.claim_with(server, 0, slots, &[]).await.done();
        claimed["jobs"].as_array().unwrap().clone()
    }

    /// Claims one request, which must be there.
    pub(crate) async fn claim(&self, server: &Server) -> Attempt {
        let claimed = self.claim_with(server, 10, 1, &[]).await.done();
        attempt(&claimed["jobs"][0])
    }

    pub(crate) async fn beat(&self, server: &Server, attempts: &[&Attempt]) -> Value {
        let jobs: Vec<Value> = attempts.iter().map(|attempt| attempt.name()).collect();
        self.post(server, "beat", &json!({ "jobs": jobs })).await.done()
    }

    /// Sends a piece of a file.
    pub(crate) async fn put(
        &self,
        server: &Server,
        attempt: &Attempt,
        name: &str,
        (start, total): (u64, u64),
        bytes: &[u8],
    ) -> Answer {
        send(self.piece(server, attempt, name, (start, total), bytes).body(bytes.to_vec())).await
    }

    /// The call with a piece of a file, without its body.
    pub(crate) fn piece(
        &self,
        server: &Server,
        Attempt { request, epoch }: &Attempt,
        name: &str,
        (start, total): (u64, u64),
        bytes: &[u8],
    ) -> reqwest::RequestBuilder {
        let range = match bytes.len() as u64 {
            0 => "bytes */0".to_owned(),
            length => format!("bytes {start}-{}/{total}", start + length - 1),
        };
        self.calling(server, Method::PUT, &format!("files/{request}/{epoch}/{name}"))
            .header("content-range", range)
            .header("content-digest", digest(bytes))
    }

    /// Completes an attempt with one file of a few bytes.
    pub(crate) async fn complete(&self, server: &Server, attempt: &Attempt) -> Answer {
        self.put(server, attempt, "a.png", (0, 3), b"fox").await.done();
        self.post(server, "complete", &completion(attempt)).await
    }
}

pub(crate) fn claim_order(wait: u32, slots: u32, held: &[Attempt]) -> Value {
    json!({
        "executor": EXECUTOR,
        "slots_free": slots,
        "wait_seconds": wait,
        "held": held.iter().map(Attempt::name).collect::<Vec<_>>(),
        "full_accounts": [],
        "about": { "host": "gpu-box-1", "gpu": "A card", "version": "1.0.0", "slots": slots },
    })
}

/// The completion of an attempt whose file is `a.png` with `fox` in it.
pub(crate) fn completion(attempt: &Attempt) -> Value {
    attempt.with(json!({
        "output": { "images": [{ "url": "a.png" }] },
        "files": [{ "name": "a.png", "bytes": 3 }],
    }))
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(bytes)))
}

pub(crate) fn attempt(job: &Value) -> Attempt {
    let request = job["request_id"].as_str().unwrap_or_else(|| panic!("{job}")).to_owned();
    Attempt { request, epoch: job["epoch"].as_i64().unwrap() }
}

pub(crate) async fn send(call: reqwest::RequestBuilder) -> Answer {
    let response = call.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, body: response.bytes().await.unwrap().to_vec() }
}
