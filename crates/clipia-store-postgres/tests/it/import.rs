//! Stores in SQLite that move here: the other store is the same to whoever looks.

use crate::server::Database;
use clipia_queue::logs::LogPosition;
use clipia_store::clock::{Clock, SystemClock};
use clipia_store::conformance::{self, Fixture, NODE, Opened, account, fox, key, other_account};
use clipia_store::transfer::{Figures, Table};
use clipia_store::{Accounts, Queue, Store, Submission, Upkeep};
use clipia_store_postgres::{Address, ImportError, PostgresStore, import};
use clipia_store_sqlite::{ExportError, OpenError, SqliteStore, export};
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// A store in SQLite that was filled and is closed.
struct Filled {
    directory: TempDir,
    clock: Arc<dyn Clock>,
}

impl Filled {
    async fn by(fill: impl AsyncFnOnce(&Fixture)) -> Self {
        Database::start_servers();
        let directory = tempfile::tempdir().unwrap();
        let open = |clock| -> Opened {
            (Arc::new(SqliteStore::open(directory.path(), clock).unwrap()), Box::new(()))
        };
        let fixture = Fixture::new(open).await;
        fill(&fixture).await;
        fixture.store.close().await;
        Self { clock: fixture.clock.clone(), directory }
    }

    /// One with requests of two accounts that wait, one that was lost and waits ahead of them, one that ended, and keys.
    async fn simple() -> Self {
        Self::by(async |fixture| {
            fixture.rich().await;
            fixture.create_other_account(clipia_queue::Credits::new(100)).await;
            let other = clipia_store::Key { id: "key_2".to_owned(), account: other_account(), ..key() };
            assert!(fixture.store.create_key(conformance::new_key(other.clone(), 9)).await.unwrap());
            for number in 0..6 {
                let submission = match number % 3 {
                    0 => Submission { key: Arc::new(other.clone()), ..fox() },
                    _ => fox(),
                };
                fixture.submit(submission).await;
            }
            let ends = fixture.claim().await;
            fixture.store.complete(ends.id, ends.epoch, Default::default()).await.unwrap();
            // The program of a worker and a receiver may say anything.
            let fails = fixture.claim().await;
            let why = clipia_store::Failure::generation("no\0 fox");
            fixture.store.fail(fails.id, fails.epoch, why).await.unwrap();
            // Its lease is still there when the store is exported.
            fixture.claim().await;
        })
        .await
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("moved.jsonl")
    }

    async fn export(&self) -> Figures {
        export(self.directory.path(), &self.file(), Arc::clone(&self.clock)).await.unwrap().figures
    }

    /// The store that was left, opened again as the refusal says.
    fn reopen(&self) -> SqliteStore {
        let open = || SqliteStore::open(self.directory.path(), Arc::clone(&self.clock));
        let Err(OpenError::Moved { mark, .. }) = open() else {
            panic!("a store that was exported is opened")
        };
        fs::remove_file(mark).unwrap();
        open().unwrap()
    }
}

/// All that callers and operators see of a store.
async fn seen(store: &dyn Store) -> String {
    let mut seen = String::new();
    let mut see = |what: &dyn std::fmt::Debug| writeln!(seen, "{what:?}").unwrap();
    for account in store.accounts(None, 100).await.unwrap().accounts {
        see(&account);
        see(&store.account(&account.id).await.unwrap());
        see(&store.webhook_secrets(&account.id).await.unwrap().len());
        see(&store.upload_usage(&account.id).await.unwrap());
    }
    see(&store.keys(None, 100).await.unwrap());
    see(&store.workers().await.unwrap());
    see(&store.paused_queues().await.unwrap());
    let requests = store.list_requests(Default::default(), None, 1_000).await.unwrap().requests;
    for request in requests {
        see(&request);
        see(&store.request_history(request.id).await.unwrap());
        see(&store.logs(request.id, None, LogPosition::default(), usize::MAX).await.unwrap());
        see(&store.outputs(vec![request.id]).await.unwrap().len());
    }
    for delivery in store.list_deliveries(Default::default(), None, 1_000).await.unwrap() {
        see(&store.delivery(delivery.id).await.unwrap());
    }
    see(&store.audit(None, 1_000).await.unwrap());
    seen
}

