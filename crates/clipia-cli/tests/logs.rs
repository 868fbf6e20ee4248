//! The log lines of generations, as a user and an operator read them while a program that embeds the server runs.

#![allow(clippy::unwrap_used)] // test code, helpers of tests included: a failed expectation stops the test

use async_trait::async_trait;
use clipia::{Clipia, RequestId, Status, json};
use clipia_server::clock::SystemClock;
use clipia_server::executors::{Executor, Job, JobControl, JobError, JobOutput};
use clipia_server::{Config, RateLimit, Service};
use clipia_store_sqlite::SqliteStore;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tempfile::TempDir;

/// The variable that makes this test's program the server of the data directory that it names.
const SERVER: &str = "CLIPIA_TEST_LOGS_SERVER";

/// What the server prints before its URL and its key.
const READY: &str = "ready at ";

/// The longest wait for anything.
const DEADLINE: Duration = Duration::from_secs(60);

const MODELS: &str = r#"
[[model]]
executor = "scripted"
slug = "scripted"
type = "image"
pricing = { credits = 1 }
input_schema = { parameters = [{ name = "prompt", type = "string" }] }
"#;

/// Does what the script of a job says, which is a file of this directory named by the prompt, line by line as it grows.
struct Scripted(PathBuf);

#[async_trait]
impl Executor for Scripted {
    async fn run(&self, job: Job, control: JobControl) -> Result<JobOutput, JobError> {
        let script = self.0.join(job.input["prompt"].as_str().unwrap());
        let mut done = 0;
        while !control.is_stopped() {
            let text = std::fs::read_to_string(&script).unwrap_or_default();
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            for line in whole.lines().skip(done) {
                done += 1;
                match line.split_once(' ') {
                    _ if line == "end" => {
                        return Ok(JobOutput { output: Default::default(), files: Vec::new() });
                    }
                    _ if line == "panic" => panic!("the script says so"),
                    Some(("fail", why)) => return Err(JobError::Failed(why.to_owned())),
                    Some(("burst", count)) => {
                        (1..=count.parse::<u32>().unwrap()).for_each(|n| control.log(&format!("line {n}")));
                    }
                    _ => control.log(line),
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err(JobError::Stopped)
    }
}

/// The server, in a process of its own: the other tests start this one's program with a variable.
#[tokio::test(flavor = "multi_thread")]
async fn serve() {
    let Some(data) = std::env::var_os(SERVER).map(PathBuf::from) else { return };
    let config = Config {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        limit: Some(RateLimit::per_minute(0)),
        ..Config::new(&data)
    };
    let store = Arc::new(SqliteStore::open(&data, Arc::new(SystemClock)).unwrap());
    let service = Service::builder(config).store(store).executor("scripted", Arc::new(Scripted(data)), 2);
    let service = service.start().await.unwrap();
    let key = service.first_keys().map_or_else(String::new, |keys| keys.live_key.to_string());
    let mut stdout = std::io::stdout();
    writeln!(stdout, "\n{READY}{} {key}", service.url()).unwrap();
    stdout.flush().unwrap();
    std::future::pending::<()>().await;
}

/// The server's process.
struct Server {
    data: TempDir,
    process: Child,
    clipia: Clipia,
    key: String,
}

impl Server {
    fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        std::fs::write(data.path().join("models.toml"), MODELS).unwrap();
        let (process, url, key) = launch(data.path());
        let clipia = Clipia::builder().key(&key).base_url(url).build().unwrap();
        Self { data, process, clipia, key }
    }

    /// Kills the process (SIGKILL) and starts another on the same directory.
    fn kill_and_restart(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let (process, url, _) = launch(self.data.path());
        self.process = process;
        self.clipia = Clipia::builder().key(&self.key).base_url(url).build().unwrap();
    }

    /// Adds lines to a script.
    fn write(&self, script: &str, lines: &str) {
        let path = self.data.path().join(script);
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(lines.as_bytes()).unwrap();
    }

    async fn submit(&self, script: &str) -> RequestId {
        self.clipia.submit("scripted", json!({ "prompt": script })).await.unwrap().id().clone()
    }

    /// The log lines in the status, and the status.
    async fn status(&self, id: &RequestId) -> (Vec<String>, Status) {
        let status = self.clipia.status(id.clone()).await.unwrap();
        let text = |line: &Value| line.as_str().unwrap().to_owned();
        (status.logs.iter().map(text).collect(), status.status)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clipia"));
        command.args(arguments).arg("--data").arg(self.data.path());
        command
    }

    /// The attempts and the texts of the lines that `clipia requests logs` shows, and the number of the first one.
    fn logs(&self, id: &RequestId, arguments: &[&str]) -> (Vec<(i64, String)>, u64) {
        let output =
            self.command(&[&["requests", "logs", id.as_str()], arguments].concat()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines: Value = serde_json::from_slice(&output.stdout).unwrap();
        let lines = lines.as_array().unwrap();
        let first = lines.first().map_or(0, |line| line["number"].as_u64().unwrap());
        (lines.iter().map(attempt_and_text).collect(), first)
    }

    fn follow(&self, id: &RequestId) -> Following {
        let mut command = self.command(&["requests", "logs", id.as_str(), "--follow"]);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = lines_of(process.stdout.take().unwrap());
        Following { process, lines }
    }

    async fn ended(&self, id: &RequestId) {
        let wait = self.clipia.generation(id.clone()).wait().timeout(DEADLINE);
        wait.await.unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails if the process has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts the server on a directory. Returns its process, its URL, and its key if it made one.
fn launch(data: &Path) -> (Child, String, String) {
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args(["serve", "--exact", "--nocapture"]).env(SERVER, data);
    let mut process = program.stdout(Stdio::piped()).spawn().unwrap();
    let lines = lines_of(process.stdout.take().unwrap());
    let ready = loop {
        let line = lines.recv_timeout(DEADLINE).unwrap();
        if let Some(ready) = line.strip_prefix(READY) {
            break ready.to_owned();
        }
    };
    let (url, key) = ready.split_once(' ').unwrap();
    (process, url.to_owned(), key.to_owned())
}

/// The lines that a process prints, read on a thread so that its pipe never fills.
fn lines_of(stdout: ChildStdout) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            let _ = sender.send(line.unwrap());
        }
    });
    lines
}

fn attempt_and_text(line: &Value) -> (i64, String) {
    (line["attempt"].as_i64().unwrap(), line["line"].as_str().unwrap().to_owned())
}

/// A running `clipia requests logs --follow`.
struct Following {
    process: Child,
    lines: mpsc::Receiver<String>,
}

impl Following {
    /// The next line's attempt and text.
    fn next(&self) -> (i64, String) {
        let line = self.lines.recv_timeout(DEADLINE).unwrap();
        attempt_and_text(&serde_json::from_str(&line).unwrap())
    }

