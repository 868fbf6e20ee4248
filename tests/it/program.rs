//! The output of the program `clipia`: all of stdout, stderr and the exit code.

use crate::support::{Options, Server, command, output, output_on_terminal};
use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// The output of one run of the program.
struct Run {
    stdout: String,
    all: String,
    code: i32,
}

/// Runs the program in `directory`. It calls `server`, if given, with the live key unless `arguments` have another.
fn said(directory: &Path, server: Option<&Server>, arguments: &[&str]) -> Run {
    let mut command = command(arguments);
    command.current_dir(directory);
    if let Some(server) = server {
        command.env("CLIPIA_KEY", &server.live_key).env("CLIPIA_BASE_URL", &server.url);
    }
    let output = output(&mut command);
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let code = output.status.code().unwrap();
    let all = format!("$ clipia {}\n{stdout}--- stderr\n{stderr}--- exit code {code}\n", arguments.join(" "));
    Run { stdout, all, code }
}

/// The parts of the output that differ from run to run.
const FILTERS: [(&str, &str); 15] = [
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "[id]"),
    (r"127\.0\.0\.1:\d{5}", "127.0.0.1:[port]"),
    (r"\d{4}-\d{2}-\d{2}T[0-9:.]+Z", "[time]"),
    (r"(acct|key)_[0-9a-f]+", "${1}_[id]"),
    (r"(clipia_live|clipia_test|clipia_worker)_[0-9a-f]+", "${1}_[secret]"),
    (r"(clipia_live|clipia_test|clipia_worker)_…\w+", "${1}_…[end]"),
    (r"whsec_[\w+/=-]+", "whsec_[secret]"),
    (r"[0-9a-f]{32}", "[secret]"),
    (r"times over [\d.]+ s", "times over [time]"),
    // The line is printed if a wait takes long, which depends on the machine.
    (r" *waiting for a connection, \d+ s\n", ""),
    (r"TOOK +", "TOOK  "),
    (r"\d+ ms +", "[ms]  "),
    (r#""ms": \d+"#, r#""ms": "[ms]""#),
    (r#"time="[\d.]+""#, r#"time="[time]""#),
    ("\\d+\u{a0}(s|min|h|d)\u{a0}ago[\u{a0} ]*", "[age]  "),
];

/// Compares an output with its snapshot.
pub(crate) fn hold(name: &str, output: &str) {
    insta::with_settings!({ filters => FILTERS, snapshot_path => "../snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, output);
    });
}

/// The commands that a help lists, without `help`.
fn commands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = listed.map_while(|line| line.split_whitespace().next());
    names.filter(|command| *command != "help").map(str::to_owned).collect()
}

#[test]
fn help_names_every_command_and_exit_code() {
    let directory = tempfile::tempdir().unwrap();
    let help = |path: &[&str]| said(directory.path(), None, &[path, &["--help"]].concat()).all;
    let mut all = help(&[]);
    let commands = commands(&all);
    assert!(commands.len() > 5, "{all}");
    let mut below = String::new();
    for command in &commands {
        let text = help(&[command]);
        for action in self::commands(&text) {
            below += &help(&[command, &action]);
        }
        all += &text;
    }
    all += &below;
    hold("program_help", &all);
}

