//! Counters of what a store does, for metrics.

use crate::{Histogram, MinuteCounts, QueueEnd, Statistics};
use clipia_queue::Moment;
use clipia_queue::lifecycle::Phase;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Commands in a commit, up to the most that share one.
const BATCH_BOUNDS: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256];

/// Microseconds of a commit: a fast disk, a slow one, one that stalls.
const COMMIT_BOUNDS: &[u64] =
    &[100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000];

/// Microseconds that a request was queued: from nothing to hours.
const WAIT_BOUNDS: &[u64] = &[
    10_000,
    100_000,
    1_000_000,
    5_000_000,
    15_000_000,
    60_000_000,
    300_000_000,
    900_000_000,
    3_600_000_000,
    14_400_000_000,
];

/// Counts numbers by size.
#[derive(Debug)]
pub struct Sizes<const N: usize> {
    bounds: &'static [u64],
    counts: [AtomicU64; N],
    sum: AtomicU64,
}

impl<const N: usize> Sizes<N> {
    fn new(bounds: &'static [u64]) -> Self {
        debug_assert_eq!(bounds.len() + 1, N);
        Self { bounds, counts: std::array::from_fn(|_| AtomicU64::new(0)), sum: AtomicU64::new(0) }
    }

    /// Counts a number.
    pub fn count(&self, number: u64) {
        let place = self.bounds.partition_point(|bound| *bound < number);
        self.counts[place.min(N - 1)].fetch_add(1, Relaxed);
        self.sum.fetch_add(number, Relaxed);
    }

    /// What was counted.
    pub fn read(&self) -> Histogram {
        let counts = self.counts.iter().map(|count| count.load(Relaxed)).collect();
        Histogram { bounds: self.bounds, counts, sum: self.sum.load(Relaxed) }
    }
}

/// What was counted since the store was opened.
#[derive(Debug)]
pub struct Counters {
    /// How many commands shared each commit.
    pub batches: Sizes<10>,
    /// How long each commit took, in microseconds.
    pub commit_micros: Sizes<13>,
    /// How long requests waited for their first claim, in microseconds.
    pub wait_micros: Sizes<11>,
    /// Requests that completed.
    pub completed: AtomicU64,
    /// Requests that failed.
    pub failed: AtomicU64,
    /// Requests that were canceled.
    pub canceled: AtomicU64,
    /// Leases that were lost.
    pub leases_lost: AtomicU64,
    /// Reports of workers that were refused because their claim was no longer in force.
    pub stale_refused: AtomicU64,
    /// What queues did in each minute, as far as it is not recorded.
    pub minutes: MinuteCounts,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            batches: Sizes::new(BATCH_BOUNDS),
            commit_micros: Sizes::new(COMMIT_BOUNDS),
            wait_micros: Sizes::new(WAIT_BOUNDS),
            completed: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            canceled: AtomicU64::new(0),
            leases_lost: AtomicU64::new(0),
            stale_refused: AtomicU64::new(0),
            minutes: MinuteCounts::default(),
        }
    }
}

/// What is counted once its commit has succeeded.
#[derive(Clone, Debug)]
pub enum Happened {
    /// A request was accepted into a queue.
    Submitted {
        /// The queue's name.
        queue: Box<str>,
        /// When, by the system's clock.
        at: Moment,
    },
    /// A request was claimed for the first time, after so long.
    Waited(Duration),
    /// A request ended.
    Ended(QueueEnd),
    /// A lease was lost.
    LeaseLost,
}

impl Counters {
    /// Counts a commit of so many commands, which took so long.
    pub fn committed(&self, commands: usize, took: Duration) {
        self.batches.count(u64::try_from(commands).unwrap_or(u64::MAX));
        self.commit_micros.count(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// Counts what happened.
    pub fn happened(&self, what: &Happened) {
        let count = match what {
            Happened::Submitted { queue, at } => return self.minutes.submitted(queue, *at),
            Happened::Waited(wait) => {
                return self.wait_micros.count(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX));
            }
            Happened::LeaseLost => &self.leases_lost,
            Happened::Ended(end) => {
                self.minutes.ended(end);
                match end.phase {
                    Phase::Completed => &self.completed,
                    Phase::Failed => &self.failed,
                    _ => &self.canceled,
                }
            }
        };
        count.fetch_add(1, Relaxed);
    }

    /// The statistics of what was counted. What waits, and what a store alone knows, is not among them.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            batches: self.batches.read(),
            commit_micros: self.commit_micros.read(),
            wait_micros: self.wait_micros.read(),
            completed: self.completed.load(Relaxed),
            failed: self.failed.load(Relaxed),
            canceled: self.canceled.load(Relaxed),
            leases_lost: self.leases_lost.load(Relaxed),
            stale_refused: self.stale_refused.load(Relaxed),
            ..Statistics::default()
        }
    }
}
