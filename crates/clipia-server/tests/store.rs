//! What any store must do, tried on SQLite: the promises of the trait `Store`.

#![allow(clippy::unwrap_used)] // test code, helpers of tests included: a failed expectation stops the test

use clipia_api::types::{Output, RequestId};
use clipia_api::{Credits, Progress};
use clipia_queue::Moment;
use clipia_queue::idempotency::Fingerprint;
use clipia_queue::leases::{RESCUES_MAX, SILENCE_MAX};
use clipia_queue::lifecycle::Phase;
use clipia_server::store::sqlite::{OpenError, SqliteStore};
use clipia_server::store::{
    AccountId, AfterAttempt, DeliveryAttempt, Failure, Key, KeyHash, NewAccount, NewKey, Scopes, Store,
    StoreError, Submission, SubmitRefused, WorkRefused,
};
use std::time::Duration;
use tempfile::TempDir;

const NOW: Moment = Moment::from_micros(1_700_000_000_000_000);
const BOTH: Scopes = Scopes { generate: true, read: true };

fn account() -> AccountId {
    AccountId("acct_test".to_owned())
}

fn key() -> Key {
    Key { id: "key_1".to_owned(), account: account(), hint: "…".to_owned(), sandbox: false, scopes: BOTH }
}

/// A store with one account of 100 credits and its key.
async fn store() -> (SqliteStore, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    let new = NewAccount { id: account(), webhook_secret: "whsec_1".to_owned(), grant: Credits::new(100) };
    assert!(store.create_account(new, NOW).await.unwrap());
    let Key { id, account, hint, sandbox, scopes } = key();
    let new = NewKey { id, account, hash: KeyHash([7; 32]), hint, sandbox, scopes };
    assert!(store.create_key(new, NOW).await.unwrap());
    (store, directory)
}

/// A submit that costs 12 credits and wants a delivery.
fn fox() -> Submission {
    Submission {
        id: RequestId::generate(),
        key: key(),
        idempotency: None,
        model: "nano-banana-2".to_owned(),
        queue: "render".to_owned(),
        input: Default::default(),
        warnings: Vec::new(),
        cost: Credits::new(12),
        webhook_url: Some("https://example.com/hook".to_owned()),
        base_url: "http://here".to_owned(),
        sample: None,
    }
}

async fn available(store: &SqliteStore) -> u64 {
    store.account(&account(), NOW).await.unwrap().unwrap().available.get()
}

#[tokio::test]
async fn a_request_is_reserved_for_then_charged_or_refunded_once() {
    let (store, _directory) = store().await;
    let (good, bad) = (fox(), fox());
    let (good_id, bad_id) = (good.id, bad.id);
    assert_eq!(store.submit(good, NOW).await.unwrap().position, 0);
    assert_eq!(store.submit(bad, NOW).await.unwrap().position, 1);
    assert_eq!(available(&store).await, 76);

    let claim = store.claim("render", NOW).await.unwrap().unwrap();
    assert_eq!(claim.id, good_id);
    assert_eq!(store.request(&account(), bad_id).await.unwrap().unwrap().position, 0);
    store.complete(good_id, claim.epoch, Output::default(), NOW).await.unwrap();
    let twice = store.complete(good_id, claim.epoch, Output::default(), NOW).await;
    assert!(matches!(twice, Err(WorkRefused::Lifecycle(_))));

    let claim = store.claim("render", NOW).await.unwrap().unwrap();
    store.fail(bad_id, claim.epoch, Failure::generation("no"), NOW).await.unwrap();
    let failed = store.request(&account(), bad_id).await.unwrap().unwrap();
    assert_eq!((failed.phase, failed.cost), (Phase::Failed, Credits::ZERO));
    assert_eq!(available(&store).await, 88);
    assert!(store.claim("render", NOW).await.unwrap().is_none());
}

#[tokio::test]
async fn a_worker_that_lost_its_lease_changes_nothing() {
    let (store, _directory) = store().await;
    let id = store.submit(fox(), NOW).await.unwrap().id;
    let first = store.claim("render", NOW).await.unwrap().unwrap();
    store.beat(id, first.epoch, Progress::new(40), NOW).await.unwrap();
    assert_eq!(store.rescue(false, NOW).await.unwrap().requeued, 0);
    let late = NOW + SILENCE_MAX;
    assert_eq!(store.rescue(false, late).await.unwrap().requeued, 1);
    let second = store.claim("render", late).await.unwrap().unwrap();
    assert!(second.epoch > first.epoch);
    assert!(store.beat(id, first.epoch, Progress::DONE, late).await.is_err());
    assert!(store.complete(id, first.epoch, Output::default(), late).await.is_err());
    assert!(store.release(id, first.epoch).await.is_err());
    let running = store.request(&account(), id).await.unwrap().unwrap();
    assert_eq!((running.phase, running.progress), (Phase::Running, Progress::new(0)));
    store.complete(id, second.epoch, Output::default(), late).await.unwrap();
    assert_eq!(available(&store).await, 88);
}

#[tokio::test]
async fn one_that_is_lost_too_often_fails_and_is_refunded() {
    let (store, _directory) = store().await;
    let id = store.submit(fox(), NOW).await.unwrap().id;
    for _ in 0..RESCUES_MAX {
        store.claim("render", NOW).await.unwrap().unwrap();
        assert_eq!(store.rescue(true, NOW).await.unwrap().requeued, 1);
    }
    store.claim("render", NOW).await.unwrap().unwrap();
    assert_eq!(store.rescue(true, NOW).await.unwrap().failed, 1);
    assert_eq!(store.request(&account(), id).await.unwrap().unwrap().phase, Phase::Failed);
    assert_eq!(available(&store).await, 100);
}

