//! Tools for agents: `/mcp` of a server.

use crate::mcp::{TOOLS, completed, names, refused};
use crate::support::{Able, Options, REVISIONS, Raw, Server, metadata, until};
use serde_json::{Value, json};

/// A call of `/mcp` in the newest revision.
fn frame(method: &str, mut params: Value, able: Able) -> Value {
    params["_meta"] = metadata(able);
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

/// A client of `/mcp`, with the headers of a call.
fn caller(url: &str, method: &str, name: Option<&str>) -> Raw {
    let raw = Raw::new(url)
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", REVISIONS[0])
        .header("mcp-method", method);
    match name {
        Some(name) => raw.header("mcp-name", name),
        None => raw,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_has_the_tools_over_http() {
    let server = Server::start(Options { credits: Some(40), ..Options::default() }.with(&["--mcp"]));
    let list = frame("tools/list", json!({}), Able::default());
    let without = caller(&server.url, "tools/list", None).post("/mcp", &list).await;
    assert_eq!(without.status, 401);
    assert!(without.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
    let with_key = caller(&server.url, "tools/list", None).key(&server.live_key);
    let foreign = with_key.clone().header("origin", "https://example.com").post("/mcp", &list).await;
    assert_eq!(foreign.status, 403);
    with_key.clone().header("origin", "http://localhost:6274").post("/mcp", &list).await.expect(200);
    // A proxy passes on the name that clients call.
    with_key.clone().header("host", "queue.example.com").post("/mcp", &list).await.expect(200);
    let listed = with_key.post("/mcp", &list).await.expect(200).json();
    assert_eq!(names(&listed["result"]), TOOLS);
    assert!(!listed.to_string().contains("save_to"));

    let call = async |key: &str, name: &str, arguments: Value, able: Able| {
        let call = frame("tools/call", json!({ "name": name, "arguments": arguments }), able);
        let caller = caller(&server.url, "tools/call", Some(name)).key(key);
        caller.post("/mcp", &call).await.expect(200).json()["result"].clone()
    };
    let plain = Able::default();
    let image = json!({ "prompt": "a red fox", "resolution": "0.5K" });
    // 12 credits are more than a tenth of 40.
    refused(&call(&server.live_key, "generate_image", image.clone(), plain).await, "`max_cost: 12`");
    let asked = call(&server.live_key, "generate_image", image.clone(), Able { forms: true, ..plain }).await;
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let mut agreed = image.clone();
    agreed["max_cost"] = json!(12);
    completed(&call(&server.live_key, "generate_image", agreed.clone(), plain).await);
    assert_eq!(server.balance().await, 28);
    let dear = json!({ "prompt": "waves", "duration": 12, "max_cost": 1000 });
    refused(&call(&server.live_key, "generate_video", dear, plain).await, "the account has 28");
    // A sandbox key pays nothing, and is asked nothing.
    completed(&call(&server.test_key, "generate_image", image, plain).await);
    let path = json!({ "image_url": "/etc/passwd", "max_cost": 1000 });
    refused(&call(&server.live_key, "generate_video", path, plain).await, "`/etc/passwd` is no URL");
    agreed["save_to"] = json!("/tmp");
    refused(&call(&server.live_key, "generate_image", agreed, plain).await, "`save_to`");
    refused(&call("clipia_live_wrong", "get_balance", json!({}), plain).await, "invalid_api_key");

    // Clients of earlier revisions have no session either.
    let initialize = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": { "protocolVersion": REVISIONS[1],
        "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } } });
    let earlier =
        Raw::new(&server.url).header("accept", "application/json, text/event-stream").key(&server.live_key);
    let introduced = earlier.post("/mcp", &initialize).await.expect(200).json();
    assert_eq!(introduced["result"]["protocolVersion"], REVISIONS[1], "{introduced}");
    let balance = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": { "name": "get_balance", "arguments": {} } });
    let balance = earlier.header("mcp-protocol-version", REVISIONS[1]).post("/mcp", &balance).await;
    assert_eq!(balance.expect(200).json()["result"]["structuredContent"]["credits"], 28.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_has_no_tools_unless_it_is_told_to() {
    let mut server = Server::start(Options::default());
    let list = frame("tools/list", json!({}), Able::default());
    let closed = caller(&server.url, "tools/list", None).key(&server.live_key).post("/mcp", &list).await;
    assert_eq!(closed.status, 404);
    server.terminate();
    server.options = Options::default().with(&["--mcp"]);
    server.restart();
    let caller = caller(&server.url, "tools/call", Some("wait_generation")).key(&server.live_key);
    let long = json!({ "input": { "prompt": "waves", "duration": 12 } });
    let submitted = server.live().post("/v1/models/seedance-2-fast-t2v", &long).await.expect(200).json();
    let id = submitted["request_id"].clone();
    let waits = frame(
        "tools/call",
        json!({ "name": "wait_generation", "arguments": { "request_id": id } }),
        Able::default(),
    );
    let waiting = tokio::spawn(async move { caller.post("/mcp", &waits).await });
    until("the generation runs", async || {
        let status = server.live().get(&format!("/v1/requests/{}/status", id.as_str().unwrap())).await;
        (status.json()["status"] == "IN_PROGRESS").then_some(())
    })
    .await;
    // A wait does not keep the server from stopping.
    assert!(server.terminate().success());
    let response = waiting.await.unwrap();
    assert_eq!(response.status, 200);
}
