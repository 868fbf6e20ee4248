//! The numbers of a model as they are written, before any type reads them: a fault names the key.

use super::rules::Finding;
use toml::Value;

/// The first number of a model that is none, is not finite or has the wrong sign for its key.
pub(super) fn finding(model: &Value) -> Option<Finding> {
    let (path, must) = fault_in("", model)?;
    let sentence = format!("`{}` must be {must}", path.trim_start_matches('.'));
    Some(Finding::at(path, sentence))
}

/// Where below `key` the first fault stands, such as `.pricing.credits`, and what must stand there.
fn fault_in(key: &str, value: &Value) -> Option<(String, &'static str)> {
    let number = match value {
        // JSON has no such number: where a key takes any value, it would become null.
        Value::Float(number) if !number.is_finite() => return Some((String::new(), "a finite number")),
        Value::Integer(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    };
    let must = match key {
        "minLength" | "maxLength" | "attempt_seconds_max" => {
            value.as_integer().is_none_or(|number| number < 0).then_some("a whole number from 0")
        }
        "minimum_credits" => number
            .is_none_or(|number| !(0.0..=1e9).contains(&number))
            .then_some("a number from 0 to 1000000000"),
        "min" | "max" | "step" | "credits" | "credits_base" | "unit_size" | "factor" => {
            number.is_none().then_some("a number")
        }
        _ => None,
    };
    if let Some(must) = must {
        return Some((String::new(), must));
    }
    match value {
        Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            // The name of a parameter says more than its place.
            let name = item.get("name").and_then(Value::as_str);
            let place = name.map_or_else(|| index.to_string(), str::to_owned);
            fault_in("", item).map(|(path, must)| (format!(".{place}{path}"), must))
        }),
        Value::Table(table) => table.iter().find_map(|(name, item)| {
            let inner = match key {
                "multipliers" => "factors",
                "factors" => "factor",
                // Of a form of the model's own.
                "validation" => "",
                _ => name,
            };
            fault_in(inner, item).map(|(path, must)| (format!(".{name}{path}"), must))
        }),
        _ => None,
    }
}
