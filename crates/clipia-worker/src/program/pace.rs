//! How often the events of a program are read.

use std::time::Duration;
use tokio::time::Instant;

/// How long a job is watched without a pause: a warm program may do one in less than a timer takes.
const CLOSELY: Duration = Duration::from_millis(1);

/// The shortest interval after that.
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
        match self.0.elapsed() {
            elapsed if elapsed < CLOSELY => tokio::task::yield_now().await,
            elapsed => tokio::time::sleep((elapsed / PART).clamp(INTERVAL_MIN, INTERVAL_MAX)).await,
        }
    }
}
