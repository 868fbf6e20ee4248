//! What one request does.

use super::delivery::Delivery;
use super::error::WordError;
use super::lexer::{in_quotes, number, quoted};
use super::output::ScriptedOutput;
use super::word::Word;
use crate::duration;
use crate::refusal::{NoRefusal, Refusal};
use clipia_api::Status;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// How many reads, crashes and refusals a script may have, and how many steps and files.
const POLLS: RangeInclusive<u32> = 1..=10_000;
const CRASHES: RangeInclusive<u32> = 1..=100;
const REFUSALS: RangeInclusive<u32> = 1..=10_000;
const STEPS_MAX: usize = 1_000;
const OUTPUTS_MAX: usize = 16;

/// The highest queue position.
const POSITION_MAX: u32 = 1_000_000_000;

/// What one request does. The default is what happens without a word.
///
/// It is written as the words that make it; JSON and TOML have it as that text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// `@takes`: how long it runs, by the emulator's clock.
    pub takes: Option<Duration>,
    /// `@polls`: which read says that it has ended.
    pub polls: Option<u32>,
    /// `@position`: the queue positions, step by step.
    pub position: Vec<u32>,
    /// `@progress`: the progress, step by step, in percent.
    pub progress: Vec<u8>,
    /// How it ends.
    pub end: End,
    /// `@crash`: how many times its worker dies before it ends.
    pub crash: u32,
    /// `@reject`: how its submit is refused.
    pub reject: Option<Reject>,
    /// `@output`: the files of its output; none for those of the model.
    pub output: Vec<ScriptedOutput>,
    /// `@status`: the status of reads before the end.
    pub status: Option<String>,
    /// `@extra`: whether responses have fields that clients do not know.
    pub extra: bool,
    /// `@deliver`: how its delivery goes wrong.
    pub deliver: Delivery,
}

/// How a request ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// COMPLETED.
    #[default]
    Complete,
    /// `@fail`: FAILED.
    Fail {
        /// The code of the error; none for the server's own.
        code: Option<String>,
        /// The message of the error; none for the server's own.
        why: Option<String>,
    },
    /// `@cancel`: CANCELED.
    Cancel,
    /// `@stuck`: not at all.
    Stuck {
        /// The progress at which it stays, in percent.
        progress: Option<u8>,
    },
}

/// How a submit is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The refusal.
    pub refusal: Refusal,
    /// How many times, until the submit is taken; none for always.
    pub times: Option<u32>,
}

impl End {
    /// The word of an end; none of the usual one.
    fn word(&self) -> Option<Word> {
        match self {
            Self::Complete => None,
            Self::Fail { .. } => Some(Word::Fail),
            Self::Cancel => Some(Word::Cancel),
            Self::Stuck { .. } => Some(Word::Stuck),
        }
    }
}

impl Script {
    /// Adds what a word says. `given` are the words before it.
    pub(super) fn add(&mut self, word: Word, value: Option<&str>, given: &[Word]) -> Result<(), WordError> {
        if given.contains(&word) && word != Word::Output {
            return Err(WordError::Twice(word));
        }
        let takes_none = matches!(word, Word::Cancel | Word::Extra);
        let may_stand_alone = takes_none || matches!(word, Word::Fail | Word::Stuck);
        match value {
            None if !may_stand_alone => return Err(WordError::ValueMissing(word)),
            Some(_) if takes_none => return Err(WordError::ValueUnexpected(word)),
            _ => {}
        }
        let text = value.unwrap_or_default();
        let wrong = || WordError::Value { word, value: text.to_owned() };
        match word {
            Word::Takes => self.takes = Some(duration::parse(text).ok_or_else(wrong)?),
            Word::Polls => self.polls = Some(number(text, POLLS).ok_or_else(wrong)?),
            Word::Position => self.position = steps(text, 0..=POSITION_MAX).ok_or_else(wrong)?,
            Word::Progress => self.progress = steps(text, 0..=100).ok_or_else(wrong)?,
            Word::Fail => self.end(failure(value).ok_or_else(wrong)?)?,
            Word::Cancel => self.end(End::Cancel)?,
            Word::Stuck => {
                let progress = value.map(|text| number(text, 0..=100).ok_or_else(wrong)).transpose()?;
                self.end(End::Stuck { progress })?;
            }
            Word::Crash => self.crash = number(text, CRASHES).ok_or_else(wrong)?,
            Word::Reject => self.reject = Some(reject(text)?),
            Word::Output => {
                let output = ScriptedOutput::parse(text).filter(|_| self.output.len() < OUTPUTS_MAX);
                self.output.push(output.ok_or_else(wrong)?);
            }
            Word::Status => self.status = Some(unknown_status(text).ok_or_else(wrong)?),
            Word::Extra => self.extra = true,
            Word::Deliver => {
                let deliver = text.parse();
                let deliver =
                    deliver.map_err(|cause| WordError::Deliver { value: text.to_owned(), cause })?;
                self.deliver = deliver;
            }
        }
        Ok(())
    }

