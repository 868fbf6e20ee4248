//! The conformance suite, and what concerns the file.

use clipia_api::types::Output;
use clipia_queue::idempotency::{Fingerprint, KEPT};
use clipia_queue::lifecycle::Phase;
use clipia_queue::limits::{CreditBudget, KeyLimits, Per, SANDBOX_KEPT};
use clipia_queue::schedules::due_at_latest;
use clipia_queue::shares::Shares;
use clipia_queue::{Credits, Moment, RequestId};
use clipia_store::clock::{Clock, DrivenClock, SystemClock};
use clipia_store::conformance::{
    Fixture, NODE, NOW, Opened, Outbox, account, fox, key, new_key, other_account, outbox_owner,
};
use clipia_store::data_lock::LockRefused;
use clipia_store::{
    AfterAttempt, AttemptClass, BackupError, DeliveryAttempt, DeliveryClaim, DeliveryHost, DeliveryState,
    HostRoom, Key, KeyHash, Store, Submission, SubmitRefused, WorkRefused,
};
use clipia_store_sqlite::{OpenError, SqliteStore};
use rusqlite::Connection;
use serde_json::{Map, Value};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use uuid::Uuid;

clipia_store::conformance!(crate::file::open);

pub(crate) fn open(clock: Arc<dyn Clock>) -> Opened {
    let directory = tempfile::tempdir().unwrap();
    (open_by(directory.path(), clock), Box::new(directory))
}

pub(crate) fn open_by(directory: &Path, clock: Arc<dyn Clock>) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(directory, clock).unwrap())
}

/// Opens the store in `directory` by a clock that stands still.
fn open_in(directory: &Path) -> Arc<dyn Store> {
    open_by(directory, Arc::new(DrivenClock::new(NOW)))
}

/// A fixture, and where it stands.
async fn fixture() -> (Fixture, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    (Fixture::new(|clock| (open_by(directory.path(), clock), Box::new(()))).await, directory)
}

/// Closes a fixture and opens its file.
async fn file_of(fixture: Fixture, directory: &Path) -> Connection {
    fixture.store.close().await;
    drop(fixture);
    let file = Connection::open(directory.join("clipia.db")).unwrap();
    // The tests damage it.
    file.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON").unwrap();
    file
}

#[tokio::test]
async fn everything_is_there_when_it_is_opened_again_and_nobody_else_may_open_it() {
    let (fixture, directory) = fixture().await;
    let (mut ids, mut claims) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        ids.push(fixture.submit(fox()).await);
    }
    let claim = fixture.claim().await;
    fixture.store.cancel(ids[2]).await.unwrap();
    fixture.store.release(claim.id, claim.epoch).await.unwrap();
    // A request that was set aside is put back.
    ids.push(fixture.submit(Submission { elsewhere: true, ..fox() }).await);
    for id in [ids[0], ids[1], ids[3], ids[4]] {
        let claim = fixture.claim().await;
        assert_eq!(claim.id, id);
        claims.push(claim);
    }
    assert_eq!(
        fixture.store.claim_past("render", NODE.into(), 1, vec![account()]).await.unwrap().aside.len(),
        1
    );
    for claim in claims {
        fixture.store.release(claim.id, claim.epoch).await.unwrap();
    }
    assert!(matches!(
        SqliteStore::open(directory.path(), fixture.clock.clone()),
        Err(OpenError::Lock(LockRefused::InUse(_)))
    ));
    fixture.store.close().await;
    assert!(fixture.store.submit(fox()).await.is_err());
    drop(fixture);
    let store = open_in(directory.path());
    for (id, position) in [(ids[0], 0), (ids[1], 1), (ids[3], 2), (ids[4], 3), (ids[5], 4)] {
        let request = store.request(&account(), id).await.unwrap().unwrap();
        assert_eq!((request.phase, request.position), (Phase::Queued, position));
    }
    assert_eq!(store.account(&account()).await.unwrap().unwrap().available.get(), 40);
    assert_eq!(store.examine().await.unwrap().violation, None);
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused_and_left_alone() {
    let (fixture, directory) = fixture().await;
    let file = file_of(fixture, directory.path()).await;
    file.pragma_update(None, "user_version", 99).unwrap();
    drop(file);
    let error = SqliteStore::open(directory.path(), Arc::new(SystemClock)).err().unwrap().to_string();
    let why = "clipia.db` has schema version 99, this program knows 2: use a newer `clipia`";
    assert!(error.ends_with(why), "{error}");
    let file = Connection::open(directory.path().join("clipia.db")).unwrap();
    let version: u32 = file.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, 99);
}

