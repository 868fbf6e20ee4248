//! The words by name, and the form of each.

use std::fmt;
use strum::{EnumString, IntoStaticStr, VariantNames};

/// A word, without its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum Word {
    /// `@takes=30s`
    Takes,
    /// `@polls=3`
    Polls,
    /// `@position=12,3,0`
    Position,
    /// `@progress=10,60,90`
    Progress,
    /// `@fail`
    Fail,
    /// `@cancel`
    Cancel,
    /// `@stuck`
    Stuck,
    /// `@crash=2`
    Crash,
    /// `@reject=429*3`
    Reject,
    /// `@output=fox.png`
    Output,
    /// `@status=PAUSED`
    Status,
    /// `@extra`
    Extra,
    /// `@deliver=twice`
    Deliver,
}

impl Word {
    /// The name, without the `@`.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Whether it changes what reads say before the end.
    pub(super) fn bends_reads(self) -> bool {
        use Word::{Extra, Polls, Position, Progress, Status, Takes};
        matches!(self, Takes | Polls | Position | Progress | Status | Extra)
    }

    /// How the word is written, for a message.
    pub(super) fn form(self) -> &'static str {
        match self {
            Self::Takes => "`@takes=30s`, a duration of at most a year",
            Self::Polls => "`@polls=3`, a number from 1 to 10000",
            Self::Position => "`@position=12,3,0`, at most 1000 queue positions",
            Self::Progress => "`@progress=10,60,60,90`, at most 1000 numbers from 0 to 100",
            Self::Fail => {
                "`@fail`, `@fail=content_policy`, `@fail=\"why\"` or `@fail=content_policy:\"why\"`"
            }
            Self::Cancel => "`@cancel`",
            Self::Stuck => "`@stuck`, or `@stuck=90` with a number from 0 to 100",
            Self::Crash => "`@crash=2`, a number from 1 to 100",
            Self::Reject => {
                "`@reject=insufficient_credits`, `@reject=503` or `@reject=429*3`: a code of the API or a status \
                 from 400 to 599, and perhaps how many times, from 1 to 10000"
            }
            Self::Output => {
                "`@output=fox.png`, `@output=\"my fox.png\"`, `@output=image:2048x2048`, `@output=video:640x360:5s` or \
                 `@output=audio:3s`; a file is below the directory in which the emulator was started, a side has 1 to \
                 16384 pixels, and an output at most 16 files"
            }
            Self::Status => {
                "`@status=PAUSED`: letters, digits, `_` or `-`, and none of the statuses of the API"
            }
            Self::Extra => "`@extra`",
            Self::Deliver => {
                "`@deliver=` with one or more of `twice`, `never`, `late:10s`, `early`, `forged`, `stale`, `rotated`, \
                 `unknown`, `garbage`, `huge`, `slow`, separated by commas"
            }
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.name())
    }
}
