//! What receivers answer and operators write. `cargo xtask fuzz` runs these with a million cases each.

use clipia_queue::catalogue::Catalogue;
use clipia_queue::pricing::Unpriced;
use clipia_queue::schedules::{DELIVERY_ATTEMPTS, delivery_pause};
use clipia_queue::{Credits, input, pricing};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;

/// A number as an operator may write it, right or wrong.
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

/// A catalogue in which each number may be any, and an input for its model.
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

proptest! {
    /// A catalogue is refused at the start, or every input that it takes has a price above nothing. What has none is an
    /// input's own number.
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
}
