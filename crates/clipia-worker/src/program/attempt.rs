//! One job of a program that is started for it.

use super::Setup;
use super::arguments::{Values, fill};
use super::directory::JobDirectory;
use super::environment::Environment;
use super::events::{EventsFile, Report, Verdict};
use super::logs::{Lines, Readers};
use super::pace::Pace;
use super::process::{Exit, Input, Launch, Process};
use super::room;
use super::slots::Slot;
use crate::control::JobControl;
use crate::executor::JobError;
use crate::job::Job;
use serde_json::{Map, Value, json};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The exit code of a program that asks for another attempt (`EX_TEMPFAIL` of `sysexits.h`).
const TRY_AGAIN: i32 = 75;

/// One job of a program.
pub(super) struct Attempt {
    pub(super) setup: Arc<Setup>,
    pub(super) job: Job,
    pub(super) directory: Arc<JobDirectory>,
    pub(super) control: JobControl,
    /// Canceled when nobody waits for the job any more.
    pub(super) abandoned: CancellationToken,
    pub(super) slot: Slot,
}

/// Why a program is made to end.
enum Stop {
    /// The job was canceled, or the server stops.
    Asked,
    /// The program broke a bound. The sentence is for the caller.
    Broke(String),
}

impl Attempt {
    /// Runs the program to its end, and waits until all its processes are gone. Returns what it adds to the output.
    pub(super) async fn run(self) -> Result<Map<String, Value>, JobError> {
        let result = self.watch().await;
        match &result {
            Ok(_) => self.setup.deaths.succeeded(),
            Err(Died::Crashed(why)) => self.setup.deaths.died(why),
            Err(Died::Job(JobError::FailedWithCode { .. })) => self.setup.deaths.succeeded(),
            Err(Died::Job(_)) => {}
        }
        result.map_err(|died| match died {
            Died::Crashed(why) => JobError::Lost(format!("the program crashed: {why}")),
            Died::Job(error) => error,
        })
    }

    async fn watch(&self) -> Result<Map<String, Value>, Died> {
        let Self { setup, directory, control, .. } = self;
        let mut events = EventsFile::of(directory.new_events().map_err(no_room)?);
        let environment = self.environment()?;
        let secrets = environment.secrets();
        let mut process = self.start(&environment)?;
        let lines = Lines::new(secrets.clone());
        lines.belong_to(Some(control.clone()));
        let (stdout, stderr) = process.streams();
        let readers = Readers::start(&lines, stdout, stderr);
        let (mut report, mut pace) = (Report::default(), Pace::new());
        let (mut stop, mut kill_at) = (None, None::<Instant>);
        let exceeded = room::exceeded(directory, setup.settings.output_bytes_max);
        tokio::pin!(exceeded);
        let exit = loop {
            tokio::select! {
                exit = process.wait() => break exit.map_err(no_room)?,
                () = self.stopped(), if stop.is_none() => {
                    stop = Some(Stop::Asked);
                    process.terminate().await;
                    kill_at = Some(Instant::now() + setup.settings.grace);
                }
                () = until(kill_at) => {
                    process.kill();
                    kill_at = None;
                }
                too_much = &mut exceeded, if stop.is_none() => {
                    stop = Some(Stop::Broke(too_much.to_string()));
                    process.kill();
                }
                () = pace.next() => {
                    if let (Err(error), None) = (events.read(&mut report, Some(control), &secrets), &stop) {
                        stop = Some(Stop::Broke(error.to_string()));
                        process.kill();
                    }
                }
            }
        };
        readers.finish().await;
        let rest = events.finish(&mut report, Some(control), &secrets);
        match stop {
            Some(Stop::Asked) => return Err(JobError::Stopped.into()),
            Some(Stop::Broke(why)) => return Err(JobError::Failed(why).into()),
            None => {}
        }
        if let Some(why) = process.unstarted(exit) {
            return Err(setup.cannot_start(&why).into());
        }
        rest.map_err(|error| JobError::Failed(error.to_string()))?;
        ended(exit, report, lines.last())
    }

