//! Any program as an executor.
//!
//! A program gets one job as JSON, on stdin and in the file `$CLIPIA_JOB`, and the values of the input in its arguments. Its
//! working directory is empty. `$CLIPIA_IN` has the files of the input, and what it leaves in `$CLIPIA_OUT` is the output. It
//! appends JSON lines to `$CLIPIA_EVENTS` to report progress and more. What it prints are log lines, always.
//!
//! | a program | its request |
//! |---|---|
//! | ends with exit code 0 | is completed with the files of its output directory |
//! | reports `{"fail": "…"}`, or ends with another exit code | fails with that sentence, or with the last line that it printed |
//! | reports `{"retry": "…"}`, ends with exit code 75, or dies of a signal | spends an attempt and is queued again |
//!
//! A warm program is started once. It appends `{"ready": true, "protocol": 1}` to its own `$CLIPIA_EVENTS`, and then reads one job
//! after the other as lines on stdin. Each job names its own events file, in which `{"done": true}` ends it. The line
//! `{"cancel": ID}` asks it to leave a job.
//!
//! Programs need Unix: elsewhere the processes that a program starts are not ended with it.

mod arguments;
mod attempt;
mod deaths;
mod directory;
mod environment;
mod events;
mod fetching;
mod logs;
mod offers;
mod pace;
mod process;
mod room;
mod slots;
mod spares;
mod warm;

pub use arguments::placeholders;
pub use directory::JobDirectory;

use crate::collect::{CollectError, collect};
use crate::control::JobControl;
use crate::executor::{Executor, JobError};
use crate::inputs::Inputs;
use crate::job::Job;
use crate::output::JobOutput;
use crate::settings::ProgramSettings;
use async_trait::async_trait;
use attempt::Attempt;
use deaths::Deaths;
use environment::Environment;
use serde_json::{Map, Value};
use slots::Slots;
use spares::Spares;
use std::fmt::{self, Display};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use warm::Warm;

/// A program as an executor.
pub struct Program {
    setup: Arc<Setup>,
    inputs: Arc<dyn Inputs>,
    processes: Processes,
    /// Set once what an earlier process left was removed.
    swept: OnceCell<()>,
}

/// The processes of a program.
enum Processes {
    /// One for each job.
    Cold(Arc<Slots>),
    /// Some that get one job after the other. They are started when the program is used for the first time.
    Warm {
        warm: OnceCell<Warm>,
        /// The directories of their next jobs.
        spares: Arc<Spares>,
    },
}

/// What all jobs of a program share.
struct Setup {
    name: String,
    settings: ProgramSettings,
    /// The directory of the jobs' directories.
    jobs: PathBuf,
    keeper: Option<Vec<String>>,
    deaths: Deaths,
}

impl Program {
    /// The executor `name`. The directories of its jobs are made in `jobs_directory`, which nothing else uses: what is left there
    /// is removed at the first job.
    pub fn new(
        name: impl Into<String>,
        settings: ProgramSettings,
        inputs: Arc<dyn Inputs>,
        jobs_directory: impl Into<PathBuf>,
    ) -> Self {
        let (name, jobs) = (name.into(), jobs_directory.into());
        // The working directory of a program is another one.
        let jobs = std::path::absolute(&jobs).unwrap_or(jobs);
        let processes = match settings.warm {
            true => Processes::Warm {
                warm: OnceCell::new(),
                // A slot runs one job while the end of another is reported.
                spares: Arc::new(Spares::new(jobs.clone(), 2 * settings.slots.max(1))),
            },
            false => Processes::Cold(Slots::new(settings.slots.max(1))),
        };
        let setup = Setup { name, settings, jobs, keeper: None, deaths: Deaths::new() };
        Self { setup: Arc::new(setup), inputs, processes, swept: OnceCell::new() }
    }

    /// Lets a process of ours watch each program: it ends all that a program started when the program ends, when it has to stop,
    /// and when this process is killed. `keeper` is its command, such as `clipia exec-job`.
    pub fn with_keeper(mut self, keeper: Vec<String>) -> Self {
        if let Some(setup) = Arc::get_mut(&mut self.setup) {
            setup.keeper = Some(keeper);
        }
        self
    }

    /// Removes the directories that an earlier process left.
    async fn sweep(&self) {
        let sweep = || async {
            let jobs = self.setup.jobs.clone();
            // If it panics, the directories are left until the next start.
            let _ = tokio::task::spawn_blocking(move || directory::sweep(&jobs)).await;
        };
        self.swept.get_or_init(sweep).await;
    }

