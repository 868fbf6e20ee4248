//! The time of the store: the clock of its database, which is the same for every node.

use async_trait::async_trait;
use clipia_queue::Moment;
use clipia_queue::commands::Now;
use clipia_store::clock::Clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// The time of the store.
#[derive(Debug)]
pub(crate) enum Time {
    /// That of the database. Each transaction reads it; between two readings this process goes on from the latest.
    Database(Readings),
    /// A clock that a test moves.
    Given(Arc<dyn Clock>),
}

/// What was read of the database's clock.
#[derive(Debug)]
pub(crate) struct Readings {
    start: Instant,
    /// The database's clock, less the time since `start`, in microseconds.
    offset: AtomicI64,
    /// The latest moment that was given.
    latest: AtomicI64,
}

impl Readings {
    /// The database's clock as it was read now.
    pub(crate) fn new(now: Moment) -> Self {
        let readings =
            Self { start: Instant::now(), offset: AtomicI64::new(0), latest: AtomicI64::new(i64::MIN) };
        readings.read(now);
        readings
    }

    fn since_start(&self) -> i64 {
        i64::try_from(self.start.elapsed().as_micros()).unwrap_or(i64::MAX)
    }

    /// The database's clock was read.
    fn read(&self, now: Moment) {
        self.offset.store(now.as_micros().saturating_sub(self.since_start()), Ordering::Relaxed);
    }

    /// The present. It never goes back.
    fn now(&self) -> Moment {
        let now = self.offset.load(Ordering::Relaxed).saturating_add(self.since_start());
        Moment::from_micros(self.latest.fetch_max(now, Ordering::Relaxed).max(now))
    }
}

#[async_trait]
impl Clock for Time {
    fn now(&self) -> Moment {
        match self {
            Self::Database(readings) => readings.now(),
            Self::Given(clock) => clock.now(),
        }
    }

    fn not_before(&self, latest: Moment) -> Duration {
        match self {
            // The clock of the database is not this process's to move.
            Self::Database(_) => Duration::ZERO,
            Self::Given(clock) => clock.not_before(latest),
        }
    }

    async fn until(&self, at: Moment) {
        match self {
            Self::Database(readings) => tokio::time::sleep(at.since(readings.now())).await,
            Self::Given(clock) => clock.until(at).await,
        }
    }
}

impl Time {
    /// The time of a command that read the database's clock at `read`.
    pub(crate) fn at(&self, read: Moment) -> Now {
        let at = match self {
            Self::Database(readings) => {
                readings.read(read);
                read
            }
            Self::Given(clock) => clock.now(),
        };
        Now { steady: at, wall: at }
    }

    /// Whether a test moves the clock.
    pub(crate) const fn is_given(&self) -> bool {
        matches!(self, Self::Given(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_present_goes_on_from_the_latest_reading_and_never_back() {
        let start = Moment::from_micros(1_700_000_000_000_000);
        let readings = Readings::new(start);
        let first = readings.now();
        assert!(first >= start && first.since(start) < Duration::from_secs(60));
        readings.read(start + Duration::from_secs(3_600));
        let later = readings.now();
        assert!(later >= start + Duration::from_secs(3_600));
        readings.read(start);
        assert!(readings.now() >= later);
    }
}
