//! What queues did in each minute.

use std::time::Duration;

/// How long the figures of a minute are kept.
pub const MINUTES_KEPT: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// What a queue did in a minute, by the system's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueMinute {
    /// The queue's name.
    pub queue: String,
    /// The beginning of the minute.
    pub minute: jiff::Timestamp,
    /// Requests that were accepted.
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