    fn end(&mut self, end: End) -> Result<(), WordError> {
        let why = "a request ends once";
        match (self.end.word(), end.word()) {
            (Some(one), Some(other)) => Err(WordError::Contradiction { one, other, why }),
            _ => {
                self.end = end;
                Ok(())
            }
        }
    }

    /// Checks that its words go together.
    pub(super) fn check(&self) -> Result<(), WordError> {
        match self.contradiction() {
            Some((one, other, why)) => Err(WordError::Contradiction { one, other, why }),
            None => Ok(()),
        }
    }

    fn contradiction(&self) -> Option<(Word, Word, &'static str)> {
        if self.takes.is_some() && self.polls.is_some() {
            return Some((Word::Takes, Word::Polls, "both say how long it runs"));
        }
        if let End::Stuck { .. } = self.end {
            let why = "a request that is stuck never ends";
            let others = [
                (Word::Takes, self.takes.is_some()),
                (Word::Polls, self.polls.is_some()),
                (Word::Deliver, self.deliver != Delivery::default()),
            ];
            if let Some((word, _)) = others.into_iter().find(|(_, given)| *given) {
                return Some((Word::Stuck, word, why));
            }
        }
        if let Some(word) = self.end.word()
            && !self.output.is_empty()
        {
            return Some((word, Word::Output, "only a request that completes has an output"));
        }
        if let Some(polls) = self.polls
            && (polls as usize) <= self.position.len() + self.progress.len()
        {
            let word = if self.position.is_empty() { Word::Progress } else { Word::Position };
            return Some((Word::Polls, word, "each step needs a read before the one that says the end"));
        }
        if self.reject.is_some_and(|reject| reject.times.is_none()) {
            let why = "a submit that is always refused makes no request; write how many times, as in `@reject=429*3`";
            return self
                .words()
                .into_iter()
                .find(|word| *word != Word::Reject)
                .map(|word| (Word::Reject, word, why));
        }
        None
    }

    /// Its words, in the order in which they are written.
    fn words(&self) -> Vec<Word> {
        let given = [
            (Word::Reject, self.reject.is_some()),
            (Word::Takes, self.takes.is_some()),
            (Word::Polls, self.polls.is_some()),
            (Word::Position, !self.position.is_empty()),
            (Word::Progress, !self.progress.is_empty()),
            (Word::Status, self.status.is_some()),
            (Word::Extra, self.extra),
            (Word::Crash, self.crash > 0),
            (Word::Fail, matches!(self.end, End::Fail { .. })),
            (Word::Cancel, matches!(self.end, End::Cancel)),
            (Word::Stuck, matches!(self.end, End::Stuck { .. })),
            (Word::Output, !self.output.is_empty()),
            (Word::Deliver, self.deliver != Delivery::default()),
        ];
        given.into_iter().filter(|(_, given)| *given).map(|(word, _)| word).collect()
    }

    /// Those of its words that bend reads, by name.
    pub(crate) fn names_of_reads(&self) -> String {
        let words = self.words().into_iter().filter(|word| word.bends_reads());
        words.map(|word| word.to_string()).collect::<Vec<_>>().join(" ")
    }

