//! `clipia emulate`: the guide's commands run as they are written, and two runs with a seed are alike.

use crate::support::{command, output, repository};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

/// A command under the emulator, in `directory`.
fn emulate(directory: &Path, arguments: &[&str]) -> Output {
    output(command(&[&["emulate"], arguments].concat()).current_dir(directory))
}

/// The blocks of the guide in `language`.
fn blocks(language: &str) -> Vec<String> {
    let guide = std::fs::read_to_string(repository().join("TESTING.md")).unwrap();
    let fence = format!("```{language}\n");
    let blocks = guide.split(&fence).skip(1).filter_map(|rest| rest.split_once("```\n"));
    blocks.map(|(block, _)| block.to_owned()).collect()
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
    let blocks = blocks("sh");
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
    assert_eq!(blocks.len(), 4);
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
