//! Several servers over one PostgreSQL database.

use crate::support::{Options, Raw, Receiver, Server, command, output, until};
use clipia_tests_postgres::{Database, Pooler};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

const FOX: &str = "/v1/models/nano-banana-2";

/// In seconds.
const DAY: i64 = 24 * 60 * 60;

/// A program that runs far longer than a test, and leaves its number where the test finds it.
const LONG: &str = "[[executor]]\nname = \"long\"\ncommand = [\"sh\", \"-c\", \"echo $$ >PIDS; exec sleep 600\"]\n\
    [[model]]\nslug = \"long\"\nexecutor = \"long\"\ntype = \"image\"\npricing = { credits = 3 }\n\
    input_schema = { parameters = [] }\n";

/// A database without a store; nothing where no PostgreSQL is installed.
fn empty() -> Option<Database> {
    Some(clipia_tests_postgres::Server::shared()?.database("template1"))
}

/// A database with a store that `clipia migrate` made.
fn migrated() -> Option<Database> {
    let database = empty()?;
    let made = output(command(&["migrate", "--json"]).env("CLIPIA_DATABASE_URL", database.url()));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Some(database)
}

fn options(database_url: &str, roles: &str) -> Options {
    Options { credits: Some(1_000), ..Options::default() }.with(&[
        "--database-url",
        database_url,
        "--roles",
        roles,
    ])
}

/// What a command that must fail says, and its exit code.
fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let ended = output(&mut command(arguments));
    (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
}

async fn submit(client: &Raw, model: &str, body: Value) -> String {
    client.post(model, &body).await.expect(200).json()["request_id"].as_str().unwrap().to_owned()
}

async fn status(client: &Raw, id: &str) -> String {
    let status = client.get(&format!("/v1/requests/{id}/status")).await.expect(200).json();
    status["status"].as_str().unwrap().to_owned()
}

