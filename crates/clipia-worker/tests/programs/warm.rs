//! Processes that are started once.

use super::*;

/// A program that does what its prompt says.
const SERVE: &str = r#"
import json, os, signal, sys, time
def say(path, event):
    with open(path, "a") as events:
        events.write(json.dumps(event) + "\n")
print("loading")
say(os.environ["CLIPIA_EVENTS"], {"ready": True, "protocol": 1})
jobs, job = 0, None
for line in sys.stdin:
    message = json.loads(line)
    if "cancel" in message:
        if job and message["cancel"] == job["job"] and job["input"]["prompt"] == "obey":
            say(job["events"], {"done": True})
        continue
    job, jobs = message, jobs + 1
    prompt = job["input"]["prompt"]
    print("doing", prompt)
    if prompt == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif prompt == "fail":
        say(job["events"], {"fail": "too dark", "code": "content_policy"})
    elif prompt == "retry":
        say(job["events"], {"retry": "out of memory"})
    elif prompt == "talk":
        sys.stdout.write("".join(f"{jobs} says {n}\n" for n in range(500)) + f"{jobs} ends")
        say(job["events"], {"output": {"jobs": jobs}})
        say(job["events"], {"done": True})
    elif prompt in ("hang", "obey"):
        say(job["events"], {"progress": 10})
    else:
        say(job["events"], {"output": {"pid": os.getpid(), "jobs": jobs, "device": os.environ.get("CUDA_VISIBLE_DEVICES")}})
        say(job["events"], {"done": True})
"#;

fn serving() -> ProgramSettings {
    ProgramSettings { warm: true, ..python(SERVE) }
}

async fn made(fixture: &Fixture) -> Value {
    fields(fixture.run(json!({ "prompt": "fox" })).await)
}

#[tokio::test]
async fn one_process_does_one_job_after_the_other() {
    let fixture = Fixture::new(ProgramSettings { devices: vec!["7".to_owned()], ..serving() });
    within(fixture.program.ready(false)).await.unwrap();
    let control = JobControl::default();
    let first = fields(fixture.run_with(json!({ "prompt": "fox" }), &control).await);
    assert_eq!(logs(&control), ["doing fox"]);
    assert_eq!(first["device"], "7");
    let failed = fixture.fails(json!({ "prompt": "fail" })).await;
    assert!(matches!(failed, JobError::FailedWithCode { .. }), "{failed:?}");
    let lost = fixture.fails(json!({ "prompt": "retry" })).await;
    assert!(matches!(&lost, JobError::Lost(why) if why == "out of memory"), "{lost:?}");
    let last = made(&fixture).await;
    assert_eq!((&last["pid"], &last["jobs"]), (&first["pid"], &json!(4)));
}

#[tokio::test]
async fn what_was_printed_before_the_end_of_a_job_is_in_its_log() {
    let fixture = Fixture::new(serving());
    for job in 1..=20 {
        let control = JobControl::default();
        fixture.run_with(json!({ "prompt": "talk" }), &control).await.unwrap();
        let said = (0..500).map(|n| format!("{job} says {n}"));
        let expected: Vec<String> =
            ["doing talk".to_owned()].into_iter().chain(said).chain([format!("{job} ends")]).collect();
        assert_eq!(logs(&control), expected);
    }
}

#[tokio::test]
async fn a_crash_loses_the_attempt_and_the_program_is_started_again() {
    let fixture = Fixture::new(serving());
    let first = made(&fixture).await;
    let lost = fixture.fails(json!({ "prompt": "crash" })).await;
    assert!(matches!(&lost, JobError::Lost(why) if why.contains("SIGSEGV")), "{lost:?}");
    let again = made(&fixture).await;
    assert_ne!(first["pid"], again["pid"]);
    assert_eq!(again["jobs"], 1);
}

/// Stops a job once it runs.
async fn stopped(fixture: &Fixture, prompt: &str) {
    let control = JobControl::default();
    let stop = async {
        until("the job runs", || control.percent() == 10).await;
        control.stop();
    };
    let (run, ()) = tokio::join!(fixture.run_with(json!({ "prompt": prompt }), &control), stop);
    assert!(matches!(run, Err(JobError::Stopped)));
}

#[tokio::test]
async fn a_canceled_job_ends_the_process_only_if_it_does_not_obey() {
    let fixture = Fixture::new(ProgramSettings { grace: Duration::from_secs(5), ..serving() });
    let first = made(&fixture).await;
    stopped(&fixture, "obey").await;
    let second = made(&fixture).await;
    assert_eq!(first["pid"], second["pid"]);
    let fixture = Fixture::new(serving());
    let first = made(&fixture).await;
    stopped(&fixture, "hang").await;
    let second = made(&fixture).await;
    assert_ne!(first["pid"], second["pid"]);
    assert!(!lives(&first["pid"].to_string()));
}

#[tokio::test]
async fn a_program_is_fresh_after_so_many_jobs() {
    let fixture = Fixture::new(ProgramSettings { fresh_after: Some(2), ..serving() });
    let mut counts = Vec::new();
    for _ in 0..5 {
        counts.push(made(&fixture).await["jobs"].as_u64().unwrap());
    }
    assert_eq!(counts, [1, 2, 1, 2, 1]);
}

#[tokio::test]
async fn an_idle_program_is_stopped_and_started_on_demand() {
    let fixture = Fixture::new(ProgramSettings { idle: Some(Duration::from_millis(200)), ..serving() });
    let first = made(&fixture).await;
    let pid = first["pid"].to_string();
    until("it is stopped", || !lives(&pid)).await;
    // Requests can be claimed: the first one starts it.
    within(fixture.program.ready(false)).await.unwrap();
    let second = made(&fixture).await;
    assert_ne!(first["pid"], second["pid"]);
}

#[tokio::test]
async fn nothing_is_claimed_before_a_program_is_ready() {
    let gate = tempfile::tempdir().unwrap();
    let path = gate.path().join("open");
    let wait = format!("import os, time\nwhile not os.path.exists({path:?}):\n    time.sleep(0.01)\n");
    let fixture = Fixture::new(ProgramSettings { warm: true, ..python(&(wait + SERVE)) });
    let waits = tokio::time::timeout(Duration::from_millis(300), fixture.program.ready(false)).await;
    assert!(waits.is_err(), "it is loading");
    std::fs::write(&path, "").unwrap();
    within(fixture.program.ready(false)).await.unwrap();
    made(&fixture).await;
}

#[tokio::test]
async fn a_program_that_never_starts_is_reported_and_not_waited_for() {
    let fixture =
        Fixture::new(ProgramSettings { warm: true, ..ProgramSettings::new(vec!["/no/such".to_owned()]) });
    let why = within(fixture.program.ready(false)).await.unwrap_err();
    assert!(why.contains("/no/such"), "{why}");
    // The trial ends with the next attempt to start it.
    let why = within(fixture.program.ready(true)).await.unwrap_err();
    assert!(why.contains("/no/such"), "{why}");
}

#[tokio::test]
async fn its_processes_end_with_the_executor() {
    let fixture = Fixture::new(ProgramSettings { slots: 2, ..serving() });
    let pid = made(&fixture).await["pid"].to_string();
    assert!(lives(&pid));
    drop(fixture);
    until("it ends", || !lives(&pid)).await;
}