/// The schema of a store before keys had a credit budget.
const BEFORE_BUDGETS: &str = include_str!("../../src/schema.sql");

#[tokio::test]
async fn a_store_without_credit_budgets_is_brought_up_to_date_when_it_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    let file = Connection::open(directory.path().join("clipia.db")).unwrap();
    file.execute_batch(BEFORE_BUDGETS).unwrap();
    file.pragma_update(None, "user_version", 1).unwrap();
    let hash = "07".repeat(32);
    file.execute_batch(&format!(
        "INSERT INTO account VALUES ('acct_test', 100, 0, 0, 1);
         INSERT INTO movement (id, settles, account, kind, available, held, issuance, revenue, at)
         VALUES (randomblob(16), 0, 'acct_test', 'grant', 100, 0, -100, 0, 1);
         INSERT INTO api_key (id, account, hash, hint, sandbox, may_generate, in_flight_max, created_at)
         VALUES ('key_1', 'acct_test', X'{hash}', '…', 0, 1, 0, 1)"
    ))
    .unwrap();
    drop(file);
    let store = open_in(directory.path());
    let found = store.key(KeyHash([7; 32])).await.unwrap().unwrap();
    assert_eq!(found.limits, key().limits, "an older key has no budget");
    store.submit(fox()).await.unwrap();
    let credits = Some(CreditBudget { credits: Credits::new(12), per: Per::Month });
    let thrifty = Key { id: "key_2".to_owned(), limits: KeyLimits { credits, ..key().limits }, ..key() };
    assert!(store.create_key(new_key(thrifty.clone(), 8)).await.unwrap());
    let thrifty = || Submission { key: Arc::new(thrifty.clone()), ..fox() };
    store.submit(thrifty()).await.unwrap();
    assert!(matches!(store.submit(thrifty()).await, Err(SubmitRefused::Budget(_))));
    assert_eq!(store.examine().await.unwrap().violation, None);
    store.close().await;
    drop(store);

    // What was spent is there when the store is opened again, and it is not brought up to date twice.
    let store = open_in(directory.path());
    assert!(matches!(store.submit(thrifty()).await, Err(SubmitRefused::Budget(_))));
    assert_eq!(store.keys(None, 9).await.unwrap().keys[1].spent.credits, Credits::new(12));
}

#[tokio::test]
async fn a_backup_of_a_store_in_use_is_a_whole_store() {
    let (fixture, directory) = fixture().await;
    fixture.rich().await;
    let restored = tempfile::tempdir().unwrap();
    let copy = restored.path().join("clipia.db");
    let busy = async {
        for _ in 0..30 {
            fixture.submit(fox()).await;
        }
    };
    fixture.submit(fox()).await;
    let (saved, ()) = tokio::join!(fixture.store.backup(&copy), busy);
    saved.unwrap();
    let again = fixture.store.backup(&copy).await.unwrap_err();
    assert!(matches!(&again, BackupError::Exists(path) if *path == copy), "{again}");
    let nowhere = fixture.store.backup(&directory.path().join("no/such/directory.db")).await.unwrap_err();
    assert!(matches!(nowhere, BackupError::File { .. }), "{nowhere}");
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&copy).unwrap());
        assert_eq!(mode & 0o777, 0o600);
    }
    let names = std::fs::read_dir(restored.path()).unwrap().count();
    assert_eq!(names, 1, "the part is still there");

    let store = open_in(restored.path());
    assert_eq!(store.examine().await.unwrap().violation, None);
    let kept = store.list_requests(Default::default(), None, 100).await.unwrap().requests.len();
    assert!((1..=31).contains(&kept));
}

