//! Warm processes of a program: each is started once, and gets one job after the other.
//!
//! Each slot has a task, which starts the process, offers to take a job once the process is ready, and starts another process
//! when it has died, after a pause that grows.

use super::Setup;
use super::attempt::{json, no_room, until};
use super::directory::JobDirectory;
use super::environment::Secrets;
use super::events::{EventsFile, Ready, Report};
use super::logs::{Lines, Readers};
use super::offers::Offers;
use super::pace::{Growth, Pace};
use super::process::{Exit, Input, Launch, Process};
use super::room;
use crate::control::JobControl;
use crate::executor::JobError;
use crate::job::Job;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The pause before a process that died is started again.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// The longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// How often the events are read of a process that has no job.
const IDLE_INTERVAL: Duration = Duration::from_secs(1);

/// The warm processes of a program.
pub(super) struct Warm {
    offers: Arc<Offers<WarmJob>>,
    /// Ends the processes.
    _closes: DropGuard,
}

/// A job for a warm process.
struct WarmJob {
    job: Job,
    directory: Arc<JobDirectory>,
    control: JobControl,
    /// Canceled when nobody waits for the job any more.
    abandoned: CancellationToken,
    reply: oneshot::Sender<Result<Map<String, Value>, JobError>>,
}

impl WarmJob {
    /// Waits until the job must end.
    async fn stopped(&self) {
        tokio::select! {
            () = self.control.stopped() => {}
            () = self.abandoned.cancelled() => {}
        }
    }

    fn reply(self, result: Result<Map<String, Value>, JobError>) {
        // Nobody waits for the result of an abandoned job.
        let _ = self.reply.send(result);
    }
}

impl Warm {
    /// Starts a process for each slot.
    pub(super) fn start(setup: &Arc<Setup>) -> Self {
        let (offers, closed) = (Arc::new(Offers::new()), CancellationToken::new());
        for number in 0..setup.settings.slots.max(1) {
            let slot = Slot { setup: Arc::clone(setup), offers: Arc::clone(&offers), number, next: None };
            let closed = closed.clone();
            tokio::spawn(async move {
                tokio::select! {
                    // A process that is dropped is killed.
                    () = closed.cancelled() => {}
                    () = slot.run() => {}
                }
            });
        }
        Self { offers, _closes: closed.drop_guard() }
    }

    /// Waits until a process can take a job.
    pub(super) async fn ready(&self) {
        self.offers.any().await;
    }

    /// Lets a process do the job. Returns what it adds to the output.
    pub(super) async fn run(
        &self,
        job: Job,
        directory: Arc<JobDirectory>,
        control: JobControl,
    ) -> Result<Map<String, Value>, JobError> {
        let (abandoned, (reply, result)) = (CancellationToken::new(), oneshot::channel());
        let _abandons = abandoned.clone().drop_guard();
        let stop = control.clone();
        tokio::select! {
            () = self.offers.give(WarmJob { job, directory, control, abandoned, reply }) => {}
            () = stop.stopped() => return Err(JobError::Stopped),
        }
        result
            .await
            .unwrap_or_else(|_| Err(JobError::Unavailable("the server stops its programs".to_owned())))
    }
}

/// The slot of a warm process.
struct Slot {
    setup: Arc<Setup>,
    offers: Arc<Offers<WarmJob>>,
    /// Its number, which chooses its device.
    number: usize,
    /// A job that came while there was no process.
    next: Option<WarmJob>,
}

/// Why a process takes no more jobs.
enum End {
    /// It died by itself.
    Died(String),
    /// It is replaced by another: after a job that it did not end, or after as many as it should have.
    Replaced,
    /// No job came for a while.
    Idle,
}

