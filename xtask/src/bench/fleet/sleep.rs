//! The executor `sleep`: takes as long as the input says, makes nothing, and remembers when it was done.

use async_trait::async_trait;
use clipia::{Output, RequestId};
use clipia_server::executors::{Executor, Job, Made, NotMade, Report};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The name of the executor, and of its model.
pub(super) const SLEEP: &str = "sleep";

/// The `models.toml` of a server that offers it.
pub(super) const MODELS: &str = r#"
[[model]]
executor = "sleep"
slug = "sleep"
type = "image"
pricing = { credits = 1 }
input_schema = { parameters = [{ name = "seconds", type = "number", required = true, min = 0 }] }
"#;

/// It tells no progress, as many models don't: a client must do without.
#[derive(Debug, Default)]
pub(super) struct Sleep {
    ended: Mutex<HashMap<RequestId, Instant>>,
}

impl Sleep {
    /// When a generation was done.
    pub(super) fn ended(&self, id: RequestId) -> Option<Instant> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied()
    }
}

#[async_trait]
impl Executor for Sleep {
    async fn run(&self, job: Job, report: Report) -> Result<Made, NotMade> {
        let seconds = job.input.get("seconds").and_then(Value::as_f64).unwrap_or_default();
        let duration = Duration::try_from_secs_f64(seconds)
            .map_err(|_| NotMade::Failed(format!("`seconds` cannot be {seconds}")))?;
        tokio::select! {
            () = tokio::time::sleep(duration) => {}
            () = report.stopped() => return Err(NotMade::Stopped),
        }
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).insert(job.id, Instant::now());
        Ok(Made { output: Output::default(), files: Vec::new() })
    }
}
