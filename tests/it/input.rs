//! The SDK's check of an input, which knows only the catalogue, beside the server's check, which decides.

use axum::extract::{Path, State};
use axum::{Json, Router, routing};
use clipia::{Clipia, Error, InputWarning, Model};
use clipia_queue::catalogue::Catalogue;
use clipia_queue::input;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// A parameter of every kind, with every rule.
fn every_kind() -> Model {
    let parameters = json!([
        { "name": "prompt", "type": "string", "required": true, "minLength": 2, "maxLength": 6 },
        { "name": "voice", "type": "select", "options": ["kore", { "value": "puck", "label": "" }, 2, true] },
        { "name": "newer", "type": "select", "options": [{ "id": "a" }] },
        { "name": "seed", "type": "integer", "min": 0, "max": 4_294_967_295_u32, "step": 1 },
        { "name": "odd", "type": "integer", "min": 1, "step": 2 },
        { "name": "strength", "type": "number", "min": 0.05, "max": 20, "step": 0.1 },
        { "name": "loop", "type": "boolean" },
        { "name": "image_url", "type": "image", "validation": { "media_types": ["image/png"] } },
        { "name": "video_url", "type": "video" },
        { "name": "audio_url", "type": "audio" },
        { "name": "camera", "type": "path of a newer API", "max": 1 },
    ]);
    let model =
        json!({ "slug": "every-kind", "type": "image", "input_schema": { "parameters": parameters } });
    serde_json::from_value(model).unwrap()
}

/// A speech model whose text limits are outside the parameter.
fn speech() -> Model {
    let model = json!({
        "slug": "speech", "type": "audio", "text_limits": { "min_chars": 1, "max_chars": 3 },
        "input_schema": { "parameters": [{ "name": "prompt", "type": "string", "required": true }] },
    });
    serde_json::from_value(model).unwrap()
}

/// A client of a server with these models only.
struct Checker {
    models: Arc<BTreeMap<String, Model>>,
    runtime: Runtime,
    clipia: Clipia,
    _serving: JoinHandle<()>,
}

impl Checker {
    fn new() -> Self {
        let built_in = Catalogue::built_in();
        let models = built_in.iter().map(|entry| entry.model.clone()).chain([every_kind(), speech()]);
        let models: BTreeMap<_, _> = models.map(|model| (model.slug.clone(), model)).collect();
        let models = Arc::new(models);
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router =
            Router::new().route("/v1/models/{slug}", routing::get(model)).with_state(Arc::clone(&models));
        let serving = runtime.spawn(async move { axum::serve(listener, router).await.unwrap() });
        let clipia = Clipia::builder().key("clipia_live_0123456789abk3Qz").base_url(url).build().unwrap();
        Self { models, runtime, clipia, _serving: serving }
    }

    /// The SDK's warnings, or the faults that it finds.
    fn sdk(&self, slug: &str, given: &Map<String, Value>) -> Result<Vec<InputWarning>, Vec<String>> {
        self.runtime.block_on(self.clipia.check(slug, given)).map_err(|error| {
            let Error::Input(input) = error else { panic!("{error}") };
            input.faults().iter().map(|fault| fault.message.clone()).collect()
        })
    }

    /// The server's warnings, or the faults that it finds.
    fn server(&self, slug: &str, given: &Map<String, Value>) -> Result<Vec<InputWarning>, Vec<String>> {
        let checked = input::check(&self.models[slug], given).map_err(|invalid| invalid.faults)?;
        Ok(checked.warnings)
    }
}

async fn model(State(models): State<Arc<BTreeMap<String, Model>>>, Path(slug): Path<String>) -> Json<Model> {
    Json(models[&slug].clone())
}

fn parameters(warnings: &[InputWarning]) -> Vec<&str> {
    warnings.iter().map(|warning| warning.parameter.as_str()).collect()
}

