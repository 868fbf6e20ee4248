//! The public address of a server behind a proxy: the URLs of responses begin with it, and calls may have its path.

use crate::support::{Options, Server, command, output};
use serde_json::json;

const PUBLIC: &str = "https://example.com/queue";

fn options() -> Options {
    Options::default().with(&["--public-url", PUBLIC])
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_name_the_public_address_and_calls_may_have_its_path() {
    let server = Server::start(options());
    let live = server.live();
    let input = json!({ "input": { "prompt": "a fox", "resolution": "0.5K" } });
    let submitted = live.post("/queue/v1/models/nano-banana-2", &input).await.expect(200).json();
    let id = submitted["request_id"].as_str().unwrap().to_owned();
    assert_eq!(submitted["status_url"], format!("{PUBLIC}/v1/requests/{id}/status"));
    let result = server.result(&id).await;
    // The same result with and without the path.
    let path = format!("/v1/requests/{id}");
    assert_eq!(live.get(&format!("/queue{path}")).await.expect(200).json(), result);
    let file = result["output"]["images"][0]["original_url"].as_str().unwrap();
    let below = file.strip_prefix(PUBLIC).unwrap_or_else(|| panic!("{file}"));
    for path in [below.to_owned(), format!("/queue{below}")] {
        assert!(!live.get(&path).await.expect(200).body.is_empty(), "{path}");
    }
    // A file of the server is read as its own, not fetched from the public address.
    let again = json!({ "input": { "prompt": "it sways", "image_url": file, "duration": 1 } });
    let clip = live.post("/v1/models/seedance-2-fast-i2v", &again).await.expect(200).json();
    let ended = server.result(clip["request_id"].as_str().unwrap()).await;
    assert_eq!(ended["status"], "COMPLETED", "{ended}");
    live.get("/elsewhere/v1/models").await.expect(404);
}

#[test]
fn a_public_address_that_is_none_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for url in ["example.com", "https://example.com/?a=b", "https://user@example.com"] {
        let mut serve = command(&["serve", "--public-url", url]);
        let refused = output(serve.current_dir(directory.path()));
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains("https://queue.example.com"), "{said}");
    }
}
