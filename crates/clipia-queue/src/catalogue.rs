//! What can be generated, by what, at what price: data, not code.

mod document;
mod numbers;
mod rules;

pub use document::models;

use crate::leases;
use clipia_api::types::Model;
use serde::Deserialize;
use serde::de::Error as _;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use toml::de::DeTable;

/// The built-in models.
const BUILT_IN: &str = include_str!("catalogue.toml");

/// Every model, by slug.
#[derive(Clone, Debug, PartialEq)]
pub struct Catalogue {
    entries: BTreeMap<String, Arc<Entry>>,
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

/// A document that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Invalid {
    /// It is not TOML, or not of the catalogue's form.
    #[error("{0}")]
    Form(#[from] toml::de::Error),
    /// A model in it says something impossible.
    #[error("model `{}`: {}", .0.slug, .0.sentence)]
    Model(Fault),
}

/// What is wrong with a model of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The model's slug; `?` for a model without one.
    pub slug: String,
    /// A sentence that names the key.
    pub sentence: String,
    /// The key that was most likely meant by an unknown one.
    pub meant: Option<&'static str>,
    /// The bytes of the document that are wrong.
    pub at: Range<usize>,
}

impl Catalogue {
    /// Each model, to be changed. What it says then is not checked again.
    pub fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.entries.values_mut().map(Arc::make_mut)
    }

    /// The key of a document's models, each an `[[model]]`.
    pub const KEY: &str = "model";

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

    /// This catalogue with these models added; a slug that is here already is replaced.
    pub fn and(mut self, entries: impl IntoIterator<Item = Entry>) -> Self {
        self.entries.extend(entries.into_iter().map(|entry| (entry.model.slug.clone(), Arc::new(entry))));
        self
    }

    /// This catalogue with the models of a TOML document added, which has nothing but models.
    ///
    /// # Errors
    /// [`Invalid`] names the first fault. A key that a model cannot have is one.
    pub fn with(&self, document: &str) -> Result<Self, Invalid> {
        let table = DeTable::parse(document)?.into_inner();
        if let Some((key, _)) = table.iter().find(|(key, _)| key.get_ref() != Self::KEY) {
            return Err(toml::de::Error::unknown_field(key.get_ref(), &[Self::KEY]).into());
        }
        let (entries, faults) = table.get(Self::KEY).map(models).unwrap_or_default();
        match faults.into_iter().next() {
            Some(fault) => Err(Invalid::Model(fault)),
            None => Ok(self.clone().and(entries.into_iter().map(|(entry, _)| entry))),
        }
    }

    /// The model of this slug.
    pub fn get(&self, slug: &str) -> Option<&Entry> {
        self.entries.get(slug).map(Arc::as_ref)
    }

    /// The model of this slug, for longer than the catalogue is there.
    pub fn shared(&self, slug: &str) -> Option<Arc<Entry>> {
        self.entries.get(slug).cloned()
    }

    /// Every model, by slug.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().map(Arc::as_ref)
    }
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
