//! What the program `clipia` says: the whole of stdout, stderr and the exit code.

use crate::support::{Options, Server, clipia};
use std::path::Path;
use std::process::Command;

/// Runs the program in `directory`, against `server` if there is one; tells all that it said.
fn said(directory: &Path, server: Option<&Server>, arguments: &[&str]) -> String {
    let mut command = Command::new(clipia());
    command.current_dir(directory).args(arguments).env_remove("CLIPIA_KEY").env_remove("CLIPIA_BASE_URL");
    if let Some(server) = server {
        command.env("CLIPIA_KEY", &server.live_key).env("CLIPIA_BASE_URL", &server.url);
    }
    let output = command.output().unwrap();
    format!(
        "$ clipia {}\n{}--- stderr\n{}--- exit code {}\n",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        output.status.code().unwrap()
    )
}

/// Ids, ports and keys change from run to run.
const FILTERS: [(&str, &str); 4] = [
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "[id]"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:[port]"),
    (r"acct_[0-9a-f]+", "acct_[id]"),
    (r"[0-9a-f]{32}", "[secret]"),
];

fn hold(name: &str, said: &str) {
    insta::with_settings!({ filters => FILTERS, snapshot_path => "../snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, said);
    });
}

#[test]
fn help_names_every_command_and_exit_code() {
    let directory = tempfile::tempdir().unwrap();
    let mut all = String::new();
    for arguments in [&["--help"][..], &["generate", "--help"], &["serve", "--help"], &["demo", "--help"]] {
        all += &said(directory.path(), None, arguments);
    }
    hold("program_help", &all);
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(Options { credits: Some(20), ..Options::default() });
    let mut all = String::new();
    let unknown = "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de";
    for arguments in [
        &["generate", "nano-banana-2", "-p"][..],
        &["generate", "nano-banana-2", "--input", "fox"],
        &["generate", "none", "-p", "fox"],
        &["generate", "nano-banana-2", "-p", "fox", "--set", "aspect_ratio=17:9"],
        &["generate", "seedance-2-fast-t2v", "-p", "fox"],
        &["status", unknown],
        &["status", "17"],
        &["account", "--key", "clipia_live_wrong"],
        &["account", "--base-url", "http://example.com"],
        &["account", "--base-url", "http://127.0.0.1:1"],
    ] {
        all += &said(directory.path(), Some(&server), arguments);
    }
    all += &said(directory.path(), None, &["account"]);
    all += &said(directory.path(), None, &["keys", "list"]);
    hold("program_errors", &all);
}

#[test]
fn answers_are_json_on_stdout() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(Options::default());
    let mut all = String::new();
    for arguments in [
        &["estimate", "seedance-2-fast-t2v", "-p", "waves", "--set", "duration=10"][..],
        &["account"],
        &["models", "gemini-3-1-flash-tts"],
        &["generate", "nano-banana-2", "-p", "fox", "--set", "aspectRatio=16:9"],
    ] {
        all += &said(directory.path(), Some(&server), arguments);
    }
    hold("program_answers", &all);
}

#[test]
fn a_generation_is_waited_for_and_saved() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(Options::default());
    let arguments =
        ["generate", "nano-banana-2", "-p", "fox", "--set", "resolution=0.5K", "--wait", "-o", "out"];
    let told = said(directory.path(), Some(&server), &arguments);
    let (stdout, _) = told.split_once('\n').unwrap().1.split_once("--- stderr").unwrap();
    let result: serde_json::Value = serde_json::from_str(stdout).unwrap();
    assert_eq!(result["status"], "COMPLETED", "{told}");
    let saved: Vec<_> = std::fs::read_dir(directory.path().join("out")).unwrap().collect();
    assert_eq!(saved.len(), 1, "{told}");

    let broken = r#"{"prompt": "sway", "image_url": "data:image/png;base64,AAAA", "duration": 1}"#;
    let failed = said(
        directory.path(),
        Some(&server),
        &["generate", "seedance-2-fast-i2v", "--input", broken, "--wait"],
    );
    assert!(failed.ends_with("--- exit code 4\n"), "{failed}");
}

#[test]
fn the_demo_needs_nothing_and_leaves_files() {
    let directory = tempfile::tempdir().unwrap();
    let told = said(directory.path(), None, &["demo"]);
    assert!(told.ends_with("--- exit code 0\n"), "{told}");
    for line in ["webhook  2 of 2 received, signatures valid", "credits  10000 → 9868", "Next:"] {
        assert!(told.contains(line), "{told}");
    }
    let png = std::fs::read(directory.path().join("clipia-demo/lighthouse.png")).unwrap();
    assert!(image::load_from_memory(&png).is_ok());
    let mp4 = std::fs::read(directory.path().join("clipia-demo/waves.mp4")).unwrap();
    assert_eq!(&mp4[4..8], b"ftyp");
}
