//! Responses of receivers, and catalogues of operators. `cargo xtask fuzz` runs these tests with a million cases each.

use clipia_queue::catalogue::Catalogue;
use clipia_queue::pricing::Unpriced;
use clipia_queue::schedules::{DELIVERY_ATTEMPTS, delivery_pause};
use clipia_queue::{Credits, input, pricing};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// A number as an operator may write it, valid or not.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::sample::select(vec!["0.5", "1", "2", "10", "1000"]).prop_map(str::to_owned),
        2 => prop::sample::select(vec![
            "0", "-0.0", "-1", "nan", "-inf", "inf", "1e-12", "1e9", "1e300", "9223372036854775807", "\"2\"", "true",
        ])
        .prop_map(str::to_owned),
        1 => any::<f64>().prop_filter("TOML has a form of its own for these", |n| n.is_finite()).prop_map(|n| format!("{n:?}")),
    ]
}

/// A catalogue with arbitrary numbers, and an input for its model.
fn catalogue() -> impl Strategy<Value = (String, Value)> {
    let quantity = prop_oneof![any::<f64>(), 0.0..20.0_f64, any::<i32>().prop_map(f64::from)];
    (prop::collection::vec(number(), 9), prop::bool::ANY, quantity).prop_map(|(n, bounded, quantity)| {
        let bounds = if bounded { format!(", min = {}, max = {}, step = {}", n[0], n[1], n[2]) } else { String::new() };
        let document = format!(
            r#"
            [[model]]
            executor = "render"
            slug = "house"
            type = "image"
            attempt_seconds_max = {}
            pricing = {{ credits_base = {}, billing_unit = "second", unit_size = {}, minimum_credits = {}, multipliers = {{ hd = {{ true = {}, false = {} }} }} }}
            input_schema = {{ parameters = [{{ name = "hd", type = "boolean" }}, {{ name = "duration", type = "number"{bounds} }}] }}
            "#,
            if bounded { "600" } else { &n[3] }, n[4], n[5], n[6], n[7], n[8]
        );
        (document, json!({"hd": quantity > 5.0, "duration": quantity}))
    })
}

/// A model as an operator may write it.
const MODEL: &str = include_str!("../src/catalogue.toml");

/// Lines of the built-in catalogue: some values and keys are changed, some lines are repeated or missing.
fn models_file() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        any::<f64>().prop_map(|number| format!("{number:?}")),
        any::<i64>().prop_map(|number| number.to_string()),
        "(true|\\[\\]|\\{\\}|\"\"|nan|-inf|0|-0.0|1e400|\"[a-zA-Z0-9_. -]{0,9}\"|'''|\\[\"a\", 1\\])",
    ];
    let edit = (any::<prop::sample::Index>(), 0..4_u8, value);
    let lines: Vec<&str> = MODEL.lines().collect();
    let one = lines.iter().skip(1).position(|line| *line == "[[model]]").map_or(lines.len(), |end| end + 1);
    let start = prop_oneof![Just(lines[..one].to_vec()), Just(lines)];
    (start, proptest::collection::vec(edit, 0..4)).prop_map(|(lines, edits)| {
        let mut lines: Vec<String> = lines.into_iter().map(str::to_owned).collect();
        for (index, kind, value) in edits {
            let index = index.index(lines.len());
            match kind {
                0 => drop(lines.remove(index)),
                1 => lines.insert(index, lines[index].clone()),
                2 => lines[index] = value,
                _ => {
                    if let Some((key, _)) = lines[index].split_once('=') {
                        lines[index] = format!("{key}= {value}");
                    }
                }
            }
            if lines.is_empty() {
                break;
            }
        }
        lines.join("\n")
    })
}

/// Whether the text of a catalogue is accepted. An accepted catalogue must be consistent.
fn taken(text: &str) -> Result<bool, TestCaseError> {
    let built_in = Catalogue::built_in();
    let catalogue = match built_in.with(text) {
        Ok(catalogue) => catalogue,
        Err(refused) => {
            prop_assert!(!refused.to_string().is_empty());
            return Ok(false);
        }
    };
    let slugs = |catalogue: &Catalogue| {
        catalogue.iter().map(|entry| entry.model.slug.clone()).collect::<BTreeSet<_>>()
    };
    prop_assert!(slugs(&built_in).is_subset(&slugs(&catalogue)), "a built-in model is missing");
    for entry in catalogue.iter() {
        prop_assert!(catalogue.get(&entry.model.slug) == Some(entry));
        // The API sends a model as JSON, which has no NaN. It must parse to the same model.
        let told = json!(entry.model);
        prop_assert!(!told["slug"].as_str().unwrap_or_default().is_empty());
        let input =
            Map::from_iter([("prompt".to_owned(), json!("fox")), ("text".to_owned(), Value::from("fox"))]);
        if let Ok(checked) = input::check(&entry.model, &input) {
            let price = pricing::price(&entry.model, &checked.input);
            prop_assert!(price.is_ok(), "{}: {price:?}", entry.model.slug);
        }
    }
    Ok(true)
}

#[test]
fn catalogues_are_taken_and_refused() {
    for (text, expected) in [
        (MODEL, true),
        ("", true),
        ("[[model]]", false),
        ("model = 1", false),
        (&format!("{MODEL}\n{MODEL}"), false),
        (&MODEL.replace("type = \"image\"", "type = \"smell\""), false),
    ] {
        assert_eq!(taken(text).unwrap(), expected, "{}", text.chars().take(60).collect::<String>());
    }
}

proptest! {
    /// A catalogue is refused at the start, or every valid input has a price above zero. Only a number in the input itself may
    /// be out of range.
    #[test]
    fn any_catalogue_is_refused_or_prices_its_inputs((document, given) in catalogue()) {
        let catalogue = match Catalogue::built_in().with(&document) {
            Ok(catalogue) => catalogue,
            Err(error) => {
                let told = error.to_string();
                prop_assert!(told.starts_with("model `house`: "), "{}", told);
                return Ok(());
            }
        };
        let model = &catalogue.get("house").unwrap().model;
        if let Ok(checked) = input::check(model, given.as_object().unwrap()) {
            match pricing::price(model, &checked.input) {
                Ok(price) => prop_assert!(price > Credits::ZERO, "{}", document),
                Err(error) => {
                    prop_assert_eq!(error, Unpriced::Range);
                    let duration = checked.input["duration"].as_f64().unwrap();
                    prop_assert!(!(0.0..=1e6).contains(&duration), "{} of {}", duration, document);
                }
            }
        }
    }

    /// Whatever `Retry-After` says, a delivery waits for a bounded time.
    #[test]
    fn any_retry_after_is_bounded(
        attempts in prop_oneof![0..8_u32, any::<u32>()],
        chance in 0.0..=1.0_f64,
        asked in proptest::option::of((any::<u64>(), 0..1_000_000_000_u32)),
    ) {
        let asked = asked.map(|(seconds, nanos)| Duration::new(seconds, nanos));
        let pause = delivery_pause(attempts, chance, asked);
        prop_assert_eq!(pause.is_some(), (1..DELIVERY_ATTEMPTS).contains(&attempts));
        if let Some(pause) = pause {
            prop_assert!((Duration::from_secs(4)..=Duration::from_secs(4 * 60 * 60)).contains(&pause));
        }
    }

    /// Any catalogue is refused with a reason, or each of its models has a price.
    #[test]
    fn any_catalogue_is_taken_or_refused(text in models_file()) {
        taken(&text)?;
    }
}
