//! Where the server is killed, and what troubles it before.

use rand::rngs::StdRng;
use rand::{Rng, RngExt};
use std::fmt;
use std::time::Duration;

/// The points of the server's code that carry a name.
const POINTS: [&str; 5] = ["before-commit", "after-commit", "after-claim", "after-output", "after-delivery"];

/// The troubles that each cycle of rounds visits.
const TROUBLES: [Trouble; 4] =
    [Trouble::LogOnFullDisk, Trouble::LogUnread, Trouble::MediaFull, Trouble::ClockSet];

/// Rounds in which each place but the stop has its turn once.
const CYCLE: u32 = 2 + POINTS.len() as u32 + TROUBLES.len() as u32 + 1;

/// The stop takes 40 s, and so has its turn in one cycle of so many.
const CYCLES_WITHOUT_STOP: u32 = 6;

/// Where in its work the server is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// This long after its start.
    Moment(Duration),
    /// When it comes to this point for this time.
    Point(&'static str, u64),
    /// While this delivery waits for its receiver's answer.
    MidDelivery(u64),
    /// When it has gone on with its work after a trouble.
    Trouble(Trouble),
}

/// What happens to a server before it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Its log is on a disk without room.
    LogOnFullDisk,
    /// Nobody reads its log any more.
    LogUnread,
    /// There is no room for media, for a while.
    MediaFull,
    /// Its machine's clock is set back and forth. It stays as it was set last, for later rounds, too.
    ClockSet,
    /// Its process stands still, longer than a lease lasts.
    Stop,
}

impl Place {
    /// The place of a round. Each has its turn, so that a short run visits all but the stop, and one of two cycles that
    /// one, too.
    pub(super) fn draw(round: u32, random: &mut StdRng) -> Self {
        let (cycle, place) = (round / CYCLE, usize::try_from(round % CYCLE).unwrap_or(0));
        let moment = Self::Moment(Duration::from_millis(random.random_range(0..600)));
        match place {
            0 => moment,
            1 => Self::MidDelivery(random.random_range(1..8)),
            place if place < POINTS.len() + 2 => {
                let point = POINTS[place - 2];
                // There are many commits to a generation.
                let most = if point.ends_with("commit") { 60 } else { 8 };
                Self::Point(point, random.random_range(1..most))
            }
            place => match TROUBLES.get(place - POINTS.len() - 2) {
                Some(trouble) => Self::Trouble(*trouble),
                None if cycle % CYCLES_WITHOUT_STOP == 1 => Self::Trouble(Trouble::Stop),
                None => moment,
            },
        }
    }

    /// The name that it is counted under.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Moment(_) => "a random moment",
            Self::Point(point, _) => point,
            Self::MidDelivery(_) => "mid-delivery",
            Self::Trouble(trouble) => trouble.name(),
        }
    }

    /// Every name, in the order of the rounds.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        let troubles = TROUBLES.into_iter().chain([Trouble::Stop]).map(Trouble::name);
        ["a random moment", "mid-delivery"].into_iter().chain(POINTS).chain(troubles)
    }
}

impl Trouble {
    fn name(self) -> &'static str {
        match self {
            Self::LogOnFullDisk => "a log on a full disk",
            Self::LogUnread => "a log that nobody reads",
            Self::MediaFull => "no room for media",
            Self::ClockSet => "the clock set back and forth",
            Self::Stop => "a stop of 40 s, in one cycle of 6",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moment(after) => write!(f, "after {} ms", after.as_millis()),
            Self::Point(point, times) => write!(f, "{point}:{times}"),
            Self::MidDelivery(times) => write!(f, "mid-delivery:{times}"),
            Self::Trouble(trouble) => write!(f, "{trouble:?}"),
        }
    }
}

/// A generator of its own for each client of a run, so that one's decisions don't depend on another's pace.
pub(super) fn fork(random: &mut StdRng) -> StdRng {
    rand::SeedableRng::seed_from_u64(random.next_u64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use std::collections::BTreeMap;

    /// A run of the documented length visits every place, and stops the server three times.
    #[test]
    fn every_place_has_its_turn() {
        let (mut random, mut visited) = (StdRng::seed_from_u64(1), BTreeMap::<_, u32>::new());
        for round in 0..200 {
            *visited.entry(Place::draw(round, &mut random).name()).or_default() += 1;
        }
        assert!(Place::names().all(|name| visited.contains_key(name)), "{visited:?}");
        assert_eq!(visited.len(), Place::names().count());
        assert_eq!(visited[Place::Trouble(Trouble::Stop).name()], 3);
    }
}
