//! The least time that the rate limit of a key allows.

use clipia_queue::Moment;
use clipia_queue::limits::RateLimit;
use std::time::Duration;

/// The time until the ends of all generations are known to a clairvoyant client. It submits them in this order at once, and polls
/// each a single time, as soon as the generation has ended and the budget allows. With webhooks, it polls none.
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

/// The server's rule for a rate limit, applied to times in the future.
struct Budget {
    limit: RateLimit,
    arrival: Moment,
}

impl Budget {
    /// Makes a request at `wanted`, or as soon afterwards as the limit allows, and returns that time.
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

    /// A default key allows 30 requests at once and two a second.
    #[test]
    fn is_what_arithmetic_says() {
        let seconds = |durations: &[u64], webhooks| {
            let durations: Vec<Duration> = durations.iter().copied().map(Duration::from_secs).collect();
            least(&durations, RateLimit::per_minute(120), webhooks).as_secs_f64()
        };
        assert_eq!(seconds(&[], false), 0.0);
        // The burst covers the submits, and the refill covers the polls.
        assert_eq!(seconds(&[30; 5], false), 30.0);
        assert_eq!(seconds(&[30; 30], false), 30.0);
        assert_eq!(seconds(&[8, 60], false), 60.0);
        // The submits take 35 s. The polls have no budget left at first, and take another 50 s.
        assert_eq!(seconds(&[30; 100], false), 85.0);
        assert_eq!(seconds(&[30; 500], false), 485.0);
        // The generation that ends last is waited for anyway.
        assert_eq!(seconds(&[[30; 99].as_slice(), &[300]].concat(), false), 335.0);
        // With webhooks the last one ends 30 s after its submit.
        assert_eq!(seconds(&[30; 5], true), 30.0);
        assert_eq!(seconds(&[30; 500], true), 265.0);
    }
}
