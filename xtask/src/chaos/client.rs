//! A client of the servers that are killed. It submits, polls and cancels, and repeats submits whose response was lost.

use super::books::{Books, Known};
use super::programs;
use anyhow::Result;
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use uuid::Uuid;

/// A model whose input image is always broken here, so that its generations fail.
const DOOMED: &str = "seedance-2-fast-i2v";

/// The number of generations that a client has under way at once.
const UNDER_WAY: usize = 10;

/// The number of latest submits that a client may repeat.
const REMEMBERED: usize = 20;

/// The longest pause of a client between two calls, in milliseconds.
const REST_MAX: u64 = 20;

/// The pause of a client while no server runs.
const RETRY: Duration = Duration::from_millis(10);

/// The servers that the clients call, and the books that they write to.
#[derive(Clone)]
pub(super) struct Caller {
    http: reqwest::Client,
    /// The URLs of the servers that run.
    urls: watch::Receiver<Vec<String>>,
    /// Calls go round the servers: a repeated one goes to another server, where there are several.
    turn: Arc<AtomicUsize>,
    books: Arc<Books>,
    pub(super) live_key: String,
    pub(super) sandbox_key: String,
}

/// A response.
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Caller {
    pub(super) fn new(
        urls: watch::Receiver<Vec<String>>,
        books: Arc<Books>,
        live_key: String,
        sandbox_key: String,
    ) -> Result<Self> {
        // reqwest builds no client without a TLS provider, even for http. One that is installed already serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).no_proxy().build()?;
        Ok(Self { http, urls, turn: Arc::default(), books, live_key, sandbox_key })
    }

    /// The sandbox key or the live key: a key sees only requests of its own kind.
    pub(super) fn key(&self, sandbox: bool) -> &str {
        if sandbox { &self.sandbox_key } else { &self.live_key }
    }

    /// The response to a `GET`, which is repeated until there is one.
    pub(super) async fn get(&self, key: &str, path: &str) -> Response {
        loop {
            let get = self.http.get(self.at(path).await);
            if let Some(response) = self.attempt(get.bearer_auth(key)).await {
                return response;
            }
        }
    }

    /// Submits a picture that takes seconds to draw, and returns its id.
    pub(super) async fn submit_long(&self) -> Option<Uuid> {
        let body = json!({ "input": { "prompt": "a fox", "resolution": "2K" } });
        let key = Uuid::from_u128(rand::random());
        self.send(&Submit { key, sandbox: false, model: "nano-banana-2", body, doomed: false }).await
    }

    /// Sends a submit until there is a response. A submit without a response is repeated with the same idempotency key.
    async fn send(&self, submit: &Submit) -> Option<Uuid> {
        let books = &self.books;
        let key = self.key(submit.sandbox);
        loop {
            let url = self.at(&format!("/v1/models/{}", submit.model)).await;
            let call = self.http.post(url).bearer_auth(key);
            let call = call.header("idempotency-key", submit.key.to_string()).json(&submit.body);
            let Some(Response { status, body }) = self.attempt(call).await else {
                books.with(|seen| seen.figures.unanswered += 1);
                continue;
            };
            let id = body["request_id"].as_str().and_then(|id| id.parse().ok());
            let (Some(id), Some(cost), 200) = (id, body["cost"].as_u64(), status) else {
                books.violation(format!("a submit of {} got the response {status}: {body}", submit.model));
                return None;
            };
            let webhook = submit.body.get("webhook_url").is_some();
            let Submit { sandbox, doomed, .. } = *submit;
            let program = programs::MODELS.contains(&submit.model);
            let known = Known { cost, sandbox, webhook, doomed, program, canceled: false, ended: None };
            books.with(|seen| {
                seen.accepted(id, known);
                seen.read(id, body["status"].as_str().unwrap_or_default());
            });
            return Some(id);
        }
    }

    async fn at(&self, path: &str) -> String {
        let mut urls = self.urls.clone();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        // The sender outlives the clients.
        let urls = urls.wait_for(|urls| !urls.is_empty()).await.ok();
        urls.and_then(|urls| urls.get(turn % urls.len()).cloned()).unwrap_or_default() + path
    }

    /// One attempt at a call. `None` if the server has gone, or says that it is shutting down.
    async fn attempt(&self, call: reqwest::RequestBuilder) -> Option<Response> {
        let response = async {
            let response = call.send().await?;
            let status = response.status().as_u16();
            Ok::<_, reqwest::Error>(Response { status, body: response.json().await? })
        };
        match response.await {
            Ok(response) if response.status != 503 => {
                self.books.with(|seen| seen.figures.responses += 1);
                Some(response)
            }
            _ => {
                tokio::time::sleep(RETRY).await;
                None
            }
        }
    }
}

/// The operator's command that cancels requests.
#[derive(Clone, Debug)]
pub(super) struct Canceler {
    pub(super) program: PathBuf,
    /// The data directories of the servers.
    pub(super) data: Vec<PathBuf>,
}

impl Canceler {
    /// Cancels a request at any of the servers. Returns whether the command succeeded.
    async fn cancel(&self, id: Uuid, random: &mut StdRng) -> bool {
        let Some(data) = self.data.choose(random) else {
            return false;
        };
        let mut cancel = Command::new(&self.program);
        cancel.args(["requests", "cancel", &id.to_string(), "--data"]).arg(data);
        cancel.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let ended = tokio::task::spawn_blocking(move || cancel.status()).await;
        matches!(ended, Ok(Ok(status)) if status.success())
    }
}

