//! What is wrong with `models.toml`, each with its line.

use serde::Serialize;
use std::fmt;
use std::ops::Range;

/// What is wrong with a place in `models.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// A sentence that names the model or the executor, and the key.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)?;
        self.hint.iter().try_for_each(|hint| write!(f, "; {hint}"))
    }
}

/// Everything that is wrong with a `models.toml`. There is at least one mistake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [mistake] => mistake.fmt(f),
            mistakes => {
                write!(f, "{} mistakes", mistakes.len())?;
                mistakes.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
            }
        }
    }
}

/// The mistakes and the warnings about a text, as they are found.
pub(super) struct Notes<'t> {
    pub(super) text: &'t str,
    pub(super) mistakes: Vec<Mistake>,
    pub(super) warnings: Vec<Mistake>,
}

impl<'t> Notes<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, mistakes: Vec::new(), warnings: Vec::new() }
    }

    /// Notes what a server cannot start with. `at` has the bytes that are wrong.
    pub(super) fn mistake(&mut self, at: &Range<usize>, message: String, hint: Option<String>) {
        self.mistakes.push(Mistake { line: self.line(at), message, hint });
    }

    /// Notes what a server starts with, and what is most likely not meant.
    pub(super) fn warning(&mut self, at: &Range<usize>, message: String, hint: Option<String>) {
        self.warnings.push(Mistake { line: self.line(at), message, hint });
    }

    fn line(&self, at: &Range<usize>) -> usize {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        before.bytes().filter(|byte| *byte == b'\n').count() + 1
    }
}

/// The hint that another name was meant, if there is one.
pub(super) fn did_you_mean(meant: Option<&str>) -> Option<String> {
    meant.map(|meant| format!("did you mean `{meant}`?"))
}
