//! A rule: which calls have a fault, and how often.

use super::kind::{Fault, FaultError, RETRY_AFTER};
use crate::Operation;
use clipia_queue::suggestion::{did_you_mean, nearest};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use strum::VariantNames;

/// A rule of faults. As a text it is `status 503 x5`; as JSON it is `{"operation": "status", "what": "503", "times": 5}`, with
/// the further members `percent` and `after`.
///
/// ```
/// use clipia_emulator::FaultRule;
///
/// let rule: FaultRule = "submit 429 retry-after=2s x3 after 10".parse()?;
/// assert_eq!((rule.times, rule.after), (Some(3), 10));
/// assert_eq!(rule.to_string(), "submit 429 retry-after=2s x3 after 10");
/// # Ok::<(), clipia_emulator::FaultRuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// The calls.
    #[serde(rename = "operation", with = "as_text")]
    pub calls: Calls,
    /// What goes wrong with them.
    #[serde(rename = "what", with = "as_text")]
    pub fault: Fault,
    /// How often the rule applies; none for always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// To how many calls in a hundred the rule applies; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "percent")]
    pub percent: Option<u8>,
    /// How many calls pass before the rule applies.
    #[serde(default)]
    pub after: u32,
}

/// The calls of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// All calls.
    Any,
    /// The calls of one operation.
    Of(Operation),
}

/// Why a text is no [`FaultRule`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultRuleError {
    /// The operation or the fault is missing.
    #[error("a fault is an operation, and what goes wrong with its calls: write it as `status 503 x5`")]
    Incomplete,
    /// There is no such operation.
    #[error(
        "there is no operation `{text}`{}; there is {}, and `any`",
        did_you_mean(*.meant).map(|meant| format!(": {meant}")).unwrap_or_default(),
        Operation::VARIANTS.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    )]
    Operation {
        /// The text.
        text: String,
        /// The operation that was most likely meant.
        meant: Option<&'static str>,
    },
    /// The fault is none.
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// A word after the fault says nothing.
    #[error(
        "`{0}` says nothing here: after the fault come `x5` (so often), `10%` (so likely) or `after 10` (so many calls pass first)"
    )]
    Condition(String),
    /// A condition is there twice.
    #[error("`{0}` comes after another word that says the same: write one of them")]
    Twice(String),
}

impl FaultRule {
    /// A rule that applies to each of the calls.
    pub fn new(calls: Calls, fault: Fault) -> Self {
        Self { calls, fault, times: None, percent: None, after: 0 }
    }
}

impl Calls {
    /// Whether a call of `operation` is one of them.
    pub fn has(self, operation: Operation) -> bool {
        self == Self::Any || self == Self::Of(operation)
    }
}

impl FromStr for Calls {
    type Err = FaultRuleError;

    fn from_str(text: &str) -> Result<Self, FaultRuleError> {
        if text == "any" {
            return Ok(Self::Any);
        }
        text.parse().map(Self::Of).map_err(|_| {
            let known = Operation::VARIANTS.iter().copied().chain(["any"]);
            FaultRuleError::Operation { text: text.to_owned(), meant: nearest(known, text) }
        })
    }
}

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Of(operation) => operation.fmt(f),
        }
    }
}

impl FromStr for FaultRule {
    type Err = FaultRuleError;

