//! `clipia webhooks check` and `send`, and `clipia generate --deliver`, with real receivers: right ones, and ones with the mistakes
//! that are made most.

use crate::program::hold;
use crate::readme::block;
use crate::support::{Options, Receiver, Server, command, output, output_on_terminal};
use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use clipia::Clipia;
use clipia_webhook::{Delivery, EMULATOR_SECRET, SIGNATURE_HEADER, Verifier};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;

const UNKNOWN: &str = "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de";

/// What a wrong receiver does.
#[derive(Clone, Copy, Debug)]
enum Mistake {
    /// It compares by a function that throws at another length, such as `timingSafeEqual`.
    ThrowsAtAnotherLength,
    /// It takes signatures of any age.
    NoFreshness,
    /// It verifies JSON that was parsed and written again.
    WritesJsonAgain,
}

/// Serves `router`, and returns the URL of its route `/clipia`.
async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/clipia", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// The receiver of the SDK for axum.
async fn right_receiver(secret: &str) -> String {
    let clipia = Clipia::builder().key("clipia_test_0123456789abk3Qz").build().unwrap();
    serve(Router::new().route("/clipia", clipia.webhooks(secret).unwrap().into_route())).await
}

async fn wrong_receiver(mistake: Mistake) -> String {
    let receive = async move |headers: HeaderMap, body: Bytes| receive_wrongly(mistake, &headers, &body);
    serve(Router::new().route("/clipia", post(receive))).await
}

