//! What receivers answer, and what operators write. `cargo xtask fuzz` runs these with a million cases each.

use clipia_queue::catalogue::Catalogue;
use clipia_queue::schedules::{DELIVERY_ATTEMPTS, delivery_pause};
use clipia_queue::{input, pricing};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// A model as an operator may write it.
const MODEL: &str = include_str!("../src/catalogue.toml");

/// Lines of the built-in catalogue with some values and keys changed, some lines doubled and some left out.
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

/// What becomes of a catalogue's text: whether it is taken, and then it must hold.
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
    prop_assert!(slugs(&built_in).is_subset(&slugs(&catalogue)), "a model that was there is gone");
    for entry in catalogue.iter() {
        prop_assert!(catalogue.get(&entry.model.slug) == Some(entry));
        // What is told of a model is JSON, which has no NaN, and is read as it was.
        let told = serde_json::to_value(&entry.model).unwrap();
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
    /// Whatever a receiver asks for, a delivery waits a bounded time, and not for ever.
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

    /// Whatever an operator writes as a catalogue, it is refused with a reason, or each model in it has a price.
    #[test]
    fn any_catalogue_is_taken_or_refused(text in models_file()) {
        taken(&text)?;
    }
}
