//! What goes wrong with a call.

use crate::Refusal;
use crate::duration;
use clipia_queue::suggestion::{did_you_mean, nearest};
use clipia_worker::size;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What goes wrong with a call. The text of each is in the [module](super)'s table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call is refused.
    Refuse {
        /// The refusal.
        refusal: Refusal,
        /// Its `Retry-After`. Without one, 429 and 503 have a `Retry-After` of nothing, as those of a server that is free again.
        retry_after: Option<Duration>,
    },
    /// The response comes so much later.
    Slow(Duration),
    /// The response is lost.
    Drop,
    /// The connection is reset before the server sees the call.
    Reset,
    /// The response has no body.
    Empty,
    /// The body ends after so many bytes.
    Cut(u64),
    /// A proxy's page comes in place of the response.
    Html,
    /// No response comes.
    Hang,
}

/// Why a text is no [`Fault`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// There is no such fault.
    #[error(
        "there is no fault `{text}`{}; there is a status such as `503`, an error code, `slow=2s`, `drop`, `reset`, `empty`, `cut=100B`, \
         `html` and `hang`",
        did_you_mean(*.meant).map(|meant| format!(": {meant}")).unwrap_or_default()
    )]
    Unknown {
        /// The text.
        text: String,
        /// The fault that was most likely meant.
        meant: Option<&'static str>,
    },
    /// A duration is none.
    #[error("`{0}` has no duration: write `slow=2s` or `retry-after=2s`")]
    Duration(String),
    /// A size is none.
    #[error("`{0}` has no size: write `cut=100B` or `cut=2KiB`")]
    Size(String),
    /// A fault that is no refusal has a `retry-after`.
    #[error("`{0}` has no `retry-after`: only a status or an error code has one")]
    RetryAfter(String),
    /// There is more than one fault.
    #[error("`{0}` stands after the fault: a fault is one word, perhaps with `retry-after=2s`")]
    More(String),
}

/// The faults that have a name.
const NAMES: [&str; 8] = ["slow=2s", "drop", "reset", "empty", "cut=100B", "html", "hang", "retry-after=2s"];

/// The beginning of a `retry-after`.
pub(super) const RETRY_AFTER: &str = "retry-after=";

impl Fault {
    /// The fault of the word `word`, with the `retry-after` of the word `retry_after`.
    pub(super) fn of_words(word: &str, retry_after: Option<&str>) -> Result<Self, FaultError> {
        let seconds =
            |text: &str, of: &str| duration::parse(text).ok_or_else(|| FaultError::Duration(of.to_owned()));
        let fault = match word.split_once('=').unwrap_or((word, "")) {
            ("slow", time) => Self::Slow(seconds(time, word)?),
            ("cut", bytes) => Self::Cut(size::bytes(bytes).ok_or_else(|| FaultError::Size(word.to_owned()))?),
            _ => match word {
                "drop" => Self::Drop,
                "reset" => Self::Reset,
                "empty" => Self::Empty,
                "html" => Self::Html,
                "hang" => Self::Hang,
                _ => {
                    let refusal = word.parse::<Refusal>().map_err(|unknown| {
                        let meant = nearest(NAMES, word).or(unknown.meant);
                        FaultError::Unknown { text: word.to_owned(), meant }
                    })?;
                    let wait = retry_after.map(|word| {
                        let text = word.strip_prefix(RETRY_AFTER).unwrap_or(word);
                        seconds(text, word)
                    });
                    return Ok(Self::Refuse { refusal, retry_after: wait.transpose()? });
                }
            },
        };
        match retry_after {
            Some(_) => Err(FaultError::RetryAfter(word.to_owned())),
            None => Ok(fault),
        }
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let mut words = text.split_whitespace();
        let (word, retry_after) = (words.next().unwrap_or_default(), words.next());
        let more = retry_after.filter(|word| !word.starts_with(RETRY_AFTER)).or_else(|| words.next());
        match more {
            Some(more) => Err(FaultError::More(more.to_owned())),
            None => Self::of_words(word, retry_after),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refuse { refusal, retry_after: None } => refusal.fmt(f),
            Self::Refuse { refusal, retry_after: Some(wait) } => {
                write!(f, "{refusal} {RETRY_AFTER}{}", duration::shown(*wait))
            }
            Self::Slow(time) => write!(f, "slow={}", duration::shown(*time)),
            Self::Drop => f.write_str("drop"),
            Self::Reset => f.write_str("reset"),
            Self::Empty => f.write_str("empty"),
            Self::Cut(bytes) => write!(f, "cut={bytes}B"),
            Self::Html => f.write_str("html"),
            Self::Hang => f.write_str("hang"),
        }
    }
}
