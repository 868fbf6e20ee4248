//! The code of the README runs as it is written. `tests/docs` runs the rest of it, and every other page.

use crate::support::{DEADLINE, Options, Server, example, repository};
use std::path::Path;
use std::process::{Command, Output};

/// The first block of a page in `language` that contains `mark`.
pub(crate) fn block(page: &str, language: &str, mark: &str) -> String {
    let found = blocks(page, language).into_iter().find(|block| block.contains(mark));
    found.unwrap_or_else(|| panic!("{page}: no block of {language} with {mark}"))
}

/// The blocks of a page in `language`. Attributes may follow the language.
pub(crate) fn blocks(page: &str, language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(repository().join(page)).unwrap();
    let blocks = text.split("\n```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
    let ours = blocks.filter(|(info, _)| info.split(' ').next() == Some(language));
    ours.map(|(_, block)| format!("{block}\n")).collect()
}

/// Runs a command in `directory` against `server`.
fn run(command: &mut Command, server: &Server, directory: &Path) -> Output {
    command
        .current_dir(directory)
        .env("CLIPIA_BASE_URL", &server.url)
        .env("CLIPIA_KEY", &server.live_key)
        .output()
        .unwrap()
}

fn files(directory: &Path) -> Vec<Vec<u8>> {
    std::fs::read_dir(directory).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect()
}

fn assert_png(bytes: &[u8]) {
    assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"), "{:?}", &bytes[..bytes.len().min(16)]);
}

#[test]
fn the_rust_of_the_readme_runs() {
    let source = std::fs::read_to_string(repository().join("crates/clipia/examples/quickstart.rs")).unwrap();
    let (_, shown) = source.split_once("\n\n").unwrap();
    assert_eq!(
        block("README.md", "rust", "Clipia::from_env"),
        shown,
        "the README shows the example `quickstart`"
    );
    let server = Server::start(Options::default());
    let directory = tempfile::tempdir().unwrap();
    let output = run(&mut example("quickstart"), &server, directory.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("costs 12 credits"));
    assert_png(&files(&directory.path().join("out"))[0]);
}

#[test]
fn the_curl_of_the_readme_runs() {
    for tool in ["curl", "jq"] {
        let there = Command::new(tool).arg("--version").output().is_ok();
        assert!(there, "`{tool}` is needed to run the README's commands: install it");
    }
    let server = Server::start(Options::default());
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new("timeout");
    command.arg(DEADLINE.as_secs().to_string()).args([
        "bash",
        "-euo",
        "pipefail",
        "-c",
        &block("README.md", "sh", "curl -s"),
    ]);
    let output = run(&mut command, &server, directory.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_png(&std::fs::read(directory.path().join("fox.png")).unwrap());
}

/// The text of a command, without quoted parts and comments.
fn unquoted(line: &str) -> String {
    let (mut bare, mut quote) = (String::new(), None);
    for character in line.chars() {
        match quote {
            Some(open) if character == open => quote = None,
            Some(_) => {}
            None if character == '\'' || character == '"' => quote = Some(character),
            None if character == '#' => break,
            None => bare.push(character),
        }
    }
    bare
}

#[test]
fn the_commands_of_the_readmes_work_in_every_shell() {
    let pages = ["README.md", "bindings/python/README.md", "crates/clipia/README.md"];
    let mut commands = 0;
    for page in pages {
        let text = std::fs::read_to_string(repository().join(page)).unwrap();
        let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split_once("```"));
        for line in blocks.flat_map(|(block, _)| block.lines()) {
            commands += 1;
            // zsh refuses a pattern that no file matches.
            assert!(!unquoted(line).contains(['[', ']', '*', '?']), "{page}: quote the pattern: {line}");
        }
    }
    assert!(commands > 10, "{commands}");
}
