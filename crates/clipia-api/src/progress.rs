//! The progress of a generation.

use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// Percent done, 0 to 100.
///
/// Read leniently, because a server's slip must not end a wait: a fraction is cut to whole percents, and a number out
/// of range is clamped.
///
/// ```
/// use clipia_api::Progress;
///
/// assert_eq!(serde_json::from_str::<Progress>("72.9")?.percent(), 72);
/// assert_eq!(serde_json::from_str::<Progress>("130")?, Progress::DONE);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Progress(u8);

impl Progress {
    /// 100 %.
    pub const DONE: Self = Self(100);

    /// This many percent; more than 100 is 100.
    pub const fn new(percent: u8) -> Self {
        Self(if percent > 100 { 100 } else { percent })
    }

    /// From a number that may have a fraction or be out of range.
    pub(crate) fn of(percent: f64) -> Self {
        // A cast cuts fractions and saturates; NaN gives 0.
        Self::new(percent as u8)
    }

    /// Whole percents.
    pub const fn percent(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}

impl<'de> Deserialize<'de> for Progress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Self::of)
    }
}