#[test]
fn an_error_says_what_is_wrong_and_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(Options { credits: Some(20), ..Options::default() });
    let unknown = "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de";
    let fox = ["generate", "nano-banana-2", "-p", "fox"];
    let with = |more: &[&'static str]| [&fox[..], more].concat();
    let mut all = String::new();
    for arguments in [
        &["generate", "nano-banana-2", "-p"][..],
        &["generate", "nano-banana-2"],
        &["generate", "-p", "fox"],
        &["generate", "nano-banana-2", "--input", "fox"],
        &["generate", "nano-banana-2", "--input", "[]"],
        &["generate", "nano-banana-2", "--set", "fox"],
        &["generate", "nano-banana-2", "--set", "seed=18446744073709551616"],
        &["generate", "nano-banana-2", "--set", "strength=1e400"],
        &["estimate", "nano-banana-2", "--input", r#"{"shots": [{"seed": -9223372036854775809}]}"#],
        &["generate", "none", "-p", "fox"],
        &with(&["--set", "aspect_ratio=17:9"]),
        &with(&["--webhook", "fox"]),
        &with(&["--max-cost", "11"]),
        &["generate", "seedance-2-fast-t2v", "-p", "fox"],
        &["estimate", "seedance-2-fast-i2v", "-p", "fox"],
        &["models", "none"],
        &["status", unknown],
        &["result", unknown],
        &["status", "17"],
        &["generation"],
        &["account", "--key", "clipia_live_wrong"],
        &["account", "--key", "a b"],
        &["account", "--base-url", "http://example.com"],
        &["account", "--base-url", "example"],
        &["account", "--base-url", "api.clipia.ai"],
        &["account", "--base-url", "http://clipia:8080?query", "--allow-http"],
        &["account", "--base-url", "http://127.0.0.1:1"],
    ] {
        all += &said(directory.path(), Some(&server), arguments).all;
    }
    all += &said(directory.path(), None, &["account"]).all;
    all += &said(directory.path(), None, &["keys", "list"]).all;
    hold("program_errors", &all);
}

#[test]
fn results_are_json_on_stdout() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(Options::default());
    let mut all = String::new();
    for arguments in [
        &["estimate", "seedance-2-fast-t2v", "-p", "waves", "--set", "duration=10"][..],
        &["account"],
        &["models", "gemini-3-1-flash-tts"],
        &["generate", "nano-banana-2", "-p", "fox", "--set", "aspectRatio=16:9"],
    ] {
        all += &said(directory.path(), Some(&server), arguments).all;
    }
    // Sandbox generations end at once, so that the output is the same each time.
    let sandbox = ["--key", &server.test_key];
    let run = |arguments: &[&str]| said(directory.path(), Some(&server), &[arguments, &sandbox].concat());
    let submitted = run(&["generate", "nano-banana-2", "--input", r#"{"prompt": "fox"}"#]);
    let id = serde_json::from_str::<Value>(&submitted.stdout).unwrap()["request_id"].clone();
    all += &submitted.all;
    for command in ["status", "result"] {
        all += &run(&[command, id.as_str().unwrap()]).all;
    }
    all += &run(&["generate", "nano-banana-2", "-p", "fox", "--wait", "-o", "out"]).all;
    // The output directory is a file: the download fails, and the result is still printed.
    std::fs::write(directory.path().join("taken"), "").unwrap();
    all += &run(&["generate", "nano-banana-2", "-p", "fox", "-o", "taken"]).all;
    hold("program_answers", &all);
}

#[test]
fn every_model_is_listed() {
    let server = Server::start(Options::default());
    let listed = said(Path::new("."), Some(&server), &["models"]);
    let listed: Vec<Value> = serde_json::from_str(&listed.stdout).unwrap();
    let slugs: Vec<&str> = listed.iter().map(|model| model["slug"].as_str().unwrap()).collect();
    let built_in = clipia_queue::catalogue::Catalogue::built_in();
    assert!(slugs.into_iter().eq(built_in.iter().map(|entry| entry.model.slug.as_str())));
}

#[test]
fn a_generation_is_waited_for_and_saved() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(Options::default());
    let fox = ["generate", "nano-banana-2", "-p", "fox", "--set", "resolution=0.5K", "--wait", "-o", "out"];
    let ran = said(directory.path(), Some(&server), &fox);
    let result: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, &result["status"]), (0, &json!("COMPLETED")), "{}", ran.all);
    let saved: Vec<_> = std::fs::read_dir(directory.path().join("out")).unwrap().collect();
    let [Ok(saved)] = &saved[..] else { panic!("{saved:?}") };
    assert!(ran.all.contains(&format!("saved out/{}\n", saved.file_name().display())), "{}", ran.all);
    assert_eq!(image::open(saved.path()).unwrap().width(), 512);

    let broken = r#"{"prompt": "sway", "image_url": "data:image/png;base64,AAAA", "duration": 1}"#;
    let sway = ["generate", "seedance-2-fast-i2v", "--input", broken, "--wait"];
    let ran = said(directory.path(), Some(&server), &sway);
    let result: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, &result["status"]), (4, &json!("FAILED")), "{}", ran.all);
    assert!(ran.all.contains("\nerror: generation ") && ran.all.contains("(GENERATION_FAILED)"));
}

