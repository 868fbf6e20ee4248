//! What a key may do: sandbox and live are separate, a revoked key submits nothing, scopes; and the audit of operators.

use crate::contract::small_fox;
use crate::support::{Options, Raw, Server};
use serde_json::{Value, json};
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const FOX: &str = "/v1/models/nano-banana-2";

async fn submit(client: &Raw) -> String {
    client.post(FOX, &small_fox()).await.expect(200).json()["request_id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_and_live_are_separate() {
    let server = Server::start(Options::default());
    let (live, sandbox) = (server.live(), server.sandbox());
    let ids = [submit(&live).await, submit(&sandbox).await];
    for (own, others, clients) in
        [(&ids[0], &ids[1], [&live, &sandbox]), (&ids[1], &ids[0], [&sandbox, &live])]
    {
        for path in ["", "/status"] {
            let status = clients[0].get(&format!("/v1/requests/{own}{path}")).await.status;
            assert!(status.is_success(), "{status}");
            clients[0].get(&format!("/v1/requests/{others}{path}")).await.expect_error("not_found");
        }
    }
    // A sandbox key sees no live credits.
    let account = sandbox.get("/v1/account").await.expect(200).json();
    assert_eq!(account["usage_30d"], json!({ "requests": 0, "credits_spent": 0 }), "{account}");
    assert_eq!((account["balance"]["credits"].as_u64(), server.balance().await), (Some(10_000), 9_988));
    // One idempotency key for two submits.
    let named = |client: &Raw| client.clone().header("idempotency-key", "fox-1");
    let twice = [submit(&named(&live)).await, submit(&named(&sandbox)).await];
    assert_ne!(twice[0], twice[1]);
    assert_eq!(twice, [submit(&named(&live)).await, submit(&named(&sandbox)).await]);
    assert_eq!(server.administer(&["doctor"])["violation"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_revoked_while_its_body_arrives_submits_nothing() {
    let server = Server::start(Options::default());
    let made = server.administer(&["keys", "create"]);
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    let body = small_fox().to_string();
    let (first, rest) = body.split_at(body.len() / 2);
    let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
    let head = format!(
        "POST {FOX} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\
         expect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body once it has accepted the key.
    let mut received = vec![0; 25];
    stream.read_exact(&mut received).await.unwrap();
    assert!(received.starts_with(b"HTTP/1.1 100 "), "{}", String::from_utf8_lossy(&received));
    stream.write_all(first.as_bytes()).await.unwrap();
    server.administer(&["keys", "revoke", id]);
    stream.write_all(rest.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 401 ") && response.contains("invalid_api_key"), "{response}");
    assert_eq!(server.administer(&["requests", "list"]), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_reads_and_only_the_scope_generate_submits() {
    let server = Server::start(Options::default());
    let id = submit(&server.live()).await;
    for (scope, may) in [("read", false), ("generate", true), ("generate,read", true)] {
        let made = server.administer(&["keys", "create", "--scope", scope]);
        let client = Raw::new(&server.url).key(made["key"].as_str().unwrap());
        let status = client.get(&format!("/v1/requests/{id}/status")).await.status;
        assert_eq!(status, 200, "{scope}");
        let submitted = client.post(FOX, &small_fox()).await;
        match may {
            true => drop(submitted.expect(200)),
            false => submitted.expect_error("insufficient_scope"),
        }
    }
}

/// A client of the administration, with its token.
fn administration(data: &Path) -> Raw {
    let access: Value = serde_json::from_slice(&std::fs::read(data.join("admin.json")).unwrap()).unwrap();
    Raw::new(access["url"].as_str().unwrap()).key(access["token"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_lists_what_operators_did_without_secrets() {
    let server = Server::start(Options::default());
    let made = server.administer(&["keys", "create", "--test"]);
    let key = made["id"].as_str().unwrap();
    let account = server.administer(&["accounts", "create", "--credits", "7"]);
    let account = account["account_id"].as_str().unwrap();
    server.administer(&["credits", "grant", account, "5"]);
    server.administer(&["keys", "revoke", key]);
    let rotated = server.administer(&["webhooks", "rotate", "--account", account]);
    let copy = server.data().join("copy.db");
    server.administer(&["backup", copy.to_str().unwrap()]);
    let wrong = "clipia_live_wrong";
    for _ in 0..3 {
        Raw::new(&server.url).key(wrong).get("/v1/account").await.expect_error("invalid_api_key");
    }
    let administration = administration(server.data());
    administration
        .clone()
        .only("authorization", "Bearer wrong")
        .get("/keys")
        .await
        .expect_error("invalid_api_key");
    let audit = server.administer(&["audit"]);
    let acts: Vec<_> = audit
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|entry| {
            let text = |name: &str| entry[name].as_str().unwrap().to_owned();
            (text("act"), text("subject"), text("detail"))
        })
        .collect();
    let noted = |act: &str, subject: &str, detail: &str| {
        let found = acts
            .iter()
            .any(|(a, s, d)| a == act && (subject.is_empty() || s == subject) && d.contains(detail));
        assert!(found, "{act} {subject} {detail}: {acts:?}");
    };
    noted("account created", account, "7 credits");
    noted("credits granted", account, "5 credits");
    noted("key created", key, "sandbox key");
    noted("key revoked", key, "");
    noted("webhook secret rotated", account, "");
    noted("store backed up", "", "copy.db");
    noted("API key refused", "", "3 times");
    noted("administration token refused", "", "once");
    let all = audit.to_string();
    for secret in [
        &server.live_key,
        &server.webhook_secret,
        wrong,
        made["key"].as_str().unwrap(),
        rotated["webhook_secret"].as_str().unwrap(),
    ] {
        assert!(!all.contains(secret), "{all}");
    }
    assert_eq!(server.administer(&["audit", "--limit", "2"]).as_array().unwrap().len(), 2);

    // An amount that no account can have is refused as such.
    let order = json!({ "credits": 9_223_372_036_854_775_808_u64 });
    administration.post("/accounts", &order).await.expect_error("invalid_request");
}
