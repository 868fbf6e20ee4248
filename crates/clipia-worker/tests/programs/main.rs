//! Real programs, run as executors.
#![cfg(unix)]
// Test code, helpers of tests included: a failed expectation stops the test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cold;
mod hostile;
mod warm;

use async_trait::async_trait;
use clipia_api::types::Model;
use clipia_queue::{AccountId, RequestId};
use clipia_worker::{Executor, Inputs, Job, JobControl, JobError, JobOutput, Program, ProgramSettings};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The longest wait of a test. Only a failing test waits so long.
const DEADLINE: Duration = Duration::from_secs(60);

/// Files on another host, whose content is their URL.
struct Elsewhere;

#[async_trait]
impl Inputs for Elsewhere {
    fn is_elsewhere(&self, _: &Job, url: &str) -> bool {
        url.starts_with("https://")
    }

    async fn fetch(
        &self,
        _: &Job,
        parameter: &str,
        url: &str,
        to: &Path,
        _: u64,
    ) -> Result<Option<String>, JobError> {
        if url.ends_with("missing") {
            return Err(JobError::Failed(format!("`{parameter}` names no file")));
        }
        std::fs::write(to, url).unwrap();
        Ok(url.contains("png").then(|| "image/png".to_owned()))
    }
}

/// An executor of a program, and the directory of its jobs.
struct Fixture {
    program: Program,
    jobs: tempfile::TempDir,
}

impl Fixture {
    fn new(settings: ProgramSettings) -> Self {
        let jobs = tempfile::tempdir().unwrap();
        let program = Program::new("test", settings, Arc::new(Elsewhere), jobs.path());
        Self { program, jobs }
    }

    async fn run(&self, input: Value) -> Result<JobOutput, JobError> {
        self.run_with(input, &JobControl::default()).await
    }

    async fn run_with(&self, input: Value, control: &JobControl) -> Result<JobOutput, JobError> {
        let mut job = job(input);
        if self.program.needs_preparing(&job) {
            job = self.program.prepare(job).await?;
        }
        within(self.program.run(job, control.clone())).await
    }

    /// Why a job has no output.
    async fn fails(&self, input: Value) -> JobError {
        match self.run(input).await {
            Ok(_) => panic!("it made something"),
            Err(error) => error,
        }
    }

    /// Waits until nothing of any job is left.
    async fn is_swept(&self) {
        until("the directories of the jobs are removed", || {
            std::fs::read_dir(self.jobs.path()).unwrap().next().is_none()
        })
        .await;
    }
}

/// The settings of a shell script. A test writes its programs so; the server never calls a shell.
fn script(text: &str) -> ProgramSettings {
    let command = ["sh", "-c", text].map(str::to_owned).to_vec();
    ProgramSettings { grace: Duration::from_millis(300), ..ProgramSettings::new(command) }
}

/// The settings of a Python program.
fn python(text: &str) -> ProgramSettings {
    let command = ["python3", "-u", "-c", text].map(str::to_owned).to_vec();
    ProgramSettings { grace: Duration::from_millis(300), ..ProgramSettings::new(command) }
}

fn job(input: Value) -> Job {
    let parameter = |name: &str, kind: &str| json!({ "name": name, "type": kind });
    let model: Model = serde_json::from_value(json!({
        "slug": "any",
        "type": "image",
        "input_schema": { "parameters": [
            parameter("prompt", "string"),
            parameter("seed", "integer"),
            parameter("image_url", "image"),
            parameter("image_urls", "image"),
        ] },
    }))
    .unwrap();
    Job {
        id: RequestId::generate(),
        account: AccountId("acct_test".to_owned()),
        model: Arc::new(model),
        input: input.as_object().unwrap().clone(),
        base_url: "http://here".to_owned(),
        source: None,
        directory: None,
    }
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, what).await.expect("it ends in time")
}

async fn until(what: &str, is: impl Fn() -> bool) {
    let polling = async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(DEADLINE, polling).await.unwrap_or_else(|_| panic!("{what}: not in time"));
}

/// Whether a process runs.
fn lives(pid: &str) -> bool {
    // A process that nobody has waited for yet is dead.
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

fn logs(control: &JobControl) -> Vec<String> {
    control.take_logs().lines.into()
}

/// The fields that a program added to its output.
fn fields(made: Result<JobOutput, JobError>) -> Value {
    Value::Object(made.unwrap_or_else(|error| panic!("{error:?}")).output.extra)
}
