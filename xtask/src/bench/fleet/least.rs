//! The least time that the budget of a key allows.

use clipia_queue::Moment;
use clipia_queue::limits::RateLimit;
use std::time::Duration;

/// How long it takes until all generations of these durations are known to have ended, where a clairvoyant submits them
/// in this order at once and then asks for each a single time, as soon as it has ended and the budget lets it. Where
/// webhooks tell of the ends, it asks for none.
pub(in crate::bench) fn least(durations: &[Duration], limit: RateLimit, webhooks: bool) -> Duration {
    let start = Moment::from_micros(0);
    let mut budget = Budget { limit, arrival: start };
    let mut ends: Vec<Moment> = durations.iter().map(|&duration| budget.next(start) + duration).collect();
    ends.sort_unstable();
    if !webhooks {
        ends = ends.into_iter().map(|end| budget.next(end)).collect();
    }
    ends.last().map_or(Duration::ZERO, |last| last.since(start))
}

/// The server's own rule, asked ahead of time.
struct Budget {
    limit: RateLimit,
    arrival: Moment,
}

impl Budget {
    /// Makes a request at `wanted` or as soon afterwards as it is let through, and tells when that is.
    fn next(&mut self, wanted: Moment) -> Moment {
        let refused = self.limit.decide(self.arrival, wanted).refused_for.unwrap_or_default();
        let at = wanted + refused;
        self.arrival = self.limit.decide(self.arrival, at).arrival;
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against a default key: 30 at once and two a second.
    #[test]
    fn is_what_arithmetic_says() {
        let seconds = |durations: &[u64], webhooks| {
            let durations: Vec<Duration> = durations.iter().copied().map(Duration::from_secs).collect();
            least(&durations, RateLimit::per_minute(120), webhooks).as_secs_f64()
        };
        assert_eq!(seconds(&[], false), 0.0);
        // The burst covers the submits, and what flows in the asks.
        assert_eq!(seconds(&[30; 5], false), 30.0);
        assert_eq!(seconds(&[30; 30], false), 30.0);
        assert_eq!(seconds(&[8, 60], false), 60.0);
        // The submits take 35 s, and the asks, which nothing is left for at first, another 50 s.
        assert_eq!(seconds(&[30; 100], false), 85.0);
        assert_eq!(seconds(&[30; 500], false), 485.0);
        // One that ends last is waited for all the same.
        assert_eq!(seconds(&[[30; 99].as_slice(), &[300]].concat(), false), 335.0);
        // With webhooks the last one ends 30 s after its submit.
        assert_eq!(seconds(&[30; 5], true), 30.0);
        assert_eq!(seconds(&[30; 500], true), 265.0);
    }
}
