//! What queues did in each minute.

use clipia_queue::lifecycle::Phase;
use clipia_queue::{Credits, Moment};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long the figures of a minute are kept.
pub const MINUTES_KEPT: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// The most figures that a process keeps which it cannot record. The oldest are lost then.
const UNRECORDED_MAX: usize = 20_000;

const MICROS: i64 = 60_000_000;

/// What a queue did in a minute, by the system's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueMinute {
    /// The queue's name.
    pub queue: String,
    /// The beginning of the minute.
    pub minute: Timestamp,
    /// Requests that were accepted. Those of the sandbox are in no queue, and are not counted.
    pub submitted: u64,
    /// Requests that completed.
    pub completed: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Requests that were canceled.
    pub canceled: u64,
    /// Credits that were charged.
    pub credits: u64,
    /// How long the last attempts at those that completed took, all together, in microseconds.
    pub run_micros: u64,
}

impl QueueMinute {
    fn new(queue: &str, minute: i64) -> Self {
        let minute = Timestamp::from_microsecond(minute).unwrap_or_default();
        let queue = queue.to_owned();
        Self { queue, minute, submitted: 0, completed: 0, failed: 0, canceled: 0, credits: 0, run_micros: 0 }
    }

    /// Adds the figures of the same queue and minute.
    fn add(&mut self, other: &Self) {
        self.submitted += other.submitted;
        self.completed += other.completed;
        self.failed += other.failed;
        self.canceled += other.canceled;
        self.credits = self.credits.saturating_add(other.credits);
        self.run_micros = self.run_micros.saturating_add(other.run_micros);
    }
}

/// A request of a queue that ended.
#[derive(Clone, Debug)]
pub struct QueueEnd {
    /// The queue's name.
    pub queue: Box<str>,
    /// When it ended, by the system's clock.
    pub at: Moment,
    /// How.
    pub phase: Phase,
    /// What was charged.
    pub charged: Credits,
    /// How long its last attempt took.
    pub ran: Duration,
}

/// The beginning of the minute of a moment, in microseconds.
const fn minute_of(at: i64) -> i64 {
    at - at.rem_euclid(MICROS)
}

/// The beginning of the first minute that had not ended at `since`, in microseconds.
pub fn first_minute(since: Timestamp) -> i64 {
    minute_of(since.as_microsecond())
}

/// What a process counted and did not record yet.
#[derive(Debug, Default)]
pub struct MinuteCounts(Mutex<BTreeMap<(i64, Box<str>), QueueMinute>>);

impl MinuteCounts {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(i64, Box<str>), QueueMinute>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, queue: &str, at: Moment, change: impl FnOnce(&mut QueueMinute)) {
        let minute = minute_of(at.as_micros());
        let mut counts = self.lock();
        change(counts.entry((minute, queue.into())).or_insert_with(|| QueueMinute::new(queue, minute)));
        if counts.len() > UNRECORDED_MAX {
            counts.pop_first();
        }
    }

    /// Counts a request that was accepted.
    pub fn submitted(&self, queue: &str, at: Moment) {
        self.count(queue, at, |minute| minute.submitted += 1);
    }

    /// Counts a request that ended.
    pub fn ended(&self, end: &QueueEnd) {
        self.count(&end.queue, end.at, |minute| {
            match end.phase {
                Phase::Completed => {
                    minute.completed += 1;
                    let ran = u64::try_from(end.ran.as_micros()).unwrap_or(u64::MAX);
                    minute.run_micros = minute.run_micros.saturating_add(ran);
                }
                Phase::Failed => minute.failed += 1,
                _ => minute.canceled += 1,
            }
            minute.credits = minute.credits.saturating_add(end.charged.get());
        });
    }

    /// Takes all figures, which the caller records.
    pub fn take(&self) -> Vec<QueueMinute> {
        std::mem::take(&mut *self.lock()).into_values().collect()
    }

    /// Puts back figures that could not be recorded.
    pub fn put_back(&self, minutes: Vec<QueueMinute>) {
        for minute in minutes {
            let at = Moment::from_micros(minute.minute.as_microsecond());
            self.count(&minute.queue, at, |counted| counted.add(&minute));
        }
    }

    /// What was recorded, and what is counted here beside it, the oldest minute first.
    pub fn with_recorded(&self, recorded: Vec<QueueMinute>, since: Timestamp) -> Vec<QueueMinute> {
        let all = Self::default();
        all.put_back(recorded);
        let first = (first_minute(since), Box::from(""));
        all.put_back(self.lock().range(first..).map(|(_, minute)| minute.clone()).collect());
        all.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_added_to_what_was_recorded() {
        let counts = MinuteCounts::default();
        let at = |seconds: u64| Moment::from_micros(0) + Duration::from_secs(seconds);
        counts.submitted("a", at(59));
        counts.submitted("a", at(60));
        counts.submitted("b", at(119));
        let taken = counts.take();
        assert_eq!(taken.iter().map(|minute| minute.submitted).collect::<Vec<_>>(), [1, 1, 1]);
        assert_eq!(counts.take(), []);
        counts.put_back(taken.clone());
        let (phase, charged, ran) = (Phase::Completed, Credits::new(12), Duration::from_micros(7));
        counts.ended(&QueueEnd { queue: "a".into(), at: at(61), phase, charged, ran });
        let since = Timestamp::from_microsecond(65_000_000).unwrap();
        let minutes = counts.with_recorded(taken[1..].to_vec(), since);
        let figures = minutes
            .iter()
            .map(|of| (of.queue.as_str(), of.submitted, of.completed, of.credits, of.run_micros));
        assert_eq!(figures.collect::<Vec<_>>(), [("a", 2, 1, 12, 7), ("b", 2, 0, 0, 0)]);
    }
}