/// Whether the program has this command.
pub(super) fn knows(program: &Path, command: &[&str]) -> bool {
    let mut help = Command::new(program);
    help.args(command).arg("--help").stdout(Stdio::null()).stderr(Stdio::null());
    help.status().is_ok_and(|status| status.success())
}

/// A submit that can be repeated.
#[derive(Clone)]
struct Submit {
    key: Uuid,
    sandbox: bool,
    model: &'static str,
    body: Value,
    /// Whether the generation cannot succeed.
    doomed: bool,
}

pub(super) struct Client {
    pub(super) caller: Caller,
    pub(super) random: StdRng,
    pub(super) hook: String,
    pub(super) canceler: Option<Canceler>,
    under_way: Vec<(Uuid, bool)>,
    ended: Vec<(Uuid, bool)>,
    submits: Vec<(Submit, Uuid)>,
}

impl Client {
    pub(super) fn new(caller: Caller, random: StdRng, hook: String, canceler: Option<Canceler>) -> Self {
        let (under_way, ended, submits) = Default::default();
        Self { caller, random, hook, canceler, under_way, ended, submits }
    }

    /// Works until `stop`, and then until each of its submits has a response.
    pub(super) async fn run(mut self, stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            match self.random.random_range(0..100) {
                0..45 if self.under_way.len() < UNDER_WAY => self.submit().await,
                45..50 => self.repeat().await,
                50..54 => self.cancel().await,
                54..58 => self.look_back().await,
                _ => self.poll().await,
            }
            tokio::time::sleep(Duration::from_millis(self.random.random_range(0..REST_MAX))).await;
        }
    }

    async fn submit(&mut self) {
        let submit = self.draw();
        if let Some(id) = self.caller.send(&submit).await {
            self.under_way.push((id, submit.sandbox));
            if self.submits.len() == REMEMBERED {
                self.submits.remove(0);
            }
            self.submits.push((submit, id));
        }
    }

    /// Draws a generation: mostly a spoken word, which takes little time, and sometimes one that cannot succeed.
    fn draw(&mut self) -> Submit {
        let sandbox = self.random.random_bool(0.1);
        let (model, input) = match self.random.random_range(0..10) {
            0 => (DOOMED, json!({ "prompt": "a fox", "image_url": "data:image/png;base64,AAAA" })),
            1 => ("nano-banana-2", json!({ "prompt": "a fox", "resolution": "0.5K" })),
            2 | 3 => (
                programs::MODELS[self.random.random_range(0..programs::MODELS.len())],
                json!({ "prompt": "fox" }),
            ),
            _ => ("gemini-3-1-flash-tts", json!({ "prompt": "fox" })),
        };
        let doomed = model == DOOMED && !sandbox;
        let mut body = json!({ "input": input });
        if self.random.random_bool(0.6) {
            body["webhook_url"] = json!(self.hook);
        }
        Submit { key: Uuid::from_u128(self.random.random()), sandbox, model, body, doomed }
    }

    /// Repeats a submit that has a response: the server must return the same request.
    async fn repeat(&mut self) {
        let Some((submit, id)) = self.submits.choose(&mut self.random).cloned() else {
            return;
        };
        let books = &self.caller.books;
        books.with(|seen| seen.figures.repeated += 1);
        if let Some(again) = self.caller.send(&submit).await
            && again != id
        {
            books.violation(format!("{id}: is {again} when its submit is repeated"));
        }
    }

    async fn cancel(&mut self) {
        let (Some(canceler), Some((id, false))) =
            (self.canceler.clone(), self.under_way.choose(&mut self.random).copied())
        else {
            return;
        };
        if canceler.cancel(id, &mut self.random).await {
            self.caller.books.with(|seen| {
                seen.figures.cancels += 1;
                seen.requests.entry(id).and_modify(|known| known.canceled = true);
            });
        }
    }

    /// Polls one of the generations under way.
    async fn poll(&mut self) {
        if self.under_way.is_empty() {
            return;
        }
        let index = self.random.random_range(0..self.under_way.len());
        let (id, sandbox) = self.under_way[index];
        self.ask(id, sandbox).await;
        if self.caller.books.with(|seen| seen.requests.get(&id).is_some_and(|known| known.ended.is_some())) {
            self.ended.push(self.under_way.swap_remove(index));
        }
    }

    /// Polls a generation that has ended: its status must not change.
    async fn look_back(&mut self) {
        if let Some((id, sandbox)) = self.ended.choose(&mut self.random).copied() {
            self.ask(id, sandbox).await;
        }
    }

    async fn ask(&self, id: Uuid, sandbox: bool) {
        let (books, key) = (&self.caller.books, self.caller.key(sandbox));
        let Response { status, body } = self.caller.get(key, &format!("/v1/requests/{id}/status")).await;
        if status == 200 {
            books.with(|seen| seen.read(id, body["status"].as_str().unwrap_or_default()));
        } else {
            books.violation(format!("{id}: was accepted, and its status call returned {status}"));
        }
    }
}