/// What is claimed of a queue, in its order.
async fn claimed(store: &dyn Store) -> String {
    let mut claims = String::new();
    while let Some(claim) = store.claim("render", NODE, 1).await.unwrap().pop() {
        writeln!(claims, "{:?} {:?} {:?}", claim.id, claim.epoch, claim.account).unwrap();
    }
    claims
}

async fn moves(filled: Filled) {
    let Some(database) = Database::new() else { return };
    moves_to(filled, &database.address()).await;
}

async fn moves_to(filled: Filled, address: &Address) {
    let exported = filled.export().await;
    let imported = import(address, &filled.file()).await.unwrap();
    assert_eq!(exported.difference(&imported.figures), None);
    assert!(imported.figures.rows(Table::Account) > 0);
    let left = filled.reopen();
    let moved = PostgresStore::open_with_clock(address, Arc::clone(&filled.clock)).await.unwrap();
    assert_eq!(moved.examine().await.unwrap().violation, None);
    let (here, there) = (seen(&moved).await, seen(&left).await.replace("\\0", "\u{fffd}"));
    for (here, there) in here.lines().zip(there.lines()) {
        assert_eq!(here, there);
    }
    assert_eq!(here.len(), there.len());
    assert_eq!(claimed(&moved).await, claimed(&left).await);
    // New rows come behind those that were imported.
    let new =
        || Submission { id: clipia_queue::RequestId(clipia_queue::ids::new(filled.clock.now())), ..fox() };
    moved.grant(&account(), clipia_queue::Credits::new(1_000)).await.unwrap();
    if moved.key(clipia_store::KeyHash([7; 32])).await.unwrap().is_some() {
        moved.submit(new()).await.unwrap();
    }
    let added = clipia_store::Key { id: "key_new".to_owned(), ..key() };
    assert!(moved.create_key(conformance::new_key(added, 99)).await.unwrap());
    assert_eq!(moved.examine().await.unwrap().violation, None);
}

/// A test for each way of the conformance suite to fill a store.
macro_rules! filled_by {
    ($($subject:ident: $($fill:ident),+;)+) => {$($(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $fill() {
            moves(Filled::by(async |fixture| conformance::$subject::$fill(fixture).await).await).await;
        }
    )+)+};
}

