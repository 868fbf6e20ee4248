//! The ends of programs: nothing that one started outlives its job, its crashes are paid once and reported.
#![cfg(target_os = "linux")]

use crate::support::{Options, Server, until};
use serde_json::{Value, json};
use std::path::Path;

/// A program that writes the numbers of itself, of a child and of an orphan in a session of its own to the file `pids`, ignores
/// SIGTERM, and never ends. Once the file is there, it makes something.
const FAMILY: &str = r#"
[ -e "$PIDS" ] && echo made > "$CLIPIA_OUT/x.txt" && exit
trap '' TERM
sleep 1000 & child=$!
(setsid sleep 1000 & echo $! > orphan)
echo $child $(cat orphan) $$ > "$PIDS.new"
mv "$PIDS.new" "$PIDS"
while :; do sleep 0.05; done
"#;

/// A server with the model `any`, which a shell script makes.
fn start(script: &str, pids: &Path) -> Server {
    let command = json!(["sh", "-c", script]);
    let models = format!(
        "[[executor]]\nname = \"any\"\ncommand = {command}\ngrace_seconds = 1\nenv = {{ PIDS = {pids:?} }}\n\
         [[model]]\nslug = \"any\"\nexecutor = \"any\"\ntype = \"image\"\npricing = {{ credits = 3 }}\n\
         input_schema = {{ parameters = [] }}\n"
    );
    Server::start(Options { models: Some(models), credits: Some(1_000), ..Options::default() })
}

/// Submits; returns the id of the request and the path of the result.
async fn submit(server: &Server) -> (String, String) {
    let submitted = server.live().post("/v1/models/any", &json!({ "input": {} })).await.expect(200).json();
    let text = |name: &str| submitted[name].as_str().unwrap().to_owned();
    let path = text("response_url").strip_prefix(&server.url).unwrap().to_owned();
    (text("request_id"), path)
}

async fn ended(server: &Server, path: &str) -> Value {
    until("the generation ends", async || {
        let result = server.live().get(path).await.json();
        (result["status"] != "IN_QUEUE" && result["status"] != "IN_PROGRESS").then_some(result)
    })
    .await
}

/// The processes of the program, once they run.
async fn processes(pids: &Path) -> Vec<String> {
    let found = until("the program runs", async || std::fs::read_to_string(pids).ok()).await;
    let found: Vec<String> = found.split_whitespace().map(str::to_owned).collect();
    assert!(found.len() == 3 && found.iter().all(|pid| lives(pid)), "{found:?}");
    found
}

/// Whether a process runs. One that nobody has waited for yet is dead.
fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

async fn are_gone(pids: &[String]) {
    until("the processes are gone", async || (!pids.iter().any(|pid| lives(pid))).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_leaves_no_process_behind() {
    let directory = tempfile::tempdir().unwrap();
    let pids = directory.path().join("pids");
    let mut server = start(FAMILY, &pids);
    let (_, path) = submit(&server).await;
    let family = processes(&pids).await;
    server.kill9();
    are_gone(&family).await;
    server.restart();
    let result = ended(&server, &path).await;
    assert_eq!(result["status"], "COMPLETED", "{result}");
    assert_eq!(server.balance().await, 1_000 - 3);
    let jobs = server.data().join("jobs/any");
    let is_empty = || std::fs::read_dir(&jobs).is_ok_and(|mut left| left.next().is_none());
    until("the directories of the jobs are removed", async || is_empty().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_reaches_all_that_a_program_started() {
    let directory = tempfile::tempdir().unwrap();
    let pids = directory.path().join("pids");
    let server = start(FAMILY, &pids);
    let (id, path) = submit(&server).await;
    let family = processes(&pids).await;
    server.administer(&["requests", "cancel", &id]);
    assert_eq!(ended(&server, &path).await["status"], "CANCELED");
    are_gone(&family).await;
    // The slot is free for the next one.
    let (_, path) = submit(&server).await;
    assert_eq!(ended(&server, &path).await["status"], "COMPLETED");
    assert_eq!(server.balance().await, 1_000 - 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn crashes_in_a_row_fail_the_request_and_are_reported() {
    let directory = tempfile::tempdir().unwrap();
    let works = directory.path().join("works");
    let server = start(r#"[ -e "$PIDS" ] && echo made > "$CLIPIA_OUT/x.txt" || kill -SEGV $$"#, &works);
    let (_, path) = submit(&server).await;
    let result = ended(&server, &path).await;
    assert_eq!(result["status"], "FAILED", "{result}");
    assert_eq!(result["error"]["message"], "the program crashed: it died of SIGSEGV");
    assert_eq!(server.balance().await, 1_000);
    let why = "its program died 5 times in a row, the last time because it died of SIGSEGV";
    until("the breaker is reported", async || {
        let paused = server.administer(&["doctor"])["paused"].clone();
        (paused == json!([{ "of": "executor any", "why": why }])).then_some(())
    })
    .await;
    // One request tries after a pause.
    std::fs::write(&works, "").unwrap();
    let (_, path) = submit(&server).await;
    assert_eq!(ended(&server, &path).await["status"], "COMPLETED");
    until("the breaker is closed", async || {
        (server.administer(&["doctor"])["paused"] == json!([])).then_some(())
    })
    .await;
}
