//! Restoring a backup, and files that are not a store.

use crate::contract::small_fox;
use crate::support::{Options, Receiver, Server, command, output, until};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const FOX: &str = "/v1/models/nano-banana-2";

/// The stderr and the exit code of a command.
struct Said {
    code: i32,
    error: String,
}

fn said(output: Output) -> Said {
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!error.contains("panicked"), "{error}");
    Said { code: output.status.code().unwrap(), error }
}

fn on(data: &Path, arguments: &[&str]) -> Command {
    let mut command = command(arguments);
    command.arg("--data").arg(data);
    command
}

/// The output of a `clipia serve` that does not start.
fn serve(data: &Path) -> Said {
    said(output(&mut on(data, &["serve", "--listen", "127.0.0.1:0"])))
}

/// Submits a generation with a webhook, and waits for its end.
async fn generation(server: &Server, receiver: &Receiver) -> String {
    let mut body = small_fox();
    body["webhook_url"] = receiver.url().into();
    let id =
        server.live().post(FOX, &body).await.expect(200).json()["request_id"].as_str().unwrap().to_owned();
    until("the end", async || {
        let status = server.live().get(&format!("/v1/requests/{id}/status")).await.expect(200).json();
        (status["status"] == "COMPLETED").then_some(())
    })
    .await;
    id
}

/// The only delivery of a generation, once `wanted` holds for it.
async fn delivery(server: &Server, request: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    until("the delivery", async || {
        let found = server.administer(&["webhooks", "list", "--request", request])[0].clone();
        wanted(&found).then_some(found)
    })
    .await
}

fn sound(server: &Server) -> Value {
    let findings = server.administer(&["doctor"]);
    assert_eq!(findings["violation"], Value::Null, "{findings}");
    findings
}

