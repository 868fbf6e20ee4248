//! Source pictures that would cost much memory or time: their cost to the server is bounded.

use crate::hostile;
use crate::support::{Options, Server, until};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::time::Instant;

/// The largest memory peak of the server, in MiB: two sources that are decoded, and the server itself.
const MEMORY_MAX: u64 = 2 * 256 + 200;

#[tokio::test(flavor = "multi_thread")]
async fn no_source_picture_ends_the_server() {
    let mut server = Server::start(Options::default());
    let mut found = Vec::new();
    // A clip takes seconds to draw, so only one of the valid pictures is drawn.
    let mut pictures = hostile::pictures();
    let first = pictures.remove(0);
    pictures.retain(|picture| picture.refused.is_some());
    for picture in [first].into_iter().chain(pictures) {
        let bytes = picture.file.len();
        let since = Instant::now();
        let image = format!("data:image/png;base64,{}", STANDARD.encode(&picture.file));
        let ended = generated(&server, &image).await;
        let message = ended["error"]["message"].as_str().map(str::to_owned);
        let peak = server.memory_peak();
        println!(
            "{:>6.2} s {peak:>6} MiB {bytes:>9} bytes  {}: {} {message:?}",
            since.elapsed().as_secs_f64(),
            picture.name,
            ended["status"]
        );
        let right = match picture.refused {
            None => ended["status"] == "COMPLETED",
            Some(why) => message.is_some_and(|message| message.contains("image") && message.contains(why)),
        };
        if !right || peak > MEMORY_MAX {
            found.push(format!("{}: {peak} MiB, {ended}", picture.name));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
    server.live().get("/v1/account").await.expect(200);
    assert!(server.terminate().success());
}

/// The result of a short clip that starts from `image`.
async fn generated(server: &Server, image: &str) -> Value {
    let input =
        json!({ "input": { "prompt": "sway", "image_url": image, "duration": 1, "resolution": "480p" } });
    let live = server.live();
    let submitted = live.post("/v1/models/seedance-2-fast-i2v", &input).await.expect(200).json();
    let path = format!("/v1/requests/{}", submitted["request_id"].as_str().unwrap());
    until("the end of the generation", async || {
        let result = live.get(&path).await;
        (result.status != 202).then(|| result.json())
    })
    .await
}