#[tokio::test]
async fn what_had_its_turn_goes_ahead_of_what_had_none() {
    let (store, _directory) = store().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(store.submit(fox(), NOW).await.unwrap().id);
    }
    let first = store.claim("render", NOW).await.unwrap().unwrap();
    let second = store.claim("render", NOW).await.unwrap().unwrap();
    store.release(second.id, second.epoch).await.unwrap();
    store.release(first.id, first.epoch).await.unwrap();
    for (id, position) in ids.iter().zip(0..) {
        assert_eq!(store.request(&account(), *id).await.unwrap().unwrap().position, position);
    }
}

#[tokio::test]
async fn a_refused_submit_leaves_nothing_and_a_repeated_one_is_the_same() {
    let (store, _directory) = store().await;
    let dear = Submission { cost: Credits::new(101), ..fox() };
    let dear_id = dear.id;
    let named = |submission: Submission, byte: u8| Submission {
        idempotency: Some(("fox-1".to_owned(), Fingerprint([byte; 32]))),
        ..submission
    };
    assert!(matches!(store.submit(named(dear, 1), NOW).await, Err(SubmitRefused::Credits(_))));
    assert!(store.request(&account(), dear_id).await.unwrap().is_none());
    // The refusal did not use the key up.
    let id = store.submit(named(fox(), 2), NOW).await.unwrap().id;
    assert_eq!(store.submit(named(fox(), 2), NOW).await.unwrap().id, id);
    assert!(matches!(store.submit(named(fox(), 3), NOW).await, Err(SubmitRefused::IdempotencyKeyReuse)));
    assert_eq!(available(&store).await, 88);
    let next_day = NOW + Duration::from_secs(24 * 60 * 60);
    assert_ne!(store.submit(named(fox(), 2), next_day).await.unwrap().id, id);
}

#[tokio::test]
async fn concurrent_submits_spend_no_credit_twice() {
    let (store, _directory) = store().await;
    let submits = (0..20).map(|_| store.submit(fox(), NOW));
    let accepted = futures_util::future::join_all(submits).await.into_iter().filter(Result::is_ok).count();
    assert_eq!((accepted, available(&store).await), (8, 4));
}

#[tokio::test]
async fn a_delivery_is_given_to_one_sender_until_it_arrives() {
    let (store, _directory) = store().await;
    let id = store.submit(fox(), NOW).await.unwrap().id;
    let claim = store.claim("render", NOW).await.unwrap().unwrap();
    store.complete(id, claim.epoch, Output::default(), NOW).await.unwrap();
    let lease = Duration::from_secs(30);
    let due = store.claim_deliveries(10, lease, NOW).await.unwrap().remove(0);
    assert_eq!((due.attempts, due.secrets.as_slice()), (0, &["whsec_1".to_owned()][..]));
    assert!(store.claim_deliveries(10, lease, NOW).await.unwrap().is_empty());

    let attempt = |number, next| DeliveryAttempt {
        delivery: due.id,
        number,
        status: Some(500),
        duration: Duration::ZERO,
        error: None,
        next,
    };
    let later = NOW + Duration::from_secs(5);
    store.record_attempt(attempt(1, AfterAttempt::Retry(later)), NOW).await.unwrap();
    assert_eq!(store.next_delivery().await.unwrap(), Some(later));
    let again = store.claim_deliveries(10, lease, later).await.unwrap().remove(0);
    assert_eq!((again.id, again.attempts), (due.id, 1));
    store.record_attempt(attempt(2, AfterAttempt::Delivered), later).await.unwrap();
    assert_eq!(store.next_delivery().await.unwrap(), None);
}

#[tokio::test]
async fn keys_are_found_by_their_hash_until_they_are_revoked() {
    let (store, _directory) = store().await;
    assert_eq!(store.key(KeyHash([7; 32])).await.unwrap().unwrap().id, "key_1");
    assert!(store.key(KeyHash([8; 32])).await.unwrap().is_none());
    assert!(store.revoke_key("key_1", NOW).await.unwrap());
    assert!(store.key(KeyHash([7; 32])).await.unwrap().is_none());
    assert!(!store.revoke_key("key_1", NOW).await.unwrap());
}

#[tokio::test]
async fn everything_is_there_when_it_is_opened_again_and_nobody_else_may_open_it() {
    let (store, directory) = store().await;
    let id = store.submit(fox(), NOW).await.unwrap().id;
    assert!(matches!(SqliteStore::open(directory.path()), Err(OpenError::InUse(_))));
    store.close().await;
    assert!(store.submit(fox(), NOW).await.is_err());
    drop(store);
    let store = SqliteStore::open(directory.path()).unwrap();
    assert_eq!(store.request(&account(), id).await.unwrap().unwrap().phase, Phase::Queued);
    assert_eq!(available(&store).await, 88);
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused() {
    let (store, directory) = store().await;
    store.close().await;
    drop(store);
    let database = rusqlite::Connection::open(directory.path().join("clipia.db")).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    drop(database);
    let error = SqliteStore::open(directory.path()).err().unwrap().to_string();
    assert!(error.contains("schema version 99"), "{error}");
}

#[tokio::test]
async fn a_probe_reaches_the_disk_and_changes_nothing() {
    let (store, directory) = store().await;
    let log = || std::fs::metadata(directory.path().join("clipia.db-wal")).unwrap().len();
    let before = log();
    store.probe().await.unwrap();
    assert!(log() > before);
    store.close().await;
    assert!(matches!(store.probe().await, Err(StoreError::Closed)));
    drop(store);
    let store = SqliteStore::open(directory.path()).unwrap();
    assert_eq!(available(&store).await, 100);
}