    /// How it ended, with no other line.
    fn ended(mut self) -> ExitStatus {
        let more = self.lines.recv_timeout(DEADLINE);
        assert!(more.is_err_and(|error| error == mpsc::RecvTimeoutError::Disconnected));
        self.process.wait().unwrap()
    }
}

fn of(attempt: i64, lines: &[&str]) -> Vec<(i64, String)> {
    lines.iter().map(|line| (attempt, (*line).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_followed_as_they_are_logged_and_outlive_the_server() {
    let mut server = Server::start();
    server.write("slow", "loading\nstep 1\n");
    let id = server.submit("slow").await;
    let following = server.follow(&id);
    assert_eq!([following.next(), following.next()], *of(1, &["loading", "step 1"]));
    server.write("slow", "step 2\n");
    assert_eq!(following.next(), (1, "step 2".to_owned()));
    assert_eq!(
        server.status(&id).await,
        (["loading", "step 1", "step 2"].map(str::to_owned).into(), Status::InProgress)
    );

    server.kill_and_restart();
    assert!(!following.ended().success(), "the server was gone");
    let following = server.follow(&id);
    let first = of(1, &["loading", "step 1", "step 2"]);
    let second = of(2, &["loading", "step 1", "step 2", "\u{e9}nd"]);
    for line in first.iter().chain(&second[..3]) {
        assert_eq!(following.next(), *line);
    }
    server.write("slow", "\u{1b}[32m\u{e9}nd\u{1b}[0m\u{7}\nend\n");
    assert_eq!(following.next(), second[3]);
    assert!(following.ended().success());
    assert_eq!(server.logs(&id, &[]), ([&first[..], &second].concat(), 1));
    assert_eq!(server.logs(&id, &["--attempt", "1"]), (first, 1));
    let texts = second.iter().map(|(_, line)| line.clone()).collect();
    assert_eq!(server.status(&id).await, (texts, Status::Completed));
    // A log that has ended is shown at once, also if it is followed.
    let following = server.follow(&id);
    (0..7).for_each(|_| drop(following.next()));
    assert!(following.ended().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_lines_before_any_end_are_kept_up_to_the_bound() {
    let server = Server::start();
    for (script, lines, status) in [
        ("ends", "burst 1312\nend\n", Status::Completed),
        ("fails", "burst 1312\nfail too dark\n", Status::Failed),
        ("breaks", "burst 1312\npanic\n", Status::Failed),
    ] {
        server.write(script, lines);
        let id = server.submit(script).await;
        server.ended(&id).await;
        let (lines, first) = server.logs(&id, &[]);
        let expected: Vec<_> = (313..=1_312).map(|n| (1, format!("line {n}"))).collect();
        assert_eq!((lines, first), (expected, 313), "{script}");
        let shown = (1_263..=1_312).map(|n| format!("line {n}")).collect();
        assert_eq!(server.status(&id).await, (shown, status), "{script}");
    }
    server.write("quiet", "end\n");
    let id = server.submit("quiet").await;
    server.ended(&id).await;
    assert_eq!(server.logs(&id, &[]), (Vec::new(), 0));
    assert_eq!(server.status(&id).await, (Vec::new(), Status::Completed));
    let doctor = server.command(&["doctor"]).output().unwrap();
    assert!(doctor.status.success(), "{}", String::from_utf8_lossy(&doctor.stdout));
    let unknown =
        server.command(&["requests", "logs", "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de"]).output().unwrap();
    let error = String::from_utf8(unknown.stderr).unwrap();
    assert_eq!(error, "error: there is no request `0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de`\n");
}
