//! The examples of the SDK run as they are, against the real server. (`resume` is also killed, in the crate's
//! own tests.)

use crate::support::{Options, Server, example, output, repository};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// An example that has ended well.
struct Ran {
    stdout: String,
    directory: TempDir,
}

impl Ran {
    /// The parts of its output in this order.
    #[track_caller]
    fn says(&self, parts: &[&str]) -> &Self {
        let mut rest = self.stdout.as_str();
        for part in parts {
            let found = rest.split_once(part);
            rest = found.unwrap_or_else(|| panic!("no {part:?} (in this order) in\n{}", self.stdout)).1;
        }
        self
    }

    /// The files that it saved, by the ends of their names.
    #[track_caller]
    fn saved(&self, ends: &[&str]) {
        let files: Vec<PathBuf> = std::fs::read_dir(self.directory.path().join("out"))
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        let there =
            |end: &&str| files.iter().any(|file| file.to_str().unwrap().ends_with(*end) && is_media(file));
        assert!(files.len() == ends.len() && ends.iter().all(there), "{files:?} and not {ends:?}");
    }
}

fn is_media(file: &Path) -> bool {
    let bytes = std::fs::read(file).unwrap();
    bytes.starts_with(b"\x89PNG\r\n\x1a\n")
        || bytes[8..].starts_with(b"WEBP")
        || bytes[4..].starts_with(b"ftyp")
}

/// Runs an example against a server with its limits as they come.
#[track_caller]
fn run(name: &str) -> Ran {
    let server = Server::start(Options { rpm: None, ..Options::default() });
    let directory = tempfile::tempdir().unwrap();
    let mut command = example(name);
    command
        .current_dir(directory.path())
        .env("CLIPIA_BASE_URL", &server.url)
        .env("CLIPIA_KEY", &server.live_key)
        .env("CLIPIA_WEBHOOK_SECRET", &server.webhook_secret);
    let output = output(&mut command);
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "`{name}` fails:\n{stdout}\n{stderr}");
    Ran { stdout, directory }
}

#[test]
fn quickstart() {
    run("quickstart").says(&["costs 12 credits", "-image-1.png"]).saved(&["-image-1.png"]);
}

#[test]
fn image_to_video() {
    run("image_to_video").says(&["saved out", "-video-1.mp4"]).saved(&["-video-1.mp4"]);
}

#[test]
fn progress() {
    run("progress").says(&["% done", "COMPLETED", "it cost 12 credits"]);
}

#[test]
fn fleet() {
    run("fleet").says(&["20 of 20 made"]);
}

#[test]
fn webhooks() {
    run("webhooks").says(&["is done"]);
}

#[test]
fn resume() {
    let ran = run("resume");
    assert_eq!(ran.stdout.matches("COMPLETED").count(), 3, "{}", ran.stdout);
}

#[test]
fn before_paying() {
    run("before_paying").says(&[
        "wrong: `aspect_ratio` must be one of",
        "ignored: ",
        "`seed`",
        "it would cost 24 credits",
        "24 is over 20",
    ]);
}

#[test]
fn handle_errors() {
    run("handle_errors").says(&["the input: `prompt`", "not yet: ", "made for 24 credits"]);
}

#[test]
fn download() {
    run("download").says(&["saved out", "saved out"]).saved(&["-image-1.png", "-image-1-rendition.webp"]);
}

#[test]
fn blocking() {
    run("blocking").says(&["saved", "saved"]).saved(&["-image-1.png", "-image-1.png"]);
}

/// Only checks that no example is forgotten: the tests above run them.
#[test]
fn every_example_has_a_test_and_a_header() {
    let this = include_str!("sdk_examples.rs");
    for file in std::fs::read_dir(repository().join("crates/clipia/examples")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(std::fs::read_to_string(&path).unwrap().starts_with("//! "), "{name}");
        assert!(this.contains(&format!("run(\"{name}\")")), "{name} is run by no test");
    }
}
