//! Accepted requests go on after a restart, however the server ended.

use crate::support::{Options, Receiver, Server, command, output, until};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::task::JoinSet;

const SPEECH: &str = "/v1/models/gemini-3-1-flash-tts";

/// Ten generations, the responses to their submits, and the credits before.
struct Ten {
    receiver: Receiver,
    submits: Vec<Value>,
    credits: u64,
}

impl Ten {
    /// Submits ten generations of every kind. The slowest are last in the queue, so that there is time to end the server
    /// before the queue is empty.
    async fn submit(server: &Server) -> Self {
        let receiver = Receiver::start().await;
        let credits = server.balance().await;
        let mut submits = Vec::new();
        for number in 0..10 {
            let prompt = format!("fox {number}");
            let (model, input) = match number {
                3 => ("gemini-3-1-flash-tts", json!({ "prompt": prompt })),
                7.. => {
                    ("seedance-2-fast-t2v", json!({ "prompt": prompt, "duration": 1, "resolution": "480p" }))
                }
                _ => ("nano-banana-2", json!({ "prompt": prompt, "resolution": "0.5K" })),
            };
            let client = server.live().header("idempotency-key", &prompt);
            let body = json!({ "input": input, "webhook_url": receiver.url() });
            submits.push(client.post(&format!("/v1/models/{model}"), &body).await.expect(200).json());
        }
        Self { receiver, submits, credits }
    }

    fn ids(&self) -> impl Iterator<Item = &str> {
        self.submits.iter().map(|submit| submit["request_id"].as_str().unwrap())
    }

    /// The statuses in the order of the submits. None may be FAILED.
    async fn statuses(&self, server: &Server) -> Vec<String> {
        let mut statuses = Vec::new();
        for id in self.ids() {
            let status = server.live().get(&format!("/v1/requests/{id}/status")).await.expect(200).json();
            assert!(status["status"] != "FAILED", "{status}");
            statuses.push(status["status"].as_str().unwrap().to_owned());
        }
        statuses
    }

    /// Waits until `ended` have ended while others are still queued.
    async fn middle(&self, server: &Server, ended: usize) {
        until("the middle", async || {
            let statuses = self.statuses(server).await;
            let count = |wanted: &str| statuses.iter().filter(|status| *status == wanted).count();
            (count("COMPLETED") >= ended && count("IN_QUEUE") > 0).then_some(())
        })
        .await;
    }

