//! What makes outputs.

use crate::control::JobControl;
use crate::job::Job;
use crate::output::JobOutput;
use async_trait::async_trait;
use clipia_api::types::{InputWarning, Model};
use serde_json::{Map, Value};

/// Makes outputs.
///
/// The executor's result decides what happens to the request and to its credits:
///
/// | the executor | returns | the request |
/// |---|---|---|
/// | has made the output | `Ok` | is completed once its files are on the disk; its credits are charged |
/// | cannot make this input, now or later | [`JobError::Failed`] | fails with the error's sentence, and code if there is one; its credits are returned |
/// | cannot make any input now, because its machine is away, or has no memory, thread or open file left | [`JobError::Unavailable`] | is queued again, ahead of requests that never ran, and spends no attempt; the whole queue pauses, and one request tries again after a backoff |
/// | was asked to stop | [`JobError::Stopped`] | is queued again, and spends no attempt |
/// | died in the middle, or asks for another attempt | [`JobError::Lost`] | spends an attempt and is queued again; fails when its attempts are spent |
///
/// In doubt, return `Failed`. After [`JobError::Unavailable`] the same request is tried first. If its own input is the cause, it
/// delays all other requests.
#[async_trait]
pub trait Executor: Send + Sync {
    /// Makes the output of `job`. It reports its progress to `control`, and stops soon once `control` says so.
    async fn run(&self, job: Job, control: JobControl) -> Result<JobOutput, JobError>;

    /// Whether a program makes the outputs from the words of the input, without a trained model. The model list says so of each
    /// model of this executor.
    fn is_procedural(&self) -> bool {
        false
    }

    /// What the executor cannot make of an input that `model` takes. The response to the submit, or to an estimate, lists it.
    /// It is called for each of them while the caller waits, so it must take microseconds. The server keeps
    /// [`WARNINGS_MAX`](clipia_queue::warnings::WARNINGS_MAX) warnings, and cuts long sentences.
    fn warnings(&self, _model: &Model, _input: &Map<String, Value>) -> Vec<InputWarning> {
        Vec::new()
    }

    /// Whether `job` needs something from another host. If so, it is [prepared](Self::prepare) before a worker runs it.
    fn needs_preparing(&self, _job: &Job) -> bool {
        false
    }

    /// Fetches what `job` needs from another host. The job has no worker meanwhile, and the attempt's time has not begun. It uses
    /// one preparation slot of its account's share.
    async fn prepare(&self, job: Job) -> Result<Job, JobError> {
        Ok(job)
    }

    /// Waits until the executor can begin a job. A worker claims nothing before: the time of an attempt does not pass while a
    /// program loads. `trial` says that the executor is paused, and that one job may try whether it works again.
    ///
    /// Dropping the future has no effect.
    ///
    /// # Errors
    /// Why nothing may be claimed, in words for the log: the queue pauses then, as after [`JobError::Unavailable`].
    async fn ready(&self, _trial: bool) -> Result<(), String> {
        Ok(())
    }
}

/// Why a job has no output.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The executor was asked to stop.
    #[error("the executor was asked to stop")]
    Stopped,
    /// The output cannot be made, now or later. The sentence is for the caller.
    #[error("{0}")]
    Failed(String),
    /// As [`Failed`](Self::Failed), with a code for programs, such as `content_policy`.
    #[error("{why}")]
    FailedWithCode {
        /// The sentence, for the caller.
        why: String,
        /// The code.
        code: String,
    },
    /// The executor cannot make anything now, and the request is not at fault. The sentence is for the log.
    #[error("{0}")]
    Unavailable(String),
    /// The attempt died, as by a crash of its program, and another one may succeed. The sentence is for the log, and for the
    /// caller once no attempt is left.
    #[error("{0}")]
    Lost(String),
}