    /// A directory for a job.
    async fn directory(&self, job: &Job) -> Result<Arc<JobDirectory>, JobError> {
        self.sweep().await;
        let directory = match &self.processes {
            Processes::Warm { spares, .. } => JobDirectory::for_warm_job(spares, job.id),
            Processes::Cold(_) => JobDirectory::for_job(&self.setup.jobs, job.id),
        };
        directory.map(Arc::new).map_err(attempt::no_room)
    }

    /// The warm processes. The first call starts them.
    async fn warm<'w>(&self, warm: &'w OnceCell<Warm>) -> &'w Warm {
        self.sweep().await;
        warm.get_or_init(|| async { Warm::start(&self.setup) }).await
    }

    /// Runs the program. Returns what it adds to the output.
    async fn made(
        &self,
        job: Job,
        directory: &Arc<JobDirectory>,
        control: &JobControl,
    ) -> Result<Map<String, Value>, JobError> {
        let slots = match &self.processes {
            Processes::Warm { warm, .. } => {
                return self.warm(warm).await.run(job, Arc::clone(directory), control.clone()).await;
            }
            Processes::Cold(slots) => slots,
        };
        let slot = tokio::select! {
            slot = slots.take() => slot.ok_or(JobError::Stopped)?,
            () = control.stopped() => return Err(JobError::Stopped),
        };
        let abandoned = CancellationToken::new();
        let attempt = Attempt {
            setup: Arc::clone(&self.setup),
            job,
            directory: Arc::clone(directory),
            control: control.clone(),
            abandoned: abandoned.clone(),
            slot,
        };
        // A task of its own ends the program if this future is dropped.
        let _abandons = abandoned.drop_guard();
        let attempt = tokio::spawn(attempt.run());
        attempt
            .await
            .unwrap_or_else(|lost| Err(JobError::Unavailable(format!("the watch of a program died: {lost}"))))
    }
}

impl Setup {
    fn environment(&self, slot: usize) -> Result<Environment, JobError> {
        Environment::new(&self.settings, slot).map_err(|missing| JobError::Unavailable(missing.to_string()))
    }

    /// The program cannot be started, which is not the job's fault.
    fn cannot_start(&self, why: &dyn Display) -> JobError {
        let program = self.settings.command.first().map_or("", String::as_str);
        JobError::Unavailable(format!("cannot start `{program}`: {why}"))
    }
}

#[async_trait]
impl Executor for Program {
    async fn run(&self, mut job: Job, control: JobControl) -> Result<JobOutput, JobError> {
        let directory = match job.directory.take() {
            Some(directory) => directory,
            None => {
                let directory = self.directory(&job).await?;
                tokio::select! {
                    fetched = fetching::fetch(&mut job, self.inputs.as_ref(), &directory) => fetched?,
                    () = control.stopped() => return Err(JobError::Stopped),
                }
                directory
            }
        };
        // The output's files are in it until they are stored.
        control.keep(Arc::clone(&directory));
        let extra = self.made(job, &directory, &control).await?;
        let out = directory.output();
        let collected = collect(&out, self.setup.settings.output_bytes_max, extra);
        let (output, files) = tokio::select! {
            collected = collected => collected.map_err(|error| match error {
                CollectError::Io(error) => attempt::no_room(error),
                CollectError::Ending => JobError::Stopped,
                refused => JobError::Failed(refused.to_string()),
            })?,
            () = control.stopped() => return Err(JobError::Stopped),
        };
        Ok(JobOutput { output, files })
    }

    fn needs_preparing(&self, job: &Job) -> bool {
        fetching::is_elsewhere(job, self.inputs.as_ref())
    }

    async fn prepare(&self, mut job: Job) -> Result<Job, JobError> {
        let directory = self.directory(&job).await?;
        fetching::fetch(&mut job, self.inputs.as_ref(), &directory).await?;
        job.directory = Some(directory);
        Ok(job)
    }

    async fn ready(&self, trial: bool) -> Result<(), String> {
        let deaths = &self.setup.deaths;
        if let Some(why) = deaths.breaker().filter(|_| !trial) {
            return Err(why);
        }
        match &self.processes {
            Processes::Cold(slots) => slots.free().await,
            Processes::Warm { warm, .. } => {
                let warm = self.warm(warm).await;
                tokio::select! {
                    biased;
                    () = warm.ready() => {}
                    why = deaths.next_with_open_breaker() => return Err(why),
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("name", &self.setup.name).finish_non_exhaustive()
    }
}