impl Slot {
    async fn run(mut self) {
        let mut pause = PAUSE_MIN;
        loop {
            let died = match self.start().await {
                Ok(mut process) => {
                    let end = self.serve(&mut process).await;
                    if process.completed > 0 {
                        pause = PAUSE_MIN;
                    }
                    match end {
                        End::Died(why) => {
                            self.setup.deaths.died(&why);
                            Some(why)
                        }
                        End::Replaced => None,
                        End::Idle => {
                            process.end(self.setup.settings.grace).await;
                            tracing::info!(
                                executor = self.setup.name,
                                "a program is stopped until the next request"
                            );
                            self.next = self.offers.offer().await.ok();
                            None
                        }
                    }
                }
                Err(NotReady::Died(why)) => {
                    self.setup.deaths.died(&why);
                    Some(why)
                }
                Err(NotReady::Unstartable(why)) => {
                    self.setup.deaths.unstartable(&why);
                    Some(why)
                }
            };
            let Some(why) = died else { continue };
            let seconds = pause.as_secs();
            tracing::warn!(
                executor = self.setup.name,
                why,
                seconds,
                "a program died, and is started again after a pause"
            );
            if let Some(next) = self.next.take() {
                next.reply(Err(JobError::Unavailable(format!("the program does not start: {why}"))));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Starts a process, and waits until it is ready. A job that waits for it may be canceled meanwhile.
    async fn start(&mut self) -> Result<WarmProcess, NotReady> {
        let start = WarmProcess::start(&self.setup, self.number);
        tokio::pin!(start);
        loop {
            let Some(next) = &self.next else {
                return start.await;
            };
            tokio::select! {
                started = &mut start => return started,
                () = next.stopped() => {}
            }
            if let Some(next) = self.next.take() {
                next.reply(Err(JobError::Stopped));
            }
        }
    }

    /// Gives jobs to a process as long as it takes them.
    async fn serve(&mut self, process: &mut WarmProcess) -> End {
        let ProgramLimits { fresh_after, idle } = ProgramLimits::of(&self.setup);
        let mut jobs = 0;
        loop {
            let job = match self.next.take() {
                Some(job) => job,
                None => {
                    let mut offer = self.offers.offer();
                    let ended = tokio::select! {
                        biased;
                        job = &mut offer => Ok(job.ok()),
                        end = process.idle(idle) => Err(end),
                    };
                    match ended {
                        Ok(Some(job)) => job,
                        Ok(None) => continue,
                        Err(end) => {
                            // A job may have come at the same moment.
                            offer.close();
                            self.next = offer.try_recv().ok();
                            return end;
                        }
                    }
                }
            };
            jobs += 1;
            if let Some(end) = process.run(&self.setup, job).await {
                return end;
            }
            if fresh_after.is_some_and(|most| jobs >= most) {
                process.end(self.setup.settings.grace).await;
                return End::Replaced;
            }
        }
    }
}

/// How long a process is used.
struct ProgramLimits {
    fresh_after: Option<u64>,
    idle: Option<Duration>,
}

impl ProgramLimits {
    fn of(setup: &Setup) -> Self {
        Self { fresh_after: setup.settings.fresh_after, idle: setup.settings.idle }
    }
}

/// Why a process does not become ready.
enum NotReady {
    Died(String),
    /// It cannot be started at all.
    Unstartable(String),
}

/// A process that is ready.
struct WarmProcess {
    process: Process,
    lines: Arc<Lines>,
    /// Events of the process itself.
    events: EventsFile,
    report: Report,
    /// Tells that the events of a job have grown.
    growth: Growth,
    secrets: Secrets,
    /// How many jobs it has ended as it should.
    completed: u64,
    readers: Readers,
    /// Its working directory and its events.
    _directory: JobDirectory,
}

impl WarmProcess {
    /// Starts a process, and waits until it says that it is ready.
    async fn start(setup: &Setup, slot: usize) -> Result<Self, NotReady> {
        let unstartable = |error: JobError| NotReady::Unstartable(error.to_string());
        let directory = JobDirectory::for_process(&setup.jobs, &format!("slot-{slot}"));
        let directory = directory.map_err(|error| unstartable(no_room(error)))?;
        let events = directory.new_events().map_err(|error| unstartable(no_room(error)))?;
        let mut environment = setup.environment(slot).map_err(unstartable)?;
        environment.set("CLIPIA_EVENTS", directory.events());
        let started = Process::start(Launch {
            command: setup.settings.command.clone(),
            environment: &environment,
            directory: directory.work(),
            stdin: Input::Lines,
            keeper: setup.keeper.as_deref(),
            unstarted: directory.unstarted(),
        });
        let mut process = started.map_err(|error| unstartable(setup.cannot_start(&error)))?;
        let secrets = environment.secrets();
        let lines = Lines::new(secrets.clone());
        let (stdout, stderr) = process.streams();
        let readers = Readers::start(&lines, stdout, stderr);
        let mut warm = Self {
            process,
            lines,
            events: EventsFile::of(events),
            report: Report::default(),
            growth: Growth::new(),
            secrets,
            completed: 0,
            readers,
            _directory: directory,
        };
        let ready = tokio::time::timeout(setup.settings.start_max, warm.ready(setup)).await;
        ready.unwrap_or_else(|_| {
            let seconds = setup.settings.start_max.as_secs();
            Err(NotReady::Died(format!("it was not ready within {seconds} s")))
        })?;
        tracing::info!(executor = setup.name, slot, "a program is ready");
        Ok(warm)
    }

    async fn ready(&mut self, setup: &Setup) -> Result<(), NotReady> {
        let mut pace = Pace::new();
        loop {
            tokio::select! {
                exit = self.process.wait() => {
                    let exit = exit.map_err(|error| NotReady::Died(error.to_string()))?;
                    if let Some(why) = self.process.unstarted(exit) {
                        return Err(NotReady::Unstartable(setup.cannot_start(&why).to_string()));
                    }
                    return Err(NotReady::Died(format!("{} before it was ready", self.death(exit).await)));
                }
                () = pace.next() => {
                    self.read().map_err(NotReady::Died)?;
                    match self.report.ready {
                        None => {}
                        Some(Ready::Ready) => return Ok(()),
                        Some(Ready::OtherProtocol(other)) => {
                            return Err(NotReady::Died(format!("it speaks the protocol {other}, and the server 1")));
                        }
                    }
                }
            }
        }
    }

    /// Reads the events of the process itself.
    fn read(&mut self) -> Result<(), String> {
        self.events.read(&mut self.report, None, &self.secrets).map_err(|error| error.to_string())
    }

    /// Waits without a job, until the process dies or has waited for `idle`.
    async fn idle(&mut self, idle: Option<Duration>) -> End {
        let idle_at = idle.map(|idle| Instant::now() + idle);
        loop {
            tokio::select! {
                exit = self.process.wait() => return End::Died(self.exit_words(exit).await),
                () = until(idle_at) => return End::Idle,
                () = tokio::time::sleep(IDLE_INTERVAL) => {
                    if let Err(why) = self.read() {
                        self.process.kill();
                        return End::Died(why);
                    }
                }
            }
        }
    }

    /// Does a job. Returns why the process takes no more of them, if it does not.
    async fn run(&mut self, setup: &Setup, job: WarmJob) -> Option<End> {
        // What it has printed without a job is not of this one.
        self.readers.catch_up().await;
        self.lines.belong_to(Some(job.control.clone()));
        let (result, end) = self.attempt(setup, &job).await;
        // What it printed before it said that the job has ended is the job's.
        self.readers.catch_up().await;
        self.lines.belong_to(None);
        if matches!(result, Ok(_) | Err(JobError::Failed(_) | JobError::FailedWithCode { .. }))
            && end.is_none()
        {
            self.completed += 1;
            setup.deaths.succeeded();
            job.directory.done();
        }
        job.reply(result);
        end
    }

    async fn attempt(
        &mut self,
        setup: &Setup,
        job: &WarmJob,
    ) -> (Result<Map<String, Value>, JobError>, Option<End>) {
        let WarmJob { job: work, directory, control, .. } = job;
        let mut events = match directory.new_events() {
            Ok(events) => EventsFile::of(events),
            Err(error) => return (Err(no_room(error)), None),
        };
        self.growth.watch(&directory.events());
        let line = json(work, directory).to_string();
        tokio::select! {
            // A process that reads no more has died, which its end tells.
            _ = self.process.send(&line) => {}
            // It may have read half of the line.
            () = job.stopped() => {
                self.kill().await;
                return (Err(JobError::Stopped), Some(End::Replaced));
            }
        }
        let (mut report, mut pace) = (Report::default(), Pace::of(&self.growth));
        let (mut stopped, mut kill_at) = (false, None::<Instant>);
        let exceeded = room::exceeded(directory, setup.settings.output_bytes_max);
        tokio::pin!(exceeded);
        let broke = loop {
            tokio::select! {
                exit = self.process.wait() => {
                    // A broken line is none of what ends a job.
                    let _ = events.finish(&mut report, Some(control), &self.secrets);
                    let why = self.exit_words(exit).await;
                    return match (stopped, report.has_ended()) {
                        (true, _) => (Err(JobError::Stopped), Some(End::Replaced)),
                        (false, true) => (ended(report), Some(End::Replaced)),
                        (false, false) => {
                            (Err(JobError::Lost(format!("the program crashed: {why}"))), Some(End::Died(why)))
                        }
                    };
                }
                () = job.stopped(), if !stopped => {
                    stopped = true;
                    kill_at = Some(Instant::now() + setup.settings.grace);
                    let cancel = serde_json::json!({ "cancel": work.id }).to_string();
                    // A process that reads no more is killed soon.
                    let _ = tokio::time::timeout(setup.settings.grace, self.process.send(&cancel)).await;
                }
                () = until(kill_at) => {
                    self.kill().await;
                    return (Err(JobError::Stopped), Some(End::Replaced));
                }
                too_much = &mut exceeded => break too_much.to_string(),
                () = pace.next() => {
                    if let Err(error) = events.read(&mut report, Some(control), &self.secrets) {
                        break error.to_string();
                    }
                    if report.has_ended() {
                        let result = if stopped { Err(JobError::Stopped) } else { ended(report) };
                        return (result, None);
                    }
                }
            }
        };
        self.kill().await;
        (Err(JobError::Failed(broke)), Some(End::Replaced))
    }

    /// Ends the process: by SIGTERM, and after `grace` by SIGKILL.
    async fn end(&mut self, grace: Duration) {
        self.process.terminate().await;
        if tokio::time::timeout(grace, self.process.wait()).await.is_err() {
            self.kill().await;
        }
    }

    async fn kill(&mut self) {
        self.process.kill();
        // What cannot be waited for is gone.
        let _ = self.process.wait().await;
    }

    async fn exit_words(&self, exit: std::io::Result<Exit>) -> String {
        match exit {
            Ok(exit) => self.death(exit).await,
            Err(error) => error.to_string(),
        }
    }

    /// How the process ended, with the last line that it printed.
    async fn death(&self, exit: Exit) -> String {
        self.readers.catch_up().await;
        match self.lines.last() {
            Some(line) => format!("{} ({line})", exit.words()),
            None => exit.words(),
        }
    }
}

/// What the report of a job that has ended means.
fn ended(report: Report) -> Result<Map<String, Value>, JobError> {
    match report.verdict {
        Some(verdict) => Err(verdict.into()),
        None => Ok(report.output),
    }
}
