//! What can be generated, by what, at what price: data, not code.

mod numbers;

use crate::warnings::NAME_CHARACTERS_MAX;
use crate::{Credits, input, leases, pricing};
use clipia_api::ModelType;
use clipia_api::types::{InputParameter, Model, TextLimits};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The built-in models.
const BUILT_IN: &str = include_str!("catalogue.toml");

/// The longest attempt that a catalogue may allow, in seconds: a day.
const ATTEMPT_SECONDS_LIMIT: u64 = 24 * 60 * 60;

/// Every model, by slug.
#[derive(Clone, Debug, PartialEq)]
pub struct Catalogue {
    entries: BTreeMap<String, Entry>,
}

/// One model.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Entry {
    /// The executor that makes what the model promises.
    pub executor: String,
    /// How long one attempt may take in all, in seconds.
    #[serde(default = "attempt_seconds_max")]
    pub attempt_seconds_max: u64,
    /// The model as clients see it.
    #[serde(flatten)]
    pub model: Model,
}

impl Entry {
    /// How long one attempt may take in all, however lively the worker is.
    pub fn attempt_max(&self) -> Duration {
        Duration::from_secs(self.attempt_seconds_max)
    }
}

/// What holds for a model that says nothing else.
fn attempt_seconds_max() -> u64 {
    leases::ATTEMPT_MAX.as_secs()
}

/// A catalogue that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Invalid {
    /// It is not TOML, or not of the catalogue's form.
    #[error("{0}")]
    Form(#[from] toml::de::Error),
    /// It says something impossible.
    #[error("model `{slug}`: {fault}")]
    Model {
        /// The model.
        slug: String,
        /// What is wrong with it.
        fault: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    model: Vec<Entry>,
}

impl Catalogue {
    /// The models of the contract's examples.
    pub fn built_in() -> Self {
        let empty = Self { entries: BTreeMap::new() };
        // The text is this crate's own, and a test parses it.
        empty.with(BUILT_IN).unwrap_or(empty)
    }

    /// This catalogue with only the models that `is_kept` says.
    pub fn only(mut self, is_kept: impl Fn(&Entry) -> bool) -> Self {
        self.entries.retain(|_, entry| is_kept(entry));
        self
    }

    /// This catalogue with the models of a TOML document added; a slug that is here already is replaced.
    ///
    /// # Errors
    /// [`Invalid`] names the first fault. A key that a model cannot have is one.
    pub fn with(&self, document: &str) -> Result<Self, Invalid> {
        let table: toml::Table = toml::from_str(document)?;
        if let Some(numbers::Fault { slug, sentence }) = numbers::fault_of(&table) {
            return Err(Invalid::Model { slug, fault: sentence });
        }
        let mut entries = self.entries.clone();
        let mut seen = BTreeSet::new();
        for entry in toml::from_str::<File>(document)?.model {
            let slug = entry.model.slug.clone();
            let fault = match fault_of(&entry) {
                None if seen.insert(slug.clone()) => None,
                None => Some("stands twice".to_owned()),
                fault => fault,
            };
            if let Some(fault) = fault {
                return Err(Invalid::Model { slug, fault });
            }
            entries.insert(slug, entry);
        }
        Ok(Self { entries })
    }

    /// The model of this slug.
    pub fn get(&self, slug: &str) -> Option<&Entry> {
        self.entries.get(slug)
    }

    /// Every model, by slug.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }
}

fn fault_of(entry: &Entry) -> Option<String> {
    if !(1..=ATTEMPT_SECONDS_LIMIT).contains(&entry.attempt_seconds_max) {
        return Some(format!("`attempt_seconds_max` must be from 1 to {ATTEMPT_SECONDS_LIMIT}"));
    }
    fault_of_model(&entry.model)
}

fn fault_of_model(model: &Model) -> Option<String> {
    let spelled = |slug: &str| {
        slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b))
    };
    if model.slug.is_empty() || model.slug.len() > 100 || !spelled(&model.slug) {
        return Some("`slug` must be of lower-case letters, digits, `-`, `_` and `.`".to_owned());
    }
    if !matches!(model.type_, ModelType::Image | ModelType::Video | ModelType::Audio) {
        return Some(format!("`type` must be image, video or audio; got `{}`", model.type_));
    }
    if let Some(key) = model.extra.keys().next() {
        return Some(format!("`{key}` is not a key of a model"));
    }
    if model.procedural.is_some() {
        return Some("`procedural` is told by the executor and is not a key of a model".to_owned());
    }
    let Some(schema) = &model.input_schema else {
        return Some("`input_schema` is missing".to_owned());
    };
    if let Some(key) = schema.extra.keys().next() {
        return Some(format!("`{key}` is not a key of `input_schema`"));
    }
    let mut names = BTreeSet::new();
    for parameter in &schema.parameters {
        if !names.insert(&parameter.name) {
            return Some(format!("parameter `{}` stands twice", parameter.name));
        }
        if let Some(fault) = fault_of_parameter(parameter) {
            return Some(format!("parameter `{}`: {fault}", parameter.name));
        }
    }
    if let Some(fault) = model.text_limits.as_ref().and_then(fault_of_limits) {
        return Some(fault);
    }
    let Some(prices) = &model.pricing else {
        return Some("`pricing` is missing".to_owned());
    };
    if let Some(key) = prices.extra.keys().next() {
        return Some(format!("`{key}` is not a key of `pricing`"));
    }
    if let Some(fault) = pricing::fault_of(prices) {
        return Some(fault);
    }
    match pricing::price(model, &input::defaults(model)) {
        Ok(Credits::ZERO) => Some("`pricing` makes it free: give `credits` or `credits_base`".to_owned()),
        Ok(_) => None,
        Err(error) => Some(error.to_string()),
    }
}