#[test]
fn the_sdk_finds_the_faults_that_the_server_finds() {
    let checker = Checker::new();
    for (slug, input) in [
        ("nano-banana-2", json!({})),
        ("nano-banana-2", json!({ "prompt": null, "aspect_ratio": "17:9", "seed": -1 })),
        ("nano-banana-2", json!({ "prompt": "", "resolution": 2, "seed": 4_294_967_296_u64 })),
        ("nano-banana-pro", json!({ "prompt": "x".repeat(2_001), "num_images": 0 })),
        ("nano-banana-pro", json!({ "prompt": ["a fox"], "num_images": 1.5 })),
        ("seedance-2-fast-t2v", json!({ "prompt": {}, "duration": "5" })),
        ("seedance-2-fast-i2v", json!({ "prompt": "a fox", "image_url": "fox.png", "duration": 13 })),
        ("seedance-2-fast-i2v", json!({ "image_url": "ftp://example.com/fox.png" })),
        ("gemini-3-1-flash-tts", json!({ "prompt": "", "voice": "Nobody" })),
        ("gemini-3-1-flash-tts", json!({ "prompt": "a".repeat(5_001), "voice": 7 })),
        ("speech", json!({ "prompt": "four" })),
        ("every-kind", json!({ "prompt": "é", "voice": false, "loop": 1, "odd": 2, "strength": 0.1 })),
        ("every-kind", json!({ "prompt": "seven c", "strength": true, "image_url": "data:text/plain,fox" })),
    ] {
        let given = input.as_object().unwrap();
        let (sdk, server) = (checker.sdk(slug, given).unwrap_err(), checker.server(slug, given).unwrap_err());
        // Both name the parameter; their messages differ.
        let about = |faults: &[String]| -> Vec<String> {
            faults.iter().map(|fault| fault.split('`').nth(1).unwrap().to_owned()).collect()
        };
        assert_eq!(about(&sdk), about(&server), "{slug} {input}: {sdk:?} {server:?}");
    }
}

/// Values close to those that a parameter takes.
fn value() -> impl Strategy<Value = Value> {
    let numbers = prop_oneof![
        (-3i64..30).prop_map(Value::from),
        Just(json!(4_294_967_295_u32)),
        any::<i64>().prop_map(Value::from),
        (0..220u32).prop_map(|tenths| json!(f64::from(tenths) * 0.1 + 0.05)),
        (0..22u32).prop_map(|whole| json!(f64::from(whole))),
        any::<f64>().prop_map(Value::from),
    ];
    let texts = prop_oneof![
        prop::sample::select(vec![
            "kore",
            "puck",
            "Zephyr",
            "4k",
            "1:1",
            "16:9",
            "9:16",
            "1K",
            "2K",
            "720p",
            "1080p",
            "a fox",
            "",
            "https://example.com/a b",
            "http://",
            "data:image/png;base64,",
            "data:image/",
            "HTTPS://example.com",
            "fox.png",
        ])
        .prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    let others = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        Just(json!([])),
        Just(json!(["kore"])),
        Just(json!({ "value": "kore" })),
        Just(json!({ "id": "a" })),
    ];
    prop_oneof![4 => numbers, 4 => texts, 1 => others]
}

/// Inputs of a model. Required parameters are mostly present and valid; otherwise hardly any input would be accepted.
fn inputs(model: &Model) -> impl Strategy<Value = (String, Map<String, Value>)> + use<> {
    let known = &model.input_schema.as_ref().unwrap().parameters;
    let required: Vec<(String, Value)> = known
        .iter()
        .filter(|parameter| parameter.required == Some(true))
        .map(|parameter| {
            let image = parameter.type_ == "image";
            (parameter.name.clone(), json!(if image { "https://example.com/fox.png" } else { "a fox" }))
        })
        .collect();
    let names: Vec<String> = known
        .iter()
        .map(|parameter| parameter.name.clone())
        .chain(["promt".to_owned(), String::new()])
        .collect();
    let given = prop::collection::btree_map(prop::sample::select(names), value(), 1..3);
    (Just(model.slug.clone()), Just(required), given)
        .prop_map(|(slug, required, given)| (slug, Map::from_iter(required.into_iter().chain(given))))
}

#[test]
fn the_sdk_refuses_nothing_that_the_server_accepts() {
    let checker = Checker::new();
    let (accepted, refused) = (Cell::new(0), Cell::new(0));
    for model in checker.models.values() {
        let cases = ProptestConfig { cases: 1_000, failure_persistence: None, ..Default::default() };
        let held = TestRunner::new(cases).run(&inputs(model), |(slug, given)| {
            let (sdk, server) = (checker.sdk(&slug, &given), checker.server(&slug, &given));
            let outcome = if server.is_ok() { &accepted } else { &refused };
            outcome.set(outcome.get() + 1);
            match (&sdk, &server) {
                (Ok(sdk), Ok(server)) => prop_assert_eq!(parameters(sdk), parameters(server)),
                (Err(sdk), Ok(_)) => prop_assert!(false, "the server accepts it: {:?}", sdk),
                (Ok(_), Err(_)) => {}
                (Err(sdk), Err(server)) => prop_assert!(sdk.len() <= server.len(), "{:?} {:?}", sdk, server),
            }
            Ok(())
        });
        held.unwrap_or_else(|failure| panic!("{failure}"));
    }
    assert!(accepted.get() > 500 && refused.get() > 500, "{accepted:?} {refused:?}");
}