#[tokio::test]
async fn a_store_that_comes_from_a_backup_sends_nothing_until_it_may() {
    let (fixture, directory) = fixture().await;
    for _ in 0..3 {
        let id = fixture.submit(fox()).await;
        let claim = fixture.claim().await;
        assert_eq!(claim.id, id);
        fixture.store.complete(id, claim.epoch, Output::default()).await.unwrap();
    }
    // One request runs at the time, and one is queued.
    let (running, waiting) = (fixture.submit(fox()).await, fixture.submit(fox()).await);
    assert_eq!(fixture.claim().await.id, running);
    fixture.store.claim_deliveries(DeliveryClaim { most: 1, ..all_due() }).await.unwrap();
    let copy = directory.path().join("copy.db");
    fixture.store.backup(&copy).await.unwrap();
    let delivered = fixture.store.list_deliveries(Default::default(), None, 9).await.unwrap();
    assert!(
        delivered.iter().all(|delivery| delivery.state == DeliveryState::Pending),
        "the original goes on"
    );

    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::copy(&copy, elsewhere.path().join("clipia.db")).unwrap();
    let clock = Arc::new(DrivenClock::new(NOW + Duration::from_secs(100_000)));
    let open = || open_by(elsewhere.path(), clock.clone());
    let due = async |store: &Arc<dyn Store>| store.claim_deliveries(all_due()).await.unwrap().due.len();
    for _ in 0..2 {
        // Also at a second start, when the file is no copy any more.
        let store = open();
        assert_eq!((due(&store).await, store.next_delivery().await.unwrap()), (0, None));
        assert_eq!(store.examine().await.unwrap().checked.deliveries_held, 3);
        assert_eq!(store.statistics().await.unwrap().deliveries_held, 3);
        for (id, position) in [(running, 0), (waiting, 1)] {
            let request = store.request(&account(), id).await.unwrap().unwrap();
            assert_eq!((request.phase, request.position), (Phase::Queued, position));
        }
        store.close().await;
    }
    let store = open();
    let id = delivered[0].id;
    assert!(store.replay(id).await.unwrap());
    assert_eq!(due(&store).await, 1, "one that is asked for goes by itself");
    assert_eq!(store.abandon_deliveries(1).await.unwrap(), 1);
    assert_eq!(store.resume_deliveries(1).await.unwrap(), 1);
    assert_eq!(store.resume_deliveries(9).await.unwrap(), 1);
    assert_eq!(store.resume_deliveries(9).await.unwrap(), 0);
    assert_eq!(due(&store).await, 1, "one is under way, one given up");
    // It is old, and not given up for that.
    assert_eq!(store.give_up_deliveries(Duration::ZERO).await.unwrap(), 0);
    assert_eq!(store.examine().await.unwrap().violation, None);
    store.close().await;
}

