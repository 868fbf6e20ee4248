//! One of several processes that share a key.

use super::row::generate;
use anyhow::{Context, Result, ensure};
use clipia::Clipia;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write, stdin};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What a process does: its line on stdin.
#[derive(Deserialize, Serialize)]
pub(super) struct Task {
    pub(super) url: String,
    pub(super) key: String,
    /// The durations of its generations.
    pub(super) durations: Vec<Duration>,
    /// The time after which a generation counts as lost.
    pub(super) patience: Duration,
    /// Whether its client ignores that others share the key.
    pub(super) ignores_others: bool,
}

/// The causes of its lost generations: its line on stdout.
type Lost = Vec<String>;

/// The line on stdout with which a process says that it waits for its task.
const READY: &str = "ready";

/// Takes the task from stdin, and does it.
pub(in crate::bench) fn run() -> Result<()> {
    println!("{READY}");
    let Some(line) = stdin().lines().next() else { return Ok(()) };
    let task: Task = serde_json::from_str(&line?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let lost = runtime.block_on(async {
        let builder = Clipia::builder().key(task.key).base_url(task.url);
        let clipia = builder.ignores_others(task.ignores_others).build()?;
        let generations = task.durations.iter();
        let generations = generations.map(|&duration| generate(&clipia, duration, None, task.patience));
        let outcomes = join_all(generations).await;
        let lost = outcomes.into_iter().filter_map(Result::err).map(|error| format!("{error:#}"));
        anyhow::Ok(lost.collect::<Lost>())
    })?;
    println!("{}", serde_json::to_string(&lost)?);
    Ok(())
}

/// A process that waits for its task, or does it.
pub(super) struct Process {
    child: Child,
    stdout: Box<dyn BufRead + Send>,
}

impl Process {
    /// Starts a process.
    pub(super) fn start() -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?);
        process.args(["bench", "fleet", "--process"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = process.spawn()?;
        let stdout = child.stdout.take().context("it has a pipe")?;
        Ok(Self { child, stdout: Box::new(BufReader::new(stdout)) })
    }

    /// Waits until the process waits for its task.
    pub(super) fn ready(&mut self) -> Result<()> {
        let line = self.line()?;
        ensure!(line == READY, "a process said {line:?} at its start");
        Ok(())
    }

    /// Gives the process its task.
    pub(super) fn begin(&mut self, task: &Task) -> Result<()> {
        let mut stdin = self.child.stdin.take().context("it has its task")?;
        writeln!(stdin, "{}", serde_json::to_string(task)?)?;
        Ok(())
    }

    /// Waits until the task is done.
    pub(super) fn end(mut self) -> Result<Lost> {
        let line = self.line()?;
        let ended = self.child.wait()?;
        serde_json::from_str(&line).with_context(|| format!("a process ended with {ended}"))
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}