    fn from_str(text: &str) -> Result<Self, FaultRuleError> {
        let mut words = text.split_whitespace();
        let (Some(calls), Some(fault)) = (words.next(), words.next()) else {
            return Err(FaultRuleError::Incomplete);
        };
        let calls = calls.parse()?;
        let (mut retry_after, mut times, mut percent, mut after) = (None, None, None, None);
        while let Some(word) = words.next() {
            let unclear = || FaultRuleError::Condition(word.to_owned());
            let is_second = if word.starts_with(RETRY_AFTER) {
                retry_after.replace(word).is_some()
            } else if let Some(count) = word.strip_prefix('x') {
                times.replace(number(count).ok_or_else(unclear)?).is_some()
            } else if let Some(share) = word.strip_suffix('%') {
                let share = number(share).and_then(share_of_hundred).ok_or_else(unclear)?;
                percent.replace(share).is_some()
            } else if word == "after" {
                let count = words.next().and_then(number).ok_or_else(unclear)?;
                after.replace(count).is_some()
            } else {
                return Err(unclear());
            };
            if is_second {
                return Err(FaultRuleError::Twice(word.to_owned()));
            }
        }
        let fault = Fault::of_words(fault, retry_after)?;
        Ok(Self { calls, fault, times, percent, after: after.unwrap_or_default() })
    }
}

/// A number of decimal digits alone.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// A number from 1 to 100.
fn share_of_hundred(number: u32) -> Option<u8> {
    u8::try_from(number).ok().filter(|share| (1..=100).contains(share))
}

fn percent<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u8>, D::Error> {
    let Some(number) = Option::<u32>::deserialize(from)? else { return Ok(None) };
    let wrong = || serde::de::Error::custom("`percent` is a number from 1 to 100");
    share_of_hundred(number).map(Some).ok_or_else(wrong)
}

impl fmt::Display for FaultRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calls, fault, times, percent, after } = self;
        write!(f, "{calls} {fault}")?;
        times.iter().try_for_each(|times| write!(f, " x{times}"))?;
        percent.iter().try_for_each(|percent| write!(f, " {percent}%"))?;
        if *after > 0 { write!(f, " after {after}") } else { Ok(()) }
    }
}

/// A value that is the text of its `Display`.
mod as_text {
    use super::*;

