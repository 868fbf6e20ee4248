//! Handles outlive the process: the example `resume`, killed and started again.

use crate::emulated::{COST, Emulated, MODEL, input};
use crate::peer::KEY;
use clipia::{SavedGeneration, json};
use clipia_emulator::{Operation, Pace, Settings};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// An example of this crate. Cargo builds it with the tests, and puts it beside them.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let example = profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(example.is_file(), "`cargo build -p clipia --examples` makes {}", example.display());
    example
}

/// The running example. It is killed when this is dropped.
struct Running(Child);

impl Running {
    fn start(emulated: &Emulated, file: &Path) -> Self {
        let mut example = Command::new(example("resume"));
        example.arg(file).env("CLIPIA_KEY", KEY).env("CLIPIA_BASE_URL", emulated.url());
        Self(example.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap())
    }

    /// The output of the example, once it has ended without an error.
    async fn said(mut self) -> String {
        let mut stdout = self.0.stdout.take().unwrap();
        let end = move || {
            let said = std::io::read_to_string(&mut stdout).unwrap();
            assert!(self.0.wait().unwrap().success());
            said
        };
        tokio::task::spawn_blocking(end).await.unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails if the process has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for a condition while a child process runs.
async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let polling = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), polling).await.unwrap_or_else(|_| panic!("not {what}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_killed_during_a_submit_and_during_a_wait_resumes_and_pays_once() {
    let emulated = Emulated::start(Settings { pace: Pace::Manual, ..Settings::default() });
    emulated.emulation().scripts().add(serde_json::from_value(json!({ "words": "@takes=30m" })).unwrap());
    let slow = emulated.emulation().add_fault("submit slow=1h x1 after 1".parse().unwrap());
    let clipia = emulated.client();
    let paid = async || 1_000_000 - clipia.account().await.unwrap().balance.credits.whole().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pictures.json");

    // Killed while the second submit, which the server has accepted, waits for its response.
    let child = Running::start(&emulated, &file);
    until("the second submit", async || paid().await == 2 * COST).await;
    drop(child);
    emulated.emulation().remove_fault(slow);
    // Killed during a wait.
    let child = Running::start(&emulated, &file);
    until("a wait", async || !emulated.calls(Operation::Result).is_empty()).await;
    drop(child);
    emulated.advance(Duration::from_secs(3_600)).await.unwrap();
    let said = Running::start(&emulated, &file).said().await;

    assert_eq!(said.lines().filter(|line| line.ends_with(" COMPLETED")).count(), 3, "{said}");
    // Three pictures, each submitted with its own key, the killed submit twice. The last run submitted nothing.
    assert_eq!(paid().await, 3 * COST);
    let keys = emulated.idempotency_keys();
    assert_eq!(keys.iter().collect::<HashSet<_>>().len(), 3, "{keys:?}");
    assert_eq!(emulated.emulation().scripts().rules()[0].used, 3);
}

#[tokio::test]
async fn a_saved_handle_keeps_model_and_time() {
    let emulated = Emulated::new(&[]);
    let clipia = emulated.client();
    let fox = clipia.submit(MODEL, input("")).await.unwrap();
    let written = serde_json::to_string(&fox.saved()).unwrap();
    let saved: SavedGeneration = serde_json::from_str(&written).unwrap();
    assert_eq!((&saved.request_id, saved.model.as_deref()), (fox.id(), Some(MODEL)));
    let age = clipia::Timestamp::now().duration_since(saved.submitted_at.unwrap());
    assert!((0..60).contains(&age.as_secs()), "{age:?}");
    assert_eq!(clipia.resume(saved.clone()).saved(), saved);
    // A handle from an id alone has only the id.
    let bare = clipia.generation(fox.id()).saved();
    assert_eq!(bare, SavedGeneration::from(fox.id().clone()));
}
