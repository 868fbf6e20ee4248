//! `clipia work` as a child process, and a proxy between it and the server.

use super::{DEADLINE, Server, program};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The beginning of a warm program in Python. It is ready, and `say` reports an event.
const WARM_PROGRAM: &str = r#"
import json, os, sys
def say(path, event):
    with open(path, "a") as events:
        events.write(json.dumps(event) + "\n")
say(os.environ["CLIPIA_EVENTS"], {"ready": True, "protocol": 1})
"#;

/// Writes a warm program that goes through its jobs by these lines of Python.
pub(crate) fn write_warm_program(path: &Path, jobs: &str) {
    std::fs::write(path, format!("{WARM_PROGRAM}{jobs}")).unwrap();
}

/// A running `clipia work`. Dropping the value kills it.
pub(crate) struct Worker {
    child: Child,
    log: Arc<Mutex<String>>,
    /// Its temporary directory.
    temporary: TempDir,
}

impl Worker {
    /// Starts a worker of the executor `gpu`, which calls `url`.
    pub(crate) fn start(url: &str, token: &str, options: &[&str], command: &[&str]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let file = temporary.path().join("token");
        std::fs::write(&file, format!("{token}\n")).unwrap();
        let mut work =
            program::command(&["work", "--server", url, "--executor", "gpu", "--log-format", "text"]);
        work.arg("--token-file").arg(&file).args(options).arg("--").args(command);
        work.env("TMPDIR", temporary.path()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = work.spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (filling, stderr) = (Arc::clone(&log), child.stderr.take().unwrap());
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut log = filling.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self { child, log, temporary }
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it has ended.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let since = Instant::now();
        while since.elapsed() < DEADLINE {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("it still runs: {}", self.log());
    }

    /// The memory peak of the process, in MiB; 0 if the system does not report it.
    pub(crate) fn memory_peak(&self) -> u64 {
        super::memory_peak(&self.child)
    }

    /// The directories of jobs that it has left.
    pub(crate) fn left(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.temporary.path()).unwrap();
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Both calls fail if it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- stderr of `clipia work` ---\n{}", self.log());
        }
    }
}

/// Creates a worker of the executor `gpu`; returns its token.
pub(crate) fn worker_token(server: &Server, name: &str) -> String {
    let made = server.administer(&["workers", "create", name, "--executors", "gpu"]);
    made["token"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}
