//! What a model takes, and what is said of the rest.

use super::*;
use crate::types::InputWarning;
use proptest::prelude::*;
use serde_json::json;

fn model(parameters: Value) -> Model {
    let model = json!({"slug": "m", "type": "image", "input_schema": {"parameters": parameters}});
    serde_json::from_value(model).unwrap()
}

/// A model with a parameter of each type, with each rule.
fn every_kind() -> Model {
    model(json!([
        {"name": "prompt", "type": "string", "required": true, "minLength": 2, "maxLength": 5},
        {"name": "aspect_ratio", "type": "select", "options": ["1:1", {"value": "16:9", "label": ""}, 2]},
        {"name": "tier", "type": "select", "options": ["1K", "4K"]},
        {"name": "open", "type": "select"},
        {"name": "newer", "type": "select", "options": [{"id": "a"}]},
        {"name": "seed", "type": "integer", "min": 0, "max": 10},
        {"name": "odd", "type": "integer", "min": 1, "step": 2},
        {"name": "strength", "type": "number", "max": 1, "step": 0.1},
        {"name": "loop", "type": "boolean"},
        {"name": "image_url", "type": "image", "validation": {"media_types": ["image/png"]}},
        {"name": "video_url", "type": "video"},
        {"name": "audio_url", "type": "audio"},
        {"name": "camera", "type": "path of a newer API", "min": 3, "options": ["a"]},
    ]))
}

/// The messages about an input with all required parameters and this value.
fn said(name: &str, value: Value) -> Vec<String> {
    let mut input = Map::from_iter([("prompt".to_owned(), json!("fox"))]);
    input.insert(name.to_owned(), value);
    let model = every_kind();
    assert_eq!(warnings(&model, &input, []), []);
    faults(&model, &input).into_iter().map(|fault| fault.message).collect()
}

