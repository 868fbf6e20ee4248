//! A server in operation: probes, metrics, configuration, drain and signals.

use crate::contract::small_fox;
use crate::support::{Options, Raw, Server, command, output, until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const FOX: &str = "/v1/models/nano-banana-2";

/// A clip that takes a while to draw.
fn clip(seconds: u32) -> Value {
    json!({ "input": { "prompt": "waves", "duration": seconds, "resolution": "480p" } })
}

async fn body(client: &Raw, path: &str, status: u16) -> String {
    String::from_utf8(client.get(path).await.expect(status).body.to_vec()).unwrap()
}

async fn status(server: &Server, submitted: &Value) -> String {
    let path = format!("/v1/requests/{}/status", submitted["request_id"].as_str().unwrap());
    server.live().get(&path).await.expect(200).json()["status"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_need_no_key_and_metrics_have_their_own_listener() {
    let server = Server::start(Options { rpm: Some(2_400), ..Options::default() });
    let (public, admin) = (Raw::new(&server.url), Raw::new(&server.admin_url));
    for client in [&public, &admin] {
        assert_eq!(body(client, "/livez", 200).await, "ok\n");
        assert_eq!(body(client, "/readyz", 200).await, "ok\n");
    }
    public.get("/metrics").await.expect_error("invalid_api_key");

    let submitted = server.live().post(FOX, &small_fox()).await.expect(200).json();
    let result = format!("/v1/requests/{}", submitted["request_id"].as_str().unwrap());
    let ended = until("the fox", async || {
        let response = server.live().get(&result).await;
        (response.status == 200).then(|| response.json())
    });
    let url = ended.await["output"]["images"][0]["original_url"].as_str().unwrap().to_owned();
    public.get(url.strip_prefix(&server.url).unwrap()).await.expect(200);
    let refused = async || {
        let response = server.sandbox().get("/v1/account").await;
        (response.status == 429).then_some(())
    };
    while refused().await.is_none() {}

    let metrics = body(&admin, "/metrics", 200).await;
    for line in [
        "clipia_http_requests_total{route=\"/v1/models/{model}\",method=\"POST\",status=\"200\"} 1",
        "clipia_http_requests_total{route=\"/v1/account\",method=\"GET\",status=\"429\"} 1",
        "clipia_http_requests_total{route=\"none\",method=\"GET\",status=\"401\"} 1",
        "clipia_http_requests_total{route=\"/media/{file}\",method=\"GET\",status=\"200\"} 1",
        "clipia_rate_limited_total 1",
        "clipia_queue_wait_seconds_count 1",
        "clipia_generations_running 0",
        "clipia_generations_ended_total{model=\"nano-banana-2\",outcome=\"completed\"} 1",
        "clipia_leases_lost_total 0",
        "clipia_stale_writes_refused_total 0",
        "clipia_delivery_overdue_seconds 0.0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "no {line} in\n{metrics}");
    }
    for who in ["key_", "acct_", "127.0.0.1", submitted["request_id"].as_str().unwrap()] {
        assert!(!metrics.contains(who), "{who} in\n{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_fails_readyz_and_a_second_signal_ends_it() {
    let arguments = ["--drain-seconds", "300"].map(str::to_owned).to_vec();
    let mut server = Server::start(Options { arguments, ..Options::default() });
    let clip = server.live().post("/v1/models/seedance-2-fast-t2v", &clip(12)).await.expect(200).json();
    until("the start", async || (status(&server, &clip).await == "IN_PROGRESS").then_some(())).await;
    server.ask_to_end();
    let public = Raw::new(&server.url);
    until("the drain", async || (public.get("/readyz").await.status == 503).then_some(())).await;
    assert_eq!(body(&public, "/readyz", 503).await, "draining\n");
    assert_eq!(body(&public, "/livez", 200).await, "ok\n");
    // Calls are still served, and their submits run after the next start.
    let fox = server.live().post(FOX, &small_fox()).await.expect(200).json();
    assert_eq!(status(&server, &fox).await, "IN_QUEUE");
    let asked = Instant::now();
    assert_eq!(server.terminate().code(), Some(1));
    assert!(asked.elapsed() < Duration::from_secs(5), "it took {:?}", asked.elapsed());
    assert!(server.log().contains("stopped before the running generations had ended"), "{}", server.log());
    server.restart();
    until("the clip again", async || (status(&server, &clip).await == "IN_PROGRESS").then_some(())).await;
    until("the fox", async || (status(&server, &fox).await == "COMPLETED").then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_signal_ends_the_server_in_order() {
    let mut server = Server::start(Options::default());
    for signal in [Signal::INT, Signal::TERM] {
        let fox = server.live().post(FOX, &small_fox()).await.expect(200).json();
        server.signal(signal);
        assert_eq!(server.ended().code(), Some(0), "{signal:?}: {}", server.log());
        // The last lines of the log are there too.
        until("the log", async || server.log().contains("no more work is taken").then_some(())).await;
        server.restart();
        until("the fox", async || (status(&server, &fox).await == "COMPLETED").then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_reads_the_models_again() {
    let model = |slug: &str, credits: u32| {
        format!(
            "[[model]]\nslug = \"{slug}\"\nexecutor = \"render\"\ntype = \"image\"\npricing = {{ credits = {credits} }}\n\
             input_schema = {{ parameters = [{{ name = \"prompt\", type = \"string\", required = true }}] }}\n"
        )
    };
    let server = Server::start(Options { models: Some(model("fox", 3)), ..Options::default() });
    let (live, file) = (server.live(), server.data().join("models.toml"));
    let price = async |slug: &str| {
        let estimate = live.post(&format!("/v1/models/{slug}/estimate"), &small_fox()).await;
        (estimate.status == 200).then(|| estimate.json()["credits"].as_u64().unwrap())
    };
    assert_eq!((price("fox").await, price("hare").await), (Some(3), None));
    std::fs::write(&file, model("fox", 5) + &model("hare", 7)).unwrap();
    server.signal(Signal::HUP);
    until("the new models", async || (price("hare").await == Some(7)).then_some(())).await;
    assert_eq!(price("fox").await, Some(5));
    let hare = live.post("/v1/models/hare", &small_fox()).await.expect(200).json();
    assert_eq!(server.result(hare["request_id"].as_str().unwrap()).await["status"], "COMPLETED");

    // A file with a mistake, and one with another executor, change nothing and are named in the log.
    let executor = "[[executor]]\nname = \"echo\"\ncommand = [\"echo\"]\n";
    for (text, said) in [
        (model("fox", 9) + "[[model]]\nslug = \"half\"\n", "half"),
        (model("fox", 9) + executor, "they change with a restart"),
    ] {
        std::fs::write(&file, text).unwrap();
        server.signal(Signal::HUP);
        until("the reason", async || server.log().contains(said).then_some(())).await;
        assert_eq!((price("fox").await, price("hare").await), (Some(5), Some(7)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ignored_hangup_does_not_end_the_server() {
    let data = tempfile::tempdir().unwrap();
    let serve = command(&["serve", "--listen", "127.0.0.1:0", "--json"]);
    let mut child = Command::new("sh")
        .args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]) // as `nohup` does
        .arg(serve.get_program())
        .args(serve.get_args())
        .arg("--data")
        .arg(data.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::HUP).unwrap();
    let live = Raw::new(ready["url"].as_str().unwrap()).key(ready["live_key"].as_str().unwrap());
    let fox = live.post(FOX, &small_fox()).await.expect(200).json();
    let path = format!("/v1/requests/{}/status", fox["request_id"].as_str().unwrap());
    until("the fox", async || (live.get(&path).await.json()["status"] == "COMPLETED").then_some(())).await;
    assert_eq!(body(&live, "/readyz", 200).await, "ok\n");
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_is_bounded_and_releases_what_still_runs() {
    let arguments = ["--drain-seconds", "0"].map(str::to_owned).to_vec();
    let mut server = Server::start(Options { arguments, ..Options::default() });
    let clip = server.live().post("/v1/models/seedance-2-fast-t2v", &clip(2)).await.expect(200).json();
    // More restarts than leases may be lost: a release is not a lost lease.
    for _ in 0..5 {
        until("the start", async || (status(&server, &clip).await == "IN_PROGRESS").then_some(())).await;
        assert_eq!(server.terminate().code(), Some(0), "{}", server.log());
        server.restart();
    }
    until("the end", async || (status(&server, &clip).await == "COMPLETED").then_some(())).await;
}

/// The output and the exit code of `clipia serve --print-config` in a directory.
fn printed(directory: &Path, set: impl FnOnce(&mut Command)) -> (String, i32) {
    let mut command = command(&["serve", "--print-config"]);
    set(command.current_dir(directory));
    let output = output(&mut command);
    let said = [output.stdout, output.stderr].concat();
    (String::from_utf8(said).unwrap(), output.status.code().unwrap())
}

#[test]
fn options_override_the_environment_and_both_override_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("clipia.toml");
    std::fs::write(&file, "rpm = 1\ncredits = 1\ndrain_seconds = 1\ndev = true\ndata = \"kept\"\n").unwrap();
    let (said, code) = printed(directory.path(), |command| {
        command.env("CLIPIA_SERVE_CONFIG", &file);
        command.env("CLIPIA_SERVE_RPM", "2").env("CLIPIA_SERVE_CREDITS", "2");
        command.args(["--rpm", "3", "--dev=false"]);
    });
    assert_eq!(code, 0, "{said}");
    for line in [
        "rpm = 3",
        "credits = 2",
        "drain_seconds = 1",
        "dev = false",
        "data = \"kept\"",
        "listen = \"127.0.0.1:4747\"",
    ] {
        assert!(said.lines().any(|found| found == line), "no {line} in {said}");
    }
    // The output is a file with the same configuration.
    std::fs::write(&file, &said).unwrap();
    let again = printed(directory.path(), |command| {
        command.arg("--config").arg(&file);
    });
    assert_eq!(again, (said, 0));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "it makes nothing");
}

#[test]
fn an_unknown_or_invalid_setting_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("clipia.toml");
    let refused = |parts: &[&str], set: &dyn Fn(&mut Command)| {
        let (said, code) = printed(directory.path(), set);
        assert_eq!(code, 2, "{said}");
        for part in parts {
            assert!(said.contains(part), "no {part} in {said}");
        }
    };
    refused(&["error: the environment sets `CLIPIA_SERVE_LISTN`", "CLIPIA_SERVE_LISTEN"], &|command| {
        command.env("CLIPIA_SERVE_LISTN", "127.0.0.1:1");
    });
    refused(&["invalid value 'many' for '--rpm"], &|command| {
        command.env("CLIPIA_SERVE_RPM", "many");
    });
    refused(&["invalid value '1000000001' for '--credits"], &|command| {
        command.args(["--credits", "1000000001"]);
    });
    refused(&["error: cannot read `none.toml`"], &|command| {
        command.args(["--config", "none.toml"]);
    });
    for (text, message) in [
        ("lissten = \"127.0.0.1:1\"", &["clipia.toml`", "line 1", "hint: did you mean `listen`?"][..]),
        ("dev = 7", &["line 1", "expected a boolean"]),
        ("data = \"elsewhere\"", &["`data` has no place", "`--data` or `--config`"]),
    ] {
        std::fs::write(&file, text).unwrap();
        refused(message, &|command| {
            command.args(["--data", "."]);
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_writes_the_reference_and_later_starts_read_it() {
    let mut server = Server::start(Options { rpm: None, ..Options::default() });
    let file = server.data().join("clipia.toml");
    let reference = std::fs::read_to_string(&file).unwrap();
    assert!(reference.contains("#: rpm = 120\n"), "{reference}");
    server.terminate();
    std::fs::write(&file, reference.replace("#: rpm = 120", "rpm = 7")).unwrap();
    server.restart();
    assert_eq!(server.live().get("/v1/account").await.expect(200).header("ratelimit-limit"), "7");
    assert!(
        std::fs::read_to_string(&file).unwrap().contains("\nrpm = 7\n"),
        "a later start must not change the file"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_logged_changes_while_the_server_runs() {
    let server = Server::start(Options::default());
    let data = server.data().to_str().unwrap();
    assert!(
        !server.log().contains("DEBUG") && !server.log().contains(r#""level":"DEBUG""#),
        "{}",
        server.log()
    );
    assert_eq!(server.administer(&["log-level", "debug"])["filter"], "debug");
    until("an event of the new level", async || {
        server.live().get("/v1/account").await.expect(200);
        server.log().contains("DEBUG").then_some(())
    })
    .await;
    let refused = output(&mut command(&["log-level", "clipia=loud", "--data", data]));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(3) && said.contains("info,clipia_server=debug"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn credits_are_taken_back_where_they_are_available() {
    let server = Server::start(Options { credits: Some(20), ..Options::default() });
    let accounts = server.administer(&["accounts", "list"]);
    let account = accounts[0]["account_id"].as_str().unwrap();
    let taken = server.administer(&["credits", "take", account, "15"]);
    assert_eq!((&taken["withdrawn"], &taken["available"]), (&json!(15), &json!(5)));
    assert_eq!(server.balance().await, 5);
    let refused =
        output(&mut command(&["credits", "take", account, "6", "--data", server.data().to_str().unwrap()]));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(3) && said.contains("5 are available"), "{said}");
    assert_eq!(server.balance().await, 5);
    server.administer(&["doctor"]);
}
