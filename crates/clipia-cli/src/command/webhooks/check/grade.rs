//! The verdict on how a receiver answered a delivery.

use super::cases::{Case, Expected};
use crate::delivery::Answer;
use serde::{Serialize, Serializer};
use std::time::Duration;

/// Whether an answer is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Right,
    /// 2xx in place of 4xx, or the other way round.
    Wrong,
    /// Neither 2xx nor 4xx: a redirect, a 5xx, a time-out, or no response.
    Fault,
}

impl Verdict {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Wrong => "WRONG",
            Self::Fault => "FAULT",
        }
    }
}

/// A delivery of the check, and what came of it.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) case: Case,
    /// What was sent.
    pub(super) delivery: &'static str,
    pub(super) expected: Expected,
    pub(super) got: String,
    #[serde(rename = "ms", serialize_with = "milliseconds")]
    pub(super) took: Duration,
    pub(super) verdict: Verdict,
    /// What the receiver does wrong, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<String>,
}

impl Row {
    pub(super) fn new(case: Case, answer: &Answer, took: Duration) -> Self {
        let verdict = verdict(case.expected(), answer);
        Self {
            case,
            delivery: case.name(),
            expected: case.expected(),
            got: got(answer),
            took,
            verdict,
            advice: advice(case, answer, verdict),
        }
    }
}

impl Serialize for Expected {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

fn milliseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u128(duration.as_millis())
}

fn verdict(expected: Expected, answer: &Answer) -> Verdict {
    match (expected, answer) {
        (Expected::Taken | Expected::TakenOrTooLarge, Answer::Status(200..300))
        | (Expected::TakenOrTooLarge, Answer::Status(413))
        | (Expected::Refused, Answer::Status(400..500)) => Verdict::Right,
        (_, Answer::Status(200..300 | 400..500)) => Verdict::Wrong,
        _ => Verdict::Fault,
    }
}

/// The answer in a word.
fn got(answer: &Answer) -> String {
    match answer {
        Answer::Status(status) => status.to_string(),
        Answer::TimedOut => "time-out".to_owned(),
        Answer::Unreachable(_) => "no connection".to_owned(),
        Answer::Broken(_) => "no response".to_owned(),
    }
}

/// A sentence about a receiver that answered wrongly.
fn advice(case: Case, answer: &Answer, verdict: Verdict) -> Option<String> {
    let what_to_do = match (verdict, answer) {
        (Verdict::Right, _) => return None,
        (Verdict::Wrong, Answer::Status(404 | 405)) => {
            return Some(format!(
                "the receiver {answer}: check the URL, and that it takes POST; or else {}",
                case.mistake()
            ));
        }
        (Verdict::Wrong, _) => return Some(case.mistake().to_owned()),
        (_, Answer::Status(300..400)) => "name the final URL, since a server follows no redirect",
        (_, Answer::TimedOut) => "respond first, and do what takes long afterwards",
        (_, Answer::Unreachable(_)) => "it seems to have ended at an earlier delivery; see its log",
        _ => case.cure(),
    };
    Some(format!("the receiver {answer}: {what_to_do}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_case_takes_its_own_statuses_and_anything_else_is_a_fault() {
        use Verdict::{Fault, Right, Wrong};
        for (status, taken, large, refused) in [
            (200, Right, Right, Wrong),
            (204, Right, Right, Wrong),
            (299, Right, Right, Wrong),
            (400, Wrong, Wrong, Right),
            (401, Wrong, Wrong, Right),
            (413, Wrong, Right, Right),
            (499, Wrong, Wrong, Right),
            (199, Fault, Fault, Fault),
            (302, Fault, Fault, Fault),
            (500, Fault, Fault, Fault),
            (503, Fault, Fault, Fault),
        ] {
            let of = |expected| verdict(expected, &Answer::Status(status));
            let verdicts = [of(Expected::Taken), of(Expected::TakenOrTooLarge), of(Expected::Refused)];
            assert_eq!(verdicts, [taken, large, refused], "{status}");
        }
        let (broken, gone) = (Answer::Broken("reset".into()), Answer::Unreachable("refused".into()));
        for answer in [Answer::TimedOut, broken, gone] {
            assert_eq!(verdict(Expected::Refused, &answer), Fault, "{answer:?}");
        }
    }

    #[test]
    fn advice_says_what_is_wrong_and_what_to_do() {
        let told = |case, answer: Answer| Row::new(case, &answer, Duration::ZERO).advice.unwrap_or_default();
        for (case, answer, parts) in [
            (Case::Old, Answer::Status(400), &[][..]),
            (Case::Old, Answer::Status(200), &["of long ago is taken", "`X-Clipia-Timestamp` is not signed"]),
            (Case::Completed, Answer::Status(400), &["a genuine delivery is refused", "raw body"]),
            (Case::Completed, Answer::Status(404), &["responded with 404", "check the URL"]),
            (Case::Completed, Answer::Status(308), &["responded with 308", "final URL"]),
            (Case::CutSignature, Answer::Status(500), &["responded with 500", "compare the lengths first"]),
            (Case::Large, Answer::TimedOut, &["within 10 s", "respond first"]),
            (Case::Failed, Answer::Broken("reset".into()), &["without a response: reset", "read `error`"]),
        ] {
            let told = told(case, answer);
            assert_eq!(told.is_empty(), parts.is_empty(), "{told}");
            assert!(parts.iter().all(|part| told.contains(part)), "{told}");
        }
    }
}