    pub(super) fn serialize<T: fmt::Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(super) fn deserialize<'de, T, D>(from: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: fmt::Display>,
        D: Deserializer<'de>,
    {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Refusal;
    use clipia_api::error_code::ErrorCode;
    use proptest::option;
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn each_rule_of_the_guide_is_read() {
        for (text, rule) in [
            (
                "status 503 x5",
                FaultRule {
                    times: Some(5),
                    ..FaultRule::new(
                        Calls::Of(Operation::Status),
                        Fault::Refuse { refusal: Refusal::Status(503), retry_after: None },
                    )
                },
            ),
            (
                "submit 429 retry-after=2s",
                FaultRule::new(
                    Calls::Of(Operation::Submit),
                    Fault::Refuse {
                        refusal: Refusal::Status(429),
                        retry_after: Some(Duration::from_secs(2)),
                    },
                ),
            ),
            (
                "estimate insufficient_credits",
                FaultRule::new(
                    Calls::Of(Operation::Estimate),
                    Fault::Refuse {
                        refusal: Refusal::Code(ErrorCode::InsufficientCredits),
                        retry_after: None,
                    },
                ),
            ),
            (
                "any slow=2s 10% after 10",
                FaultRule {
                    percent: Some(10),
                    after: 10,
                    ..FaultRule::new(Calls::Any, Fault::Slow(Duration::from_secs(2)))
                },
            ),
            ("result drop", FaultRule::new(Calls::Of(Operation::Result), Fault::Drop)),
            ("models reset", FaultRule::new(Calls::Of(Operation::Models), Fault::Reset)),
            ("account empty", FaultRule::new(Calls::Of(Operation::Account), Fault::Empty)),
            ("media cut=100B", FaultRule::new(Calls::Of(Operation::Media), Fault::Cut(100))),
            ("upload html", FaultRule::new(Calls::Of(Operation::Upload), Fault::Html)),
            ("any hang", FaultRule::new(Calls::Any, Fault::Hang)),
        ] {
            assert_eq!(text.parse(), Ok(rule.clone()), "{text}");
            assert_eq!(rule.to_string(), text);
        }
        assert_eq!(
            "any 429 x3 retry-after=1s after 2".parse(),
            "any 429 retry-after=1s x3 after 2".parse::<FaultRule>()
        );
    }

    #[test]
    fn a_mistake_says_what_to_write() {
        for (text, expected) in [
            ("", "write it as `status 503 x5`"),
            ("status", "write it as `status 503 x5`"),
            ("sttaus 503", "did you mean `status`?"),
            ("everything 503", "there is `submit`, `status`"),
            ("status 200", "there is no fault `200`"),
            ("status drpo", "did you mean `drop`?"),
            ("status service_unavailble", "did you mean `service_unavailable`?"),
            ("status slow", "`slow` has no duration: write `slow=2s`"),
            ("status slow=2", "write `slow=2s`"),
            ("status cut=half", "write `cut=100B`"),
            ("status 503 5", "`5` says nothing here"),
            ("status 503 x", "`x` says nothing here"),
            ("status 503 0%", "`0%` says nothing here"),
            ("status 503 after", "`after` says nothing here"),
            ("status 503 x1 x2", "`x2` comes after another word"),
            ("status 429 retry-after=soon", "write `slow=2s` or `retry-after=2s`"),
            ("status drop retry-after=2s", "only a status or an error code has one"),
        ] {
            let message = text.parse::<FaultRule>().unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
        assert!("503 x5".parse::<Fault>().unwrap_err().to_string().contains("`x5` stands after the fault"));
    }

    #[test]
    fn json_has_the_same_rule() {
        let rule: FaultRule = "submit 429 retry-after=2s x3 10% after 1".parse().unwrap();
        let json = serde_json::json!({
            "operation": "submit", "what": "429 retry-after=2s", "times": 3, "percent": 10, "after": 1
        });
        assert_eq!(serde_json::to_value(&rule).unwrap(), json);
        assert_eq!(serde_json::from_value::<FaultRule>(json).unwrap(), rule);
        for (json, expected) in [
            (serde_json::json!({"operation": "status"}), "what"),
            (serde_json::json!({"operation": "sttaus", "what": "503"}), "did you mean `status`?"),
            (serde_json::json!({"operation": "status", "what": "503", "percent": 101}), "from 1 to 100"),
            (serde_json::json!({"operation": "status", "what": "503", "tims": 1}), "tims"),
        ] {
            let message = serde_json::from_value::<FaultRule>(json).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }

    fn rules() -> impl Strategy<Value = FaultRule> {
        let operations = prop_oneof![
            Just(Calls::Any),
            (0..Operation::VARIANTS.len()).prop_map(|at| Operation::VARIANTS[at].parse().unwrap()),
        ];
        let wait = || (0..100_000_u64).prop_map(Duration::from_millis);
        let faults = prop_oneof![
            (400..=599_u16, option::of(wait())).prop_map(|(status, retry_after)| Fault::Refuse {
                refusal: Refusal::Status(status),
                retry_after
            }),
            wait().prop_map(Fault::Slow),
            any::<u64>().prop_map(Fault::Cut),
            Just(Fault::Drop),
            Just(Fault::Html),
        ];
        (operations, faults, option::of(any::<u32>()), option::of(1..=100_u8), any::<u32>()).prop_map(
            |(calls, fault, times, percent, after)| FaultRule { calls, fault, times, percent, after },
        )
    }

    proptest! {
        #[test]
        fn a_rule_is_read_as_it_is_written(rule in rules()) {
            prop_assert_eq!(rule.to_string().parse(), Ok(rule.clone()));
            let json = serde_json::to_string(&rule).unwrap();
            prop_assert_eq!(serde_json::from_str::<FaultRule>(&json).unwrap(), rule);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "(any|status|[a-z]{0,5}) ?(503|slow=|cut=|[a-z0-9=%]{0,6})( [ -~é%x0-9]{0,8}){0,3}") {
            if let Ok(rule) = text.parse::<FaultRule>() {
                prop_assert_eq!(rule.to_string().parse(), Ok(rule));
            }
        }
    }
}
