//! Why words cannot be read.

use super::delivery::DeliveryError;
use super::word::Word;
use crate::refusal::NoRefusal;
use std::fmt;

/// The most characters of a word that a message repeats.
const SHOWN_CHARACTERS_MAX: usize = 60;

/// Why the words at the start of a prompt cannot be read. The message says what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WordError {
    /// There is no such word.
    #[error(
        "the emulator has no word `@{}`{}; a prompt that begins with `@` is written with two: `@@{}`",
        Shown(.word), Meant(*.meant), Shown(.word)
    )]
    Unknown {
        /// The word as it is written, without the `@`.
        word: String,
        /// The word that was most likely meant.
        meant: Option<&'static str>,
    },
    /// A word has no value, and needs one.
    #[error("`{}` needs a value: write {}", .0, .0.form())]
    ValueMissing(Word),
    /// A word has a value, and takes none.
    #[error("`{}` takes no value: write {}", .0, .0.form())]
    ValueUnexpected(Word),
    /// The value of a word is not one that it takes.
    #[error("`{word}={}` is not a value of `{word}`: write {}", Shown(.value), .word.form())]
    Value {
        /// The word.
        word: Word,
        /// The value as it is written.
        value: String,
    },
    /// What `@reject` names is no refusal.
    #[error("`@reject={}`: {cause}", Shown(.value))]
    Reject {
        /// The value as it is written.
        value: String,
        /// Why it is none.
        cause: NoRefusal,
    },
    /// What `@deliver` says cannot be done.
    #[error("`@deliver={}`: {cause}", Shown(.value))]
    Deliver {
        /// The value as it is written.
        value: String,
        /// Why not.
        cause: DeliveryError,
    },
    /// A quote does not end.
    #[error("the quote in `{}` does not end: write {}", .0, .0.form())]
    QuoteOpen(Word),
    /// A word is there twice.
    #[error("`{0}` is there twice: write it once")]
    Twice(Word),
    /// Two words exclude each other.
    #[error("`{one}` and `{other}` exclude each other: {why}; take one away")]
    Contradiction {
        /// One word.
        one: Word,
        /// The other word.
        other: Word,
        /// Why, as a part of a sentence.
        why: &'static str,
    },
    /// Nothing but words is expected, and a text follows them.
    #[error("`{}` is not a word: here are words only, such as `@takes=30s @fail`", Shown(.0))]
    NotAWord(String),
}

/// A text that a client sent, not longer than a message may repeat it.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(SHOWN_CHARACTERS_MAX) {
            Some((end, _)) => write!(f, "{}…", &self.0[..end]),
            None => f.write_str(self.0),
        }
    }
}

/// The word that was meant, as the end of a sentence.
struct Meant(Option<&'static str>);

impl fmt::Display for Meant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |meant| write!(f, ": did you mean `@{meant}`?"))
    }
}