    /// Waits until the job must end.
    async fn stopped(&self) {
        tokio::select! {
            () = self.control.stopped() => {}
            () = self.abandoned.cancelled() => {}
        }
    }

    fn environment(&self) -> Result<Environment, JobError> {
        let Self { setup, directory, slot, .. } = self;
        let mut environment = setup.environment(slot.number())?;
        environment.set("CLIPIA_JOB", directory.job());
        environment.set("CLIPIA_EVENTS", directory.events());
        environment.set("CLIPIA_IN", directory.input());
        environment.set("CLIPIA_OUT", directory.output());
        Ok(environment)
    }

    fn start(&self, environment: &Environment) -> Result<Process, JobError> {
        let Self { setup, job, directory, .. } = self;
        directory.write_job(&json(job, directory).to_string()).map_err(no_room)?;
        let parameters: Vec<&str> = job
            .model
            .input_schema
            .iter()
            .flat_map(|schema| &schema.parameters)
            .map(|parameter| parameter.name.as_str())
            .collect();
        let values = Values {
            input: &job.input,
            parameters: &parameters,
            in_directory: &directory.input(),
            out_directory: &directory.output(),
            job: &directory.job(),
        };
        let command =
            fill(&setup.settings.command, &values).map_err(|error| JobError::Failed(error.to_string()))?;
        let started = Process::start(Launch {
            command,
            environment,
            directory: directory.work(),
            stdin: Input::File(directory.job()),
            keeper: setup.keeper.as_deref(),
            unstarted: directory.unstarted(),
        });
        started.map_err(|error| match error.kind() {
            ErrorKind::ArgumentListTooLong => {
                JobError::Failed("the input is too long for the arguments of the program".to_owned())
            }
            _ => setup.cannot_start(&error),
        })
    }
}

/// Why an attempt has no output.
enum Died {
    /// The program crashed. The words say how.
    Crashed(String),
    Job(JobError),
}

impl From<JobError> for Died {
    fn from(error: JobError) -> Self {
        Self::Job(error)
    }
}

/// What the end of a program means for its job.
fn ended(exit: Exit, report: Report, last_line: Option<String>) -> Result<Map<String, Value>, Died> {
    match (report.verdict, exit) {
        (Some(verdict), _) => Err(Died::Job(verdict.into())),
        (None, Exit::Code(0)) => Ok(report.output),
        (None, Exit::Code(TRY_AGAIN)) => Err(Died::Crashed(
            last_line.unwrap_or_else(|| format!("it asked for another attempt (exit code {TRY_AGAIN})")),
        )),
        (None, Exit::Code(code)) => {
            let silent = || format!("the program ended with exit code {code} and printed nothing");
            Err(JobError::Failed(last_line.unwrap_or_else(silent)).into())
        }
        (None, exit @ Exit::Signal(_)) => Err(Died::Crashed(exit.words())),
    }
}

impl From<Verdict> for JobError {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Fail { why, code: Some(code) } => Self::FailedWithCode { why, code },
            Verdict::Fail { why, code: None } => Self::Failed(why),
            Verdict::Retry(why) => Self::Lost(why),
        }
    }
}

/// The job as its program reads it.
pub(super) fn json(job: &Job, directory: &JobDirectory) -> Value {
    let path = |path: &Path| path.to_string_lossy().into_owned();
    json!({
        "job": job.id,
        "model": job.model.slug,
        "input": job.input,
        "in": path(&directory.input()),
        "out": path(&directory.output()),
        "events": path(&directory.events()),
    })
}

/// Waits until `at`; for ever where there is none.
pub(super) async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// This machine has no room, file or thread left, which is not the job's fault.
pub(super) fn no_room(error: io::Error) -> JobError {
    JobError::Unavailable(format!("cannot run a program: {error}"))
}
