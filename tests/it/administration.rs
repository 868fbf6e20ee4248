//! The operator's commands on a running server.

use crate::program::hold;
use crate::support::{Options, Raw, Receiver, Server, command, output, output_on_terminal, until};
use clipia_webhook::{SIGNATURE_HEADER, TIMESTAMP_HEADER, Verifier};
use serde_json::{Value, json};
use std::path::Path;

const FOX: &str = "/v1/models/nano-banana-2";
const CLIP: &str = "/v1/models/seedance-2-fast-t2v";

/// The exit code and the stderr of a command that may fail.
fn refused(server: &Server, arguments: &[&str]) -> (i32, String) {
    let output = output(command(arguments).arg("--data").arg(server.data()));
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// The output of a command on a terminal: stdout, then stderr.
fn shown(server: &Server, arguments: &[&str]) -> String {
    let output = output_on_terminal(command(arguments).arg("--data").arg(server.data()));
    let (stdout, stderr) = (String::from_utf8(output.stdout), String::from_utf8(output.stderr));
    format!("$ clipia {}\n{}{}", arguments.join(" "), stdout.unwrap(), stderr.unwrap())
}

/// Submits a generation, and returns its id.
async fn submit(client: &Raw, path: &str, body: Value) -> String {
    let submitted = client.post(path, &body).await.expect(200).json();
    submitted["request_id"].as_str().unwrap().to_owned()
}

async fn status(server: &Server, id: &str) -> Value {
    server.live().get(&format!("/v1/requests/{id}/status")).await.expect(200).json()["status"].clone()
}

async fn completed(server: &Server, id: &str) {
    until("its end", async || (status(server, id).await == "COMPLETED").then_some(())).await;
}

fn account(server: &Server) -> String {
    server.administer(&["accounts", "list"])[0]["account_id"].as_str().unwrap().to_owned()
}

/// Checks that the doctor finds no fault.
#[track_caller]
fn sound(server: &Server) {
    let findings = server.administer(&["doctor"]);
    assert_eq!(findings["violation"], Value::Null, "{findings}");
    assert!(findings["checked"]["rules"].as_u64().unwrap() > 10, "{findings}");
}

/// A clip that takes far longer than the test takes to cancel it.
fn long(webhook: &Receiver) -> Value {
    let input = json!({ "prompt": "waves", "duration": 12, "resolution": "1080p" });
    json!({ "input": input, "webhook_url": webhook.url() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canceled_generation_is_refunded_delivered_and_stopped() {
    let receiver = Receiver::start().await;
    let server = Server::start(Options { credits: Some(1_000_000), ..Options::default() });
    // More generations than workers, so that some are queued.
    let mut ids = Vec::new();
    for _ in 0..std::thread::available_parallelism().unwrap().get() + 2 {
        ids.push(submit(&server.live(), CLIP, long(&receiver)).await);
    }
    let (running, waiting) = (ids[0].clone(), ids.last().unwrap().clone());
    until("a worker", async || (status(&server, &running).await == "IN_PROGRESS").then_some(())).await;
    assert_eq!(status(&server, &waiting).await, "IN_QUEUE");
    sound(&server);

    for id in [&waiting, &running] {
        let before = server.balance().await;
        let canceled = server.administer(&["requests", "cancel", id]);
        let returned = canceled["returned"].as_u64().unwrap();
        assert!(returned > 0, "{canceled}");
        assert_eq!(server.balance().await, before + returned);
        assert_eq!(canceled["available"], before + returned);
        let result = server.live().get(&format!("/v1/requests/{id}")).await.expect(200).json();
        assert_eq!((&result["status"], &result["cost"]), (&json!("CANCELED"), &json!(0)), "{result}");
        let delivery = receiver.wait_until(|body| body["request_id"] == id.as_str()).await;
        let delivery: Value = serde_json::from_slice(&delivery.body).unwrap();
        assert_eq!(
            (&delivery["status"], &delivery["error"]["code"]),
            (&json!("ERROR"), &json!("GENERATION_FAILED"))
        );
        assert!(delivery["error"]["message"].as_str().unwrap().contains("canceled"), "{delivery}");
        let (code, error) = refused(&server, &["requests", "cancel", id]);
        assert_eq!(code, 3, "{error}");
        assert!(error.contains("has ended CANCELED"), "{error}");
    }
    // The worker stops at once, and claims the next request.
    let lost = |line: &&str| line.contains("a lease was lost") && line.contains(&*running);
    until("the worker to stop", async || server.log().lines().find(lost).map(drop)).await;
    until("the next", async || (status(&server, &ids[ids.len() - 2]).await != "IN_QUEUE").then_some(()))
        .await;
    for id in &ids[1..ids.len() - 1] {
        server.administer(&["requests", "cancel", id]);
    }
    assert_eq!(status(&server, &running).await, "CANCELED");
    assert_eq!(server.balance().await, 1_000_000);
    sound(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_listed_and_shown_with_their_history() {
    let receiver = Receiver::start().await;
    let server = Server::start(Options::default());
    let fox =
        json!({ "input": { "prompt": "a red fox", "resolution": "0.5K" }, "webhook_url": receiver.url() });
    let first = submit(&server.live(), FOX, fox.clone()).await;
    completed(&server, &first).await;
    receiver.wait_for(1).await;
    let second = submit(&server.sandbox(), FOX, fox).await;
    receiver.wait_for(2).await;

    let listed = server.administer(&["requests", "list"]);
    let ids: Vec<&Value> = listed.as_array().unwrap().iter().map(|request| &request["request_id"]).collect();
    assert_eq!(ids, [&second, &first], "the newest first");
    let one = server.administer(&["requests", "list", "--status", "completed", "--limit", "1"]);
    assert_eq!((one.as_array().unwrap().len(), &one[0]["request_id"]), (1, &json!(second)));
    assert_eq!(server.administer(&["requests", "list", "--status", "FAILED"]), json!([]));

    // The attempt is recorded after the response of the receiver.
    let details = until("the record", async || {
        let details = server.administer(&["requests", "show", &first]);
        (details["deliveries"][0]["state"] == "delivered").then_some(details)
    })
    .await;
    let texts = |list: &str, key: &str| -> Vec<String> {
        let list = details[list].as_array().unwrap();
        list.iter().map(|item| item[key].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(texts("timeline", "what"), ["submitted", "started", "completed"]);
    assert_eq!(texts("movements", "kind"), ["reserve", "capture"]);
    assert_eq!(details["movements"][0]["available"], -12);
    assert_eq!(details["deliveries"][0]["log"][0]["status"], 200);
    assert!(!details.to_string().contains("a red fox"), "an operator must not see the prompt: {details}");

    let unknown = "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de";
    for action in ["show", "logs", "cancel"] {
        let (code, error) = refused(&server, &["requests", action, unknown]);
        assert_eq!((code, error), (3, format!("error: there is no request `{unknown}`\n")));
    }
    let all = shown(&server, &["requests", "list"]) + &shown(&server, &["requests", "show", &first]);
    hold("program_requests", &all);
}

#[tokio::test(flavor = "multi_thread")]
async fn abandoned_deliveries_are_replayed_and_secrets_rotated() {
    let receiver = Receiver::start().await;
    let server = Server::start(Options::default());
    let fox = json!({ "input": { "prompt": "a red fox" }, "webhook_url": receiver.url() });
    // A receiver that responds 410 gets one attempt only.
    receiver.respond_with([410, 410, 410]);
    for _ in 0..3 {
        submit(&server.sandbox(), FOX, fox.clone()).await;
    }
    let failed = until("failures", async || {
        let failed = server.administer(&["webhooks", "list", "--failed"]);
        (failed.as_array().unwrap().len() == 3).then_some(failed)
    })
    .await;
    let newest = failed[0]["id"].as_str().unwrap();
    assert_eq!(server.administer(&["webhooks", "replay", newest]), json!({ "replayed": 1 }));
    let again = receiver.wait_for(4).await.pop().unwrap();
    assert_eq!(again.header("x-clipia-webhook-id"), newest);
    until("the record", async || {
        let delivery = server.administer(&["webhooks", "show", newest]);
        (delivery["state"] == "delivered").then_some(())
    })
    .await;
    for (since, replayed) in [("2026-01-31T09:30:00Z", 2), ("1d 2h", 0)] {
        let response = server.administer(&["webhooks", "replay", "--failed-since", since]);
        assert_eq!(response, json!({ "replayed": replayed }), "{since}");
        receiver.wait_for(6).await;
        until("the records", async || {
            let failed = server.administer(&["webhooks", "list", "--failed"]);
            (failed == json!([])).then_some(())
        })
        .await;
    }

    let account = account(&server);
    let rotated = server.administer(&["webhooks", "rotate", "--account", &account]);
    let new = rotated["webhook_secret"].as_str().unwrap();
    assert_ne!(new, server.webhook_secret);
    submit(&server.sandbox(), FOX, fox).await;
    let delivery = receiver.wait_for(7).await.pop().unwrap();
    for secret in [new, &server.webhook_secret] {
        let now = delivery.header(TIMESTAMP_HEADER).parse().unwrap();
        Verifier::new([secret])
            .unwrap()
            .verify(delivery.header(SIGNATURE_HEADER), &delivery.body, now)
            .unwrap();
    }

    // A receiver that knows one secret checks the last signature.
    let last = async |receiver: &Receiver, count| {
        submit(
            &server.sandbox(),
            FOX,
            json!({ "input": { "prompt": "fox" }, "webhook_url": receiver.url() }),
        )
        .await;
        let delivery = receiver.wait_for(count).await.pop().unwrap();
        let (t, signature) = (delivery.header(TIMESTAMP_HEADER), delivery.header(SIGNATURE_HEADER));
        let last = signature.rsplit(',').next().unwrap();
        let header = format!("t={t},{last}");
        let verifies = |secret: &str| {
            Verifier::new([secret]).unwrap().verify(&header, &delivery.body, t.parse().unwrap()).is_ok()
        };
        (verifies(&server.webhook_secret), verifies(new))
    };
    assert_eq!(last(&receiver, 8).await, (true, false));
    let times =
        |more: &[&str]| server.administer(&[&["webhooks", "rotation", "--account", &account], more].concat());
    assert_eq!(times(&[])["secrets"].as_array().unwrap().len(), 2);
    times(&["--new-last", "now"]);
    assert_eq!(last(&receiver, 9).await, (false, true));
    times(&["--new-last", "1h", "--old-ends", "2h"]);
    assert_eq!(last(&receiver, 10).await, (true, false));
    let changed = times(&["--old-ends", "now"]);
    assert_eq!(changed["secrets"].as_array().unwrap().len(), 1, "{changed}");
    assert_eq!(last(&receiver, 11).await, (false, true));

    let unknown = "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de";
    for (arguments, code, message) in [
        (&["webhooks", "replay", unknown][..], 3, "there is no delivery"),
        (&["webhooks", "show", unknown], 3, "there is no delivery"),
        (&["webhooks", "rotate", "--account", "nobody"], 3, "there is no account `nobody`"),
        (&["webhooks", "rotation", "--account", "nobody"], 3, "there is no account `nobody`"),
        (&["webhooks", "rotation", "--account", &account, "--old-ends", "1h"], 3, "there is no rotation"),
        (&["webhooks", "rotate", "--account", &account, "--old-ends", "31d"], 3, "for 30 days at most"),
        (&["webhooks", "rotate", "--account", &account, "--old-ends", "soon"], 2, "write `now`"),
        (
            &["webhooks", "rotate", "--account", &account, "--old-ends", "1h", "--new-last", "2h"],
            3,
            "must come last before the old one ends",
        ),
        (&["webhooks", "replay"], 2, "required"),
        (&["webhooks", "replay", "--failed-since", "yesterday"], 2, "write a duration such as `2h`"),
    ] {
        let (ended, error) = refused(&server, arguments);
        assert!(ended == code && error.contains(message), "{arguments:?}: {ended} {error}");
    }
    let all = shown(&server, &["webhooks", "list", "--limit", "2"])
        + &shown(&server, &["webhooks", "show", newest])
        + &shown(&server, &["webhooks", "rotate", "--account", &account])
        + &shown(&server, &["webhooks", "rotation", "--account", &account]);
    hold("program_webhooks", &all);
}

#[tokio::test(flavor = "multi_thread")]
async fn credits_are_granted_within_bounds() {
    let server = Server::start(Options { credits: Some(7), ..Options::default() });
    let account = account(&server);
    let made = server.administer(&["credits", "grant", &account, "35"]);
    assert_eq!((&made["granted"], &made["available"]), (&json!(35), &json!(42)));
    assert_eq!(server.balance().await, 42);
    for (arguments, code) in [
        (["credits", "grant", "nobody", "1"], 3),
        (["credits", "grant", &account, "0"], 2),
        (["credits", "grant", &account, "1000000001"], 2),
    ] {
        let (ended, error) = refused(&server, &arguments);
        assert_eq!(ended, code, "{arguments:?}: {error}");
    }
    assert_eq!(server.balance().await, 42);
    sound(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_has_limits_of_its_own_and_ends_at_once() {
    let server = Server::start(Options::default());
    let made = server.administer(&["keys", "create", "--rpm", "60", "--in-flight", "1"]);
    let client = Raw::new(&server.url).key(made["key"].as_str().unwrap());
    let account = client.get("/v1/account").await.expect(200);
    assert_eq!(account.header("ratelimit-limit"), "60");
    let long = json!({ "input": { "prompt": "waves", "duration": 12, "resolution": "1080p" } });
    let id = submit(&client, CLIP, long.clone()).await;
    client.post(CLIP, &long).await.expect_error("concurrency_limit_exceeded");
    server.administer(&["requests", "cancel", &id]);
    let id = submit(&client, CLIP, long).await;
    server.administer(&["requests", "cancel", &id]);

    server.administer(&["keys", "revoke", made["id"].as_str().unwrap()]);
    client.get("/v1/account").await.expect_error("invalid_api_key");
    let listed = server.administer(&["keys", "list"]).to_string();
    for secret in [made["key"].as_str().unwrap(), &server.live_key, &server.webhook_secret] {
        assert!(!listed.contains(secret));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_names_the_fault() {
    let mut server = Server::start(Options::default());
    let fox = json!({ "input": { "prompt": "a red fox", "resolution": "0.5K" } });
    let id = submit(&server.live(), FOX, fox).await;
    completed(&server, &id).await;
    sound(&server);
    let content = shown(&server, &["doctor"]);
    let account = account(&server);

    server.terminate();
    let store = rusqlite::Connection::open(server.data().join("clipia.db")).unwrap();
    store.execute("UPDATE account SET available = available + 1", []).unwrap();
    drop(store);
    server.restart();
    let (code, error) = refused(&server, &["doctor"]);
    assert_eq!(code, 1, "{error}");
    assert!(error.contains(&format!("account {account}")), "{error}");
    hold("program_doctor", &(content + &shown(&server, &["doctor"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_the_store_of_one_moment() {
    let mut server = Server::start(Options::default());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("clipia.db");
    let before = server.balance().await;
    let made = server.administer(&["backup", file.to_str().unwrap()]);
    assert_eq!(made["bytes"], std::fs::metadata(&file).unwrap().len());
    let (code, error) = refused(&server, &["backup", file.to_str().unwrap()]);
    assert_eq!(code, 3, "{error}");
    assert!(error.contains("exists already"), "{error}");
    let fox = json!({ "input": { "prompt": "a red fox" } });
    submit(&server.live(), FOX, fox).await;
    assert_ne!(server.balance().await, before);

    server.terminate();
    for name in ["clipia.db-wal", "clipia.db-shm"] {
        let _ = std::fs::remove_file(server.data().join(name));
    }
    std::fs::copy(&file, server.data().join("clipia.db")).unwrap();
    server.restart();
    assert_eq!(server.balance().await, before);
    sound(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn administration_needs_access_to_the_data_directory() {
    let server = Server::start(Options::default());
    let path = server.data().join("admin.json");
    let access: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let url = access["url"].as_str().unwrap();
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    assert_eq!(mode(&path), 0o600);
    for client in [Raw::new(url), Raw::new(url).key(&server.live_key), Raw::new(url).key("x")] {
        client.get("/keys").await.expect_error("invalid_api_key");
        client.get("/nothing").await.expect_error("invalid_api_key");
    }
    let client = Raw::new(url).key(access["token"].as_str().unwrap());
    client.get("/keys").await.expect(200);
    client.get("/nothing").await.expect_error("not_found");
    client.post("/accounts", &json!({ "credit": 7 })).await.expect_error("invalid_request");
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_and_keys_are_read_page_by_page_and_listed_completely() {
    let server = Server::start(Options::default());
    let access: Value =
        serde_json::from_slice(&std::fs::read(server.data().join("admin.json")).unwrap()).unwrap();
    let client = Raw::new(access["url"].as_str().unwrap()).key(access["token"].as_str().unwrap());
    // More than one page. Making them one by one would take a flush to the disk each.
    let store = rusqlite::Connection::open(server.data().join("clipia.db")).unwrap();
    store
        .execute_batch(
            "BEGIN IMMEDIATE;
             WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1500)
             INSERT INTO account (id, available, held, created_at) SELECT printf('acct_x%04d', n), 0, 0, 0 FROM n;
             WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1500)
             INSERT INTO api_key (id, account, hash, hint, sandbox, may_generate, created_at)
                 SELECT printf('key_x%04d', n), printf('acct_x%04d', n), randomblob(32), '…', 0, 1, 0 FROM n;
             COMMIT",
        )
        .unwrap();
    for (list, id, all) in [("accounts", "account_id", 1_501), ("keys", "id", 1_502)] {
        let (mut listed, mut after, mut sizes) = (Vec::new(), String::new(), Vec::new());
        loop {
            let page = client.get(&format!("/{list}?limit=700{after}")).await.expect(200).json();
            let page_of = page[list].as_array().unwrap();
            sizes.push(page_of.len());
            listed.extend(page_of.iter().map(|one| one[id].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        assert_eq!(sizes, [700, 700, all - 1_400], "{list}");
        let whole = server.administer(&[list, "list"]);
        let whole: Vec<_> = whole.as_array().unwrap().iter().map(|one| one[id].as_str().unwrap()).collect();
        assert_eq!(whole, listed, "{list}");
        assert_eq!(
            client.get(&format!("/{list}")).await.expect(200).json()[list].as_array().unwrap().len(),
            1_000
        );
        client.get(&format!("/{list}?limit=0")).await.expect_error("invalid_request");
        client.get(&format!("/{list}?page=2")).await.expect_error("invalid_request");
    }
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
