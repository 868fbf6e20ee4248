//! Scripts of requests whose prompt has no words: by their model and their prompt.

use crate::words::Script;
use regex::Regex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// The longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 1_000;

/// A script of the requests that match. In JSON: `{"model": "nano-banana-2", "prompt": "^a red", "times": 2, "words": "@fail"}`.
/// A rule without a model and a prompt matches each request.
///
/// ```
/// use clipia_emulator::ScriptRule;
///
/// let rule: ScriptRule = serde_json::from_str(r#"{"prompt": "(?i)fox", "words": "@fail"}"#)?;
/// assert!(rule.matches("nano-banana-2", "a red Fox"));
/// assert!(!rule.matches("nano-banana-2", "a red hen"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptRule {
    /// The slug of the model; none for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What is in the prompt; none for anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<PromptPattern>,
    /// For how many requests; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// What they do.
    #[serde(rename = "words")]
    pub script: Script,
}

impl ScriptRule {
    /// Whether a request of a model with a prompt matches.
    pub fn matches(&self, model: &str, prompt: &str) -> bool {
        self.model.as_deref().is_none_or(|of| of == model)
            && self.prompt.as_ref().is_none_or(|pattern| pattern.0.is_match(prompt))
    }
}

/// A regular expression that is in a prompt.
#[derive(Clone, Debug)]
pub struct PromptPattern(Regex);

/// Why a text is no [`PromptPattern`].
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PatternError {
    /// It is too long.
    #[error("the pattern is longer than {PATTERN_BYTES_MAX} bytes: write a part of it")]
    Long,
    /// It is no regular expression.
    #[error("`{text}` is no regular expression: {cause}; `\\` before a sign takes the sign as it is")]
    Form {
        /// The text.
        text: String,
        /// What is wrong with it.
        cause: String,
    },
}

impl FromStr for PromptPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::Long);
        }
        Regex::new(text).map(Self).map_err(|error| {
            // The first lines of the message draw the pattern with an arrow.
            let cause = error.to_string();
            let last = cause.lines().last().unwrap_or_default();
            let cause = last.strip_prefix("error: ").unwrap_or(last).to_owned();
            PatternError::Form { text: text.to_owned(), cause }
        })
    }
}

impl PartialEq for PromptPattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl fmt::Display for PromptPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl Serialize for PromptPattern {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PromptPattern {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}
