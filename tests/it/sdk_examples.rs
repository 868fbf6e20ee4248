//! The examples of the SDK run unchanged against the real server. The crate's own tests also kill `resume`.

use crate::support::{Options, Server, example, output, repository};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// An example that has succeeded.
struct Ran {
    stdout: String,
    directory: TempDir,
}

impl Ran {
    /// Checks that its output has these parts, in this order.
    #[track_caller]
    fn prints(&self, parts: &[&str]) -> &Self {
        let mut rest = self.stdout.as_str();
        for part in parts {
            let found = rest.split_once(part);
            rest = found.unwrap_or_else(|| panic!("no {part:?} (in this order) in\n{}", self.stdout)).1;
        }
        self
    }

    /// Checks that it saved these files, given by the ends of their names, and no others.
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

/// Runs an example against a server with the default limits.
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

/// Makes a test of each example, which runs it and checks what it did, and the list of their names.
macro_rules! examples {
    ($($name:ident: $check:expr;)*) => {
        /// The examples that have a test.
        const TESTED: &[&str] = &[$(stringify!($name)),*];

        $(
            #[test]
            fn $name() {
                let check: fn(&Ran) = $check;
                check(&run(stringify!($name)));
            }
        )*
    };
}

examples! {
    quickstart: |ran| ran.prints(&["costs 12 credits", "-image-1.png"]).saved(&["-image-1.png"]);
    image_to_video: |ran| ran.prints(&["saved out", "-video-1.mp4"]).saved(&["-video-1.mp4"]);
    progress: |ran| { ran.prints(&["% done", "COMPLETED", "it cost 12 credits"]); };
    fleet: |ran| { ran.prints(&["20 of 20 made"]); };
    webhooks: |ran| { ran.prints(&["is done"]); };
    resume: |ran| assert_eq!(ran.stdout.matches("COMPLETED").count(), 3, "{}", ran.stdout);
    before_paying: |ran| { ran.prints(&[
        "wrong: `aspect_ratio` must be one of",
        "ignored: ",
        "`seed`",
        "it would cost 24 credits",
        "24 is over 20",
    ]); };
    handle_errors: |ran| { ran.prints(&["input: `prompt`", "not yet: ", "made for 24 credits"]); };
    download: |ran| ran.prints(&["saved out", "saved out"]).saved(&["-image-1.png", "-image-1-rendition.webp"]);
    blocking: |ran| ran.prints(&["saved", "saved"]).saved(&["-image-1.png", "-image-1.png"]);
}

#[test]
fn each_example_has_a_test_and_a_first_line_about_it() {
    let mut names = BTreeSet::new();
    for file in std::fs::read_dir(repository().join("crates/clipia/examples")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(std::fs::read_to_string(&path).unwrap().starts_with("//! "), "{name}");
        names.insert(name);
    }
    let tested: BTreeSet<String> = TESTED.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(names, tested, "examples, and those with a test");
}