#[test]
fn a_generation_is_saved_without_a_reader_of_stdout() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(Options::default());
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let arguments = ["generate", "nano-banana-2", "-p", "fox", "--set", "resolution=0.5K", "-o", "out"];
    let mut generate = command(&arguments);
    generate.current_dir(directory.path()).stdout(writer).stderr(Stdio::piped());
    generate.env("CLIPIA_BASE_URL", &server.url).env("CLIPIA_KEY", &server.live_key);
    let ended = generate.spawn().unwrap().wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("saved out/") && !said.contains("panicked"), "{said}");
    assert_eq!(std::fs::read_dir(directory.path().join("out")).unwrap().count(), 1);
}

#[test]
fn an_operator_makes_lists_and_revokes_keys() {
    let server = Server::start(Options::default());
    let data = server.data().to_str().unwrap();
    let run = |arguments: &[&str]| {
        let ran = said(Path::new("."), None, &[arguments, &["--data", data]].concat());
        (ran.all.replace(data, "[data]"), serde_json::from_str::<Value>(&ran.stdout).unwrap_or_default())
    };
    let (mut all, account) = run(&["accounts", "create", "--credits", "7"]);
    let account = account["account_id"].as_str().unwrap();
    let (text, key) = run(&["keys", "create", "--account", account, "--test", "--scope", "read"]);
    all += &text;
    let id = key["id"].as_str().unwrap();
    for arguments in [
        &["keys", "revoke", id][..],
        &["keys", "revoke", id],
        &["keys", "create", "--account", "nobody"],
        &["keys", "list"],
    ] {
        all += &run(arguments).0;
    }
    assert!(!all.contains(&server.live_key), "keys are shown once");
    hold("program_keys", &all);
}

#[test]
fn the_demo_needs_nothing_and_saves_files() {
    let directory = tempfile::tempdir().unwrap();
    let ran = said(directory.path(), None, &["demo"]);
    assert_eq!(ran.code, 0, "{}", ran.all);
    for line in ["webhook  2 of 2 received, signatures valid", "credits  10000 → 9868"] {
        assert!(ran.all.contains(line), "{}", ran.all);
    }
    image::open(directory.path().join("clipia-demo/lighthouse.png")).unwrap();
    let mp4 = std::fs::read(directory.path().join("clipia-demo/waves.mp4")).unwrap();
    assert_eq!(&mp4[4..8], b"ftyp");
}

/// Runs the command that the demo prints in one shell, and the commands that this server prints in another.
fn assert_next_steps_work(printed: &str) {
    let next: Vec<&str> =
        printed.split_once("Next").unwrap().1.lines().filter(|line| line.starts_with("  ")).collect();
    let [serve] = next[..] else { panic!("{printed}") };
    let directory = tempfile::tempdir().unwrap();
    let shell = |line: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).current_dir(directory.path()).env_remove("CLIPIA_KEY");
        shell
    };
    // A free port, since other tests run at the same time.
    let serve = format!("exec {} --listen 127.0.0.1:0", serve.trim());
    let mut serving = shell(&serve).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut printed = BufReader::new(serving.stdout.take().unwrap()).lines().map_while(Result::ok);
    let steps: Vec<String> =
        printed.by_ref().skip_while(|line| !line.contains("In another terminal")).skip(1).take(2).collect();
    let [export, generate] = &steps[..] else { panic!("{steps:?}") };
    let small = format!("{export} && {generate} --set resolution=0.5K");
    let made = output(&mut shell(&small));
    serving.kill().unwrap();
    serving.wait().unwrap();
    assert!(made.status.success(), "{small}: {}", String::from_utf8_lossy(&made.stderr));
    assert_eq!(std::fs::read_dir(directory.path().join("out")).unwrap().count(), 1);
}

