//! The list of what a client has submitted and not seen end.

use crate::emulated::{Emulated, MODEL, input};
use clipia::{Clipia, Error, Pending};
use std::future::IntoFuture;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

fn ids(pending: &[Pending]) -> Vec<Option<&str>> {
    pending.iter().map(|pending| pending.request_id.as_ref().map(|id| id.as_str())).collect()
}

#[tokio::test]
async fn a_generation_is_pending_until_its_end_is_seen() {
    let emulated = Emulated::new(&[]);
    let clipia = emulated.client();
    let seen = clipia.submit(MODEL, input("a")).await.unwrap();
    let dropped = clipia.submit(MODEL, input("@stuck")).idempotency_key("mine").await.unwrap();
    assert_eq!(ids(&clipia.pending()), [Some(seen.id().as_str()), Some(dropped.id().as_str())]);
    assert_eq!(
        (clipia.pending()[1].model.as_str(), clipia.pending()[1].idempotency_key.as_str()),
        (MODEL, "mine")
    );

    seen.wait().await.unwrap();
    assert!(dropped.wait().timeout(Duration::from_millis(50)).await.is_err());
    assert_eq!(
        ids(&clipia.pending()),
        [Some(dropped.id().as_str())],
        "a wait that was given up ends nothing"
    );

    // A call that asks sees the end too.
    let asked = clipia.submit(MODEL, input("c")).await.unwrap();
    while !asked.status().await.unwrap().status.is_terminal() {}
    assert_eq!(ids(&clipia.pending()), [Some(dropped.id().as_str())]);
}

#[tokio::test]
async fn a_submit_that_was_refused_or_never_sent_is_not_pending_and_one_without_a_response_is() {
    let emulated = Emulated::new(&["submit 402"]);
    let clipia = emulated.client();
    assert!(clipia.submit(MODEL, input("")).await.is_err());
    drop(clipia.submit(MODEL, input("")).into_future());
    assert!(clipia.pending().is_empty(), "{:?}", clipia.pending());

    let emulated = Emulated::new(&["submit hang"]);
    let clipia = emulated.client();
    let submit = clipia.submit(MODEL, input("")).idempotency_key("mine").into_future();
    tokio::select! {
        _ = submit => panic!("it hangs"),
        () = async { while emulated.idempotency_keys().is_empty() { tokio::time::sleep(Duration::from_millis(5)).await } } => {}
    }
    let pending = clipia.pending();
    assert_eq!((ids(&pending), pending[0].idempotency_key.as_str()), (vec![None], "mine"));
}

fn with_file(emulated: &Emulated, path: &Path) -> Result<Clipia, Error> {
    emulated.builder().pending_file(path).build()
}

#[tokio::test]
async fn a_file_keeps_what_is_pending_for_the_next_process() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pending.jsonl");
    let emulated = Emulated::new(&[]);
    let clipia = with_file(&emulated, &path).unwrap();
    let (one, other) =
        (clipia.submit(MODEL, input("a")).await.unwrap(), clipia.submit(MODEL, input("b")).await.unwrap());
    one.wait().await.unwrap();
    let listed = clipia.pending();
    assert_eq!(ids(&listed), [Some(other.id().as_str())]);

    let error = with_file(&emulated, &path).unwrap_err();
    assert!(
        matches!(&error, Error::PendingFile { cause, .. } if cause.kind() == ErrorKind::WouldBlock),
        "{error:?}"
    );
    assert!(error.to_string().contains("give each its own"), "{error}");

    // The process is killed in the middle of a line.
    let id = other.id().clone();
    drop((one, other, clipia));
    let next = async || loop {
        // The task that polls lets go of the client once it has seen that nobody waits.
        match with_file(&emulated, &path) {
            Err(Error::PendingFile { cause, .. }) if cause.kind() == ErrorKind::WouldBlock => {
                tokio::task::yield_now().await;
            }
            built => break built.unwrap(),
        }
    };
    drop(next().await);
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{whole}{{\"ended\":{{\"request_id\":\"{id}")).unwrap();
    let clipia = next().await;
    assert_eq!(clipia.pending(), listed);
    clipia.generation(id).wait().await.unwrap();
    assert!(clipia.pending().is_empty());
    drop(clipia);
    assert!(next().await.pending().is_empty());
}

#[test]
fn a_file_that_is_no_such_list_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes.txt");
    std::fs::write(&path, "my notes\nand more\n").unwrap();
    let error = with_file(&Emulated::new(&[]), &path).unwrap_err();
    assert!(
        matches!(&error, Error::PendingFile { cause, .. } if cause.kind() == ErrorKind::InvalidData),
        "{error:?}"
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "my notes\nand more\n");
}
