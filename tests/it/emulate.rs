//! `clipia emulate`: the guide's commands run as they are written, and two runs with a seed are alike.

use crate::readme::blocks;
use crate::support::{Receiver, command, output};
use clipia::Timestamp;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

/// A command under the emulator, in `directory`.
fn emulate(directory: &Path, arguments: &[&str]) -> Output {
    output(command(&[&["emulate"], arguments].concat()).current_dir(directory))
}

/// Runs a block of the guide in bash, with the program on the path.
fn run(block: &str) -> (Output, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let program = command(&[]);
    let programs = Path::new(program.get_program()).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", block]).current_dir(directory.path());
    bash.env("PATH", format!("{}:{path}", programs.display()));
    for name in ["CLIPIA_KEY", "CLIPIA_API_KEY", "CLIPIA_BASE_URL"] {
        bash.env_remove(name);
    }
    (output(&mut bash), directory)
}

#[test]
fn the_commands_of_the_guide_do_what_it_says() {
    let blocks = blocks("docs/guides/test-your-app.md", "sh");
    let says = |block: usize, expected: &[&str]| {
        let (run, directory) = run(&blocks[block]);
        let said = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{}\n{said}", blocks[block]);
        for expected in expected {
            assert!(said.contains(expected), "{expected}: {said}");
        }
        directory
    };
    says(0, &["1000000"]);
    let made = says(1, &["too violent", "exit code 4"]);
    assert_eq!(std::fs::read_dir(made.path().join("fox")).unwrap().count(), 1);
    says(2, &["IN_QUEUE", r#""what":"completed""#]);
    let made = says(3, &[]);
    assert_eq!(std::fs::read_dir(made.path().join("fox")).unwrap().count(), 1);
}

#[test]
fn the_exit_code_is_that_of_the_command_unless_a_finding_is_strict() {
    let directory = tempfile::tempdir().unwrap();
    let ends = |arguments: &[&str]| emulate(directory.path(), arguments).status.code();
    assert_eq!(ends(&["--", "sh", "-c", "exit 7"]), Some(7));
    assert_eq!(ends(&["--", "sh", "-c", "kill -9 $$"]), Some(128 + 9));
    let submit = r#"curl -sS "$CLIPIA_BASE_URL/v1/models/nano-banana-2" -H "x-api-key: $CLIPIA_KEY" \
        -H "content-type: application/json" -d '{"input": {"prompt": "a red fox"}}'"#;
    assert_eq!(ends(&["--", "sh", "-c", submit]), Some(0));
    let strict = emulate(directory.path(), &["--strict", "--", "sh", "-c", submit]);
    let said = String::from_utf8_lossy(&strict.stderr);
    assert_eq!(strict.status.code(), Some(1), "{said}");
    assert!(said.contains("Idempotency-Key"), "{said}");
    let missing = emulate(directory.path(), &["--", "no-such-program"]);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("no-such-program"));
}

#[test]
fn two_runs_with_a_seed_are_alike() {
    let directory = tempfile::tempdir().unwrap();
    let calls = r#"
        for prompt in "@takes=10m @progress=50 a fox" "@fail a fox" "@reject=429*1 a fox" "@polls=2 a fox"; do
            answer=$(curl -sS "$CLIPIA_BASE_URL/v1/models/nano-banana-2" -H "x-api-key: clipia_live_seeded" \
                -H "idempotency-key: $prompt" -H "content-type: application/json" -d "{\"input\": {\"prompt\": \"$prompt\"}}")
            id=$(echo "$answer" | jq -r '.request_id // empty')
            curl -sS -X POST "$CLIPIA_BASE_URL/_emulator/clock" -H "content-type: application/json" -d '{"advance": "1h"}' > /dev/null
            if [ -n "$id" ]; then curl -sS "$CLIPIA_BASE_URL/v1/requests/$id" -H "x-api-key: clipia_live_seeded" > /dev/null; fi
        done
        curl -sS "$CLIPIA_BASE_URL/_emulator/journal?form=steady""#;
    let options =
        ["--clock", "manual", "--seed", "7", "--fault", "result 503 30%", "--", "bash", "-c", calls];
    let journal = || {
        let run = emulate(directory.path(), &options);
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8(run.stdout).unwrap()
    };
    let first = journal();
    let parsed: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(parsed["calls"].as_array().unwrap().len(), 4 + 3, "{first}");
    assert_eq!(first, journal());
}

/// When something happened to a request, its id, and what happened.
type Happened = (Timestamp, String, String);

fn happened(at: &Value, request_id: &Value, what: String) -> Happened {
    (at.as_str().unwrap().parse().unwrap(), request_id.as_str().unwrap().to_owned(), what)
}

/// What `requests show` says of a request, as an advance says it.
fn shown(request: &Value) -> Vec<Happened> {
    let id = &request["request_id"];
    let timeline = request["timeline"].as_array().unwrap().iter().map(|entry| {
        let attempt = entry["attempt"].as_u64().map(|attempt| format!("attempt {attempt} "));
        happened(&entry["at"], id, attempt.unwrap_or_default() + entry["what"].as_str().unwrap())
    });
    let deliveries = request["deliveries"].as_array().unwrap().iter();
    let attempts = deliveries.flat_map(|delivery| delivery["log"].as_array().unwrap()).map(|entry| {
        let what = format!("delivery attempt {}: {}", entry["number"], entry["status"]);
        happened(&entry["at"], id, what)
    });
    timeline.chain(attempts).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_advance_returns_what_requests_show_lists() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    receiver.respond_with([500, 503, 204, 500]);
    let calls = r#"
        for words in "@takes=30m" "@takes=10m @fail" "@takes=20m @crash=2" "@takes=1m @cancel" "@takes=3h" "@stuck"; do
            curl -sS "$CLIPIA_BASE_URL/v1/models/nano-banana-2" -H "x-api-key: $CLIPIA_KEY" -H "content-type: application/json" \
                -d "{\"input\": {\"prompt\": \"$words a fox\"}, \"webhook_url\": \"$HOOK\"}" > submitted
            jq -r .request_id submitted >> ids
        done
        post() { curl -sS -X POST "$CLIPIA_BASE_URL/_emulator/clock" -H "content-type: application/json" -d "{\"advance\": \"$1\"}"; }
        post 0s && post 2h
        for id in $(cat ids); do "$CLIPIA" requests show "$id" --data kept; done"#;
    let options =
        ["emulate", "--clock", "manual", "--data", "kept", "--", "bash", "-euo", "pipefail", "-c", calls];
    let mut run = command(&options);
    let program = run.get_program().to_owned();
    run.current_dir(directory.path()).env("CLIPIA", program).env("HOOK", receiver.url());
    let run = tokio::task::spawn_blocking(move || output(&mut run)).await.unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let said: Vec<Value> =
        serde_json::Deserializer::from_slice(&run.stdout).into_iter().collect::<Result<_, _>>().unwrap();
    let [begun, advanced, requests @ ..] = &said[..] else { panic!("{said:?}") };
    assert_eq!(requests.len(), 6);
    let before: Timestamp = begun["now"].as_str().unwrap().parse().unwrap();
    let mut listed: Vec<Happened> = requests.iter().flat_map(shown).filter(|(at, ..)| *at > before).collect();
    let occurred = advanced["occurred"].as_array().unwrap().iter();
    let mut returned: Vec<Happened> = occurred
        .map(|what| happened(&what["at"], &what["request_id"], what["what"].as_str().unwrap().to_owned()))
        .collect();
    // In the order of time; what is at one moment is in no order.
    assert!(returned.is_sorted_by_key(|(at, ..)| *at), "{returned:?}");
    listed.sort();
    returned.sort();
    assert_eq!(returned, listed);
    for what in
        ["completed", "failed", "canceled", "attempt 2 lost", "attempt 3 started", "delivery attempt 2: "]
    {
        assert!(returned.iter().any(|(.., said)| said.starts_with(what)), "{what}: {returned:?}");
    }
}
