//! The keeper of a program, `clipia exec-job`: nothing that a program started outlives it.
#![cfg(target_os = "linux")]
// Test code, helpers of tests included: a failed expectation stops the test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use async_trait::async_trait;
use clipia_queue::{AccountId, RequestId};
use clipia_worker::{
    Content, Executor, Inputs, Job, JobControl, JobError, JobOutput, Program, ProgramSettings,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// The longest wait of a test. Only a failing test waits so long.
const DEADLINE: Duration = Duration::from_secs(60);

/// A program with a child in its group and an orphan in a session of its own. It ignores SIGTERM, and writes the numbers of all three.
const FAMILY: &str = "trap '' TERM; sleep 1000 & a=$!; (setsid sleep 1000 & echo $! > orphan); \
                      echo $a $(cat orphan) $$ > $PIDS.new; mv $PIDS.new $PIDS; while :; do sleep 0.05; done";

struct NoInputs;

#[async_trait]
impl Inputs for NoInputs {
    fn is_elsewhere(&self, _: &Job, _: &str) -> bool {
        false
    }

    async fn fetch(&self, _: &Job, _: &str, _: &str, _: &Path, _: u64) -> Result<Option<String>, JobError> {
        Ok(None)
    }
}

struct Fixture {
    program: Program,
    directory: tempfile::TempDir,
}

impl Fixture {
    /// A shell script, kept by the program under test.
    fn new(text: &str) -> Self {
        Self::of(ProgramSettings::new(["sh", "-c", text].map(str::to_owned).to_vec()))
    }

    fn of(settings: ProgramSettings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = ProgramSettings { grace: Duration::from_millis(300), ..settings };
        let pids = directory.path().join("pids").to_string_lossy().into_owned();
        settings.env.insert("PIDS".to_owned(), pids);
        let program = Program::new("test", settings, Arc::new(NoInputs), directory.path().join("jobs"));
        let keeper = [env!("CARGO_BIN_EXE_clipia"), "exec-job"].map(str::to_owned).to_vec();
        Self { program: program.with_keeper(keeper), directory }
    }

    async fn run(&self, control: &JobControl) -> Result<JobOutput, JobError> {
        let model = serde_json::from_value(json!({ "slug": "any", "type": "image" })).unwrap();
        let job = Job {
            id: RequestId::generate(),
            account: AccountId("acct_test".to_owned()),
            model: Arc::new(model),
            input: json!({ "prompt": "fox" }).as_object().unwrap().clone(),
            base_url: "http://here".to_owned(),
            source: None,
            directory: None,
        };
        tokio::time::timeout(DEADLINE, self.program.run(job, control.clone())).await.expect("it ends in time")
    }

    async fn ends(&self) -> JobError {
        self.run(&JobControl::default()).await.map(drop).unwrap_err()
    }

    /// The processes of the program, once they run.
    async fn pids(&self) -> Vec<String> {
        pids(&self.directory.path().join("pids")).await
    }
}

async fn pids(written: &Path) -> Vec<String> {
    let pids = RefCell::new(Vec::new());
    until("the processes run", || {
        let text = std::fs::read_to_string(written).unwrap_or_default();
        *pids.borrow_mut() = text.split_whitespace().map(str::to_owned).collect();
        !pids.borrow().is_empty()
    })
    .await;
    pids.into_inner()
}

async fn until(what: &str, is: impl Fn() -> bool) {
    let polling = async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(DEADLINE, polling).await.unwrap_or_else(|_| panic!("{what}: not in time"));
}

/// Whether a process runs. One that nobody has waited for yet is dead.
fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

async fn are_gone(pids: &[String]) {
    until("the processes are gone", || !pids.iter().any(|pid| lives(pid))).await;
}

#[tokio::test]
async fn the_end_of_a_kept_program_is_that_of_the_program() {
    let control = JobControl::default();
    let text = "grep -q fox && [ \"$(ls)\" = '' ] && echo drawn && printf made > $CLIPIA_OUT/x.txt";
    let fixture = Fixture::new(text);
    let made = fixture.run(&control).await.unwrap();
    let Content::File { path, .. } = &made.files[0].content else { panic!("it is in memory") };
    assert_eq!(std::fs::read_to_string(path).unwrap(), "made");
    assert_eq!(control.take_logs().lines, ["drawn"]);
    assert!(
        matches!(Fixture::new("echo no fox; exit 3").ends().await, JobError::Failed(why) if why == "no fox")
    );
    assert!(matches!(Fixture::new("exit 75").ends().await, JobError::Lost(_)));
    for (signal, name) in [("SEGV", "SIGSEGV"), ("KILL", "SIGKILL"), ("TERM", "SIGTERM")] {
        let error = Fixture::new(&format!("kill -{signal} $$")).ends().await;
        assert!(matches!(&error, JobError::Lost(why) if why.contains(name)), "{error:?}");
    }
    let unstarted = Fixture::of(ProgramSettings::new(vec!["/no/such/program".to_owned()])).ends().await;
    assert!(
        matches!(&unstarted, JobError::Unavailable(why) if why.contains("`/no/such/program`: No such file")),
        "{unstarted:?}"
    );
    // An exit code of the program's own means nothing else.
    assert!(matches!(Fixture::new("exit 127").ends().await, JobError::Failed(_)));
}

#[tokio::test]
async fn what_a_program_leaves_behind_ends_with_it() {
    let text = FAMILY.replace("while :; do sleep 0.05; done", "echo x > $CLIPIA_OUT/x");
    let fixture = Fixture::new(&text);
    fixture.run(&JobControl::default()).await.unwrap();
    for pid in fixture.pids().await {
        assert!(!lives(&pid), "process {pid} lives after the end of its job");
    }
}

#[tokio::test]
async fn a_program_that_is_stopped_ends_with_all_that_it_started() {
    let fixture = Fixture::new(FAMILY);
    let control = JobControl::default();
    let stop = async {
        let pids = fixture.pids().await;
        assert!(pids.len() == 3 && pids.iter().all(|pid| lives(pid)), "{pids:?}");
        control.stop();
        pids
    };
    let (run, pids) = tokio::join!(fixture.run(&control), stop);
    assert!(matches!(run, Err(JobError::Stopped)));
    for pid in pids {
        assert!(!lives(&pid), "process {pid} lives after the end of its job");
    }
}

#[tokio::test]
async fn a_program_ends_when_it_is_asked_to() {
    let fixture =
        Fixture::new("trap 'echo asked > $PIDS; exit 0' TERM; echo 1 > $PIDS; while :; do sleep 0.01; done");
    let control = JobControl::default();
    let stop = async {
        fixture.pids().await;
        control.stop();
    };
    let (run, ()) = tokio::join!(fixture.run(&control), stop);
    assert!(matches!(run, Err(JobError::Stopped)));
    assert_eq!(fixture.pids().await, ["asked"]);
}

/// A keeper of [`FAMILY`], as the server starts it.
fn keeper(directory: &Path) -> std::process::Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clipia"));
    command.arg("exec-job").arg("--unstarted").arg(directory.join("unstarted"));
    command.args(["--stdin", "/dev/null", "--", "sh", "-c", FAMILY]);
    command.env("PIDS", directory.join("pids")).current_dir(directory);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
}

