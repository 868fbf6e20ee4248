//! This repository's SDK behind the layer, over a socket. It does as responses say, so nothing may be found.

use super::*;
use clipia::Clipia;
use std::future::IntoFuture;

/// Longer than a busy machine takes. Only a failing test waits so long.
const DEADLINE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_sdk_reaches_every_end_and_is_not_found() {
    let emulated =
        Emulated::new("").fault("submit 503 retry-after=1s x1").fault("status 429 retry-after=1s x1");
    let emulated = emulated.fault("result cut=5B x1").fault("result empty x1").fault("status html x1");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(axum::serve(listener, emulated.router.clone()).into_future());
    // A client of its own for each, since one that got a 429 makes few calls for a while.
    let client = || Clipia::builder().key(KEY).base_url(&url).build().unwrap();
    let prompts = [
        "@polls=3 a fox",
        "@position=2,1 @progress=50 a fox",
        "@reject=429*2 @polls=2 a fox",
        "@reject=503*1 @status=PAUSED @extra a fox",
    ];
    let ends = prompts.map(async |prompt| {
        let generation = client().submit("m", json!({ "prompt": prompt })).await.unwrap();
        generation.status().await.unwrap();
        generation.wait().timeout(DEADLINE).await.unwrap();
    });
    futures_util::future::join_all(ends).await;
    assert_eq!(emulated.emulation.findings(), []);
    let faults: Vec<String> =
        emulated.journal().iter().filter_map(|call| call["fault"].as_str().map(str::to_owned)).collect();
    for fault in ["503 retry-after=1s", "429 retry-after=1s", "cut=5B", "empty", "html", "@reject=429*2"] {
        assert!(faults.iter().any(|noted| noted == fault), "{fault}: {faults:?}");
    }
    server.abort();
}