fn fault_of_limits(TextLimits { min_chars, max_chars, extra }: &TextLimits) -> Option<String> {
    if let Some(key) = extra.keys().next() {
        return Some(format!("`{key}` is not a key of `text_limits`"));
    }
    let (least, most) = (min_chars.unwrap_or(0), max_chars.unwrap_or(u64::MAX));
    (least > most)
        .then(|| format!("`text_limits` allows no text: {least} characters at least, {most} at most"))
}

fn fault_of_parameter(parameter: &InputParameter) -> Option<String> {
    if let Some(key) = parameter.extra.keys().next() {
        return Some(format!("`{key}` is not a key of a parameter"));
    }
    if !input::TYPES.contains(&parameter.type_.as_str()) {
        return Some(format!("`type` must be one of {}; got `{}`", input::TYPES.join(", "), parameter.type_));
    }
    if !(1..=NAME_CHARACTERS_MAX).contains(&parameter.name.chars().count()) {
        return Some(format!("`name` must have 1 to {NAME_CHARACTERS_MAX} characters"));
    }
    if parameter.type_ == "select" && parameter.options.is_empty() {
        return Some("a `select` needs `options`".to_owned());
    }
    let plain = |option: &Value| !matches!(option, Value::Null | Value::Array(_) | Value::Object(_));
    if !parameter.options.iter().map(input::option_value).all(plain) {
        return Some(
            "each of `options` must be a text, a number or a boolean, or have one as its `value`".to_owned(),
        );
    }
    if let Some(step) = parameter.step.filter(|step| *step <= 0.0) {
        return Some(format!("`step` must be more than 0; got {step}"));
    }
    if let Some((min, max)) = parameter.min.zip(parameter.max).filter(|(min, max)| min > max) {
        return Some(format!("`min` must not be above `max`; got {min} and {max}"));
    }
    if let Some((least, most)) =
        parameter.min_length.zip(parameter.max_length).filter(|(least, most)| least > most)
    {
        return Some(format!("`minLength` must not be above `maxLength`; got {least} and {most}"));
    }
    let value = parameter.default.as_ref().filter(|value| !value.is_null())?;
    let input = Map::from_iter([(parameter.name.clone(), Value::clone(value))]);
    input::fault_of(parameter, &input).map(|fault| format!("`default` is not allowed: {fault}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
        [[model]]
        executor = "command"
        slug = "house"
        type = "image"
        pricing = { credits = 3 }
        input_schema = { parameters = [{ name = "prompt", type = "string", required = true }] }
    "#;

    #[test]
    fn the_built_in_models_are_those_of_the_contract() {
        let catalogue = Catalogue::built_in();
        let slugs: Vec<&str> = catalogue.iter().map(|entry| entry.model.slug.as_str()).collect();
        assert_eq!(
            slugs,
            [
                "gemini-3-1-flash-tts",
                "nano-banana-2",
                "nano-banana-pro",
                "seedance-2-fast-i2v",
                "seedance-2-fast-t2v",
                "suno-music"
            ]
        );
    }

    #[test]
    fn an_operator_adds_and_replaces() {
        let catalogue = Catalogue::built_in().with(SMALL).unwrap();
        let house = catalogue.get("house").unwrap();
        assert_eq!((house.executor.as_str(), house.attempt_max()), ("command", leases::ATTEMPT_MAX));
        let replaced = catalogue.with(&SMALL.replace("credits = 3", "credits = 5")).unwrap();
        assert_eq!(replaced.get("house").unwrap().model.pricing.as_ref().unwrap().credits, Some(5.0));
        assert_eq!(replaced.iter().count(), 7);
    }

    #[test]
    fn a_fault_is_named() {
        for (from, to, fault) in [
            ("slug = \"house\"", "slug = \"my house\"", "`slug` must be of lower-case letters"),
            ("type = \"image\"", "type = \"text\"", "`type` must be image, video or audio"),
            (
                "executor = \"command\"",
                "executor = \"command\"\nprise = 3",
                "`prise` is not a key of a model",
            ),
            (
                "executor = \"command\"",
                "executor = \"command\"\nattempt_seconds_max = 0",
                "`attempt_seconds_max` must be from 1 to 86400",
            ),
            ("credits = 3", "credit = 3", "`credit` is not a key of `pricing`"),
            ("credits = 3", "credits = 0", "makes it free"),
            ("type = \"string\"", "type = \"strin\"", "`type` must be one of"),
            ("required = true", "default = 7", "`default` is not allowed: `prompt` must be a string"),
            (
                "parameters = [",
                "parameters = [], parametres = [",
                "`parametres` is not a key of `input_schema`",
            ),
            ("required = true", "reqired = true", "`reqired` is not a key of a parameter"),
            ("[[model]]", "[[models]]", "unknown field `models`"),
            (
                "executor = \"command\"",
                "executor = \"command\"\nattempt_seconds_max = -1",
                "model `house`: `attempt_seconds_max` must be a whole number from 0",
            ),
            ("credits = 3", "credits = -1", "`pricing.credits` must be from 0 to 1000000000; got -1"),
            ("credits = 3", "credits = nan", "model `house`: `pricing.credits` must be a finite number"),
            ("credits = 3", "credits_base = inf", "`pricing.credits_base` must be a finite number"),
            (
                "credits = 3",
                "credits = 3, minimum_credits = -1",
                "`pricing.minimum_credits` must be a number from 0 to 1000000000",
            ),
            ("credits = 3", "credits = \"3\"", "`pricing.credits` must be a number"),
            (
                "credits = 3",
                "credits_base = 1, multipliers = { prompt = { b = true } }",
                "`pricing.multipliers.prompt.b` must be a number",
            ),
            (
                "credits = 3",
                "credits = 3, minimum_credits = 1e12",
                "`pricing.minimum_credits` must be a number from 0 to 1000000000",
            ),
            ("credits = 3", "credits_base = 1, unit_size = 0", "`pricing.unit_size` must be more than 0"),
            ("credits = 3", "credits = 3, unit_size = -1", "`pricing.unit_size` must be more than 0"),
            (
                "credits = 3",
                "credits_base = 1, multipliers = { prompt = { a = 1, b = -2 } }",
                "`pricing.multipliers.prompt.b` must be more than 0 and at most 1000000000; got -2",
            ),
            (
                "credits = 3",
                "credits_base = 1, multipliers = { prompt = { b = 0 } }",
                "`pricing.multipliers.prompt.b` must be more than 0",
            ),
            (
                "credits = 3",
                "credits_base = 1, multipliers = { prompt = { b = 1e-12 } }",
                "`pricing.multipliers.prompt.b` must be more than 0",
            ),
            (
                "credits = 3",
                "credits_base = 1, multipliers = { prompt = { b = nan } }",
                "`pricing.multipliers.prompt.b` must be a finite number",
            ),
            (
                "credits = 3",
                "credits_base = 1e9, multipliers = { prompt = { b = 2 } }",
                "`pricing.multipliers` may come to more than 1000000000 credits together",
            ),
            (
                "credits = 3",
                "credits_base = 1e-5, multipliers = { prompt = { b = 1e-5 } }",
                "`pricing.multipliers` together come to nothing",
            ),
            ("required = true", "step = 0", "parameter `prompt`: `step` must be more than 0; got 0"),
            ("required = true", "min = inf", "`input_schema.parameters.prompt.min` must be a finite number"),
            ("required = true", "min = 2, max = 1", "`min` must not be above `max`; got 2 and 1"),
            ("required = true", "default = nan", "`input_schema.parameters.prompt.default` must be a finite"),
            ("required = true", "minLength = 2, maxLength = 1", "`minLength` must not be above `maxLength`"),
            (
                "required = true",
                "minLength = -1",
                "`input_schema.parameters.prompt.minLength` must be a whole number from 0",
            ),
            ("name = \"prompt\"", "name = \"\"", "`name` must have 1 to 64 characters"),
            ("type = \"string\"", "type = \"select\", options = [[1]]", "each of `options` must be"),
            (
                "type = \"string\"",
                "type = \"select\", options = [1, nan]",
                ".options.1` must be a finite number",
            ),
            (
                "executor = \"command\"",
                "executor = \"command\"\ntext_limits = { max = 3 }",
                "`max` is not a key of `text_limits`",
            ),
            (
                "executor = \"command\"",
                "executor = \"command\"\ntext_limits = { min_chars = 3, max_chars = 2 }",
                "`text_limits` allows no text",
            ),
        ] {
            let error = Catalogue::built_in().with(&SMALL.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(fault), "{to}: {error}");
        }
        assert!(
            Catalogue::built_in().with(&format!("{SMALL}{SMALL}")).unwrap_err().to_string().contains("twice")
        );
    }
}
