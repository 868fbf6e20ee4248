//! The workers on other machines: processes of `clipia work`, which go on through all rounds, and their kills and stops.

use super::books::Books;
use super::programs::{PROGRAM, Programs, REMOTE_MODEL, WARM_PROGRAM};
use anyhow::{Context, Result};
use clipia_admin::Administration;
use clipia_admin::types::WorkerOrder;
use rand::{Rng, RngExt};
use rustix::process::{Pid, Signal, kill_process};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The name of the worker. Both processes work with its token.
const NAME: &str = "chaos";

/// The workers, each with its program.
pub(super) struct Workers {
    program: PathBuf,
    /// The URL that every server of the run listens on.
    server: String,
    token: PathBuf,
    log: PathBuf,
    running: Vec<Running>,
    /// How many were killed.
    pub(super) killed: u32,
}

/// A worker that runs, and the programs that it has started.
struct Running {
    process: Child,
    programs: Programs,
    is_warm: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both calls fail if the process has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Workers {
    /// Workers for the servers at `server`, which run the program `clipia` and keep their files in `directory`. None runs yet.
    pub(super) fn new(program: &Path, server: String, directory: &Path) -> Self {
        let at = |name| directory.join(name);
        Self {
            program: program.to_owned(),
            server,
            token: at("worker-token"),
            log: at("workers.log"),
            running: Vec::new(),
            killed: 0,
        }
    }

    /// Their log.
    pub(super) fn log(&self) -> &Path {
        &self.log
    }

    /// Makes the token with the server that runs on the data directory `data`, and starts the workers.
    pub(super) async fn start(&mut self, data: &Path) -> Result<()> {
        let order = WorkerOrder { name: NAME.to_owned(), executors: vec![REMOTE_MODEL.to_owned()] };
        let made = Administration::of(data)?.create_worker(&order).await?;
        std::fs::write(&self.token, made.token.reveal())?;
        for is_warm in [false, true] {
            let started = self.spawn(is_warm)?;
            self.running.push(started);
        }
        Ok(())
    }

    fn spawn(&self, is_warm: bool) -> Result<Running> {
        let programs = Programs::new();
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&self.log)?;
        let mut work = Command::new(&self.program);
        work.args(["work", "--server", &self.server, "--executor", REMOTE_MODEL, "--slots", "2"])
            .arg("--token-file")
            .arg(&self.token)
            .args(["--grace-seconds", "1", "--env", programs.mark()])
            .args(is_warm.then_some("--warm"))
            .args(["--", "sh", "-c", if is_warm { WARM_PROGRAM } else { PROGRAM }])
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let process = work.spawn().context("running `clipia work`")?;
        Ok(Running { process, programs, is_warm })
    }

    /// Kills one of the workers, looks whether its programs end with it, and starts another one.
    pub(super) async fn kill_one(&mut self, books: &Books, random: &mut impl Rng) -> Result<()> {
        if self.running.is_empty() {
            return Ok(());
        }
        let killed = self.running.swap_remove(random.random_range(0..self.running.len()));
        let (programs, is_warm) = (killed.programs.clone(), killed.is_warm);
        drop(killed);
        self.killed += 1;
        programs.are_gone(books, "worker").await;
        let started = self.spawn(is_warm)?;
        self.running.push(started);
        Ok(())
    }

    /// Stops one of the workers for `time`, as a suspended machine would. Its programs go on.
    pub(super) async fn stop_one(&self, time: Duration, random: &mut impl Rng) -> Result<()> {
        let Some(stopped) = self.running.get(random.random_range(0..self.running.len().max(1))) else {
            return Ok(());
        };
        let process = Pid::from_child(&stopped.process);
        kill_process(process, Signal::STOP)?;
        tokio::time::sleep(time).await;
        Ok(kill_process(process, Signal::CONT)?)
    }

    /// Looks whether the workers run. One that ended by itself is a violation.
    pub(super) fn look(&mut self, books: &Books) -> Result<()> {
        for running in &mut self.running {
            if let Some(status) = running.process.try_wait()? {
                books.violation(format!("a worker ended by itself: {status}"));
            }
        }
        Ok(())
    }
}