#[tokio::test]
async fn a_log_that_a_long_read_has_made_grow_is_cut_when_it_is_quiet() {
    let (fixture, directory) = fixture().await;
    fixture.rich().await;
    let log = directory.path().join("clipia.db-wal");
    let size = || std::fs::metadata(&log).unwrap().len();
    let reader = Connection::open(directory.path().join("clipia.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM request").unwrap();
    let text = Value::String("x".repeat(2_000_000));
    for _ in 0..20 {
        let input = Map::from_iter([("prompt".to_owned(), text.clone())]);
        fixture.submit(Submission { input, ..fox() }).await;
    }
    let grown = size();
    assert!(grown > 40_000_000, "{grown}");
    assert_eq!(fixture.store.statistics().await.unwrap().log_bytes, grown);
    drop(reader);
    let since = Instant::now();
    while size() > 34_000_000 {
        assert!(since.elapsed() < Duration::from_secs(60), "it still has {} bytes", size());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    fixture.is_consistent().await;
}

/// A store with a request in every phase, and one of the sandbox.
async fn full_fixture() -> (Fixture, TempDir) {
    let (fixture, directory) = fixture().await;
    let named = |byte| Some((format!("fox-{byte}"), Fingerprint([byte; 32])));
    for byte in 0..5 {
        fixture.submit(Submission { idempotency: named(byte), ..fox() }).await;
    }
    let (completed, failed, canceled) = (fixture.claim().await, fixture.claim().await, fixture.claim().await);
    let store = &fixture.store;
    store.complete(completed.id, completed.epoch, Output::default()).await.unwrap();
    store.fail(failed.id, failed.epoch, clipia_store::Failure::generation("no")).await.unwrap();
    store.cancel(canceled.id).await.unwrap();
    fixture.claim().await;
    let sandbox = Arc::new(Key { sandbox: true, ..key() });
    fixture.submit(Submission { key: sandbox, sample: Some(Output::default()), ..fox() }).await;
    (fixture, directory)
}

#[tokio::test]
async fn an_examination_names_what_is_wrong() {
    for (damage, rule) in [
        (
            "PRAGMA ignore_check_constraints = ON;
          UPDATE movement SET held = held + 1 WHERE kind = 'capture'",
            "sum to zero",
        ),
        ("UPDATE api_key SET in_flight = in_flight + 1", "in flight what is counted"),
        (
            "UPDATE api_key SET credits_max = 12, credits_per = 'day', spent_since = 19675, spent_until = 19676",
            "spent no more than its budget",
        ),
        ("UPDATE account SET available = available + 1", "what its entries sum to"),
        ("UPDATE request SET cost = 13 WHERE phase = 'queued'", "reserves of its live requests"),
        (
            "UPDATE movement SET id = (SELECT id FROM request WHERE sandbox = 1) WHERE kind = 'capture'",
            "reserved for once, and settled once",
        ),
        (
            "UPDATE request SET charged = 11 WHERE phase = 'completed' AND sandbox = 0;
          UPDATE usage_day SET credits = 11",
            "what is charged",
        ),
        ("UPDATE request SET charged = 12 WHERE phase = 'failed'", "what is charged"),
        (
            "INSERT INTO movement (id, settles, account, kind, available, held, issuance, revenue, at)
          SELECT id, 0, account, 'reserve', 0, 0, 0, 0, 0 FROM request WHERE sandbox = 1",
            "sandbox moves no credits",
        ),
        ("UPDATE usage_day SET credits = credits + 5", "usage is what was earned"),
        ("DELETE FROM queue_item", "has its place in the queue"),
        ("UPDATE queue_item SET lane = 0", "has its place in the queue"),
        ("UPDATE queue SET tail = 1", "a ticket that was drawn"),
        ("INSERT INTO queue_item SELECT queue, 0, ticket, request FROM queue_item", "one place for each"),
        (
            "INSERT INTO queue_item SELECT queue, 0, ticket, id FROM request WHERE phase = 'canceled'",
            "that of a queued request",
        ),
        ("DELETE FROM lease", "a lease while it runs"),
        ("DELETE FROM attempt WHERE ending = 'failed'", "each claim"),
        ("UPDATE request SET rescues = 1 WHERE phase = 'running'", "rescued as often"),
        ("UPDATE request_content SET output = NULL", "has an end, and what belongs to it"),
        ("DELETE FROM delivery", "wants a delivery"),
        ("UPDATE idempotency SET account = 'acct_other' WHERE key = 'fox-1'", "idempotency key"),
        ("DELETE FROM api_key", "refers to rows"),
        ("DELETE FROM queue_turn", "has a turn in a queue"),
        ("INSERT INTO queue_turn VALUES ('elsewhere', 'acct_test', 1)", "has a turn in a queue"),
    ] {
        let (fixture, directory) = full_fixture().await;
        fixture.is_consistent().await;
        let file = file_of(fixture, directory.path()).await;
        file.execute_batch(damage).unwrap();
        drop(file);
        let store = open_in(directory.path());
        let violation = store.examine().await.unwrap().violation;
        let violation = violation.unwrap_or_else(|| panic!("unnoticed: {damage}"));
        assert!(violation.rule.contains(rule), "{damage}: {violation:?}");
    }
}

#[tokio::test]
async fn turns_and_a_pause_are_as_they_were_when_it_is_opened_again() {
    let (fixture, directory) = fixture().await;
    fixture.rich().await;
    fixture.create_other_account(Credits::new(1_000)).await;
    let other = Key { id: "key_other".to_owned(), account: other_account(), ..key() };
    assert!(fixture.store.create_key(new_key(other.clone(), 8)).await.unwrap());
    let other = Submission { key: Arc::new(other), ..fox() };
    let mut many = Vec::new();
    for _ in 0..6 {
        many.push(fixture.submit(fox()).await);
    }
    let other = fixture.submit(other).await;
    // The first account had its turn. The other one is next.
    let first = fixture.claim().await;
    fixture.store.complete(first.id, first.epoch, Output::default()).await.unwrap();
    assert!(fixture.store.pause_queue("render").await.unwrap());
    fixture.store.close().await;
    drop(fixture);

    let store = open_in(directory.path());
    assert_eq!(store.paused_queues().await.unwrap(), ["render"]);
    assert!(store.statistics().await.unwrap().queues[0].paused_at.is_some());
    assert!(store.claim("render", NODE, 9).await.unwrap().is_empty());
    assert_eq!(store.request(&other_account(), other).await.unwrap().unwrap().position, 0);
    assert_eq!(store.request(&account(), many[1]).await.unwrap().unwrap().position, 1);
    assert_eq!(store.examine().await.unwrap().violation, None);
    assert!(store.resume_queue("render").await.unwrap());
    let claimed: Vec<_> =
        store.claim("render", NODE, 2).await.unwrap().iter().map(|claim| claim.id).collect();
    assert_eq!(claimed, [other, many[1]]);
    assert_eq!(store.examine().await.unwrap().violation, None);
}

#[tokio::test]
async fn an_examination_gives_the_figures() {
    let (fixture, directory) = full_fixture().await;
    let file = file_of(fixture, directory.path()).await;
    file.execute_batch("UPDATE account SET held = held + 1").unwrap();
    drop(file);
    let findings = open_in(directory.path()).examine().await.unwrap();
    let violation = findings.violation.unwrap();
    assert_eq!(violation.account, Some(account()));
    assert_eq!(violation.found, "available 64 and held 25, by the entries 64 and 24");
    assert_eq!((findings.checked.accounts, findings.checked.requests), (1, 6));
    let unknown: Option<RequestId> = violation.request;
    assert_eq!(unknown, None);
}

#[tokio::test]
async fn what_a_wrong_clock_put_off_for_a_year_is_due_as_usual_after_a_start() {
    let (fixture, directory) = fixture().await;
    let ahead = NOW + Duration::from_secs(365 * 24 * 60 * 60);
    let submission = || Submission {
        key: Arc::new(Key { sandbox: true, ..key() }),
        sample: Some(Output::default()),
        idempotency: Some(("fox".to_owned(), Fingerprint([7; 32]))),
        ..fox()
    };
    let first = fixture.at(ahead).submit(submission()).await.unwrap().id;
    let due = fixture.store.claim_deliveries(all_due()).await.unwrap().due.remove(0);
    let retry = AfterAttempt::Retry(ahead + Duration::from_secs(5));
    let attempt = DeliveryAttempt { started: ahead, ..attempt(due.id, retry) };
    fixture.store.record_attempt(attempt).await.unwrap();
    fixture.store.close().await;
    drop(fixture);

    let clock = Arc::new(DrivenClock::new(NOW));
    let store = open_by(directory.path(), clock.clone());
    let opened = clock.now();
    let due = store.next_delivery().await.unwrap();
    assert_eq!(due, Some(due_at_latest(1, opened)));
    let again = || Submission { webhook_url: None, ..submission() };
    let found = async |at: Moment| {
        clock.set(at);
        store.submit(again()).await.unwrap().id == first
    };
    assert!(found(opened + KEPT - Duration::from_secs(1)).await);
    assert!(!found(opened + KEPT).await);
    // What is within its schedule stays as it is.
    store.close().await;
    drop(store);
    let store = open_in(directory.path());
    assert_eq!(store.next_delivery().await.unwrap(), due);
}

#[tokio::test]
async fn the_sandbox_keeps_its_newest_requests_and_no_more() {
    let (fixture, directory) = fixture().await;
    let sandbox = Key { id: "key_test".to_owned(), sandbox: true, ..key() };
    assert!(fixture.store.create_key(new_key(sandbox.clone(), 9)).await.unwrap());
    let sandbox = Arc::new(sandbox);
    let live = fixture.submit(fox()).await;
    let sample = || {
        let idempotency = Some(("again".to_owned(), Fingerprint([1; 32])));
        let input = serde_json::json!({ "prompt": "x".repeat(10_000) }).as_object().unwrap().clone();
        let sample = Some(Output::default());
        Submission { key: Arc::clone(&sandbox), idempotency, input, sample, ..fox() }
    };
    let first = fixture.submit(sample()).await;
    assert_eq!(fixture.store.submit(sample()).await.unwrap().id, first, "the same one again");
    let kept = SANDBOX_KEPT as usize;
    let many = (0..kept + 5).map(|_| fixture.submit(Submission { idempotency: None, ..sample() }));
    let many = futures_util::future::join_all(many).await;
    let of = async |id| fixture.store.request(&account(), id).await.unwrap();
    assert!(of(first).await.is_none() && of(many[4]).await.is_none(), "the oldest made room");
    assert!(of(many[5]).await.is_some() && of(live).await.is_some());
    // Its key outlives a request of the sandbox.
    let again = fixture.store.submit(sample()).await.unwrap().id;
    assert!(again != first && of(again).await.is_some());
    let found = fixture.store.examine().await.unwrap();
    assert_eq!((found.violation, found.checked.requests), (None, kept as u64 + 1));
    let bytes = std::fs::metadata(directory.path().join("clipia.db")).unwrap().len();
    assert!(bytes < 80_000_000, "{bytes} bytes, though nothing is made of what the sandbox is given");
}

#[tokio::test]
async fn of_a_delivery_that_the_sandbox_forgot_while_it_was_sent_nothing_is_recorded() {
    let (fixture, directory) = fixture().await;
    let sample = || Submission {
        key: Arc::new(Key { sandbox: true, ..key() }),
        sample: Some(Output::default()),
        ..fox()
    };
    fixture.submit(sample()).await;
    let due = fixture.store.claim_deliveries(all_due()).await.unwrap().due.remove(0);
    let file = Connection::open(directory.path().join("clipia.db")).unwrap();
    file.execute("UPDATE account SET sandbox_kept = ?1", [SANDBOX_KEPT]).unwrap();
    fixture.submit(sample()).await;
    assert!(fixture.store.delivery(due.id).await.unwrap().is_none());
    fixture.store.record_attempt(attempt(due.id, AfterAttempt::Delivered)).await.unwrap();
    let kept = "SELECT count(*) FROM delivery_attempt";
    assert_eq!(file.query_row(kept, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
}

#[tokio::test]
async fn what_a_killed_worker_had_is_in_line_again_at_the_next_start() {
    let (fixture, directory) = fixture().await;
    let (running, waiting) = (fixture.submit(fox()).await, fixture.submit(fox()).await);
    let claim = fixture.claim().await;
    assert_eq!(claim.id, running);
    let clock = fixture.clock.clone();
    fixture.store.close().await;
    drop(fixture);
    let store = open_by(directory.path(), clock);
    for (id, position) in [(running, 0), (waiting, 1)] {
        let request = store.request(&account(), id).await.unwrap().unwrap();
        assert_eq!((request.phase, request.position), (Phase::Queued, position));
    }
    let late = store.complete(running, claim.epoch, Output::default()).await;
    assert!(matches!(late, Err(WorkRefused::Lifecycle(_))), "{late:?}");
    assert_eq!(store.statistics().await.unwrap().leases_lost, 1);
    assert_eq!(store.examine().await.unwrap().violation, None);
}

#[tokio::test]
async fn what_a_killed_sender_had_under_way_is_free_at_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(DrivenClock::new(NOW));
    let open = || open_by(directory.path(), clock.clone());
    let outbox = Outbox::new(open()).await;
    let well =
        [outbox.deliver("https://well.example/1").await, outbox.deliver("https://well.example/2").await];
    outbox.deliver("https://dead.example/hook").await;
    let dead = DeliveryHost { owner: outbox_owner(), host: "https://dead.example".to_owned() };
    let no_room = HostRoom { host: dead.clone(), room: 0, room_for_replays: 0, waiting: false };
    let ids = async |store: &Arc<dyn Store>, hosts| {
        let claimed = store.claim_deliveries(DeliveryClaim { hosts, ..all_due() }).await.unwrap();
        claimed.due.iter().map(|due| due.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&outbox.store, vec![no_room]).await, well);
    outbox.store.close().await;
    drop(outbox);
    let store = open();
    assert_eq!(store.postponed_hosts().await.unwrap(), [dead]);
    assert_eq!(ids(&store, vec![]).await, well);
    // Within one run the lease does it.
    clock.advance(Duration::from_secs(31));
    assert_eq!(ids(&store, vec![]).await, well);
}

fn all_due() -> DeliveryClaim {
    DeliveryClaim {
        node: NODE,
        most: 9,
        shares: Shares::new(100),
        most_of_host: 9,
        hosts: Vec::new(),
        lease: Duration::from_secs(30),
        under_way: Default::default(),
    }
}

/// The first attempt at a delivery, which failed.
fn attempt(delivery: Uuid, next: AfterAttempt) -> DeliveryAttempt {
    DeliveryAttempt {
        delivery,
        number: 1,
        of_schedule: Some(1),
        started: NOW,
        status: None,
        duration: Duration::ZERO,
        class: AttemptClass::Connect,
        error: None,
        reply: String::new(),
        next,
    }
}