#[test]
fn a_server_says_why_it_does_not_take_a_database() {
    let Some(database) = empty() else { return };
    let data = tempfile::tempdir().unwrap();
    let data = data.path().to_str().unwrap();
    let url = format!("{}&password=hunter2", database.url());
    let on =
        |url: &str| refused(&["serve", "--data", data, "--listen", "127.0.0.1:0", "--database-url", url]);
    let says = |(code, said): (Option<i32>, String), expected: (i32, &str)| {
        assert_eq!(code, Some(expected.0), "{said}");
        assert!(said.contains(expected.1) && !said.contains("hunter2"), "{said}");
    };
    says(on(&url), (1, "run `clipia migrate` once"));
    says(refused(&["migrate"]), (2, "--database-url"));
    for _ in 0..2 {
        let made = output(&mut command(&["migrate", "--database-url", &url]));
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    database.run("UPDATE clipia_schema SET version = 99");
    says(on(&url), (1, "use a newer `clipia`"));
    says(refused(&["migrate", "--database-url", &url]), (1, "use a newer `clipia`"));
    for refused in
        [on("mysql://me:hunter2@db"), refused(&["migrate", "--database-url", "mysql://me:hunter2@db"])]
    {
        says(refused, (2, "`--database-url`: a database has a URL such as"));
    }
    says(on("postgres:///clipia?host=/nowhere&password=hunter2"), (6, "cannot use the database"));
    says(refused(&["serve", "--data", data, "--roles", "api"]), (2, "`database_url` names none"));
    says(refused(&["serve", "--data", data, "--roles", "chef"]), (2, "api, workers, deliveries"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_server_accepts_another_makes_and_a_third_delivers() {
    let Some(database) = migrated() else { return };
    let Some(pooler) = Pooler::start(database.server()) else { return };
    let receiver = Receiver::start().await;
    let api = Server::start(options(&database.url(), "api"));
    let workers = api.join(options(&pooler.url(&database), "workers"));
    let deliveries = api.join(options(&database.url(), "deliveries"));
    let body = json!({
        "input": { "prompt": "a red fox", "resolution": "0.5K" }, "webhook_url": receiver.url()
    });
    for client in [api.live(), api.sandbox()] {
        let id = submit(&client, FOX, body.clone()).await;
        let delivery = receiver.wait_until(|delivered| delivered["request_id"] == id.as_str()).await;
        let delivered: Value = serde_json::from_slice(&delivery.body).unwrap();
        assert_eq!(delivered["status"], "OK", "{delivered}");
        assert_eq!(status(&client, &id).await, "COMPLETED");
    }
    assert!(!api.log().contains("generation started") && workers.log().contains("generation started"));
    for server in [&workers, &deliveries] {
        server.live().get("/v1/account").await.expect_error("not_found");
        assert_eq!(&Raw::new(&server.url).get("/readyz").await.body[..], b"ok\n");
    }
    for server in [&api, &workers, &deliveries] {
        assert_eq!(server.administer(&["doctor"])["violation"], Value::Null);
    }
    assert_eq!(api.balance().await, 1_000 - 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_reached_by_tls_where_its_certificate_is_trusted() {
    let Some((postgres, authority)) = clipia_tests_postgres::Server::with_tls() else { return };
    let database = postgres.database("template1");
    let (url, trusted) = (postgres.tls_url(&database), tempfile::NamedTempFile::new().unwrap());
    std::fs::write(trusted.path(), authority).unwrap();
    let (code, said) = refused(&["migrate", "--database-url", &url]);
    assert!(code != Some(0) && said.contains("certificate"), "{code:?} {said}");
    let unencrypted = url.replace("sslmode=require", "sslmode=disable");
    let (code, said) = refused(&["migrate", "--database-url", &unencrypted]);
    assert!(code != Some(0) && said.contains("no encryption"), "{code:?} {said}");
    let trust = ("SSL_CERT_FILE", trusted.path().as_os_str().to_owned());
    let made = output(command(&["migrate", "--database-url", &url]).env(trust.0, &trust.1));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let server = Server::start(Options { environment: vec![trust], ..options(&url, "api,workers") });
    let id = submit(&server.live(), FOX, json!({ "input": { "prompt": "a red fox" } })).await;
    until("the generation", async || (status(&server.live(), &id).await == "COMPLETED").then_some(())).await;
    let sessions = |ssl| {
        database.number(&format!(
            "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'clipia' AND ssl = {ssl}"
        ))
    };
    assert!(sessions(true) > 0);
    assert_eq!(sessions(false), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_was_kept_for_its_time_is_dropped() {
    let Some(database) = migrated() else { return };
    // The time of the media sets how often the cleaner looks.
    let server = Server::start(options(&database.url(), "api").with(&["--keep-media", "5s"]));
    let id = submit(&server.live(), FOX, json!({ "input": { "prompt": "a red fox" } })).await;
    server.administer(&["requests", "cancel", &id]);
    // The same request as if it had been made and canceled earlier: twice in each of two months.
    let (now, mut copies) = (database.number("SELECT extract(epoch FROM now())::bigint"), String::new());
    for ago in [200, 150].into_iter().flat_map(|days| [days * DAY, days * DAY + 30]) {
        let at = now - ago;
        let old = format!("first_id(to_timestamp({at}) AT TIME ZONE 'UTC')");
        let other = format!(
            "jsonb_build_object('id', {old}, 'request', {old}, 'completed_at', {at} * 1000000::bigint)"
        );
        write!(copies, "SELECT make_month({old});").unwrap();
        for (table, key) in [("request_content", "request"), ("request", "id"), ("movement", "id")] {
            let copy =
                format!("SELECT (jsonb_populate_record(t, {other})).* FROM {table} t WHERE {key} = '{id}'");
            write!(copies, "INSERT INTO {table} {copy};").unwrap();
        }
    }
    database.run(&copies);
    let over = format!("first_id(to_timestamp({}) AT TIME ZONE 'UTC')", now - 100 * DAY);
    let left = format!("SELECT count(*) FROM month WHERE leaving_at IS NULL AND after <= {over}");
    until("the months to be dropped", async || (database.number(&left) == 0).then_some(())).await;
    let movements = "SELECT count(*) FROM movement WHERE kind IN ('reserve', 'release')";
    until("their movements to be carried forward", async || (database.number(movements) == 2).then_some(()))
        .await;
    assert_eq!(database.number("SELECT count(*) FROM request"), 1);
    assert_eq!(status(&server.live(), &id).await, "CANCELED");
    assert_eq!(server.administer(&["doctor"])["violation"], Value::Null);
    assert_eq!(server.balance().await, 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_and_a_cancel_reach_every_server() {
    // Behind a pooler a server looks by itself, where it cannot listen at the database.
    for listens in [false, true] {
        let Some(database) = migrated() else { return };
        let Some(pooler) = Pooler::start(database.server()) else { return };
        let directory = tempfile::tempdir().unwrap();
        let pids = directory.path().join("pid");
        let models = LONG.replace("PIDS", pids.to_str().unwrap());
        let with = |url: String, roles, listens: bool| {
            let options = Options { models: Some(models.clone()), ..options(&url, roles) };
            if listens { options.with(&["--database-listen-url", &database.url()]) } else { options }
        };
        let api = Server::start(with(database.url(), "api,deliveries", true));
        let workers = api.join(with(pooler.url(&database), "workers", listens));
        let other = api.join(with(pooler.url(&database), "api", listens));
        let made = api.administer(&["keys", "create"]);
        let (name, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
        let client = Raw::new(&other.url).key(key);
        let id = submit(&client, "/v1/models/long", json!({ "input": {} })).await;
        let pid = until("the program runs", async || {
            std::fs::read_to_string(&pids).ok().filter(|pid| pid.ends_with('\n'))
        })
        .await;
        assert_eq!(status(&client, &id).await, "IN_PROGRESS");
        let canceled = Instant::now();
        api.administer(&["requests", "cancel", &id]);
        assert_eq!(status(&client, &id).await, "CANCELED");
        let process = format!("/proc/{}", pid.trim());
        until("the program ends", async || (!Path::new(&process).exists()).then_some(())).await;
        eprintln!(
            "listens: {listens}; a cancel ended the program of another server in {:?}",
            canceled.elapsed()
        );
        api.administer(&["keys", "revoke", name]);
        client.get("/v1/account").await.expect_error("invalid_api_key");
        drop(workers);
    }
}

/// Whether a server has done a round of a maintenance service.
async fn has_done(server: &Server, service: &str) -> bool {
    let metrics = Raw::new(&server.admin_url).get("/metrics").await.expect(200).body;
    let rounds = format!("clipia_maintenance_rounds_total{{service=\"{service}\",outcome=\"completed\"}}");
    String::from_utf8(metrics.to_vec()).unwrap().contains(&rounds)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server_does_the_maintenance_for_all_and_another_when_it_has_ended() {
    let Some(database) = migrated() else { return };
    let mut one = Server::start(options(&database.url(), "api"));
    until("the first does a round", async || has_done(&one, "cleaner").await.then_some(())).await;
    let other = one.join(options(&database.url(), "api"));
    // Each rescues the requests that its own attempts do not hold.
    until("the other does its own rounds", async || has_done(&other, "rescuer").await.then_some(())).await;
    assert!(!has_done(&other, "cleaner").await);
    assert!(one.terminate().success());
    until("the other does a round", async || has_done(&other, "cleaner").await.then_some(())).await;
}