fn receive_wrongly(mistake: Mistake, headers: &HeaderMap, body: &[u8]) -> StatusCode {
    let mut verifier = Verifier::new([EMULATOR_SECRET]).unwrap();
    let Some(signature) = headers.get(SIGNATURE_HEADER).and_then(|value| value.to_str().ok()) else {
        return StatusCode::BAD_REQUEST;
    };
    let mut bytes = body.to_vec();
    match mistake {
        Mistake::ThrowsAtAnotherLength => {
            let digits = signature.rsplit_once("v1=").map_or(0, |(_, digits)| digits.len());
            if digits != 64 {
                return StatusCode::INTERNAL_SERVER_ERROR; // so a framework responds to an exception
            }
        }
        Mistake::NoFreshness => verifier = verifier.tolerance(u64::MAX),
        Mistake::WritesJsonAgain => {
            let Ok(parsed) = serde_json::from_slice::<Delivery>(body) else { return StatusCode::BAD_REQUEST };
            bytes = serde_json::to_vec(&parsed).unwrap();
        }
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    match verifier.check(signature, &bytes, now) {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::BAD_REQUEST,
    }
}

/// All that a run printed, and its exit code.
fn said(run: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (stdout, stderr) = (text(&run.stdout), text(&run.stderr));
    format!("{stdout}--- stderr\n{stderr}--- exit code {}\n", run.status.code().unwrap())
}

/// The cases that a report has in red.
fn red(report: &Value) -> Vec<&str> {
    let rows = report["rows"].as_array().unwrap().iter();
    rows.filter(|row| row["verdict"] != "right").map(|row| row["case"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_receiver_of_the_sdk_is_right() {
    let url = right_receiver(EMULATOR_SECRET).await;
    let run = output_on_terminal(&mut command(&["webhooks", "check", &url]));
    assert_eq!(run.status.code(), Some(0), "{}", said(&run));
    hold("receiver_right", &said(&run));

    let secret = "a secret of another form";
    let url = right_receiver(secret).await;
    let run = output(command(&["webhooks", "check", &url]).env("CLIPIA_WEBHOOK_SECRET", secret));
    assert_eq!((run.status.code(), run.stderr.as_slice()), (Some(0), &b""[..]), "{}", said(&run));
    let report: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!((&report["right"], &report["emulator_secret"]), (&json!(14), &json!(false)), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_receiver_has_exactly_its_mistake_in_red() {
    for (mistake, expected) in [
        (Mistake::ThrowsAtAnotherLength, &["cut_signature"][..]),
        (Mistake::NoFreshness, &["old", "future"]),
        (Mistake::WritesJsonAgain, &["odd_body"]),
    ] {
        let run = output(&mut command(&["webhooks", "check", &wrong_receiver(mistake).await]));
        let report: Value = serde_json::from_slice(&run.stdout).unwrap();
        assert_eq!((red(&report), run.status.code()), (expected.to_vec(), Some(1)), "{mistake:?}: {report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_a_table_json_and_junit() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("report.xml");
    let url = wrong_receiver(Mistake::NoFreshness).await;
    let mut all = said(&output_on_terminal(&mut command(&["webhooks", "check", &url])));
    let url = wrong_receiver(Mistake::ThrowsAtAnotherLength).await;
    let mut check = command(&["webhooks", "check", &url, "--json", "--junit"]);
    all += &said(&output(check.arg(&file)));
    all += &std::fs::read_to_string(&file).unwrap();
    hold("receiver_wrong", &all);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_says_why_it_sends_nothing() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}/clipia", free.local_addr().unwrap());
    drop(free);
    let mut all = String::new();
    for (arguments, code) in [
        (&["http://example.com/hook"][..], 2),
        (&["localhost:3000"], 2),
        (&["https://user:password@example.com/"], 2),
        (&["http://127.0.0.1:9/", "--secret", "whsec_short"], 2),
        (&["http://127.0.0.1:9/", "--data", "."], 2),
        (&[nobody.as_str()], 7),
    ] {
        let run = output(&mut command(&[&["webhooks", "check"], arguments].concat()));
        assert_eq!(run.status.code(), Some(code), "{arguments:?}: {}", said(&run));
        assert!(!said(&run).contains("password@"), "{}", said(&run));
        all += &format!("$ clipia webhooks check {}\n{}", arguments.join(" "), said(&run));
    }
    hold("receiver_errors", &all);
}

/// A command that calls `server`, and signs with its secret.
fn calling(server: &Server, arguments: &[&str]) -> Command {
    let mut command = command(arguments);
    command
        .env("CLIPIA_BASE_URL", &server.url)
        .env("CLIPIA_KEY", &server.live_key)
        .env("CLIPIA_WEBHOOK_SECRET", &server.webhook_secret);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outcome_of_a_generation_is_delivered_to_this_machine() {
    let (server, receiver) = (Server::start(Options::default()), Receiver::start().await);
    receiver.respond_with([503, 204, 400]);
    let small = |more: &[&'static str]| {
        let fox = ["generate", "nano-banana-2", "-p", "fox", "--set", "resolution=0.5K"];
        let mut run = calling(&server, &[&fox[..], more].concat());
        run.args(["--deliver", receiver.url()]);
        output(&mut run)
    };
    let run = small(&[]);
    assert_eq!(run.status.code(), Some(0), "{}", said(&run));
    assert!(said(&run).contains("responded with 503; attempt 2 of 5"), "{}", said(&run));
    assert!(said(&run).contains("it responded with 204"), "{}", said(&run));
    let result: Value = serde_json::from_slice(&run.stdout).unwrap();
    let bodies: Vec<Bytes> = receiver.wait_for(2).await.into_iter().map(|delivery| delivery.body).collect();
    assert_eq!(bodies[0], bodies[1]);
    let delivered: Value = serde_json::from_slice(&bodies[1]).unwrap();
    let payload = json!({ "model": "nano-banana-2", "output": result["output"], "cost": result["cost"] });
    let expected = json!({ "request_id": result["request_id"], "status": "OK", "payload": payload });
    assert_eq!(delivered, expected);

    let run = small(&[]);
    assert_eq!(run.status.code(), Some(7), "a refusal is not attempted again: {}", said(&run));
    let result: Value = serde_json::from_slice(&run.stdout).unwrap();
    let again = format!("`clipia webhooks send {} --to ", result["request_id"].as_str().unwrap());
    assert!(said(&run).contains(&again), "{}", said(&run));

    let broken = r#"{"prompt": "sway", "image_url": "data:image/png;base64,AAAA", "duration": 1}"#;
    let sway = ["generate", "seedance-2-fast-i2v", "--input", broken, "--deliver", receiver.url()];
    let run = output(&mut calling(&server, &sway));
    assert_eq!(run.status.code(), Some(4), "{}", said(&run));
    let delivered: Value = serde_json::from_slice(&receiver.wait_for(4).await[3].body).unwrap();
    let result: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!((&delivered["status"], &delivered["error"]), (&json!("ERROR"), &result["error"]));
}

#[test]
fn nothing_is_submitted_for_a_receiver_that_cannot_be_called() {
    let server = Server::start(Options::default());
    let fox = ["generate", "nano-banana-2", "-p", "fox", "--deliver", "http://example.com/"];
    let run = output(&mut calling(&server, &fox));
    assert_eq!(run.status.code(), Some(2), "{}", said(&run));
    let account: Value = serde_json::from_slice(&output(&mut calling(&server, &["account"])).stdout).unwrap();
    assert_eq!(account["usage_30d"]["requests"], 0, "{account}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_sent_as_the_server_delivered_it() {
    let (server, receiver) = (Server::start(Options::default()), Receiver::start().await);
    let fox = ["generate", "nano-banana-2", "-p", "fox", "--key", &server.test_key];
    let run = output(&mut calling(&server, &[&fox[..], &["--webhook", receiver.url()]].concat()));
    let submitted: Value = serde_json::from_slice(&run.stdout).unwrap();
    let id = submitted["request_id"].as_str().unwrap();
    let of_server = receiver.wait_for(1).await.remove(0);

    let send = |id: &str, to: &str| {
        let sandbox = ["--key", &server.test_key];
        output(&mut calling(&server, &[&["webhooks", "send", id, "--to", to][..], &sandbox].concat()))
    };
    let run = send(id, receiver.url());
    assert_eq!(run.status.code(), Some(0), "{}", said(&run));
    let sent: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!((&sent["request_id"], &sent["status"]), (&json!(id), &json!(200)), "{sent}");
    let ours = receiver.wait_for(2).await.remove(1);
    assert_eq!(ours.body, of_server.body);
    let names = |headers: &HeaderMap| -> Vec<String> { headers.keys().map(ToString::to_string).collect() };
    assert_eq!(names(&ours.headers), names(&of_server.headers));

    let right = right_receiver(&server.webhook_secret).await;
    assert_eq!(send(id, &right).status.code(), Some(0));
    let other = right_receiver("whsec_of_another").await;
    let run = send(id, &other);
    assert_eq!(run.status.code(), Some(7), "{}", said(&run));
    assert_eq!(send(UNKNOWN, &right).status.code(), Some(3));
}

#[test]
fn a_generation_that_goes_on_has_no_outcome_to_send() {
    let server = Server::start(Options::default());
    server.administer(&["queues", "pause", "render"]);
    let submitted = output(&mut calling(&server, &["generate", "nano-banana-2", "-p", "fox"]));
    let submitted: Value = serde_json::from_slice(&submitted.stdout).unwrap();
    let id = submitted["request_id"].as_str().unwrap();
    let run = output(&mut calling(&server, &["webhooks", "send", id, "--to", "http://127.0.0.1:9/"]));
    assert_eq!(run.status.code(), Some(5), "{}", said(&run));
    assert!(said(&run).contains(&format!("generation {id} has not ended: it is IN_QUEUE")), "{}", said(&run));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_guide_test_a_receiver() {
    let server = Server::start(Options::default());
    let url = right_receiver(&server.webhook_secret).await;
    let port = url.split(['/', ':']).nth(4).unwrap().to_owned();
    let commands = block("docs/guides/receive-webhooks.md", "sh", "generate nano-banana-2");
    let commands = commands.replace("localhost:3000", &format!("127.0.0.1:{port}"));
    assert!(commands.contains(&url), "{commands}");
    let directory = tempfile::tempdir().unwrap();
    let program = command(&[]);
    let programs = Path::new(program.get_program()).parent().unwrap().to_path_buf();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([programs].into_iter().chain(std::env::split_paths(&path))).unwrap();
    let mut shell = Command::new("bash");
    shell
        .args(["-euo", "pipefail", "-c", &commands])
        .current_dir(directory.path())
        .env("PATH", path)
        .env("CLIPIA_BASE_URL", &server.url)
        .env("CLIPIA_KEY", &server.live_key)
        .env("CLIPIA_WEBHOOK_SECRET", &server.webhook_secret);
    let run = output(&mut shell);
    assert!(run.status.success(), "{commands}: {}", said(&run));
}
