//! The log of a server. Nothing may wait for it.

use crate::contract::small_fox;
use crate::support::{Options, Raw, Receiver, Server, Stderr, command, output, until};
use bytes::Bytes;
use clipia::Timestamp;
use http::Method;
use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::timeout;

const FOX: &str = "/v1/models/nano-banana-2";

/// The number of submits to each server.
const SUBMITS: u32 = 30;

/// The longest wait for these submits.
const PATIENCE: Duration = Duration::from_secs(20);

async fn status(client: &Raw, submitted: &Value) -> String {
    let path = format!("/v1/requests/{}/status", submitted["request_id"].as_str().unwrap());
    client.get(&path).await.expect(200).json()["status"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_about_a_request_name_it_and_its_key_and_nothing_secret() {
    let arguments = ["--log-format", "json"].map(str::to_owned).to_vec();
    let mut server = Server::start(Options { arguments, ..Options::default() });
    let secret = json!({ "input": { "prompt": "a whisper", "resolution": "0.5K" } });
    let submitted = server.live().post(FOX, &secret).await.expect(200).json();
    until("the end", async || (status(&server.live(), &submitted).await == "COMPLETED").then_some(())).await;
    let keys = server.administer(&["keys", "list"]);
    let ids: Vec<&str> = keys.as_array().unwrap().iter().map(|key| key["id"].as_str().unwrap()).collect();
    server.terminate();
    let log = server.log();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    for message in ["generation submitted", "generation started", "generation ended"] {
        let line = lines.iter().find(|line| line["message"] == message).expect(message);
        assert_eq!(line["span"]["request_id"], submitted["request_id"], "{line}");
        assert!(ids.contains(&line["span"]["key_id"].as_str().unwrap()), "{line}");
    }
    for secret in [&server.live_key, &server.webhook_secret, "a whisper"] {
        assert!(!log.contains(secret), "{log}");
    }
}

/// The number of submits that a server has accepted, stored and completed, and its `/livez`.
#[derive(Debug, PartialEq)]
struct Served {
    accepted: u32,
    committed: u32,
    completed: u32,
    livez: Option<u16>,
}

async fn serve(server: &Server) -> Served {
    let mut submits = JoinSet::new();
    for _ in 0..SUBMITS {
        let live = server.live();
        submits.spawn(async move {
            let submit = live.try_send(Method::POST, FOX, small_fox().to_string().into());
            matches!(timeout(PATIENCE, submit).await, Ok(Ok(response)) if response.status == 200)
        });
    }
    let accepted = submits.join_all().await.into_iter().map(u32::from).sum();
    // The store is read directly, since a server that hangs responds to nothing.
    let store = Connection::open(server.data().join("clipia.db")).unwrap();
    let count = || -> (u32, u32) {
        let count = "SELECT count(*), count(*) FILTER (WHERE phase = 'completed') FROM request";
        store.query_row(count, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    };
    let since = Instant::now();
    let (committed, completed) = loop {
        let counted = count();
        if counted == (SUBMITS, SUBMITS) || since.elapsed() > PATIENCE {
            break counted;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let live = Raw::new(&server.url);
    let livez = timeout(PATIENCE, live.try_send(Method::GET, "/livez", Bytes::new())).await;
    let livez = livez.ok().and_then(Result::ok).map(|response| response.status.as_u16());
    Served { accepted, committed, completed, livez }
}

async fn dropped(server: &Server) -> u64 {
    let metrics = Raw::new(&server.admin_url).get("/metrics").await.expect(200);
    let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
    let line = metrics.lines().find_map(|line| line.strip_prefix("clipia_log_events_dropped_total "));
    line.unwrap_or_else(|| panic!("it is not counted: {metrics}")).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_written_disturbs_nothing_else() {
    let all = Served { accepted: SUBMITS, committed: SUBMITS, completed: SUBMITS, livez: Some(200) };
    for stderr in [Stderr::Full, Stderr::Gone, Stderr::Unread] {
        // The log is long enough to fill a pipe without a reader.
        let mut server = Server::start(Options { stderr, log: Some("debug"), ..Options::default() });
        assert_eq!(serve(&server).await, all, "{stderr:?}");
        let lost = dropped(&server).await;
        // Lines that wait for a reader are not lost yet.
        assert_eq!(lost > 0, stderr != Stderr::Unread, "{stderr:?}: {lost}");
        if stderr != Stderr::Full {
            server.read_log();
            until("the log again", async || {
                server.live().get("/v1/models").await.expect(200);
                let log = server.log();
                if stderr == Stderr::Unread {
                    return (log.matches("generation ended").count() == SUBMITS as usize).then_some(());
                }
                let line = log.lines().find(|line| line.contains("could not be written and were dropped"))?;
                let (_, count) = line.split_once("dropped_total=")?;
                assert!(count.trim().parse::<u64>().unwrap() >= lost, "{line}");
                Some(())
            })
            .await;
        }
        assert_eq!(server.terminate().code(), Some(0), "{stderr:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_log_reader_ends_in_time() {
    let arguments = ["--drain-seconds", "300"].map(str::to_owned).to_vec();
    let (stderr, log) = (Stderr::Unread, Some("debug"));
    let mut server = Server::start(Options { stderr, log, arguments, ..Options::default() });
    // The pipe is full by then.
    for _ in 0..100 {
        server.live().get("/v1/models").await.expect(200);
    }
    let clip = json!({ "input": { "prompt": "waves", "duration": 12, "resolution": "480p" } });
    let clip = server.live().post("/v1/models/seedance-2-fast-t2v", &clip).await.expect(200).json();
    until("the start", async || (status(&server.live(), &clip).await == "IN_PROGRESS").then_some(())).await;
    server.ask_to_end();
    let public = Raw::new(&server.url);
    until("the drain", async || (public.get("/readyz").await.status == 503).then_some(())).await;
    assert_eq!(server.terminate().code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_runs_without_a_reader_of_stdout() {
    let data = tempfile::tempdir().unwrap();
    let mut serve = command(&["serve", "--listen", "127.0.0.1:0", "--json", "--data"]);
    let stdout = File::options().write(true).open("/dev/full").unwrap();
    let mut child = serve.arg(data.path()).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let warning = lines.map_while(Result::ok).find(|line| line.contains("cannot print on stdout"));
    assert!(warning.is_some_and(|line| line.contains("clipia keys create")));
    let listed = output(command(&["keys", "list", "--data"]).arg(data.path()));
    assert!(listed.status.success(), "{listed:?}");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_about_a_delivery_has_its_request_and_its_next_attempt() {
    let receiver = Receiver::start().await;
    receiver.respond_with([503]);
    let arguments = ["--log-format", "json"].map(str::to_owned).to_vec();
    let server = Server::start(Options { arguments, ..Options::default() });
    let mut fox = small_fox();
    fox["webhook_url"] = receiver.url().into();
    let submitted = server.live().post(FOX, &fox).await.expect(200).json();
    let line = until("the attempt", async || {
        let log = server.log();
        let mut lines = log.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
        lines.find(|line| line["message"] == "webhook attempted")
    })
    .await;
    assert_eq!(line["span"]["request_id"], submitted["request_id"], "{line}");
    assert!(line["span"]["key_id"].as_str().unwrap().starts_with("key_"), "{line}");
    assert_eq!((&line["class"], &line["next"]), (&json!("status_5xx"), &json!("retry")), "{line}");
    let at: Timestamp = line["timestamp"].as_str().unwrap().parse().unwrap();
    let next_at: Timestamp = line["next_at"].as_str().unwrap().parse().unwrap();
    assert!(next_at > at, "{line}");
    assert!(line["seconds"].is_f64(), "{line}");
}
