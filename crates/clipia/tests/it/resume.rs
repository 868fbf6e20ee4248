//! Handles outlive the process: the example `resume`, killed and started again.

use crate::peer::{KEY, Peer, Reply, json_reply, key_of};
use clipia::{SavedGeneration, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
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
    fn start(peer: &Peer, file: &Path) -> Self {
        let mut example = Command::new(example("resume"));
        example.arg(file).env("CLIPIA_KEY", KEY).env("CLIPIA_BASE_URL", &peer.url);
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
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let polling = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), polling).await.unwrap_or_else(|_| panic!("not {what}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_killed_during_a_submit_and_during_a_wait_resumes_and_pays_once() {
    let made: Arc<Mutex<HashMap<String, String>>> = Arc::default();
    let (mute, ended) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
    let peer = {
        let (made, mute, ended) = (Arc::clone(&made), Arc::clone(&mute), Arc::clone(&ended));
        Peer::new(move |_, seen| {
            let status = if ended.load(Ordering::SeqCst) { "COMPLETED" } else { "IN_PROGRESS" };
            if seen.method == "GET" {
                return json_reply(200, json!({ "request_id": &seen.path[13..49], "status": status }));
            }
            let mut made = made.lock().unwrap();
            let new = format!("0198c2f1-6a70-7cc1-b7a5-00000000000{}", made.len());
            let id = made.entry(key_of(seen).to_owned()).or_insert(new).clone();
            if made.len() == 2 && mute.load(Ordering::SeqCst) {
                return Reply::Hang;
            }
            let response = json!({
                "request_id": id, "status": status, "queue_position": 0, "cost": 12,
                "status_url": "x", "response_url": "y",
            });
            json_reply(200, response)
        })
        .await
    };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pictures.json");

    // Killed while the second submit, which the peer has accepted, waits for its response.
    let child = Running::start(&peer, &file);
    until("the second submit", || made.lock().unwrap().len() == 2).await;
    drop(child);
    mute.store(false, Ordering::SeqCst);
    // Killed during a wait.
    let before = peer.seen().len();
    let child = Running::start(&peer, &file);
    until("a wait", || peer.seen()[before..].iter().any(|seen| seen.method == "GET")).await;
    drop(child);
    ended.store(true, Ordering::SeqCst);
    let before = peer.seen().len();
    let said = Running::start(&peer, &file).said().await;

    let expected: Vec<String> =
        (0..3).map(|n| format!("0198c2f1-6a70-7cc1-b7a5-00000000000{n} COMPLETED")).collect();
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
    // Three submits and the killed one, with three keys. The last run submitted nothing.
    let submits: Vec<_> = peer.seen().into_iter().filter(|seen| seen.method == "POST").collect();
    assert_eq!((submits.len(), made.lock().unwrap().len()), (4, 3));
    assert_eq!(key_of(&submits[1]), key_of(&submits[2]));
    assert!(peer.seen()[before..].iter().all(|seen| seen.method == "GET"));
}

#[tokio::test]
async fn a_saved_handle_keeps_model_and_time() {
    let peer = Peer::script(vec![crate::peer::submitted()]).await;
    let clipia = peer.client();
    let fox = clipia.submit("nano-banana-2", json!({})).await.unwrap();
    let written = serde_json::to_string(&fox.saved()).unwrap();
    let saved: SavedGeneration = serde_json::from_str(&written).unwrap();
    assert_eq!((&saved.request_id, saved.model.as_deref()), (fox.id(), Some("nano-banana-2")));
    let age = clipia::Timestamp::now().duration_since(saved.submitted_at.unwrap());
    assert!((0..60).contains(&age.as_secs()), "{age:?}");
    assert_eq!(clipia.resume(saved.clone()).saved(), saved);
    // A handle from an id alone has only the id.
    let bare = clipia.generation(fox.id()).saved();
    assert_eq!(bare, SavedGeneration::from(fox.id().clone()));
}
