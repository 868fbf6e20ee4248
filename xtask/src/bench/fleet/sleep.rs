//! A server with the executor `sleep`, which takes as long as the input says, makes no file, and records when it ended.

use anyhow::{Context, Result};
use async_trait::async_trait;
use clipia::{Output, RequestId};
use clipia_queue::limits::{REQUESTS_PER_MINUTE, RateLimit};
use clipia_server::clock::SystemClock;
use clipia_server::executors::{Executor, Job, JobControl, JobError, JobOutput};
use clipia_server::{Config, FirstKeys, Service};
use clipia_store_sqlite::SqliteStore;
use serde_json::Value;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The limit of the key.
pub(in crate::bench) const LIMIT: RateLimit = RateLimit::per_minute(REQUESTS_PER_MINUTE);

/// The name of the executor, and of its model.
pub(in crate::bench) const SLEEP: &str = "sleep";

/// The `models.toml` of a server with the executor.
const MODELS: &str = r#"
[[model]]
executor = "sleep"
slug = "sleep"
type = "image"
pricing = { credits = 1 }
input_schema = { parameters = [{ name = "seconds", type = "number", required = true, min = 0 }] }
"#;

/// The server and its data directory.
pub(in crate::bench) struct Sleeping {
    service: Service,
    pub(in crate::bench) sleep: Arc<Sleep>,
    _data: TempDir,
}

impl Sleeping {
    /// Starts a server that runs `at_once` generations at once.
    pub(in crate::bench) async fn start(at_once: usize) -> Result<Self> {
        let data = tempfile::tempdir()?;
        std::fs::write(data.path().join("models.toml"), MODELS)?;
        let store = Arc::new(SqliteStore::open(data.path(), Arc::new(SystemClock))?);
        let config = Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            dev: true, // the webhooks are on this machine
            limit: Some(LIMIT),
            ..Config::new(data.path())
        };
        let sleep = Arc::new(Sleep::default());
        let service = Service::builder(config)
            .store(store)
            .executor(SLEEP, sleep.clone(), at_once)
            .render()
            .start()
            .await?;
        Ok(Self { service, sleep, _data: data })
    }

    pub(in crate::bench) fn url(&self) -> &str {
        self.service.url()
    }

    pub(in crate::bench) fn keys(&self) -> Result<&FirstKeys> {
        self.service.first_keys().context("the server made no keys")
    }

    pub(in crate::bench) async fn stop(self) {
        self.service.stop().await;
    }
}

/// The executor. It reports no progress, as many models do not: a client must work without.
#[derive(Debug, Default)]
pub(in crate::bench) struct Sleep {
    ended: Mutex<HashMap<RequestId, Instant>>,
}

impl Sleep {
    /// When the executor ended a generation.
    pub(in crate::bench) fn ended(&self, id: RequestId) -> Option<Instant> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied()
    }
}

#[async_trait]
impl Executor for Sleep {
    async fn run(&self, job: Job, control: JobControl) -> Result<JobOutput, JobError> {
        let seconds = job.input.get("seconds").and_then(Value::as_f64).unwrap_or_default();
        let duration = Duration::try_from_secs_f64(seconds)
            .map_err(|_| JobError::Failed(format!("`seconds` cannot be {seconds}")))?;
        tokio::select! {
            () = tokio::time::sleep(duration) => {}
            () = control.stopped() => return Err(JobError::Stopped),
        }
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).insert(job.id.into(), Instant::now());
        Ok(JobOutput { output: Output::default(), files: Vec::new() })
    }
}
