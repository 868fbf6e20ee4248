//! Programs that do what no program should.

use super::*;
use std::time::Instant;

/// Bound of what a program may make, for tests.
const MIB: u64 = 1024 * 1024;

#[tokio::test]
async fn a_hundred_megabytes_of_logs_are_read_and_bounded() {
    let fixture = Fixture::new(python(
        r#"
import os, sys
line = b"x" * 99 + b"\n"
for _ in range(100):
    sys.stdout.buffer.write(line * 5_000)
    sys.stderr.buffer.write(b'{"fail": "no"}' + b"y" * 499_000)
open(os.environ["CLIPIA_OUT"] + "/x", "w").write("made")
"#,
    ));
    let control = JobControl::default();
    fixture.run_with(json!({}), &control).await.unwrap();
    let logs = control.take_logs();
    assert!(
        logs.lines.len() <= 1_000 && logs.offset >= 499_000,
        "{} after {}",
        logs.lines.len(),
        logs.offset
    );
}

#[tokio::test]
async fn what_is_printed_is_never_an_event() {
    let fixture = Fixture::new(script(
        r#"echo '{"fail": "no"}'; echo '{"progress": 90}' >&2; echo '{"done": true}'; echo x > $CLIPIA_OUT/x"#,
    ));
    let control = JobControl::default();
    fixture.run_with(json!({}), &control).await.unwrap();
    assert_eq!((control.percent(), logs(&control).len()), (0, 3));
}

/// Runs a program that writes the numbers of its processes to the output directory, and stops it once they are there.
async fn stopped(text: &str, numbers: usize) -> (JobError, Duration) {
    let fixture = Arc::new(Fixture::new(script(text)));
    let control = JobControl::default();
    let (running, stop) = (Arc::clone(&fixture), control.clone());
    let run = tokio::spawn(async move { running.run_with(json!({}), &stop).await.map(drop) });
    let pids = std::cell::RefCell::new(Vec::new());
    until("the processes run", || {
        let jobs = std::fs::read_dir(fixture.jobs.path()).unwrap().flatten();
        let written = jobs.filter_map(|job| std::fs::read_to_string(job.path().join("out/pids")).ok());
        *pids.borrow_mut() =
            written.flat_map(|pids| pids.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
        pids.borrow().len() == numbers
    })
    .await;
    let asked = Instant::now();
    control.stop();
    let error = within(run).await.unwrap().unwrap_err();
    for pid in pids.borrow().iter() {
        assert!(!lives(pid), "process {pid} lives after the end of its job");
    }
    drop(control);
    fixture.is_swept().await;
    (error, asked.elapsed())
}

#[tokio::test]
async fn a_program_that_ends_when_asked_is_not_killed() {
    let text = "trap 'exit 0' TERM; echo $$ > $CLIPIA_OUT/pids; while :; do sleep 0.01; done";
    let (error, _) = stopped(text, 1).await;
    assert!(matches!(error, JobError::Stopped), "{error:?}");
}

#[tokio::test]
async fn a_program_that_ignores_the_signal_is_killed_with_its_children() {
    let text = "trap '' TERM; sleep 1000 & echo $! > $CLIPIA_OUT/pids; echo $$ >> $CLIPIA_OUT/pids; \
                while :; do sleep 0.05; done";
    let (error, after) = stopped(text, 2).await;
    assert!(
        matches!(error, JobError::Stopped) && after >= Duration::from_millis(300),
        "{error:?} after {after:?}"
    );
}

#[tokio::test]
async fn a_job_that_nobody_waits_for_ends() {
    let fixture = Arc::new(Fixture::new(script("echo $$ > $CLIPIA_OUT/pids; exec sleep 1000")));
    let running = Arc::clone(&fixture);
    let run = tokio::spawn(async move { running.run(json!({})).await.map(drop) });
    let pid = std::cell::RefCell::new(String::new());
    until("it runs", || {
        let jobs = std::fs::read_dir(fixture.jobs.path()).unwrap().flatten();
        let written = jobs.filter_map(|job| std::fs::read_to_string(job.path().join("out/pids")).ok());
        *pid.borrow_mut() = written.collect();
        pid.borrow().ends_with('\n')
    })
    .await;
    run.abort();
    until("it ends", || !lives(&pid.borrow())).await;
    fixture.is_swept().await;
}

#[tokio::test]
async fn what_a_program_leaves_behind_in_its_group_ends_with_it() {
    let fixture = Fixture::new(script("sleep 1000 & echo $! > $CLIPIA_OUT/pids; echo x > $CLIPIA_OUT/x"));
    let control = JobControl::default();
    let made = fixture.run_with(json!({}), &control).await.unwrap();
    let clipia_worker::Content::File { path, .. } = &made.files[0].content else { panic!("it is in memory") };
    let pids = std::fs::read_to_string(path.with_file_name("pids")).unwrap();
    assert!(!lives(&pids), "process {pids} lives");
}

#[tokio::test]
async fn a_program_that_fills_the_disk_is_ended() {
    for (place, words) in [("$CLIPIA_OUT/x", "1 MiB of files"), ("x", "4 MiB in its working directory")] {
        let mut settings = script(&format!("exec dd if=/dev/zero of={place} bs=64k count=4096"));
        settings.output_bytes_max = MIB;
        let fixture = Fixture::new(settings);
        let error = fixture.fails(json!({})).await;
        let is_named =
            |why: &str| why.contains(words) || (place.starts_with('$') && why.contains("output_bytes_max"));
        assert!(matches!(&error, JobError::Failed(why) if is_named(why)) || place == "x", "{error:?}");
        fixture.is_swept().await;
    }
}

#[tokio::test]
async fn a_slow_program_that_fills_the_disk_is_ended_in_the_middle() {
    for (place, words) in [("$CLIPIA_OUT", "1 MiB of files"), (".", "4 MiB in its working directory")] {
        let mut settings = script(&format!(
            "n=0; while :; do head -c 1000000 /dev/zero > {place}/$n; n=$((n+1)); sleep 0.05; done"
        ));
        settings.output_bytes_max = MIB;
        let fixture = Fixture::new(settings);
        let error = fixture.fails(json!({})).await;
        assert!(matches!(&error, JobError::Failed(why) if why.contains(words)), "{error:?}");
        fixture.is_swept().await;
    }
}

#[tokio::test]
async fn a_program_of_too_many_files_is_ended_and_swept() {
    let fixture = Fixture::new(python(
        r#"
import os
for n in range(100_000):
    open(os.environ["CLIPIA_OUT"] + f"/{n}", "w").close()
"#,
    ));
    let error = fixture.fails(json!({})).await;
    assert!(matches!(&error, JobError::Failed(why) if why.contains("files")), "{error:?}");
    fixture.is_swept().await;
}

#[tokio::test]
async fn stdin_that_is_never_read_holds_nobody_up() {
    let fixture = Fixture::new(script("exec <&-; echo x > $CLIPIA_OUT/x"));
    fixture.run(json!({ "seed": 7, "prompt": "long".repeat(100_000) })).await.unwrap();
}

#[tokio::test]
async fn links_are_no_output() {
    for link in [
        "ln -s /etc/passwd $CLIPIA_OUT/x.txt",
        "rmdir $CLIPIA_OUT; ln -s /etc $CLIPIA_OUT",
        "mkfifo $CLIPIA_OUT/x",
    ] {
        let error = Fixture::new(script(link)).fails(json!({})).await;
        assert!(matches!(error, JobError::Failed(_)), "{link}: {error:?}");
    }
}

#[tokio::test]
async fn names_do_not_lead_out_of_the_output() {
    let fixture = Fixture::new(script(
        r#"mkdir -p "$CLIPIA_OUT/.." ; echo x > "$CLIPIA_OUT/..\\..\\x"; echo y > "$CLIPIA_OUT/..y""#,
    ));
    // Whatever becomes of them, no name leads elsewhere.
    if let Ok(made) = fixture.run(json!({})).await {
        for file in made.files {
            assert!(
                file.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)),
                "{}",
                file.name
            );
        }
    }
}

