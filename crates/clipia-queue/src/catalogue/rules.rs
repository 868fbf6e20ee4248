//! What a model must be, so that each input that it takes can be checked and has a price.

use super::Entry;
use crate::input::defaults;
use crate::{Credits, pricing};
use clipia_api::ModelType;
use clipia_api::input::{self, NAME_CHARACTERS_MAX, is_near};
use clipia_api::types::{InputParameter, InputSchema, Model, TextLimits};
use serde_json::Value;
use std::collections::BTreeSet;

/// The longest attempt that a catalogue may allow, in seconds: a day.
const ATTEMPT_SECONDS_LIMIT: u64 = 24 * 60 * 60;

/// The keys of a model.
const MODEL_KEYS: &[&str] = &[
    "attempt_seconds_max",
    "capabilities",
    "description",
    "executor",
    "input_schema",
    "name",
    "pricing",
    "slug",
    "text_limits",
    "type",
];

/// The keys of a parameter.
const PARAMETER_KEYS: &[&str] = &[
    "default",
    "hint",
    "label",
    "max",
    "maxLength",
    "min",
    "minLength",
    "name",
    "options",
    "required",
    "step",
    "type",
    "validation",
];

/// The keys of a price.
const PRICING_KEYS: &[&str] = &[
    "billing_unit",
    "credits",
    "credits_base",
    "estimate_required",
    "minimum_credits",
    "multipliers",
    "note",
    "unit_size",
];

/// How many characters an unknown key has in common with a known one at their start, if that one may have been meant.
const SAME_START_MIN: usize = 4;

/// A broken rule.
#[derive(Debug)]
pub(super) struct Finding {
    /// What breaks it, from the model on, such as `.pricing.credits`.
    pub(super) path: String,
    /// A sentence that names it.
    pub(super) sentence: String,
    /// The key that was most likely meant by an unknown one.
    pub(super) meant: Option<&'static str>,
}

impl Finding {
    pub(super) fn at(path: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self { path: path.into(), sentence: sentence.into(), meant: None }
    }

    /// The key `key` at `path` is none of the keys of `of`.
    fn unknown(path: &str, key: &str, of: &str, keys: &[&'static str]) -> Self {
        let known = || keys.iter().copied();
        let meant = known().find(|known| is_near(known, key)).or_else(|| {
            let likeness = |known: &&str| same_start(known, key);
            known().max_by_key(likeness).filter(|known| likeness(known) >= SAME_START_MIN)
        });
        Self { meant, ..Self::at(format!("{path}.{key}"), format!("`{key}` is not a key of {of}")) }
    }

    /// The finding about a part of a model, which stands at `path`, with `of` before its sentence.
    fn within(self, path: &str, of: &str) -> Self {
        Self { path: format!("{path}{}", self.path), sentence: format!("{of}{}", self.sentence), ..self }
    }
}

/// How many characters two names have in common at their start.
fn same_start(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count()
}

/// The first rule that a model breaks.
pub(super) fn finding(entry: &Entry) -> Option<Finding> {
    if !(1..=ATTEMPT_SECONDS_LIMIT).contains(&entry.attempt_seconds_max) {
        let sentence = format!("`attempt_seconds_max` must be from 1 to {ATTEMPT_SECONDS_LIMIT}");
        return Some(Finding::at(".attempt_seconds_max", sentence));
    }
    of_model(&entry.model)
}

fn of_model(model: &Model) -> Option<Finding> {
    let spelled = |slug: &str| {
        slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b))
    };
    if model.slug.is_empty() || model.slug.len() > 100 || !spelled(&model.slug) {
        return Some(Finding::at(".slug", "`slug` must be of lower-case letters, digits, `-`, `_` and `.`"));
    }
    if !matches!(model.type_, ModelType::Image | ModelType::Video | ModelType::Audio) {
        let sentence = format!("`type` must be image, video or audio; got `{}`", model.type_);
        return Some(Finding::at(".type", sentence));
    }
    if let Some(key) = model.extra.keys().next() {
        return Some(Finding::unknown("", key, "a model", MODEL_KEYS));
    }
    if model.procedural.is_some() {
        let sentence = "`procedural` is told by the executor and is not a key of a model";
        return Some(Finding::at(".procedural", sentence));
    }
    let Some(schema) = &model.input_schema else {
        return Some(Finding::at("", "`input_schema` is missing"));
    };
    if let Some(finding) = of_schema(schema) {
        return Some(finding);
    }
    if let Some(finding) = model.text_limits.as_ref().and_then(of_limits) {
        return Some(finding);
    }
    of_prices(model)
}

fn of_schema(schema: &InputSchema) -> Option<Finding> {
    if let Some(key) = schema.extra.keys().next() {
        return Some(Finding::unknown(".input_schema", key, "`input_schema`", &["parameters"]));
    }
    let mut names = BTreeSet::new();
    schema.parameters.iter().find_map(|parameter| {
        let path = format!(".input_schema.parameters.{}", parameter.name);
        if !names.insert(&parameter.name) {
            return Some(Finding::at(path, format!("parameter `{}` stands twice", parameter.name)));
        }
        Some(of_parameter(parameter)?.within(&path, &format!("parameter `{}`: ", parameter.name)))
    })
}