    /// Waits until all have completed, and checks that each is charged once, is delivered, and has its files.
    async fn all_end(&self, server: &Server) {
        until("all ten", async || {
            self.statuses(server).await.iter().all(|status| status == "COMPLETED").then_some(())
        })
        .await;
        let mut cost = 0;
        for (submit, id) in self.submits.iter().zip(self.ids()) {
            let result = server.live().get(&format!("/v1/requests/{id}")).await.expect(200).json();
            assert_eq!(result["cost"], submit["cost"]);
            cost += submit["cost"].as_u64().unwrap();
            let output = &result["output"];
            let url = ["/images/0/original_url", "/video/url", "/audio/url"]
                .iter()
                .find_map(|at| output.pointer(at)?.as_str());
            let path = url.unwrap().strip_prefix(&server.url).expect("files are where the server is now");
            server.live().get(path).await.expect(200);
            let delivery = self.receiver.wait_until(|body| body["request_id"] == id).await;
            assert_eq!(serde_json::from_slice::<Value>(&delivery.body).unwrap()["status"], "OK");
        }
        let account = server.live().get("/v1/account").await.expect(200).json();
        assert_eq!(account["balance"]["credits"], self.credits - cost);
        assert_eq!(account["usage_30d"], json!({ "requests": 10, "credits_spent": cost }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_generations_outlive_kill_9_and_are_charged_once() {
    for ended in [1, 6] {
        let mut server = Server::start(Options::default());
        let ten = Ten::submit(&server).await;
        ten.middle(&server, ended).await;
        server.kill9();
        server.restart();
        ten.all_end(&server).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_in_order_and_the_rest_goes_on_at_the_next_start() {
    let mut server = Server::start(Options::default());
    let ten = Ten::submit(&server).await;
    ten.middle(&server, 1).await;
    assert_eq!(server.terminate().code(), Some(0), "{}", server.log());
    server.restart();
    ten.all_end(&server).await;
}

/// Submits until the server is gone, and records the accepted requests.
async fn submit_on(client: crate::support::Raw, accepted: Arc<Mutex<Vec<String>>>) {
    let body = json!({ "input": { "prompt": "on and on" } }).to_string();
    while let Ok(response) = client.try_send(http::Method::POST, SPEECH, body.clone().into()).await {
        let id = response.expect(200).json()["request_id"].as_str().unwrap().to_owned();
        accepted.lock().unwrap().push(id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_accepted_before_kill_9_are_there_after_it() {
    const SUBMITTERS: usize = 4;
    let mut server = Server::start(Options::default());
    let accepted = Arc::new(Mutex::new(Vec::new()));
    let mut submitters = JoinSet::new();
    for _ in 0..SUBMITTERS {
        submitters.spawn(submit_on(server.live(), Arc::clone(&accepted)));
    }
    until("submits", async || (accepted.lock().unwrap().len() >= 40).then_some(())).await;
    server.kill9();
    submitters.join_all().await;
    server.restart();
    let accepted = accepted.lock().unwrap().clone();
    for id in &accepted {
        server.live().get(&format!("/v1/requests/{id}/status")).await.expect(200);
    }
    // Each submitter may have lost the response to one accepted submit. All are charged once in the end.
    let account = until("all to end", async || {
        let account = server.live().get("/v1/account").await.expect(200).json();
        let requests = account["usage_30d"]["requests"].as_u64().unwrap();
        (account["usage_30d"]["credits_spent"] == 2 * requests).then_some(account)
    })
    .await;
    let requests = account["usage_30d"]["requests"].as_u64().unwrap();
    let count = accepted.len() as u64;
    assert!((count..=count + SUBMITTERS as u64).contains(&requests), "{count} accepted: {account}");
    assert_eq!(account["balance"]["credits"], 10_000 - 2 * requests);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_outlives_a_restart() {
    let mut server = Server::start(Options::default());
    let body = json!({ "input": { "prompt": "hello" } });
    let submit = async |server: &Server| {
        server.live().header("idempotency-key", "hello-1").post(SPEECH, &body).await.expect(200).json()
    };
    let first = submit(&server).await;
    server.kill9();
    server.restart();
    assert_eq!(submit(&server).await["request_id"], first["request_id"]);
    assert_eq!(server.balance().await, 9_998);
}

/// The error of `clipia serve` on this server's directory.
fn refused(server: &Server) -> String {
    let output = output(command(&["serve", "--listen", "127.0.0.1:0", "--data"]).arg(server.data()));
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(error.matches("error: ").count(), 1, "{error}");
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_in_use_is_refused() {
    let server = Server::start(Options::default());
    let error = refused(&server);
    assert!(error.contains("is in use by another `clipia serve`"), "{error}");
    assert!(error.contains(server.data().to_str().unwrap()), "{error}");
    server.live().get("/v1/account").await.expect(200);
    server.administer(&["keys", "list"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_adds_a_model_and_faults_are_reported() {
    let mut server = Server::start(Options::default());
    let models = server.data().join("models.toml");
    let template = std::fs::read_to_string(&models).unwrap();
    let example: Vec<&str> = template.lines().filter_map(|line| line.strip_prefix("#: ")).collect();
    server.terminate();
    std::fs::write(&models, example.join("\n")).unwrap();
    server.restart();
    let body = json!({ "input": { "prompt": "fox" } });
    let submitted = server.sandbox().post("/v1/models/house-style", &body).await.expect(200).json();
    assert_eq!(submitted["cost"], 5);
    let model = server.live().get("/v1/models/house-style").await.expect(200).json();
    assert_eq!(model["name"], "House style");
    server.live().get("/v1/models/nano-banana-2").await.expect(200);

    server.terminate();
    let model = |executor: &str, slug: &str, credits: i32| {
        format!(
            "[[model]]\nexecutor = \"{executor}\"\nslug = \"{slug}\"\ntype = \"image\"\n\
             input_schema = {{ parameters = [] }}\npricing = {{ credits = {credits} }}\n"
        )
    };
    for (text, message) in [
        ("[[model]".to_owned(), "line 1"),
        (model("render", "My model", 1), "model `My model`: `slug` must be of lower-case letters"),
        (model("render", "mine", -1), "model `mine`: `pricing.credits` must be"),
        (model("magic", "mine", 1), "model `mine`: there is no executor `magic`"),
    ] {
        std::fs::write(&models, text).unwrap();
        let error = refused(&server);
        assert!(error.contains("error: `models.toml`: ") && error.contains(message), "{message}: {error}");
    }
    std::fs::write(&models, model("render", "mine", 1)).unwrap();
    server.restart();
    server.live().get("/v1/models/mine").await.expect(200);
}
