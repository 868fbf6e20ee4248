//! A process for each job.

use super::*;
use clipia_worker::Content;

#[tokio::test]
async fn a_program_gets_its_job_and_leaves_files() {
    let fixture = Fixture::new(python(
        r#"
import json, os, sys
job = json.load(sys.stdin)
assert job == json.load(open(os.environ["CLIPIA_JOB"]))
assert os.listdir(".") == [] and os.listdir(job["out"]) == []
assert (job["in"], job["out"], job["events"]) == tuple(os.environ[n] for n in ("CLIPIA_IN", "CLIPIA_OUT", "CLIPIA_EVENTS"))
assert job["model"] == "any" and job["job"]
print("drawing", job["input"]["prompt"])
print("a warning", file=sys.stderr)
open(job["out"] + "/notes.txt", "w").write("made of " + job["input"]["prompt"])
with open(job["events"], "a") as events:
    events.write('{"progress": 55}\n{"log": "half"}\n{"output": {"seed": 7}}\n')
"#,
    ));
    let control = JobControl::default();
    let made = fixture.run_with(json!({ "prompt": "a fox" }), &control).await.unwrap();
    assert_eq!(made.output.extra["seed"], 7);
    let Content::File { path, bytes } = &made.files[0].content else { panic!("it is in memory") };
    assert_eq!((std::fs::read_to_string(path).unwrap().as_str(), *bytes), ("made of a fox", 13));
    assert_eq!(control.percent(), 55);
    let logs = logs(&control);
    for line in ["drawing a fox", "a warning", "half"] {
        assert!(logs.iter().any(|logged| logged == line), "{logs:?}");
    }
    // The files are there as long as the worker holds the control.
    assert!(path.exists());
    drop((control, made));
    fixture.is_swept().await;
}

#[tokio::test]
async fn arguments_are_filled_without_a_shell() {
    let program = r#"
import json, os, sys
open(os.environ["CLIPIA_EVENTS"], "a").write(json.dumps({"output": {"arguments": sys.argv[1:]}}) + "\n")
"#;
    let mut settings = python(program);
    settings.command.extend(
        ["{prompt}", "--seed={seed}", "{image_url}", "{in}", "{out}/x.png", "{unknown}"].map(str::to_owned),
    );
    let fixture = Fixture::new(settings);
    let made = fields(fixture.run(json!({ "prompt": "$(touch x); `id` *", "seed": -3 })).await);
    let arguments = made["arguments"].as_array().unwrap();
    assert_eq!(arguments[0], "$(touch x); `id` *");
    assert_eq!(
        (&arguments[1], &arguments[2], &arguments[5]),
        (&json!("--seed=-3"), &json!(""), &json!("{unknown}"))
    );
    assert!(
        arguments[3].as_str().unwrap().ends_with("/in")
            && arguments[4].as_str().unwrap().ends_with("/out/x.png")
    );
    let refused = fixture.fails(json!({ "prompt": "a\0b" })).await;
    assert!(matches!(&refused, JobError::Failed(why) if why.contains("NUL")), "{refused:?}");
    let refused = fixture.fails(json!({ "prompt": "a".repeat(200_000) })).await;
    assert!(matches!(&refused, JobError::Failed(why) if why.contains("too long")), "{refused:?}");
}

#[tokio::test]
async fn files_of_the_input_are_fetched_before_the_program_runs() {
    let fixture = Fixture::new(python(
        r#"
import json, os, sys
job = json.load(sys.stdin)
read = {name: open(os.path.join(job["in"], name)).read() for name in sorted(os.listdir(job["in"]))}
open(job["events"], "a").write(json.dumps({"output": {"input": job["input"], "read": read, "in": job["in"]}}) + "\n")
"#,
    ));
    let input = json!({ "image_url": "https://a.example/png", "image_urls": ["https://a.example/x.gif", "data:png"] });
    assert!(fixture.program.needs_preparing(&job(input.clone())));
    let made = fields(fixture.run(input).await);
    assert_eq!(
        made["read"],
        json!({ "image_url.png": "https://a.example/png", "image_urls-1.gif": "https://a.example/x.gif", "image_urls-2.png": "data:png" })
    );
    let directory = made["in"].as_str().unwrap();
    let at = |name: &str| format!("{directory}/{name}");
    assert_eq!(
        made["input"],
        json!({ "image_url": at("image_url.png"), "image_urls": [at("image_urls-1.gif"), at("image_urls-2.png")] })
    );
    // A local file needs no preparation, and is fetched all the same.
    let local = json!({ "image_url": "data:png" });
    assert!(!fixture.program.needs_preparing(&job(local.clone())));
    assert_eq!(fields(fixture.run(local).await)["read"], json!({ "image_url.png": "data:png" }));
    let missing = fixture.fails(json!({ "image_url": "https://a.example/missing" })).await;
    assert!(matches!(&missing, JobError::Failed(why) if why == "`image_url` names no file"), "{missing:?}");
    fixture.is_swept().await;
}

