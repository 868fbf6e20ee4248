//! What is wrong with a file that a person writes, each with its line.

use serde::Serialize;
use std::fmt;
use std::ops::Range;

/// What is wrong with a place in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// A sentence that names the table, such as a model, and the key.
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

/// Everything that is wrong with a file. There is at least one mistake.
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
#[derive(Debug)]
pub struct Notes<'t> {
    text: &'t str,
    /// What a program cannot start with.
    pub mistakes: Vec<Mistake>,
    /// What is most likely not meant.
    pub warnings: Vec<Mistake>,
}

impl<'t> Notes<'t> {
    /// No notes about `text`.
    pub fn new(text: &'t str) -> Self {
        Self { text, mistakes: Vec::new(), warnings: Vec::new() }
    }

    /// The text.
    pub fn text(&self) -> &'t str {
        self.text
    }

    /// Notes what a program cannot start with. `at` has the bytes that are wrong.
    pub fn mistake(&mut self, at: &Range<usize>, message: String, hint: Option<String>) {
        self.mistakes.push(Mistake { line: self.line(at), message, hint });
    }

    /// Notes what a program starts with, and what is most likely not meant.
    pub fn warning(&mut self, at: &Range<usize>, message: String, hint: Option<String>) {
        self.warnings.push(Mistake { line: self.line(at), message, hint });
    }

    fn line(&self, at: &Range<usize>) -> usize {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        before.bytes().filter(|byte| *byte == b'\n').count() + 1
    }
}