fn bytes(data: &Path, name: &str) -> Vec<u8> {
    fs::read(data.join(name)).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_restored_over_a_killed_server_and_its_deliveries_are_held() {
    let receiver = Receiver::start().await;
    let mut server = Server::start(Options::default());
    receiver.respond_with([503, 503]);
    let (resumed, abandoned) = (generation(&server, &receiver).await, generation(&server, &receiver).await);
    for id in [&resumed, &abandoned] {
        delivery(&server, id, |delivery| delivery["attempts"] == 1).await;
    }
    let picture = server.live().get(&format!("/v1/requests/{resumed}")).await.expect(200).json();
    let before = server.balance().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("clipia.backup");
    server.administer(&["backup", file.to_str().unwrap()]);

    let lost = generation(&server, &receiver).await;
    server.kill9();
    let data = server.data().to_owned();
    let log = bytes(&data, "clipia.db-wal");
    assert!(!log.is_empty());

    // A backup copied by hand: SQLite would apply the old log to the new file.
    let old = bytes(&data, "clipia.db");
    fs::copy(&file, data.join("clipia.db")).unwrap();
    let refused = serve(&data);
    assert_eq!(refused.code, 1, "{}", refused.error);
    assert!(refused.error.contains("clipia restore"), "{}", refused.error);
    assert_eq!(bytes(&data, "clipia.db"), fs::read(&file).unwrap());
    assert_eq!(bytes(&data, "clipia.db-wal"), log);

    fs::write(data.join("clipia.db"), &old).unwrap();
    let restored = server.administer(&["restore", file.to_str().unwrap()]);
    assert_eq!((&restored["accounts"], &restored["requests"]), (&json!(1), &json!(2)));
    assert_eq!(restored["deliveries_held"], 2);
    // The replaced store is kept, together with its log.
    let kept = restored["replaced"].as_str().unwrap();
    let kept = rusqlite::Connection::open(kept).unwrap();
    let count: i64 = kept.query_row("SELECT count(*) FROM request", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 3);

    server.restart();
    assert_eq!(server.balance().await, before);
    server.live().get(&format!("/v1/requests/{lost}")).await.expect_error("not_found");
    // The media that the store names are still there.
    let url = picture["output"]["images"][0]["original_url"].as_str().unwrap();
    let path = &url[url.find("/media/").unwrap()..];
    server.live().get(path).await.expect(200);

    for id in [&resumed, &abandoned] {
        assert_eq!(delivery(&server, id, |_| true).await["state"], "held");
    }
    assert_eq!(server.administer(&["webhooks", "list", "--held"]).as_array().unwrap().len(), 2);
    assert_eq!(sound(&server)["checked"]["deliveries_held"], 2);
    assert!(server.log().contains("clipia webhooks resume"), "{}", server.log());
    let admin = crate::support::Raw::new(&server.admin_url);
    let metrics = String::from_utf8(admin.get("/metrics").await.expect(200).body.to_vec()).unwrap();
    assert!(metrics.contains("\nclipia_deliveries_held 2\n"), "{metrics}");

    // Generations that end from now on are delivered.
    let new = generation(&server, &receiver).await;
    receiver.wait_until(|body| body["request_id"] == new.as_str()).await;

    // Held deliveries stay held after a restart. One can be replayed alone; `abandon` abandons the rest.
    server.terminate();
    server.restart();
    let id = delivery(&server, &abandoned, |delivery| delivery["state"] == "held").await["id"].clone();
    assert_eq!(server.administer(&["webhooks", "abandon"]), json!({ "abandoned": 2 }));
    assert_eq!(delivery(&server, &abandoned, |_| true).await["state"], "abandoned");
    server.administer(&["webhooks", "replay", id.as_str().unwrap()]);
    delivery(&server, &abandoned, |delivery| delivery["state"] == "delivered").await;
    sound(&server);
    server.kill9();

    // The backup is restored again, over one copied by hand; `resume` sends the deliveries.
    fs::copy(&file, data.join("clipia.db")).unwrap();
    let log = bytes(&data, "clipia.db-wal");
    assert!(!log.is_empty());
    let restored = server.administer(&["restore", file.to_str().unwrap()]);
    let kept = restored["replaced"].as_str().unwrap();
    assert_eq!(fs::read(format!("{kept}-wal")).unwrap(), log);
    assert_eq!(fs::read(kept).unwrap(), fs::read(&file).unwrap());
    server.restart();
    assert_eq!(server.administer(&["webhooks", "resume"]), json!({ "resumed": 2 }));
    for id in [&resumed, &abandoned] {
        delivery(&server, id, |delivery| delivery["state"] == "delivered").await;
    }
    assert_eq!(sound(&server)["checked"]["deliveries_held"], 0);
}

/// A file in the place of the store, and the error about it.
struct Wrong {
    what: &'static str,
    make: fn(&Path, &Path),
    serve: &'static str,
    restore: &'static str,
}

fn sql(file: &Path, statements: &str) {
    rusqlite::Connection::open(file).unwrap().execute_batch(statements).unwrap();
}

const WRONG: [Wrong; 6] = [
    Wrong {
        what: "an empty file",
        make: |_, to| fs::write(to, "").unwrap(),
        serve: "is empty",
        restore: "is empty",
    },
    Wrong {
        what: "half a file",
        make: |store, to| {
            let whole = fs::read(store).unwrap();
            fs::write(to, &whole[..whole.len() / 2]).unwrap();
        },
        serve: "is cut off",
        restore: "is cut off",
    },
    Wrong {
        what: "no database",
        make: |_, to| fs::write(to, "not a database\n".repeat(1_000)).unwrap(),
        serve: "is no store",
        restore: "is no store",
    },
    Wrong {
        what: "another program's database",
        make: |_, to| sql(to, "CREATE TABLE other (a); PRAGMA user_version = 1"),
        serve: "is no store",
        restore: "is no store",
    },
    Wrong {
        what: "a store of another build",
        make: |store, to| {
            fs::copy(store, to).unwrap();
            sql(to, "ALTER TABLE account ADD COLUMN other TEXT");
        },
        serve: "another build",
        restore: "another build",
    },
    Wrong {
        what: "a store of a newer version",
        make: |store, to| {
            fs::copy(store, to).unwrap();
            sql(to, "PRAGMA user_version = 99");
        },
        serve: "use a newer `clipia`",
        restore: "use a newer `clipia`",
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_a_store_is_refused_and_not_changed() {
    let mut server = Server::start(Options::default());
    let elsewhere = tempfile::tempdir().unwrap();
    let backup = elsewhere.path().join("backup.db");
    server.administer(&["backup", backup.to_str().unwrap()]);
    let running = said(output(&mut on(server.data(), &["restore", backup.to_str().unwrap()])));
    assert!(running.error.contains("is in use"), "{}", running.error);
    server.terminate();
    let store = server.data().join("clipia.db");
    let before = fs::read(&store).unwrap();
    for Wrong { what, make, serve: serving, restore } in WRONG {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("clipia.db");
        make(&store, &file);
        let bytes = fs::read(&file).unwrap();
        let refused = serve(directory.path());
        assert_eq!(refused.code, 1, "{what}: {}", refused.error);
        assert!(refused.error.contains(serving), "{what}: {}", refused.error);
        assert!(refused.error.contains(file.to_str().unwrap()), "{what}: {}", refused.error);
        let refused = said(output(&mut on(server.data(), &["restore", file.to_str().unwrap()])));
        assert_eq!(refused.code, 1, "{what}: {}", refused.error);
        assert!(refused.error.contains(restore), "{what}: {}", refused.error);
        assert!(refused.error.contains(file.to_str().unwrap()), "{what}: {}", refused.error);
        assert_eq!(fs::read(&file).unwrap(), bytes, "{what}");
    }
    let damaged = elsewhere.path().join("damaged.db");
    let mut bytes = fs::read(&backup).unwrap();
    let page = 4096;
    for number in (5..bytes.len() / page).step_by(2) {
        bytes[number * page..][..page].fill(0xA5);
    }
    fs::write(&damaged, bytes).unwrap();
    let beside = elsewhere.path().join("beside.db");
    fs::copy(&backup, &beside).unwrap();
    fs::write(elsewhere.path().join("beside.db-wal"), [7; 5_000]).unwrap();
    for (file, message) in [
        (damaged, "is damaged"),
        (beside, "log beside it"),
        (elsewhere.path().join("none.db"), "No such file"),
        (elsewhere.path().to_owned(), "is no file"),
        (store.clone(), "is the store itself"),
    ] {
        let refused = said(output(&mut on(server.data(), &["restore", file.to_str().unwrap()])));
        assert_eq!(refused.code, 1, "{}", refused.error);
        assert!(refused.error.contains(message), "{message}: {}", refused.error);
    }
    assert_eq!(fs::read(&store).unwrap(), before);
    let left: Vec<_> = fs::read_dir(server.data()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains(".part")), "{left:?}");
    // A backup can be restored into an empty directory too.
    let fresh = elsewhere.path().join("fresh");
    let restored = output(&mut on(&fresh, &["restore", backup.to_str().unwrap()]));
    assert!(restored.status.success(), "{restored:?}");
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&fresh.join("clipia.db")), mode(&fresh)), (0o600, 0o700));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_is_killed_leaves_the_old_store_or_the_new_one() {
    let receiver = Receiver::start().await;
    let mut server = Server::start(Options::default());
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("backup.db");
    server.administer(&["backup", file.to_str().unwrap()]);
    generation(&server, &receiver).await;
    server.kill9();
    let data = server.data().to_owned();
    let names = ["clipia.db", "clipia.db-wal"];
    let killed = names.map(|name| bytes(&data, name));
    let requests = || -> i64 {
        let store = rusqlite::Connection::open(data.join("clipia.db")).unwrap();
        let intact: String = store.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(intact, "ok");
        store.query_row("SELECT count(*) FROM request", [], |row| row.get(0)).unwrap()
    };
    let mut ends = [0, 0];
    for moment in 0..12 {
        for (name, bytes) in names.iter().zip(&killed) {
            fs::write(data.join(name), bytes).unwrap();
        }
        let mut restore = on(&data, &["restore", file.to_str().unwrap()]);
        let mut restore = restore.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(4) * moment).await;
        restore.kill().unwrap();
        restore.wait().unwrap();
        let new = requests() == 0;
        ends[usize::from(new)] += 1;
    }
    eprintln!("killed before the new store stood there: {}, after: {}", ends[0], ends[1]);
    let restored = server.administer(&["restore", file.to_str().unwrap()]);
    assert_eq!(restored["requests"], 0);
    let left: Vec<_> = fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains(".part")), "{left:?}");
    server.restart();
    sound(&server);
}