fn of_limits(TextLimits { min_chars, max_chars, extra }: &TextLimits) -> Option<Finding> {
    if let Some(key) = extra.keys().next() {
        return Some(Finding::unknown(".text_limits", key, "`text_limits`", &["min_chars", "max_chars"]));
    }
    let (least, most) = (min_chars.unwrap_or(0), max_chars.unwrap_or(u64::MAX));
    let sentence = || format!("`text_limits` allows no text: {least} characters at least, {most} at most");
    (least > most).then(|| Finding::at(".text_limits", sentence()))
}

fn of_prices(model: &Model) -> Option<Finding> {
    let Some(prices) = &model.pricing else {
        return Some(Finding::at("", "`pricing` is missing"));
    };
    if let Some(key) = prices.extra.keys().next() {
        return Some(Finding::unknown(".pricing", key, "`pricing`", PRICING_KEYS));
    }
    if let Some(sentence) = pricing::fault_of(prices) {
        // The sentence begins with the key.
        let path = sentence.split('`').nth(1).map_or_else(String::new, |key| format!(".{key}"));
        return Some(Finding::at(path, sentence));
    }
    let sentence = match pricing::price(model, &defaults(model)) {
        Ok(Credits::ZERO) => "`pricing` makes it free: give `credits` or `credits_base`".to_owned(),
        Ok(_) => return None,
        Err(error) => error.to_string(),
    };
    Some(Finding::at(".pricing", sentence))
}

fn of_parameter(parameter: &InputParameter) -> Option<Finding> {
    if let Some(key) = parameter.extra.keys().next() {
        return Some(Finding::unknown("", key, "a parameter", PARAMETER_KEYS));
    }
    if !input::TYPES.contains(&parameter.type_.as_str()) {
        let sentence =
            format!("`type` must be one of {}; got `{}`", input::TYPES.join(", "), parameter.type_);
        return Some(Finding::at(".type", sentence));
    }
    if !(1..=NAME_CHARACTERS_MAX).contains(&parameter.name.chars().count()) {
        let sentence = format!("`name` must have 1 to {NAME_CHARACTERS_MAX} characters");
        return Some(Finding::at(".name", sentence));
    }
    if parameter.type_ == "select" && parameter.options.is_empty() {
        return Some(Finding::at("", "a `select` needs `options`"));
    }
    let plain = |option: &Value| !matches!(option, Value::Null | Value::Array(_) | Value::Object(_));
    if !parameter.options.iter().map(input::option_value).all(plain) {
        let sentence = "each of `options` must be a text, a number or a boolean, or have one as its `value`";
        return Some(Finding::at(".options", sentence));
    }
    if let Some(step) = parameter.step.filter(|step| *step <= 0.0) {
        return Some(Finding::at(".step", format!("`step` must be more than 0; got {step}")));
    }
    if let Some((min, max)) = parameter.min.zip(parameter.max).filter(|(min, max)| min > max) {
        return Some(Finding::at(".min", format!("`min` must not be above `max`; got {min} and {max}")));
    }
    if let Some((least, most)) =
        parameter.min_length.zip(parameter.max_length).filter(|(least, most)| least > most)
    {
        let sentence = format!("`minLength` must not be above `maxLength`; got {least} and {most}");
        return Some(Finding::at(".minLength", sentence));
    }
    let value = parameter.default.as_ref().filter(|value| !value.is_null())?;
    let fault = input::fault_of(parameter, Some(value))?;
    Some(Finding::at(".default", format!("`default` is not allowed: {fault}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clipia_api::types::Pricing;
    use serde_json::{Map, json};

    #[test]
    fn each_known_key_is_one_of_the_wire() {
        let nothing = |keys: &[&str]| -> Map<String, Value> {
            keys.iter().map(|key| ((*key).to_owned(), Value::Null)).collect()
        };
        let (mut model, mut parameter) = (nothing(MODEL_KEYS), nothing(PARAMETER_KEYS));
        model.extend([("slug".to_owned(), json!("m")), ("type".to_owned(), json!("image"))]);
        model.extend([("capabilities".to_owned(), json!([]))]);
        model.remove("executor");
        model.remove("attempt_seconds_max");
        let model: Model = serde_json::from_value(Value::Object(model)).unwrap();
        parameter.extend([("name".to_owned(), json!("p")), ("type".to_owned(), json!("string"))]);
        parameter.extend([("options".to_owned(), json!([]))]);
        let parameter: InputParameter = serde_json::from_value(Value::Object(parameter)).unwrap();
        let mut pricing = nothing(PRICING_KEYS);
        pricing.extend([("multipliers".to_owned(), json!({}))]);
        let pricing: Pricing = serde_json::from_value(Value::Object(pricing)).unwrap();
        assert_eq!((model.extra.len(), parameter.extra.len(), pricing.extra.len()), (0, 0, 0));
    }
}
