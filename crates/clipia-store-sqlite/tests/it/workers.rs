//! Workers on other machines while the store is closed, and what an examination says of them.

use crate::file::open_by;
use clipia_api::Progress;
use clipia_api::types::Output;
use clipia_queue::leases::{AttemptEnd, SILENCE_MAX};
use clipia_queue::lifecycle::Phase;
use clipia_queue::uploads::{self, Named, UploadId};
use clipia_store::clock::DrivenClock;
use clipia_store::conformance::workers::{session, worker};
use clipia_store::conformance::{ATTEMPT_MAX, Fixture, NODE, NOW, account, fox};
use clipia_store::living::LivingAttempts;
use clipia_store::{Claim, Holder, KeyHash, NewUpload, Store, Submission};
use rusqlite::Connection;
use serde_json::Map;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use uuid::Uuid;

/// A store that was closed, with a request that the session of a worker has and one that a worker of the process had.
async fn closed() -> (TempDir, Claim, Claim) {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::new(|clock| (open_by(directory.path(), clock), Box::new(()))).await;
    fixture.store.create_worker(worker("box", 1)).await.unwrap();
    fixture.submit(fox()).await;
    fixture.submit(fox()).await;
    let holder = Holder { node: NODE, session: Some(session("box", 1)) };
    let theirs = fixture.store.claim_past("render", holder, 1, Vec::new()).await.unwrap().claims.remove(0);
    let own = fixture.claim().await;
    fixture.store.close().await;
    (directory, theirs, own)
}

/// The store, opened again so long after [`NOW`].
fn opened(directory: &Path, after: Duration) -> (Arc<dyn Store>, Arc<DrivenClock>) {
    let clock = Arc::new(DrivenClock::new(NOW + after));
    (open_by(directory, clock.clone()), clock)
}

async fn phase(store: &Arc<dyn Store>, claim: &Claim) -> Phase {
    store.request(&account(), claim.id).await.unwrap().unwrap().phase
}

#[tokio::test]
async fn a_worker_elsewhere_keeps_its_request_over_a_restart_and_one_of_the_process_does_not() {
    let (directory, theirs, own) = closed().await;
    // The server was away for longer than a worker may be silent.
    let (store, clock) = opened(directory.path(), 4 * SILENCE_MAX);
    assert_eq!((phase(&store, &theirs).await, phase(&store, &own).await), (Phase::Running, Phase::Queued));
    assert!(store.has_workers().await.unwrap() && store.worker(&KeyHash([1; 32])).await.unwrap().is_some());
    let told = store.claims_of(&session("box", 1)).await.unwrap();
    assert_eq!((told.len(), told[0].id, told[0].epoch), (1, theirs.id, theirs.epoch));
    clock.advance(SILENCE_MAX - Duration::from_secs(1));
    assert_eq!(store.rescue(&LivingAttempts::default()).await.unwrap(), Default::default());
    store.beat(theirs.id, theirs.epoch, Progress::new(70)).await.unwrap();
    clock.advance(Duration::from_secs(2));
    assert_eq!(store.rescue(&LivingAttempts::default()).await.unwrap(), Default::default());
    store.complete(theirs.id, theirs.epoch, Output::default()).await.unwrap();
    assert_eq!(store.examine().await.unwrap().violation, None);
}

#[tokio::test]
async fn a_worker_that_is_not_heard_of_after_a_restart_loses_its_request() {
    let (directory, theirs, _) = closed().await;
    let (store, clock) = opened(directory.path(), SILENCE_MAX);
    clock.advance(SILENCE_MAX);
    assert_eq!(store.rescue(&LivingAttempts::default()).await.unwrap().requeued, 1);
    assert_eq!(phase(&store, &theirs).await, Phase::Queued);
    let attempt = store.attempt_of_session(theirs.id, theirs.epoch).await.unwrap().unwrap();
    assert_eq!((attempt.session, attempt.ended), (session("box", 1), Some(AttemptEnd::Lost)));
    assert_eq!(store.examine().await.unwrap().violation, None);
}

#[tokio::test]
async fn a_restart_gives_an_attempt_no_more_time_than_it_has() {
    let (directory, theirs, _) = closed().await;
    let (store, clock) = opened(directory.path(), ATTEMPT_MAX - Duration::from_secs(1));
    assert_eq!(phase(&store, &theirs).await, Phase::Running);
    clock.advance(Duration::from_secs(1));
    assert_eq!(store.rescue(&LivingAttempts::default()).await.unwrap().requeued, 1);
}

#[tokio::test]
async fn an_examination_names_a_worker_that_is_unknown_or_revoked() {
    for damage in [
        "DELETE FROM worker",
        "UPDATE worker SET revoked_at = 1",
        "UPDATE lease SET worker = 'nobody' WHERE worker IS NOT NULL",
    ] {
        let (directory, theirs, _) = closed().await;
        Connection::open(directory.path().join("clipia.db")).unwrap().execute_batch(damage).unwrap();
        let (store, _) = opened(directory.path(), Duration::ZERO);
        let violation = store.examine().await.unwrap().violation.unwrap();
        assert!(
            violation.rule.contains("the worker that has a lease is in force"),
            "{damage}: {violation:?}"
        );
        assert_eq!(violation.request, Some(theirs.id), "{damage}");
    }
}

#[tokio::test]
async fn an_examination_names_a_request_whose_upload_is_gone() {
    for damage in ["DELETE FROM upload_use; DELETE FROM upload", "DELETE FROM upload_use"] {
        let directory = tempfile::tempdir().unwrap();
        let fixture = Fixture::new(|clock| (open_by(directory.path(), clock), Box::new(()))).await;
        let id = UploadId(Uuid::from_u128(7));
        fixture.store.keep_upload(NewUpload { id, account: account(), bytes: 10 }).await.unwrap();
        let url = format!("{}{}", fox().base_url, uploads::path(id, "fox.png"));
        let input = Map::from_iter([("image_url".to_owned(), url.into())]);
        let named = vec![Named { parameter: "image_url".to_owned(), id }];
        let request = fixture.submit(Submission { input, uploads: named, ..fox() }).await;
        fixture.is_consistent().await;
        fixture.store.close().await;
        drop(fixture);
        Connection::open(directory.path().join("clipia.db")).unwrap().execute_batch(damage).unwrap();
        let (store, _) = opened(directory.path(), Duration::ZERO);
        let violation = store.examine().await.unwrap().violation.unwrap();
        assert!(violation.rule.contains("has the uploads that its input names"), "{damage}: {violation:?}");
        assert_eq!(
            (violation.request, violation.found.as_str()),
            (Some(request), "queued, 1 uploads named, 0 kept")
        );
    }
}
