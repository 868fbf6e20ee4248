//! The measured servers, each a process of this program.

use super::bare;
use anyhow::{Context, Result};
use async_trait::async_trait;
use clap::Subcommand;
use clipia::Output;
use clipia_server::clock::SystemClock;
use clipia_server::executors::{Executor, Job, JobControl, JobError, JobOutput};
use clipia_server::store::Store;
use clipia_server::{Config, Credits, RateLimit, Service};
use clipia_store_postgres::{Address, PostgresStore};
use clipia_store_sqlite::SqliteStore;
use memory_stats::memory_stats;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

/// A model without workers, so that its queue only grows.
pub(in crate::bench) const MODEL: &str = "idle";

/// A model whose generations end at once, of a node.
pub(in crate::bench) const INSTANT: &str = "instant";

/// The generations of it that a node makes at once.
const INSTANT_SLOTS: usize = 8;

const INSTANT_MODELS: &str = r#"
[[model]]
executor = "instant"
slug = "instant"
type = "image"
pricing = { credits = 12 }
input_schema = { parameters = [{ name = "prompt", type = "string", required = true }] }
"#;

const MODELS: &str = r#"
[[model]]
executor = "idle"
slug = "idle"
type = "image"
pricing = { credits = 12 }
input_schema = { parameters = [
    { name = "prompt", type = "string", required = true },
    { name = "aspect_ratio", type = "string", required = false },
    { name = "seed", type = "integer", required = false },
] }
"#;

/// The server that a process is.
#[derive(Clone, Debug, Subcommand)]
pub(in crate::bench) enum Part {
    /// Bare axum
    Bare,
    /// The queue, with this data directory
    Queue { data: PathBuf },
    /// A node of several, with this data directory and the database of this URL
    Node { data: PathBuf, database_url: String },
}

/// The line that the process prints once it takes calls.
#[derive(Deserialize, Serialize)]
pub(in crate::bench) struct Ready {
    pub(super) url: String,
    pub(in crate::bench) live_key: Option<String>,
    pub(super) test_key: Option<String>,
}

impl Part {
    /// Runs the server until stdin ends. Prints the bytes of resident memory for each line of stdin.
    pub(in crate::bench) fn run(self) -> Result<()> {
        let runtime = match self {
            Self::Bare => tokio::runtime::Builder::new_multi_thread().enable_all().build()?,
            Self::Queue { .. } | Self::Node { .. } => clipia_server::runtime()?,
        };
        let (ready, service) = runtime.block_on(self.start())?;
        println!("{}", serde_json::to_string(&ready)?);
        for line in std::io::stdin().lock().lines() {
            line?;
            let memory = memory_stats().context("this system does not report the memory of a process")?;
            println!("{}", memory.physical_mem);
        }
        if let Some(service) = service {
            runtime.block_on(service.stop());
        }
        Ok(())
    }

    async fn start(self) -> Result<(Ready, Option<Service>)> {
        let (data, store): (PathBuf, Arc<dyn Store>) = match self {
            Self::Bare => {
                return Ok((Ready { url: bare::serve().await?, live_key: None, test_key: None }, None));
            }
            Self::Queue { data } => {
                let store = SqliteStore::open(&data, Arc::new(SystemClock))?;
                (data, Arc::new(store))
            }
            Self::Node { data, database_url } => {
                let address = Address::new(&database_url)?.listening_at(&database_url)?;
                (data, Arc::new(PostgresStore::open(&address).await?))
            }
        };
        std::fs::write(data.join("models.toml"), format!("{MODELS}{INSTANT_MODELS}"))?;
        let config = Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            dev: true, // the webhooks are on this machine
            limit: Some(RateLimit::per_minute(0)),
            credits: Credits::new(1_000_000_000),
            ..Config::new(data)
        };
        let builder = Service::builder(config).store(store).executor(MODEL, Arc::new(Idle), 0);
        let service = builder.executor(INSTANT, Arc::new(Instant), INSTANT_SLOTS).render().start().await?;
        let keys = service.first_keys();
        let ready = Ready {
            url: service.url().to_owned(),
            live_key: keys.map(|keys| keys.live_key.clone()),
            test_key: keys.map(|keys| keys.test_key.clone()),
        };
        Ok((ready, Some(service)))
    }
}

/// An executor without workers, which never runs.
struct Idle;

#[async_trait]
impl Executor for Idle {
    async fn run(&self, _: Job, _: JobControl) -> Result<JobOutput, JobError> {
        Err(JobError::Stopped)
    }
}

/// An executor that makes nothing.
struct Instant;

#[async_trait]
impl Executor for Instant {
    async fn run(&self, _: Job, _: JobControl) -> Result<JobOutput, JobError> {
        Ok(JobOutput { output: Output::default(), files: Vec::new() })
    }
}

/// A process that is a [`Part`]. It ends when this value is dropped.
pub(in crate::bench) struct Child {
    process: std::process::Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    pub(in crate::bench) ready: Ready,
}

impl Child {
    pub(in crate::bench) fn start(program: &Path, part: &Part) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(["bench", "server"]);
        match part {
            Part::Bare => command.arg("bare"),
            Part::Queue { data } => command.arg("queue").arg(data),
            Part::Node { data, database_url } => command.arg("node").arg(data).arg(database_url),
        };
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = process.stdin.take();
        let mut output = BufReader::new(process.stdout.take().context("its output is not captured")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        let ready = serde_json::from_str(&line).with_context(|| format!("{part:?} did not start"))?;
        Ok(Self { process, input, output, ready })
    }

    /// The queue of the `xtask` at `program`, on the directory `data`.
    pub(super) fn queue(program: &Path, data: &Path) -> Result<Self> {
        Self::start(program, &Part::Queue { data: data.to_owned() })
    }

    /// Kills the process: an orderly end would wait for its own deliveries.
    pub(super) fn kill(mut self) -> Result<()> {
        Ok(self.process.kill()?)
    }

    pub(in crate::bench) fn url(&self) -> &str {
        &self.ready.url
    }

    /// The resident memory of the process, in bytes.
    pub(super) fn memory(&mut self) -> Result<u64> {
        writeln!(self.input.as_mut().context("its input is closed")?)?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim().parse()?)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // The process ends in order when its input does.
        self.input = None;
        let _ = self.process.wait();
    }
}
