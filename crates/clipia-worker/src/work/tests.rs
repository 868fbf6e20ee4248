//! The loop over a line that fails as a line may, on a clock that the tests drive.

use super::line::recorded;
use super::*;
use crate::executor::{Executor, JobError};
use crate::job::Job;
use crate::{JobControl, JobOutput};
use async_trait::async_trait;
use clipia_api::types::Output;
use clipia_queue::lifecycle::Epoch;
use clipia_queue::logs::LogLines;
use clipia_queue::{AccountId, RequestId};
use futures_util::FutureExt;
use prometheus_client::metrics::gauge::Gauge;
use serde_json::json;
use std::collections::VecDeque;
use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, broadcast};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How often an attempt over the fake line beats.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Longer than any backoff.
const LONG: Duration = Duration::from_secs(60);

/// The id of the request that is claimed at this place.
fn request(number: u32) -> RequestId {
    format!("00000000-0000-7000-8000-{number:012}").parse().unwrap()
}

/// What the fake line says to a report.
#[derive(Clone, Copy, Debug)]
enum Says {
    Lost,
    /// A cause that passes.
    Away,
    /// A cause that does not pass.
    Broken,
}

impl From<Says> for ReportRefused {
    fn from(says: Says) -> Self {
        let error: Arc<dyn Error + Send + Sync> = Arc::from(Box::from(format!("{says:?}")));
        match says {
            Says::Lost => Self::Lost(error),
            Says::Away | Says::Broken => Self::Unrecorded { error, transient: matches!(says, Says::Away) },
        }
    }
}

/// A line that records what it is told. Models are what the [`Fake`] executor does.
struct FakeLine {
    /// The models of the requests that wait.
    waiting: Mutex<VecDeque<&'static str>>,
    submitted: Notify,
    canceled: broadcast::Sender<Canceled>,
    claims: Mutex<u32>,
    /// What the next reports of ends are told; all others are accepted.
    ends: Mutex<VecDeque<Says>>,
    /// How long the report of an end takes.
    end_takes: Mutex<Duration>,
    /// What all beats and holds are told.
    beats: Mutex<Option<Says>>,
    /// When it is known whether the claims are recorded, and whether they are; at once if nothing is said.
    records_claims: Mutex<Option<(Duration, bool)>>,
    /// What all outputs are told.
    keeps: Mutex<Option<fn() -> KeepError>>,
    heard: Mutex<Vec<String>>,
    since: Instant,
}