#[tokio::test]
async fn the_end_of_a_program_is_the_end_of_its_job() {
    let end = async |text: &str| Fixture::new(script(text)).fails(json!({})).await;
    let failed = |error: &JobError, words: &str| {
        assert!(matches!(error, JobError::Failed(why) if why.contains(words)), "{words}: {error:?}");
    };
    let lost = |error: &JobError, words: &str| {
        assert!(matches!(error, JobError::Lost(why) if why.contains(words)), "{words}: {error:?}");
    };
    failed(&end("exit 0").await, "made nothing");
    failed(&end("echo first; echo no fox >&2; echo; exit 3").await, "no fox");
    failed(&end("exit 3").await, "exit code 3");
    lost(&end("echo busy; exit 75").await, "busy");
    lost(&end("kill -SEGV $$").await, "SIGSEGV");
    lost(&end("kill -KILL $$").await, "memory");
    lost(&end(r#"echo '{"retry": "out of memory"}' >> $CLIPIA_EVENTS"#).await, "out of memory");
    failed(&end(r#"echo '{"fail": "too dark"}' >> $CLIPIA_EVENTS; exit 75"#).await, "too dark");
    let coded = end(
        r#"echo '{"fail": "too dark", "code": "content_policy"}' >> $CLIPIA_EVENTS; touch $CLIPIA_OUT/x"#,
    )
    .await;
    assert!(
        matches!(&coded, JobError::FailedWithCode { why, code } if why == "too dark" && code == "content_policy")
    );
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_not_the_fault_of_its_job() {
    let start = async |command: &str| {
        Fixture::new(ProgramSettings::new(vec![command.to_owned()])).fails(json!({})).await
    };
    for command in ["/no/such/program", "no-such-program", "/etc/passwd"] {
        let error = start(command).await;
        assert!(matches!(&error, JobError::Unavailable(why) if why.contains(command)), "{error:?}");
    }
    let mut settings = script("exit 0");
    settings.env_from = vec!["NO_SUCH_VARIABLE_HERE".to_owned()];
    let error = Fixture::new(settings).fails(json!({})).await;
    assert!(
        matches!(&error, JobError::Unavailable(why) if why.contains("NO_SUCH_VARIABLE_HERE")),
        "{error:?}"
    );
}

#[tokio::test]
async fn the_environment_is_what_was_configured() {
    let mut settings = python(
        r#"
import json, os
open(os.environ["CLIPIA_EVENTS"], "a").write(json.dumps({"output": {"names": sorted(os.environ)}}) + "\n")
"#,
    );
    settings.env.insert("HF_HOME".to_owned(), "/models".to_owned());
    settings.devices = vec!["3".to_owned()];
    let made = fields(Fixture::new(settings).run(json!({})).await);
    let names: Vec<&str> =
        made["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    for name in
        ["HF_HOME", "CUDA_VISIBLE_DEVICES", "CLIPIA_IN", "CLIPIA_OUT", "CLIPIA_JOB", "CLIPIA_EVENTS", "PATH"]
    {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    assert!(!names.iter().any(|name| name.starts_with("CARGO")), "{names:?}");
}

#[tokio::test]
async fn slots_bound_how_many_run_at_once_and_ready_waits_for_one() {
    let mut settings = script("sleep 0.3; touch $CLIPIA_OUT/x; echo x > $CLIPIA_OUT/x");
    settings.slots = 2;
    let fixture = Arc::new(Fixture::new(settings));
    within(fixture.program.ready(false)).await.unwrap();
    let running: Vec<_> = (0..2)
        .map(|_| {
            let fixture = Arc::clone(&fixture);
            tokio::spawn(async move { fixture.run(json!({})).await.map(drop) })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let ready = tokio::time::timeout(Duration::ZERO, fixture.program.ready(false)).await;
    assert!(ready.is_err(), "both slots are taken");
    for one in running {
        one.await.unwrap().unwrap();
    }
    within(fixture.program.ready(false)).await.unwrap();
}

#[tokio::test]
async fn deaths_in_a_row_open_the_breaker_and_one_success_closes_it() {
    let fixture = Fixture::new(script(r#"[ "$0" = ok ] && echo x > $CLIPIA_OUT/x || kill -SEGV $$"#.replace("$0", "$(grep -c fox $CLIPIA_JOB)").replace("= ok", "= 1").as_str()));
    for _ in 0..5 {
        assert_eq!(fixture.program.ready(false).await, Ok(()));
        assert!(matches!(fixture.fails(json!({})).await, JobError::Lost(_)));
    }
    let why = fixture.program.ready(false).await.unwrap_err();
    assert!(why.contains("5 times") && why.contains("SIGSEGV"), "{why}");
    // One job may try.
    assert_eq!(fixture.program.ready(true).await, Ok(()));
    fixture.run(json!({ "prompt": "fox" })).await.unwrap();
    assert_eq!(fixture.program.ready(false).await, Ok(()));
}
