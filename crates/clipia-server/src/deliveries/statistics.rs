//! The statistics of deliveries, for the metrics. Reading them costs the same however many deliveries there are.

use crate::store::AttemptClass;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper bounds of the lag's buckets, in seconds. A longer lag counts only in the total.
pub const LAG_BUCKETS: [f64; 8] = [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 300.0];

/// The statistics of this process.
#[derive(Debug, Default)]
pub struct DeliveryStatistics {
    attempts: [AtomicU64; AttemptClass::ALL.len()],
    lag: [AtomicU64; LAG_BUCKETS.len() + 1],
    lag_micros: AtomicU64,
    under_way: AtomicU64,
    open_breakers: AtomicU64,
    waiting_hosts: AtomicU64,
    given_up: AtomicU64,
}

/// The times from the end of a request to the first attempt at its delivery.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryLag {
    /// The number of lags up to each bound of [`LAG_BUCKETS`].
    pub within: [u64; LAG_BUCKETS.len()],
    /// The number of all lags.
    pub count: u64,
    /// The sum of all lags, in seconds.
    pub seconds: f64,
}

impl DeliveryStatistics {
    /// The attempts that ended, by class.
    pub fn attempts(&self) -> impl Iterator<Item = (AttemptClass, u64)> + '_ {
        AttemptClass::ALL.into_iter().map(|class| (class, read(&self.attempts[class as usize])))
    }

    /// The lags between the end of a request and the first attempt at its delivery.
    pub fn lag(&self) -> DeliveryLag {
        let mut count = 0;
        let mut cumulated = self.lag.each_ref().map(|bucket| {
            count += read(bucket);
            count
        });
        let within = std::array::from_fn(|index| std::mem::take(&mut cumulated[index]));
        DeliveryLag { within, count, seconds: Duration::from_micros(read(&self.lag_micros)).as_secs_f64() }
    }

    /// The attempts under way.
    pub fn under_way(&self) -> u64 {
        read(&self.under_way)
    }

    /// The hosts whose breaker is open.
    pub fn open_breakers(&self) -> u64 {
        read(&self.open_breakers)
    }

    /// The hosts with postponed deliveries.
    pub fn waiting_hosts(&self) -> u64 {
        read(&self.waiting_hosts)
    }

    /// The deliveries that were given up: after the last attempt, after a 410, or because the host stayed down.
    pub fn given_up(&self) -> u64 {
        read(&self.given_up)
    }

    /// Counts the start of an attempt. The first attempt of a delivery has a lag. The attempt counts as under way until the
    /// returned value is dropped.
    pub(super) fn begin(&self, first: Option<Duration>) -> Counted<'_> {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        let counted = Counted(&self.under_way);
        let Some(lag) = first else { return counted };
        let seconds = lag.as_secs_f64();
        let bucket = LAG_BUCKETS.iter().position(|bound| seconds <= *bound).unwrap_or(LAG_BUCKETS.len());
        self.lag[bucket].fetch_add(1, Ordering::Relaxed);
        self.lag_micros.fetch_add(u64::try_from(lag.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        counted
    }

    pub(super) fn attempted(&self, class: AttemptClass) {
        self.attempts[class as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn gave_up(&self, count: u64) {
        self.given_up.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn hosts(&self, open: usize, waiting: usize) {
        self.open_breakers.store(u64::try_from(open).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.waiting_hosts.store(u64::try_from(waiting).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// Counts an attempt under way. Dropping this ends the count.
pub(super) struct Counted<'a>(&'a AtomicU64);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_includes_the_smaller_buckets() {
        let statistics = DeliveryStatistics::default();
        let lags = [5, 10, 70, 600_000].map(|millis| Some(Duration::from_millis(millis)));
        let begun: Vec<_> = lags.into_iter().chain([None]).map(|lag| statistics.begin(lag)).collect();
        let lag = statistics.lag();
        assert_eq!((lag.within, lag.count), ([2, 2, 3, 3, 3, 3, 3, 3], 4));
        assert!((lag.seconds - 600.085).abs() < 1e-6);
        assert_eq!(statistics.under_way(), 5);
        drop(begun);
        assert_eq!(statistics.under_way(), 0);
    }

    #[test]
    fn each_class_has_its_counter() {
        let statistics = DeliveryStatistics::default();
        for (index, class) in AttemptClass::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, index);
        }
        statistics.attempted(AttemptClass::Protocol);
        let counted: Vec<_> = statistics.attempts().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [(AttemptClass::Protocol, 1)]);
    }
}