    /// A word with its value. [`Word::Output`] has one for each file.
    fn written(&self, word: Word) -> Vec<String> {
        let value = match word {
            Word::Takes => self.takes.map(duration::shown),
            Word::Polls => self.polls.map(|polls| polls.to_string()),
            Word::Position => Some(separated(&self.position)),
            Word::Progress => Some(separated(&self.progress)),
            Word::Fail => match &self.end {
                End::Fail { code: Some(code), why: Some(why) } => Some(format!("{code}:{}", in_quotes(why))),
                End::Fail { code: Some(code), why: None } => Some(code.clone()),
                End::Fail { code: None, why: Some(why) } => Some(in_quotes(why)),
                _ => None,
            },
            Word::Stuck => match self.end {
                End::Stuck { progress } => progress.map(|progress| progress.to_string()),
                _ => None,
            },
            Word::Crash => Some(self.crash.to_string()),
            Word::Reject => self.reject.map(|reject| reject.to_string()),
            Word::Output => return self.output.iter().map(|output| format!("{word}={output}")).collect(),
            Word::Status => self.status.clone(),
            Word::Deliver => Some(self.deliver.to_string()),
            Word::Cancel | Word::Extra => None,
        };
        vec![value.map_or_else(|| word.to_string(), |value| format!("{word}={value}"))]
    }
}

/// The numbers of a list that is separated by commas.
fn steps<N: FromStr + PartialOrd + Copy>(text: &str, range: RangeInclusive<N>) -> Option<Vec<N>> {
    let steps: Option<Vec<N>> = text.split(',').map(|step| number(step, range.clone())).collect();
    steps.filter(|steps| steps.len() <= STEPS_MAX)
}

fn separated<N: ToString>(steps: &[N]) -> String {
    steps.iter().map(N::to_string).collect::<Vec<_>>().join(",")
}

/// The failure of `@fail`, `@fail=CODE`, `@fail="why"` or `@fail=CODE:"why"`.
fn failure(value: Option<&str>) -> Option<End> {
    let Some(value) = value else { return Some(End::Fail { code: None, why: None }) };
    if value.starts_with('"') {
        return Some(End::Fail { code: None, why: Some(quoted(value)?) });
    }
    let (code, why) = value.split_once(':').map_or((value, None), |(code, why)| (code, Some(why)));
    let why = match why {
        Some(why) => Some(quoted(why)?),
        None => None,
    };
    is_name(code).then(|| End::Fail { code: Some(code.to_owned()), why })
}

/// The refusal of `@reject=CODE` or `@reject=CODE*n`.
fn reject(text: &str) -> Result<Reject, WordError> {
    let (refusal, times) =
        text.split_once('*').map_or((text, None), |(refusal, times)| (refusal, Some(times)));
    let wrong = || WordError::Value { word: Word::Reject, value: text.to_owned() };
    let times = times.map(|times| number(times, REFUSALS).ok_or_else(wrong)).transpose()?;
    let refusal =
        refusal.parse().map_err(|cause: NoRefusal| WordError::Reject { value: text.to_owned(), cause })?;
    Ok(Reject { refusal, times })
}

/// A status that is none of the API's.
fn unknown_status(text: &str) -> Option<String> {
    let is_unknown = matches!(Status::from(text), Status::Unknown(_));
    (is_unknown && is_name(text)).then(|| text.to_owned())
}

/// Whether a text is a code or a status: a short one of letters, digits, `_`, `-` and `.`.
fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.refusal.fmt(f)?;
        self.times.map_or(Ok(()), |times| write!(f, "*{times}"))
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.words().into_iter().flat_map(|word| self.written(word)).collect();
        f.write_str(&words.join(" "))
    }
}

/// Reads words alone, without a prompt after them.
impl FromStr for Script {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        match super::parse(text)? {
            (script, "") => Ok(script),
            (_, text) => {
                let blank = text.trim();
                if blank.is_empty() {
                    Ok(Self::default())
                } else {
                    Err(WordError::NotAWord(blank.to_owned()))
                }
            }
        }
    }
}

impl Serialize for Script {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Script {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}
