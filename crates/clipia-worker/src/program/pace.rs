//! How often the events of a program are read.

use std::time::Duration;
use tokio::time::Instant;

/// The shortest interval.
const INTERVAL_MIN: Duration = Duration::from_millis(1);

/// The longest interval.
const INTERVAL_MAX: Duration = Duration::from_millis(100);

/// So much of the time that a job has run so far passes until its events are read again.
const PART: u32 = 10;

/// Intervals that grow with the time that a job takes: the end of a short one is seen at once, and a long one is seldom looked at.
pub(super) struct Pace(Instant);

impl Pace {
    /// The pace of a job that begins now.
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }

    /// Waits for the next time.
    pub(super) async fn next(&mut self) {
        tokio::time::sleep((self.0.elapsed() / PART).clamp(INTERVAL_MIN, INTERVAL_MAX)).await;
    }
}