impl FakeLine {
    fn new(waiting: &[&'static str]) -> Arc<Self> {
        Arc::new(Self {
            waiting: Mutex::new(waiting.iter().copied().collect()),
            submitted: Notify::new(),
            canceled: broadcast::Sender::new(4),
            claims: Mutex::default(),
            ends: Mutex::default(),
            end_takes: Mutex::default(),
            beats: Mutex::default(),
            records_claims: Mutex::default(),
            keeps: Mutex::default(),
            heard: Mutex::default(),
            since: Instant::now(),
        })
    }

    fn hear(&self, what: String) {
        self.heard.lock().unwrap().push(format!("{:.2} {what}", self.since.elapsed().as_secs_f64()));
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// Waits until it has heard `what`.
    async fn hears(&self, what: &str) {
        let heard = async {
            while !self.heard().iter().any(|heard| heard.ends_with(what)) {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(2 * LONG, heard).await.unwrap_or_else(|_| panic!("no `{what}`: {:?}", self.heard()));
    }

    fn claim_recorded(&self) -> ClaimRecorded {
        match *self.records_claims.lock().unwrap() {
            None => recorded(),
            Some((after, are_recorded)) => {
                let said = async move {
                    sleep(after).await;
                    if are_recorded { Ok(()) } else { Err(Arc::from(Box::from("full"))) }
                };
                said.boxed().shared()
            }
        }
    }

    fn beaten(&self) -> Result<(), ReportRefused> {
        self.beats.lock().unwrap().map_or(Ok(()), |says| Err(says.into()))
    }
}

#[async_trait]
impl Line for FakeLine {
    async fn claim(&self, _: &dyn PreparationRoom) -> Result<Option<Claimed>, Arc<dyn Error + Send + Sync>> {
        let Some(model) = self.waiting.lock().unwrap().pop_front() else { return Ok(None) };
        let number = {
            let mut claims = self.claims.lock().unwrap();
            *claims += 1;
            *claims
        };
        self.hear(format!("claim {model}"));
        let id = request(number);
        let account = AccountId("a".to_owned());
        Ok(Some(Claimed {
            attempt: AttemptId { id, epoch: Epoch(1) },
            account: account.clone(),
            key_id: None,
            model: model.to_owned(),
            job: Ok(Job {
                id,
                account,
                model: Arc::new(serde_json::from_value(json!({ "slug": model, "type": "image" })).unwrap()),
                input: serde_json::Map::new(),
                base_url: String::new(),
                source: None,
                directory: None,
            }),
            recorded: self.claim_recorded(),
            alive: Box::new(()),
        }))
    }

    async fn work_submitted(&self) {
        self.submitted.notified().await;
    }

    fn wake(&self) {
        self.submitted.notify_one();
    }

    fn canceled(&self) -> broadcast::Receiver<Canceled> {
        self.canceled.subscribe()
    }

    fn heartbeat(&self) -> Duration {
        HEARTBEAT
    }

    async fn hold(&self, _: AttemptId) -> Result<(), ReportRefused> {
        self.hear("hold".to_owned());
        self.beaten()
    }

    async fn beat(&self, _: AttemptId, percent: u8, logs: LogLines) -> Result<(), ReportRefused> {
        self.hear(format!("beat {percent} {:?}", logs.lines));
        self.beaten()
    }

    async fn keep_files(&self, _: AttemptId, made: JobOutput) -> Result<KeptOutput, KeepError> {
        match *self.keeps.lock().unwrap() {
            Some(error) => Err(error()),
            None => Ok(KeptOutput { output: Box::new(made.output), files: Box::new(()) }),
        }
    }

    async fn end(&self, _: AttemptId, end: &End, logs: LogLines) -> Result<(), ReportRefused> {
        self.hear(format!("end {} {:?}", end.name(), logs.lines));
        let takes = *self.end_takes.lock().unwrap();
        if !takes.is_zero() {
            sleep(takes).await;
        }
        self.ends.lock().unwrap().pop_front().map_or(Ok(()), |says| Err(says.into()))
    }

    async fn recorded(&self, _: AttemptId, end: End) {
        self.hear(format!("recorded {}", end.name()));
    }

    async fn discard(&self, _: KeptOutput) {
        self.hear("discard".to_owned());
    }
}

/// An executor that does what the model says.
#[derive(Default)]
struct Fake {
    /// Lets one preparation end.
    prepared: Notify,
}

#[async_trait]
impl Executor for Fake {
    async fn run(&self, job: Job, control: JobControl) -> Result<JobOutput, JobError> {
        match job.model.slug.as_str() {
            "make" | "prepare" => {}
            "log" => control.log("one line"),
            "slow" => sleep(Duration::from_secs(20)).await,
            "progress" => {
                control.progress(40);
                control.log("forty");
                sleep(Duration::from_secs(12)).await;
            }
            "hang" => {
                control.stopped().await;
                return Err(JobError::Stopped);
            }
            "lost" => return Err(JobError::Lost("it died".to_owned())),
            "away" => return Err(JobError::Unavailable("the machine is away".to_owned())),
            "panic" => panic!("as an executor might"),
            other => panic!("{other}"),
        }
        let output: Output = serde_json::from_value(json!({ "images": [] })).unwrap();
        Ok(JobOutput { output, files: Vec::new() })
    }

    fn needs_preparing(&self, job: &Job) -> bool {
        job.model.slug == "prepare"
    }

    async fn prepare(&self, job: Job) -> Result<Job, JobError> {
        self.prepared.notified().await;
        Ok(job)
    }
}

/// Workers that run.
struct Running {
    workers: Arc<Workers>,
    executor: Arc<Fake>,
    drain: CancellationToken,
    stop: CancellationToken,
    run: JoinHandle<()>,
}

impl Running {
    fn start(line: &Arc<FakeLine>, count: usize) -> Self {
        Self::start_with(line, count, usize::MAX)
    }

    fn start_with(line: &Arc<FakeLine>, count: usize, claims_max: usize) -> Self {
        let executor = Arc::new(Fake::default());
        let pause = Pause::new("test", Gauge::default());
        let (line, made) = (Arc::clone(line), Arc::clone(&executor));
        let workers = Workers::new(line, made, count, pause, Preparation::default());
        let workers = Arc::new(workers.claim_at_most(claims_max));
        let (drain, stop) = (CancellationToken::new(), CancellationToken::new());
        let run = tokio::spawn(Arc::clone(&workers).run(drain.clone(), stop.clone()));
        Self { workers, executor, drain, stop, run }
    }

    /// Drains, and waits for the end.
    async fn drained(self) {
        self.drain.cancel();
        timeout(LONG, self.run).await.expect("the workers end").unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn progress_and_lines_are_reported_soon_and_the_lease_is_prolonged() {
    let line = FakeLine::new(&["progress"]);
    let running = Running::start(&line, 1);
    line.hears("recorded completed").await;
    let expected = [
        "0.00 claim progress",
        r#"0.25 beat 40 ["forty"]"#,
        "5.25 beat 40 []",
        "10.25 beat 40 []",
        "12.00 end completed []",
        "12.00 recorded completed",
    ];
    assert_eq!(line.heard(), expected);
    running.drained().await;
}

#[tokio::test(start_paused = true)]
async fn the_work_begins_before_its_claim_is_recorded_and_its_end_is_reported_after() {
    let line = FakeLine::new(&["make"]);
    *line.records_claims.lock().unwrap() = Some((Duration::from_secs(2), true));
    let running = Running::start(&line, 1);
    line.hears("recorded completed").await;
    assert_eq!(line.heard(), ["0.00 claim make", "2.00 end completed []", "2.00 recorded completed"]);
    running.drained().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_reported_of_an_attempt_whose_claim_is_not_recorded() {
    for (model, heard) in [
        // It has ended before: its files go.
        ("make", &["0.00 claim make", "2.00 discard"] as &[_]),
        ("hang", &["0.00 claim hang"]),
        ("prepare", &["0.00 claim prepare"]),
    ] {
        let line = FakeLine::new(&[model]);
        *line.records_claims.lock().unwrap() = Some((Duration::from_secs(2), false));
        let running = Running::start(&line, 1);
        let mut activity = running.workers.activity();
        let ended = async {
            activity.wait_for(|activity| activity.under_way == 1).await.unwrap();
            activity.wait_for(|activity| activity.under_way == 0).await.unwrap();
        };
        timeout(LONG, ended).await.expect("the attempt ends");
        running.drained().await;
        assert_eq!(line.heard(), heard);
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_is_reported_until_it_is_recorded_with_the_last_lines() {
    let line = FakeLine::new(&["log"]);
    line.ends.lock().unwrap().extend([Says::Away; 20]);
    let running = Running::start(&line, 1);
    line.hears("recorded completed").await;
    let heard = line.heard();
    assert_eq!(heard.len(), 1 + 21 + 1, "{heard:?}");
    assert_eq!(
        (heard[1].as_str(), heard[21].as_str()),
        (r#"0.00 end completed ["one line"]"#, r#"10.00 end completed ["one line"]"#)
    );
    running.drained().await;
}

#[tokio::test(start_paused = true)]
async fn an_end_that_cannot_be_recorded_is_given_up_and_its_files_stay() {
    let line = FakeLine::new(&["make"]);
    line.ends.lock().unwrap().extend([Says::Broken; 5]);
    let running = Running::start(&line, 1);
    running.workers.activity().wait_for(|activity| activity.claimed == 1).await.unwrap();
    running.workers.idle_for(Duration::ZERO).await;
    let expected: Vec<String> = ["0.00 claim make".to_owned()]
        .into_iter()
        .chain((0..5).map(|report| format!("{:.2} end completed []", 0.5 * f64::from(report))))
        .collect();
    assert_eq!(line.heard(), expected);
    line.waiting.lock().unwrap().push_back("make");
    line.wake();
    line.hears("recorded completed").await;
    running.drained().await;
}

#[tokio::test(start_paused = true)]
async fn the_next_request_is_claimed_while_an_end_is_reported_and_a_drain_waits_for_the_report() {
    let line = FakeLine::new(&["make", "make", "make", "make"]);
    *line.end_takes.lock().unwrap() = Duration::from_secs(5);
    let running = Running::start(&line, 1);
    sleep(Duration::from_secs(1)).await;
    // Two ends of each worker are reported beside it.
    let mut heard = line.heard();
    heard.sort();
    assert_eq!(heard, [["0.00 claim make"; 3], ["0.00 end completed []"; 3]].concat());
    assert_eq!(*running.workers.activity().borrow(), Activity { claimed: 3, under_way: 3 });
    running.drained().await;
    let recorded = line.heard().iter().filter(|heard| heard.ends_with("5.00 recorded completed")).count();
    assert_eq!(recorded, 3, "{:?}", line.heard());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_goes_back_is_in_its_queue_before_the_next_claim() {
    let line = FakeLine::new(&["lost", "make"]);
    *line.end_takes.lock().unwrap() = Duration::from_secs(5);
    let running = Running::start(&line, 1);
    line.hears("recorded completed").await;
    let expected = [
        "0.00 claim lost",
        "0.00 end lost []",
        "5.00 recorded lost",
        "5.00 claim make",
        "5.00 end completed []",
        "10.00 recorded completed",
    ];
    assert_eq!(line.heard(), expected);
    running.drained().await;
}

#[tokio::test(start_paused = true)]
async fn an_end_that_is_refused_is_not_repeated_and_its_files_go() {
    let line = FakeLine::new(&["make"]);
    line.ends.lock().unwrap().push_back(Says::Lost);
    let running = Running::start(&line, 1);
    line.hears("discard").await;
    assert_eq!(line.heard(), ["0.00 claim make", "0.00 end completed []", "0.00 discard"]);
    running.drained().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_lease_ends_the_work_without_a_report_and_the_worker_goes_on() {
    let line = FakeLine::new(&["hang", "make"]);
    *line.beats.lock().unwrap() = Some(Says::Lost);
    let running = Running::start(&line, 1);
    line.hears("recorded completed").await;
    let expected = [
        "0.00 claim hang",
        "5.00 beat 0 []",
        "5.00 claim make",
        "5.00 end completed []",
        "5.00 recorded completed",
    ];
    assert_eq!(line.heard(), expected);
    running.drained().await;
}

#[tokio::test(start_paused = true)]
async fn beats_that_do_not_arrive_lose_nothing() {
    let line = FakeLine::new(&["slow"]);
    *line.beats.lock().unwrap() = Some(Says::Away);
    let running = Running::start(&line, 1);
    line.hears("recorded completed").await;
    assert_eq!(line.heard().last().unwrap(), "20.00 recorded completed");
    running.drained().await;
}

#[tokio::test(start_paused = true)]
async fn a_cancel_ends_the_work_before_the_next_beat() {
    let line = FakeLine::new(&["hang"]);
    let running = Running::start(&line, 1);
    line.hears("claim hang").await;
    *line.beats.lock().unwrap() = Some(Says::Lost);
    line.canceled.send(Some(request(9))).unwrap();
    line.canceled.send(Some(request(1))).unwrap();
    running.workers.idle_for(Duration::ZERO).await;
    let heard = line.heard();
    assert!(heard.len() == 2 && heard[1].starts_with("0.0"), "{heard:?}");
    running.drained().await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_what_runs_and_a_stop_releases_it() {
    let line = FakeLine::new(&["slow", "hang", "make"]);
    let running = Running::start(&line, 2);
    line.hears("claim hang").await;
    running.drain.cancel();
    line.hears("recorded completed").await;
    running.stop.cancel();
    timeout(LONG, running.run).await.expect("the workers end").unwrap();
    let heard = line.heard();
    assert!(heard.iter().any(|heard| heard.ends_with("recorded released")), "{heard:?}");
    assert!(!heard.iter().any(|heard| heard.ends_with("claim make")), "{heard:?}");
}

#[tokio::test(start_paused = true)]
async fn a_paused_executor_claims_nothing_but_trials() {
    let line = FakeLine::new(&["away", "away", "away", "make"]);
    let running = Running::start(&line, 1);
    line.hears("recorded completed").await;
    let claims: Vec<String> = line.heard().into_iter().filter(|heard| heard.contains("claim")).collect();
    assert_eq!(claims, ["0.00 claim away", "1.00 claim away", "3.00 claim away", "7.00 claim make"]);
    running.drained().await;
}

#[tokio::test(start_paused = true)]
async fn an_output_without_room_is_released_and_one_that_cannot_be_kept_fails() {
    for (error, outcome) in [
        ((|| KeepError::NoRoom) as fn() -> KeepError, Some("released")),
        (|| KeepError::Unfit("two files of one name".to_owned()), Some("failed")),
        (|| KeepError::Lost, None),
    ] {
        let line = FakeLine::new(&["make"]);
        *line.keeps.lock().unwrap() = Some(error);
        let running = Running::start(&line, 1);
        running.workers.activity().wait_for(|activity| activity.claimed == 1).await.unwrap();
        running.workers.idle_for(Duration::ZERO).await;
        running.drained().await;
        let outcome = outcome.map(|outcome| format!("0.00 recorded {outcome}"));
        assert_eq!(line.heard().get(2), outcome.as_ref());
    }
}

#[tokio::test(start_paused = true)]
async fn an_executor_that_panics_fails_the_request_only() {
    let line = FakeLine::new(&["panic", "make"]);
    let running = Running::start(&line, 1);
    line.hears("recorded completed").await;
    for reported in ["0.00 end failed []", "0.00 recorded failed"] {
        assert!(line.heard().iter().any(|heard| heard == reported), "{:?}", line.heard());
    }
    running.drained().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_is_prepared_while_the_only_worker_runs_others() {
    let line = FakeLine::new(&["prepare", "slow", "make"]);
    let running = Running::start(&line, 1);
    line.hears("recorded completed").await;
    let heard = line.heard();
    let holds = heard.iter().filter(|heard| heard.ends_with("hold")).count();
    assert!((19..=21).contains(&holds), "{heard:?}");
    running.executor.prepared.notify_one();
    running.workers.idle_for(Duration::from_secs(1)).await;
    let completed = line.heard().iter().filter(|heard| heard.ends_with("recorded completed")).count();
    assert_eq!(completed, 3);
    running.drained().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_in_preparation_is_released_by_a_drain_and_dropped_when_it_is_lost() {
    let line = FakeLine::new(&["prepare"]);
    let running = Running::start(&line, 1);
    line.hears("hold").await;
    running.drained().await;
    line.hears("recorded released").await;

    let line = FakeLine::new(&["prepare"]);
    *line.beats.lock().unwrap() = Some(Says::Lost);
    let running = Running::start(&line, 1);
    line.hears("hold").await;
    running.drained().await;
    assert_eq!(line.heard(), ["0.00 claim prepare", "1.00 hold"]);
}

#[tokio::test(start_paused = true)]
async fn workers_end_by_themselves_after_as_many_claims_as_they_may_make() {
    let line = FakeLine::new(&["make", "prepare", "make"]);
    let running = Running::start_with(&line, 3, 2);
    running.executor.prepared.notify_one();
    timeout(LONG, running.run).await.expect("the workers end").unwrap();
    let count = |what| line.heard().iter().filter(|heard| heard.contains(what)).count();
    assert_eq!((count("claim"), count("recorded completed")), (2, 2), "{:?}", line.heard());
    assert_eq!(*running.workers.activity().borrow(), Activity { claimed: 2, under_way: 0 });

    // Claims that find nothing do not count.
    let line = FakeLine::new(&[]);
    let running = Running::start_with(&line, 2, 1);
    sleep(LONG).await;
    line.waiting.lock().unwrap().push_back("make");
    line.wake();
    timeout(LONG, running.run).await.expect("the workers end").unwrap();
    line.hears("recorded completed").await;
}

#[tokio::test(start_paused = true)]
async fn workers_are_idle_once_nothing_was_under_way_for_the_whole_time() {
    let line = FakeLine::new(&["slow"]);
    let running = Running::start(&line, 2);
    line.hears("claim slow").await;
    let workers = Arc::clone(&running.workers);
    let idle = workers.idle_for(Duration::from_secs(10));
    tokio::pin!(idle);
    assert!(timeout(Duration::from_secs(25), &mut idle).await.is_err());
    line.waiting.lock().unwrap().push_back("slow");
    line.wake();
    idle.await;
    // 25 s, 20 s of work, and 10 s.
    assert_eq!(line.since.elapsed().as_secs(), 55);
    running.drained().await;
}
