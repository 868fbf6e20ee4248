//! The executor of the emulator, which does what the words of a request say.

use crate::advance::Occurrences;
use crate::clock::EmulatedClock;
use crate::emulation::Emulation;
use crate::outputs::Outputs;
use crate::words::{End, Script};
use async_trait::async_trait;
use clipia_api::Status;
use clipia_queue::RequestId;
use clipia_server::executors::{Executor, Job, JobControl, JobError, JobOutput};
use clipia_store::Store;
use clipia_store::clock::Clock;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// What the error says of a generation that fails because a word says so.
const FAILED: &str = "the generation failed, as `@fail` says";

/// What a lost attempt says.
const CRASHED: &str = "the worker died, as `@crash` says";

/// The executor.
pub(crate) struct ScriptedExecutor {
    clock: Arc<EmulatedClock>,
    store: Arc<dyn Store>,
    emulation: Arc<Emulation>,
    outputs: Arc<Outputs>,
    occurrences: Arc<Occurrences>,
    running: Mutex<HashMap<RequestId, Running>>,
}

/// What is known of a request with attempts.
#[derive(Default)]
struct Running {
    /// How many attempts began.
    attempts: u32,
    /// Ends the attempt that runs.
    end: Option<oneshot::Sender<End>>,
}

impl ScriptedExecutor {
    /// An executor that does what the scripts of `emulation` say, by `clock`.
    pub(crate) fn new(
        clock: Arc<EmulatedClock>,
        store: Arc<dyn Store>,
        emulation: Arc<Emulation>,
        outputs: Arc<Outputs>,
        occurrences: Arc<Occurrences>,
    ) -> Self {
        Self { clock, store, emulation, outputs, occurrences, running: Mutex::default() }
    }

    /// Ends the attempt of a request that runs, whatever its script says; false where none runs.
    pub(crate) fn end(&self, request: RequestId, end: End) -> bool {
        let sender = self.running().get_mut(&request).and_then(|running| running.end.take());
        sender.is_some_and(|sender| sender.send(end).is_ok())
    }

    /// Begins an attempt; returns its number, and what ends it from outside.
    fn begin(&self, request: RequestId) -> (u32, oneshot::Receiver<End>) {
        let (sender, ended) = oneshot::channel();
        let mut running = self.running();
        let running = running.entry(request).or_default();
        running.attempts += 1;
        running.end = Some(sender);
        (running.attempts, ended)
    }

    fn note(&self, request: RequestId, what: impl std::fmt::Display) {
        self.occurrences.note(self.clock.now(), request, what);
    }

    /// Notes that a request ends.
    fn end_of(&self, request: RequestId, status: &Status, what: &str) {
        self.note(request, what);
        self.emulation.request_ended(request, status);
    }

    /// Does what comes before the end: the time that it takes with its progress, and the reads.
    async fn work(&self, script: &Script, request: RequestId, control: &JobControl) {
        let (start, takes) = (self.clock.now(), script.takes.unwrap_or_default());
        let steps = script.position.len() + script.progress.len();
        for (done, percent) in (script.position.len()..).zip(&script.progress) {
            // Each step has an equal share of the time.
            self.clock.rest_until(start + share(takes, done, steps)).await;
            control.progress(*percent);
        }
        self.clock.rest_until(start + takes).await;
        let rest = self.clock.rest();
        self.emulation.scripts().polled_enough(request).await;
        drop(rest);
    }

    async fn finish(
        &self,
        end: End,
        script: &Script,
        job: &Job,
        control: &JobControl,
    ) -> Result<JobOutput, JobError> {
        match end {
            End::Complete => {
                let made = self.outputs.of(&script.output, &job.model.type_).await?;
                self.end_of(job.id, &Status::Completed, "completed");
                Ok(made)
            }
            End::Fail { code, why } => {
                self.end_of(job.id, &Status::Failed, "failed");
                let why = why.unwrap_or_else(|| FAILED.to_owned());
                Err(match code {
                    Some(code) => JobError::FailedWithCode { why, code },
                    None => JobError::Failed(why),
                })
            }
            End::Cancel => {
                self.end_of(job.id, &Status::Canceled, "canceled");
                if let Err(error) = self.store.cancel(job.id).await {
                    tracing::error!(%error, "a request was not canceled");
                }
                // The cancel ends the attempt.
                control.stopped().await;
                Err(JobError::Stopped)
            }
            End::Stuck { progress } => {
                control.progress(progress.unwrap_or_default());
                let _rest = self.clock.rest();
                control.stopped().await;
                Err(JobError::Stopped)
            }
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<RequestId, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time of the first `done` of `steps` steps.
fn share(takes: Duration, done: usize, steps: usize) -> Duration {
    let (done, steps) = (u32::try_from(done).unwrap_or(u32::MAX), u32::try_from(steps).unwrap_or(u32::MAX));
    takes.checked_mul(done).map_or(takes, |time| time / steps.max(1))
}

#[async_trait]
impl Executor for ScriptedExecutor {
    async fn run(&self, job: Job, control: JobControl) -> Result<JobOutput, JobError> {
        let script = self.emulation.scripts().of(job.id, &job.input).await;
        let (attempt, mut ended) = self.begin(job.id);
        self.note(job.id, format_args!("attempt {attempt} started"));
        let worked = async {
            self.work(&script, job.id, &control).await;
            if attempt <= script.crash {
                self.note(job.id, format_args!("attempt {attempt} lost"));
                return Err(JobError::Lost(CRASHED.to_owned()));
            }
            self.finish(script.end.clone(), &script, &job, &control).await
        };
        tokio::select! {
            made = worked => made,
            Ok(end) = &mut ended => self.finish(end, &script, &job, &control).await,
            () = control.stopped() => Err(JobError::Stopped),
        }
    }

    fn is_procedural(&self) -> bool {
        true
    }
}
