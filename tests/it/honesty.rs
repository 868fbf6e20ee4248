//! The built-in model says what it is, what it does not draw, and by which seed it drew.

use crate::support::{Options, Raw, Server, until};
use serde_json::{Value, json};

/// The result of a generation that completes.
async fn completed(live: &Raw, model: &str, input: Value) -> Value {
    let submitted =
        live.post(&format!("/v1/models/{model}"), &json!({ "input": input })).await.expect(200).json();
    let path = format!("/v1/requests/{}", submitted["request_id"].as_str().unwrap());
    let ended = until("the end of the generation", async || {
        let result = live.get(&path).await;
        (result.status != 202).then(|| result.json())
    });
    let result = ended.await;
    assert_eq!(result["status"], "COMPLETED", "{result}");
    result
}

/// The file of an image in full quality.
async fn file(server: &Server, image: &Value) -> Vec<u8> {
    let url = image["original_url"].as_str().unwrap();
    server.live().get(url.strip_prefix(&server.url).unwrap()).await.expect(200).body.to_vec()
}

fn says(file: &[u8], text: &str) -> bool {
    file.windows(text.len()).any(|part| part == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn models_outputs_and_files_say_that_they_are_procedural() {
    let server = Server::start(Options::default());
    let live = server.live();
    let models = live.get("/v1/models").await.expect(200).json();
    for model in models["data"].as_array().unwrap() {
        assert_eq!(model["procedural"], true, "{model}");
    }
    let input = json!({ "prompt": "a hidden waterfall", "resolution": "0.5K" });
    let result = completed(&live, "nano-banana-2", input).await;
    assert_eq!(result["output"]["procedural"], true);
    let png = file(&server, &result["output"]["images"][0]).await;
    assert!(says(&png, "clipia-render") && says(&png, "Procedural") && says(&png, "algorithmicMedia"));
    assert!(!says(&png, "waterfall"), "a file does not tell its prompt");
    let sample =
        server.sandbox().post("/v1/models/nano-banana-2", &json!({ "input": { "prompt": "a fox" } })).await;
    let path = format!("/v1/requests/{}", sample.expect(200).json()["request_id"].as_str().unwrap());
    let sample = server.sandbox().get(&path).await.expect(200).json();
    assert_eq!((&sample["output"]["procedural"], sample["output"].get("seed")), (&json!(true), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_returned_seed_makes_the_same_picture_again() {
    let server = Server::start(Options::default());
    let live = server.live();
    let small = |seed: Value| {
        let mut input = json!({ "prompt": "a fox in a forest", "resolution": "0.5K" });
        input["seed"] = seed;
        input
    };
    let drawn =
        completed(&live, "nano-banana-2", json!({ "prompt": "a fox in a forest", "resolution": "0.5K" }))
            .await;
    let (seed, image) = (&drawn["output"]["seed"], &drawn["output"]["images"][0]);
    assert!(seed.is_u64() && image["seed"] == *seed, "{drawn}");
    let again = completed(&live, "nano-banana-2", small(seed.clone())).await;
    assert_eq!(again["output"]["seed"], *seed);
    assert!(file(&server, image).await == file(&server, &again["output"]["images"][0]).await);

    // The greatest seed: the one after it is the least.
    let several = |images: u32, seed: u64| json!({ "prompt": "waves", "num_images": images, "seed": seed });
    let two = completed(&live, "nano-banana-pro", several(2, u64::from(u32::MAX))).await;
    let images = two["output"]["images"].as_array().unwrap();
    let seeds: Vec<&Value> = images.iter().map(|image| &image["seed"]).collect();
    assert_eq!(seeds, [&json!(u32::MAX), &json!(0)]);
    let second = completed(&live, "nano-banana-pro", several(1, 0)).await;
    assert!(file(&server, &images[1]).await == file(&server, &second["output"]["images"][0]).await);

    // Speech takes no seed, so it returns none.
    let speech = completed(&live, "gemini-3-1-flash-tts", json!({ "prompt": "hello" })).await;
    assert_eq!((&speech["output"]["procedural"], speech["output"].get("seed")), (&json!(true), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_drawn_is_in_a_warning_of_submit_estimate_and_every_repetition() {
    let server = Server::start(Options::default());
    let live = server.live().header("idempotency-key", "dragon-1");
    let body = |prompt: &str| json!({ "input": { "prompt": prompt, "resolution": "0.5K" } });
    let dragon = body("a dragon over a cathedral at night");
    let submitted = live.post("/v1/models/nano-banana-2", &dragon).await.expect(200).json();
    let message = "the built-in model is procedural and draws nothing for `dragon` and `cathedral`";
    let warnings = json!([{ "code": "not_drawn", "parameter": "prompt", "message": message }]);
    assert_eq!(submitted["warnings"], warnings);
    let repeated = live.post("/v1/models/nano-banana-2", &dragon).await.expect(200).json();
    assert_eq!((&repeated["request_id"], &repeated["warnings"]), (&submitted["request_id"], &warnings));
    let estimated = live.post("/v1/models/nano-banana-2/estimate", &dragon).await.expect(200).json();
    assert_eq!(estimated["warnings"], warnings);
    let known = body("a poster that says \"Dragon\" over a lighthouse in a storm");
    let known = server.live().post("/v1/models/nano-banana-2", &known).await.expect(200).json();
    assert_eq!(known.get("warnings"), None);
}
