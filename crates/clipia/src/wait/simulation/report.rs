//! What became of a simulated fleet.

use std::time::Duration;

/// The times of one generation, from the start of the simulation.
#[derive(Clone, Debug, Default)]
pub(super) struct Fate {
    pub(super) begun: Duration,
    pub(super) ended: Duration,
    pub(super) polled: Vec<Duration>,
    /// When the client knew the end, unless it died before.
    pub(super) known: Option<Duration>,
}

/// The figures of a fleet.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) fates: Vec<Fate>,
    pub(super) requests: usize,
    /// The requests that got a 429 for the rate limit.
    pub(super) refused: usize,
}

impl Report {
    /// When each end was known, without those of clients that died.
    pub(super) fn known(&self) -> impl Iterator<Item = f64> {
        self.fates.iter().filter_map(|fate| fate.known).map(|known| known.as_secs_f64())
    }
}
