//! The places at which the server is killed, and the troubles before that.

use rand::rngs::StdRng;
use rand::{Rng, RngExt};
use std::fmt;
use std::time::Duration;

/// The named points of the server's code.
const POINTS: [&str; 5] = ["before-commit", "after-commit", "after-claim", "after-output", "after-delivery"];

/// The troubles of each cycle of rounds.
const TROUBLES: [Trouble; 6] = [
    Trouble::LogOnFullDisk,
    Trouble::LogUnread,
    Trouble::MediaFull,
    Trouble::ClockSet,
    Trouble::ProgramsKilled,
    Trouble::WorkersKilled,
];

/// The number of rounds in which each place but the stops has its turn once.
const CYCLE: u32 = 2 + POINTS.len() as u32 + TROUBLES.len() as u32 + 1;

/// A stop takes 40 s. Therefore each has its turn only once in so many cycles.
const CYCLES_WITHOUT_STOP: u32 = 5;

/// The place in its work at which the server is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// So long after its start.
    Moment(Duration),
    /// When it reaches this point for the given time.
    Point(&'static str, u64),
    /// While the delivery of this number waits for its response.
    MidDelivery(u64),
    /// When it has continued its work after a trouble.
    Trouble(Trouble),
}

/// What happens to a server before it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Its log is on a full disk.
    LogOnFullDisk,
    /// Its log goes to a pipe without a reader.
    LogUnread,
    /// The disk of the media is full for a while.
    MediaFull,
    /// The clock of its machine is set back and forth. It keeps its last setting in later rounds.
    ClockSet,
    /// The programs of its executors are killed.
    ProgramsKilled,
    /// Workers on other machines are killed.
    WorkersKilled,
    /// Its process is stopped for longer than a lease.
    Stop,
    /// A worker on another machine is stopped for longer than a lease, which it loses.
    WorkerStopped,
}

impl Place {
    /// The place of a round. Places take turns, so that a short run has all of them but the stops.
    pub(super) fn draw(round: u32, random: &mut StdRng) -> Self {
        let (cycle, place) = (round / CYCLE, usize::try_from(round % CYCLE).unwrap_or(0));
        let moment = Self::Moment(Duration::from_millis(random.random_range(0..600)));
        match place {
            0 => moment,
            1 => Self::MidDelivery(random.random_range(1..8)),
            place if place < POINTS.len() + 2 => {
                let point = POINTS[place - 2];
                // A generation has many commits.
                let most = if point.ends_with("commit") { 60 } else { 8 };
                Self::Point(point, random.random_range(1..most))
            }
            place => match TROUBLES.get(place - POINTS.len() - 2) {
                Some(trouble) => Self::Trouble(*trouble),
                None if cycle % CYCLES_WITHOUT_STOP == 1 => Self::Trouble(Trouble::Stop),
                None if cycle % CYCLES_WITHOUT_STOP == 3 => Self::Trouble(Trouble::WorkerStopped),
                None => moment,
            },
        }
    }

    /// The name in the table.
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
        let stops = [Trouble::Stop, Trouble::WorkerStopped];
        let troubles = TROUBLES.into_iter().chain(stops).map(Trouble::name);
        ["a random moment", "mid-delivery"].into_iter().chain(POINTS).chain(troubles)
    }
}

impl Trouble {
    fn name(self) -> &'static str {
        match self {
            Self::LogOnFullDisk => "a log on a full disk",
            Self::LogUnread => "a log without a reader",
            Self::MediaFull => "a full disk for media",
            Self::ClockSet => "the clock set back and forth",
            Self::ProgramsKilled => "programs killed",
            Self::WorkersKilled => "workers elsewhere killed",
            Self::Stop => "a stop of 40 s, in one cycle of 5",
            Self::WorkerStopped => "a stop of a worker, in one cycle of 5",
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

/// A random generator for one client, so that its decisions do not depend on the pace of other clients.
pub(super) fn fork(random: &mut StdRng) -> StdRng {
    rand::SeedableRng::seed_from_u64(random.next_u64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use std::collections::BTreeMap;

    /// A run of the documented length has every place, and stops the server and a worker three times each.
    #[test]
    fn every_place_has_its_turn() {
        let (mut random, mut visited) = (StdRng::seed_from_u64(1), BTreeMap::<_, u32>::new());
        for round in 0..200 {
            *visited.entry(Place::draw(round, &mut random).name()).or_default() += 1;
        }
        assert!(Place::names().all(|name| visited.contains_key(name)), "{visited:?}");
        assert_eq!(visited.len(), Place::names().count());
        for stop in [Trouble::Stop, Trouble::WorkerStopped] {
            assert_eq!(visited[Place::Trouble(stop).name()], 3);
        }
    }
}