filled_by! {
    keys: keys_are_found_by_their_hash_until_they_are_revoked, a_key_has_its_own_limits, a_key_has_no_more_in_flight_than_it_may;
    key_budgets: a_key_spends_no_more_than_its_budget;
    leases: one_that_is_lost_too_often_fails_and_is_refunded;
    logs: lines_of_the_latest_attempts_are_kept, a_worker_that_lost_its_lease_logs_nothing;
    outbox: a_replay_leaves_the_schedule_alone, an_old_secret_signs_for_a_day_and_stands_last,
        an_owner_gets_no_more_than_its_share_however_many_hosts_it_names;
    queue: turns_go_round_the_accounts_that_wait, a_paused_queue_takes_submits_and_gives_nothing,
        those_of_an_account_that_is_full_are_passed_over_and_keep_their_places;
    retention: what_has_had_its_time_is_let_go_and_the_books_stay_as_they_are;
    sequences: random_commands_have_the_results_of_a_naive_store;
    uploads: an_upload_is_kept_for_its_time_and_for_the_requests_that_name_it;
    workers: what_a_session_holds_is_told_again, revoking_a_worker_takes_back_what_its_sessions_have,
        sessions_are_listed_and_forgotten_after_a_day;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_moves_through_a_pooler() {
    let Some(database) = Database::new() else { return };
    let Some(address) = database.address_behind_pooler() else { return };
    moves_to(Filled::simple().await, &address).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_is_for_its_owner_and_the_directory_is_marked_until_the_mark_is_removed() {
    let filled = Filled::simple().await;
    filled.export().await;
    let mode = fs::metadata(filled.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let refused =
        SqliteStore::open(filled.directory.path(), Arc::new(SystemClock)).err().unwrap().to_string();
    let mark = filled.directory.path().join("clipia.moved");
    for part in [&format!("remove `{}`", mark.display()), &format!("to `{}`", filled.file().display())] {
        assert!(refused.contains(part.as_str()), "{refused}");
    }
    // It may be exported again, as where the file was lost; not to the same file.
    let again = export(filled.directory.path(), &filled.file(), Arc::clone(&filled.clock)).await;
    assert!(matches!(again, Err(ExportError::Exists(_))), "{again:?}");
    fs::remove_file(filled.file()).unwrap();
    filled.export().await;
    filled.reopen().close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_in_use_and_a_directory_without_one_are_not_exported() {
    let filled = Filled::simple().await;
    let server = SqliteStore::open(filled.directory.path(), Arc::clone(&filled.clock)).unwrap();
    let refused = export(filled.directory.path(), &filled.file(), Arc::clone(&filled.clock)).await;
    assert!(matches!(refused, Err(ExportError::Open(OpenError::Lock(_)))), "{refused:?}");
    server.close().await;
    drop(server);
    let empty = tempfile::tempdir().unwrap();
    let refused = export(empty.path(), &filled.file(), Arc::clone(&filled.clock)).await;
    assert!(matches!(refused, Err(ExportError::Open(OpenError::NoStore { .. }))), "{refused:?}");
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0);
    let nowhere = filled.directory.path().join("missing/moved.jsonl");
    let refused = export(filled.directory.path(), &nowhere, Arc::clone(&filled.clock)).await;
    assert!(matches!(refused, Err(ExportError::Write { .. })), "{refused:?}");
    // Nothing of it marked the directory.
    SqliteStore::open(filled.directory.path(), Arc::clone(&filled.clock)).unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_imported_leaves_the_database_as_it_is() {
    let Some(database) = Database::new() else { return };
    let (address, filled) = (database.address(), Filled::simple().await);
    filled.export().await;
    let text = fs::read_to_string(filled.file()).unwrap();
    let refused = async |text: &str, expected: &str| {
        let file = filled.directory.path().join("other.jsonl");
        fs::write(&file, text).unwrap();
        let error = import(&address, &file).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(
            database.number("SELECT (SELECT count(*) FROM account) + (SELECT count(*) FROM audit)"),
            0
        );
    };
    refused(&text[..text.len() / 2], "is cut off").await;
    let lines: Vec<&str> = text.lines().collect();
    refused(&lines[..lines.len() - 1].join("\n"), "is cut off").await;
    refused(&text.replacen("\"sandbox_kept\":0", "\"sandbox_kept\":1", 1), "was altered").await;
    // The figures at the end are not in the digest: the database has others.
    let (rows, end) = text.split_at(text.rfind("{\"end\":").unwrap());
    let completed = |count: u8| format!("\"completed\":{count}");
    refused(&(rows.to_owned() + &end.replacen(&completed(1), &completed(2), 1)), "the requests `completed`")
        .await;
    refused(&text.replacen("\"clipia_export\":2", "\"clipia_export\":9", 1), "has format 9").await;
    refused("not an export\n", "is no file of `clipia export`").await;
    let missing = import(&address, Path::new("/nowhere/moved.jsonl")).await.unwrap_err().to_string();
    assert!(missing.contains("cannot be read"), "{missing}");

    import(&address, &filled.file()).await.unwrap();
    let twice = import(&address, &filled.file()).await;
    assert!(matches!(twice, Err(ImportError::NotEmpty("account"))), "{twice:?}");
    let Some(empty) = Database::empty() else { return };
    let error = import(&empty.address(), &filled.file()).await.unwrap_err().to_string();
    assert!(error.contains("run `clipia migrate` once"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_imports_at_the_same_time_one_is_refused() {
    let Some(database) = Database::new() else { return };
    let (address, filled) = (database.address(), Filled::simple().await);
    filled.export().await;
    let file = filled.file();
    let (one, other) = tokio::join!(import(&address, &file), import(&address, &file));
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    let refused = one.err().or(other.err()).unwrap();
    assert!(matches!(refused, ImportError::NotEmpty(_)), "{refused:?}");
}