#[tokio::test]
async fn events_that_break_a_bound_end_the_program() {
    for (text, words) in [
        ("head -c 70000 /dev/zero | tr '\\0' x >> $CLIPIA_EVENTS; exec sleep 1000", "64 KiB"),
        ("yes 123456789 >> $CLIPIA_EVENTS", "16 MiB"),
    ] {
        let error = Fixture::new(script(text)).fails(json!({})).await;
        assert!(matches!(&error, JobError::Failed(why) if why.contains(words)), "{error:?}");
    }
}

#[tokio::test]
async fn an_events_file_that_is_replaced_is_not_followed() {
    for replace in ["rm $CLIPIA_EVENTS; mkfifo $CLIPIA_EVENTS", "ln -sf /etc/passwd $CLIPIA_EVENTS"] {
        let fixture = Fixture::new(script(&format!("{replace}; sleep 0.3; echo x > $CLIPIA_OUT/x")));
        let control = JobControl::default();
        fixture.run_with(json!({}), &control).await.unwrap();
        assert_eq!(logs(&control), Vec::<String>::new());
    }
}

#[tokio::test]
async fn secrets_do_not_reach_the_log_or_the_failure() {
    let mut settings = script(r#"echo "my home is $PATH"; echo "PATH=$PATH" >&2; exit 1"#);
    settings.env_from = vec!["PATH".to_owned()];
    let fixture = Fixture::new(settings);
    let control = JobControl::default();
    let error = fixture.run_with(json!({}), &control).await.map(drop).unwrap_err();
    assert_eq!(error.to_string(), "PATH=***");
    assert!(logs(&control).iter().all(|line| line.contains("***")));
}