#[test]
fn the_demo_without_video_saves_only_the_picture() {
    let directory = tempfile::tempdir().unwrap();
    let ran = said(directory.path(), None, &["demo", "--no-video"]);
    assert_eq!(ran.code, 0, "{}", ran.all);
    assert!(ran.all.contains("webhook  1 of 1 received, signatures valid"), "{}", ran.all);
    let files: Vec<_> = std::fs::read_dir(directory.path().join("clipia-demo")).unwrap().collect();
    assert_eq!(files.len(), 1, "{files:?}");
    image::open(directory.path().join("clipia-demo/lighthouse.png")).unwrap();
    assert_next_steps_work(&ran.all);
}

#[tokio::test(flavor = "multi_thread")]
async fn control_characters_of_a_server_are_escaped() {
    let hostile = "too\u{1b}]0;owned\u{7}\r\u{7f}\u{9b}2K\u{202e}dark";
    let shown = r"too\u001b]0;owned\u0007\u000d\u007f\u009b2K\u202edark";
    let id = "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de";
    let response = async move |method: Method, uri: Uri| {
        let (status, body) = match (method, uri.path()) {
            (Method::POST, "/v1/models/m") => (
                200,
                json!({ "request_id": id, "status": "IN_QUEUE", "queue_position": 0, "cost": 12, "status_url": "x",
                    "response_url": "y", "warnings": [{ "code": "c", "parameter": "p", "message": hostile }] }),
            ),
            (_, path) if path.ends_with("/status") => {
                (200, json!({ "request_id": id, "status": "FAILED", "queue_position": 0, "logs": [hostile] }))
            }
            (_, path) if path.starts_with("/v1/requests/") => (
                200,
                json!({ "request_id": id, "status": "FAILED", "model": "m", "cost": 0,
                    "error": { "code": hostile, "message": hostile }, "created_at": "2026-01-31T09:30:00Z" }),
            ),
            _ => (400, json!({ "error": { "type": hostile, "code": hostile, "message": hostile } })),
        };
        (StatusCode::from_u16(status).unwrap(), axum::Json(body))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(response)).await });
    for (arguments, in_stdout, in_stderr) in [
        (&["account"][..], 0, 2),
        (&["status", id, "--json"], 1, 0),
        // On stderr in a warning and in the error; on stdout in the code and the message of the outcome.
        (&["generate", "m", "-p", "fox", "--wait", "--json"], 2, 3),
        (&["generate", "m", "-p", "fox", "--wait"], 1, 3),
    ] {
        let mut command = command(arguments);
        command.env("CLIPIA_KEY", "clipia_test_0123456789abk3Qz").env("CLIPIA_BASE_URL", &url);
        let output = output_on_terminal(&mut command);
        let streams = [(output.stdout, in_stdout), (output.stderr, in_stderr)];
        for (stream, times) in streams.map(|(bytes, times)| (String::from_utf8(bytes).unwrap(), times)) {
            let obeyed = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
            assert!(!stream.contains(obeyed), "{arguments:?}: {stream:?}");
            let stream = stream.replace(r"\r", r"\u000d"); // as JSON spells it
            assert_eq!(stream.matches(shown).count(), times, "{arguments:?}: {stream}");
        }
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_in_a_submit_prints_its_idempotency_key() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    let hanging = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut generate = command(&["generate", "nano-banana-2", "-p", "fox"]);
    generate
        .env("CLIPIA_KEY", "clipia_live_0123456789abk3Qz")
        .env("CLIPIA_BASE_URL", format!("http://{}", hanging.local_addr().unwrap()))
        .stderr(Stdio::piped());
    let child = generate.spawn().unwrap();
    let mut request = BufReader::new(hanging.accept().unwrap().0);
    let key = loop {
        let mut line = String::new();
        request.read_line(&mut line).unwrap();
        if let Some((name, key)) = line.split_once(':')
            && name.eq_ignore_ascii_case("idempotency-key")
        {
            break key.trim().to_owned();
        }
    };
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    let ended = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(130), "{stderr}");
    assert!(stderr.starts_with("error: interrupted: the submit may have been accepted"), "{stderr}");
    assert!(stderr.contains(&format!("`--idempotency-key {key}`")), "{stderr}");
}
