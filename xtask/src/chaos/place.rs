//! When the server is killed.

use rand::rngs::StdRng;
use rand::{Rng, RngExt};
use std::fmt;
use std::time::Duration;

/// The points of the server's code that carry a name.
const POINTS: [&str; 5] = ["before-commit", "after-commit", "after-claim", "after-output", "after-delivery"];

/// Where in its work the server is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kill {
    /// This long after its start.
    Moment(Duration),
    /// When it comes to this point for this time.
    Point(&'static str, u64),
    /// While this delivery waits for its receiver's answer.
    MidDelivery(u64),
}

impl Kill {
    /// The kill of a round. Each place has its turn, so that a short run visits all of them.
    pub(super) fn draw(round: u32, random: &mut StdRng) -> Self {
        match usize::try_from(round).unwrap_or(0) % (POINTS.len() + 2) {
            0 => Self::Moment(Duration::from_millis(random.random_range(0..600))),
            1 => Self::MidDelivery(random.random_range(1..8)),
            place => {
                let point = POINTS[place - 2];
                // There are many commits to a generation.
                let most = if point.ends_with("commit") { 60 } else { 8 };
                Self::Point(point, random.random_range(1..most))
            }
        }
    }

    /// The name that it is counted under.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Moment(_) => "a random moment",
            Self::Point(point, _) => point,
            Self::MidDelivery(_) => "mid-delivery",
        }
    }

    /// Every name, in the order of the rounds.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        ["a random moment", "mid-delivery"].into_iter().chain(POINTS)
    }
}

impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moment(after) => write!(f, "after {} ms", after.as_millis()),
            Self::Point(point, times) => write!(f, "{point}:{times}"),
            Self::MidDelivery(times) => write!(f, "mid-delivery:{times}"),
        }
    }
}

/// A generator of its own for each client of a run, so that one's decisions don't depend on another's pace.
pub(super) fn fork(random: &mut StdRng) -> StdRng {
    rand::SeedableRng::seed_from_u64(random.next_u64())
}
