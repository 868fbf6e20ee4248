//! Pauses that double up to a bound. Whoever pauses adds its own jitter. Pure.

use std::time::Duration;

/// How pauses grow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    /// The first pause.
    pub(crate) first: Duration,
    /// The longest pause.
    pub(crate) max: Duration,
}

impl Backoff {
    /// The `count`-th pause, counted from 1.
    pub(crate) fn pause(self, count: u32) -> Duration {
        self.first.saturating_mul(1 << count.saturating_sub(1).min(16)).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let seconds = Duration::from_secs;
        let backoff = Backoff { first: seconds(1), max: seconds(30) };
        let pauses = [0, 1, 2, 3, 4, 5, 6, 7, u32::MAX].map(|count| backoff.pause(count).as_secs());
        assert_eq!(pauses, [1, 1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(Backoff { first: Duration::ZERO, max: seconds(1) }.pause(9), Duration::ZERO);
        assert_eq!(Backoff { first: Duration::MAX, max: seconds(1) }.pause(9), seconds(1));
    }
}