#[tokio::test]
async fn the_death_of_the_server_ends_all() {
    let directory = tempfile::tempdir().unwrap();
    let mut keeper = keeper(directory.path());
    let pids = pids(&directory.path().join("pids")).await;
    // So much of a server that was killed is left to its keepers.
    drop(keeper.stdin.take());
    assert_eq!(pids.len(), 3);
    are_gone(&pids).await;
    keeper.wait().unwrap();
}

#[tokio::test]
async fn the_death_of_the_keeper_ends_the_program() {
    let directory = tempfile::tempdir().unwrap();
    let mut keeper = keeper(directory.path());
    let pids = pids(&directory.path().join("pids")).await;
    kill_process(Pid::from_child(&keeper), Signal::KILL).unwrap();
    keeper.wait().unwrap();
    let (program, others) = pids.split_last().unwrap();
    are_gone(std::slice::from_ref(program)).await;
    // Nobody is left who could end the others.
    for pid in others {
        let _ = kill_process(Pid::from_raw(pid.parse().unwrap()).unwrap(), Signal::KILL);
    }
}

#[tokio::test]
async fn a_warm_program_is_kept_too() {
    let text = r#"
import json, os, sys
def say(path, event):
    with open(path, "a") as events:
        events.write(json.dumps(event) + "\n")
say(os.environ["CLIPIA_EVENTS"], {"ready": True, "protocol": 1})
for line in sys.stdin:
    job = json.loads(line)
    say(job["events"], {"output": {"pid": os.getpid()}, "done": True})
"#;
    let command = ["python3", "-u", "-c", text].map(str::to_owned).to_vec();
    let fixture = Fixture::of(ProgramSettings { warm: true, ..ProgramSettings::new(command) });
    let pid = async || -> Value {
        let made = fixture.run(&JobControl::default()).await;
        made.unwrap_or_else(|error| panic!("{error:?}")).output.extra["pid"].clone()
    };
    let first = pid().await;
    assert_eq!(pid().await, first);
    drop(fixture);
    are_gone(&[first.to_string()]).await;
}