#[test]
fn each_fault_is_a_sentence() {
    for (name, value, message) in [
        ("prompt", json!(null), "`prompt` is required"),
        ("prompt", json!(7), "`prompt` must be a string; got 7"),
        ("prompt", json!(["a"]), "`prompt` must be a string; got an array"),
        ("prompt", json!(""), "`prompt` must not be empty"),
        ("prompt", json!("é"), "`prompt` must have at least 2 characters; got 1"),
        ("prompt", json!("ééééée"), "`prompt` must have at most 5 characters; got 6"),
        ("aspect_ratio", json!("17:9"), r#"`aspect_ratio` must be one of 1:1, 16:9, 2; got "17:9""#),
        ("aspect_ratio", json!({}), "`aspect_ratio` must be one of 1:1, 16:9, 2; got an object"),
        ("seed", json!("7"), r#"`seed` must be a whole number; got "7""#),
        ("seed", json!(1.5), "`seed` must be a whole number; got 1.5"),
        ("seed", json!(-1), "`seed` must be at least 0; got -1"),
        ("seed", json!(11), "`seed` must be at most 10; got 11"),
        ("odd", json!(4), "`odd` must be 1 plus a multiple of 2; got 4"),
        ("strength", json!(true), "`strength` must be a number; got true"),
        ("strength", json!(0.25), "`strength` must be 0 plus a multiple of 0.1; got 0.25"),
        ("loop", json!("yes"), r#"`loop` must be true or false; got "yes""#),
        ("image_url", json!("fox.png"), r#"`image_url` must be the URL of an image; got "fox.png""#),
        ("image_url", json!(""), r#"`image_url` must be the URL of an image; got """#),
        ("image_url", json!("HTTPS://a/b.png"), r#"`image_url` must be the URL of an image; got "HTTPS…""#),
        (
            "video_url",
            json!("data:image/png;base64,AAAA"),
            r#"`video_url` must be the URL of a video; got "data:image/png;base64…""#,
        ),
        ("video_url", json!("data:videos"), r#"`video_url` must be the URL of a video; got "data:videos""#),
        ("audio_url", json!(7), "`audio_url` must be the URL of an audio file; got 7"),
    ] {
        assert_eq!(said(name, value.clone()), [message], "{name} {value}");
    }
}

#[test]
fn a_value_that_the_schema_allows_or_says_nothing_about_is_no_fault() {
    for (name, value) in [
        ("prompt", json!("ééééé")),
        ("aspect_ratio", json!("16:9")),
        ("aspect_ratio", json!(2.0)),
        ("tier", json!("4k")),
        ("aspect_ratio", json!(null)),
        ("open", json!("anything")),
        ("newer", json!("b")),
        ("seed", json!(5.0)),
        ("odd", json!(3)),
        ("strength", json!(0.7)),
        ("strength", json!(-1e6)),
        ("image_url", json!("http://example.com/fox.gif")),
        ("image_url", json!("data:image/gif;base64,AAAA")),
        ("video_url", json!("data:video/mp4;base64,AAAA")),
        ("video_url", json!("https://example.com/fox.mp4")),
        ("audio_url", json!("https://example.com/fox.wav")),
        ("audio_url", json!("data:audio/wav;base64,AAAA")),
        ("camera", json!([1, 2])),
    ] {
        assert_eq!(said(name, value.clone()), [""; 0], "{name} {value}");
    }
    let text = serde_json::from_value(json!({"slug": "t", "type": "text"})).unwrap();
    let input = Map::from_iter([("anything".to_owned(), json!(1))]);
    assert_eq!((faults(&text, &input), warnings(&text, &input, [])), (vec![], vec![]));
}

#[test]
fn the_text_of_a_speech_model_is_checked_against_its_limits() {
    let speech: Model = serde_json::from_value(json!({
        "slug": "m", "type": "audio", "text_limits": {"min_chars": 2, "max_chars": 3},
        "input_schema": {"parameters": [{"name": "prompt", "type": "string", "required": true}]},
    }))
    .unwrap();
    for (input, message) in [
        (json!({}), "`prompt` is required"),
        (json!({"prompt": 7}), "`prompt` must be a string; got 7"),
        (json!({"prompt": ""}), "`prompt` must not be empty"),
        (json!({"prompt": "é"}), "`prompt` must have at least 2 characters; got 1"),
        (json!({"prompt": "ééé"}), ""),
        (json!({"prompt": "éééé"}), "`prompt` must have at most 3 characters; got 4"),
    ] {
        let found = faults(&speech, input.as_object().unwrap());
        let messages: Vec<&str> = found.iter().map(|fault| fault.message.as_str()).collect();
        assert_eq!(messages.join("; "), message, "{input}");
    }
}

#[test]
fn an_unknown_key_is_a_warning_that_names_the_nearest() {
    for (name, nearest) in [
        ("promt", Some("prompt")),
        ("Prompt", Some("prompt")),
        ("aspectRatio", Some("aspect_ratio")),
        ("sed", Some("seed")),
        ("mood", None),
        ("negative_prompt", None),
        ("", None),
    ] {
        let input = Map::from_iter([("prompt".to_owned(), json!("fox")), (name.to_owned(), json!(1))]);
        let hint = nearest.map_or(String::new(), |nearest| format!("; did you mean `{nearest}`?"));
        let message = format!("`{name}` is not a parameter of m and is ignored{hint}");
        let model = every_kind();
        let expected = [InputWarning::new("unknown_parameter", name, message)];
        assert_eq!((warnings(&model, &input, []), faults(&model, &input)), (expected.to_vec(), vec![]));
    }
}

#[test]
fn a_message_is_short_and_keeps_secrets() {
    let long = "x".repeat(10_000);
    let options: Vec<usize> = (0..500).collect();
    let model = model(json!([
        {"name": "voice", "type": "select", "options": options},
        {"name": "image_url", "type": "image"},
    ]));
    let image = "s3://key:secret@bucket/fox.png?token=secret";
    let input = json!({"voice": long, "image_url": image, long.clone(): 1});
    let input = input.as_object().unwrap();
    let (faults, warnings) = (faults(&model, input), warnings(&model, input, []));
    let messages = [&faults[0].message, &faults[1].message, &warnings[0].message];
    assert!(
        messages.iter().all(|message| message.len() < 250 && !message.contains("secret")),
        "{messages:?}"
    );
    assert!(messages[0].contains("18, 19, … (500 in all); got"), "{messages:?}");
    assert!(messages[1].ends_with(r#"got "s3…""#), "{messages:?}");
}

#[test]
fn warnings_are_bounded_whatever_is_named() {
    let long = "\u{1}\u{10ffff}".repeat(100_000);
    let mut input: Map<String, Value> =
        (0..20_000).map(|n| (format!("{n}{long:.70}"), Value::Null)).collect();
    input.insert("prompt".to_owned(), "fox".into());
    input.insert(long.clone(), Value::Null);
    let given = warnings(&every_kind(), &input, ["webhok_url", "prompt", "trace", &long]);
    assert_eq!(given.len(), WARNINGS_MAX + 1);
    assert_eq!(given[WARNINGS_MAX].message, "19989 more names are not known and are ignored");
    let written = serde_json::to_string(&given).unwrap();
    assert!(written.len() < 16 * 1024, "{} bytes", written.len());
    let messages: Vec<&str> = given.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(
        messages[..3],
        [
            "`webhok_url` is not known beside `input` and is ignored; did you mean `webhook_url`?",
            "`prompt` is not known beside `input` and is ignored; a parameter stands in `input`",
            "`trace` is not known beside `input` and is ignored",
        ]
    );
    assert_eq!(given[3].parameter.chars().count(), NAME_CHARACTERS_MAX + 1);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,80}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,8}", inner, 0..4)
                .prop_map(|map| Value::from(Map::from_iter(map))),
        ]
    })
}

proptest! {
    #[test]
    fn no_input_and_no_schema_panics(
        kind in "string|integer|number|boolean|select|image|video|audio|other",
        (min, max, step) in any::<(Option<f64>, Option<f64>, Option<f64>)>(),
        (least, most) in any::<(Option<u64>, Option<u64>)>(),
        options in prop::collection::vec(any_json(), 0..4),
        (name, other) in ("[a-z_]{0,8}", ".{0,8}"),
        (value, more) in (any_json(), any_json()),
    ) {
        let model = model(json!([{
            "name": name, "type": kind, "min": min, "max": max, "step": step, "minLength": least,
            "maxLength": most, "options": options, "required": true,
        }]));
        let input = Map::from_iter([(name, value), (other, more)]);
        warnings(&model, &input, []);
        let faults = faults(&model, &input);
        prop_assert!(faults.len() <= 1, "{:?}", faults);
    }
}
