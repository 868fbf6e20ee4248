//! The request budget that the server grants. Pure: the time is an argument, and nothing here sleeps.
//!
//! A bucket of tokens, one per HTTP request. It refills at the rate that `RateLimit-Limit` names. Every response
//! corrects it: `RateLimit-Remaining` is the server's own count, including other processes with the same key, from
//! which the unanswered requests of this client are subtracted. A 429 closes the bucket until its `Retry-After`;
//! without one, for a pause that doubles with each refusal in a row.
//!
//! The limit of a server that sends no `RateLimit-*` is probed, as TCP probes that of a path (RFC 5681): the rate grows
//! with each response, quickly up to the first 429 and slowly from then on, and each 429 halves it.
//!
//! A single 429 may be caused by the network, which can bring two requests closer together than they were sent. A
//! second 429 soon after means that another client spends the same budget. Then the share that this client claims is
//! halved, and grows back linearly. So clients of one key find their shares without knowing of each other (the rule of
//! TCP: Chiu and Jain, "Analysis of the Increase and Decrease Algorithms for Congestion Avoidance", 1989).

use std::time::{Duration, Instant};

/// Requests a minute until a server names its limit (`contract.md`, "Limits").
const LIMIT_DEFAULT: f64 = 120.0;

/// Requests at once until a server names its limit.
const BURST_DEFAULT: f64 = 10.0;

/// How long the first 429 without `Retry-After` closes the bucket. Each further one in a row doubles it.
const CLOSED_DEFAULT: Duration = Duration::from_secs(1);

/// The longest time for which a 429 without `Retry-After` closes the bucket.
const CLOSED_DEFAULT_MAX: Duration = Duration::from_secs(16);

/// The longest time for which any 429 closes the bucket, so that a wrong `Retry-After` does not stop the client.
const CLOSED_MAX: Duration = Duration::from_secs(60);

/// The smallest share of the budget that a client claims. Sixteen clients on one key still get through.
const SHARE_MIN: f64 = 1.0 / 16.0;

/// Growth of the share per second: from a half to the whole in 50 s.
const SHARE_GAIN: f64 = 0.01;

/// Two refusals within this time mean that another client spends the same budget.
const REFUSAL_WINDOW: Duration = Duration::from_secs(30);

/// The highest and the lowest rate that is probed, in requests a second, if the server does not name its limit.
const PROBE_MAX: f64 = 100.0;
const PROBE_MIN: f64 = 0.125;

/// The factor by which each response raises the probed rate until the first 429. Seven responses double the rate.
const PROBE_FACTOR: f64 = 1.1;

/// The rate that each response adds to the probed rate after a 429, in requests a second.
const PROBE_GAIN: f64 = 0.02;

/// The fullness of the bucket, from 0 to 1, below which a response raises the probed rate. A rate that is not used up
/// is not tested, and must not grow (RFC 7661).
const PROBE_FULLNESS_MAX: f64 = 0.5;

/// Tokens are floats: rounding may leave a whole token this little below one.
const WHOLE: f64 = 1.0 - 1e-9;

/// The `RateLimit-*` headers of a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RateLimit {
    /// Requests a minute.
    pub(crate) limit: Option<u64>,
    /// Requests that may be made at once now.
    pub(crate) remaining: Option<u64>,
    /// Seconds until `remaining` is at its maximum again.
    pub(crate) reset: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct Budget {
    per_second: f64,
    burst: f64,
    tokens: f64,
    /// The time for which `tokens` was counted. In the future while the bucket is closed.
    counted: Instant,
    /// Requests without a response, which `RateLimit-Remaining` may not count yet.
    unanswered: u32,
    /// The number of tokens taken, and the highest number of a token whose request was answered.
    taken: u64,
    answered: u64,
    /// The part of the budget that this client claims, up to 1.
    share: f64,
    /// The time of the latest refusal.
    refused: Option<Instant>,
    /// Refusals since a request was last accepted.
    refusals: u32,
    /// Whether a server has sent a limit or a 429.
    limit_known: bool,
    /// Whether a server has named its limit in a header. Until then the rate is probed.
    named: bool,
    /// Whether the probed rate has met a 429.
    met_429: bool,
}

impl Budget {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            per_second: LIMIT_DEFAULT / 60.0,
            burst: BURST_DEFAULT,
            tokens: BURST_DEFAULT,
            counted: now,
            unanswered: 0,
            taken: 0,
            answered: 0,
            share: 1.0,
            refused: None,
            refusals: 0,
            limit_known: false,
            named: false,
            met_429: false,
        }
    }

    /// Whether a server has sent a limit or a 429. Until then the budget is a guess.
    pub(crate) fn is_limit_known(&self) -> bool {
        self.limit_known
    }

    /// Takes a token if the bucket has one and is at least this full (from 0 to 1); otherwise returns when to try
    /// again. [`answered`](Self::answered) takes the token's number.
    pub(crate) fn take(&mut self, now: Instant, fullness: f64) -> Result<u64, Instant> {
        self.refill(now);
        if now < self.counted {
            return Err(self.counted);
        }
        let needed = (self.burst * fullness).max(1.0);
        if self.tokens < needed.min(self.burst) * WHOLE {
            // A microsecond more than computed, so that rounding down does not make the caller spin.
            let rest = Duration::from_secs_f64((needed - self.tokens) / (self.per_second * self.share));
            return Err(now + rest + Duration::from_micros(1));
        }
        Ok(self.spend(now))
    }

    /// Takes a token even if the bucket has none. The debt is at most a burst, because a refused request costs nothing.
    pub(crate) fn spend(&mut self, now: Instant) -> u64 {
        self.refill(now);
        self.tokens = (self.tokens - 1.0).max(-self.burst);
        self.unanswered += 1;
        self.taken += 1;
        self.taken
    }

    /// Returns the token of a request that was never sent.
    pub(crate) fn refund(&mut self) {
        self.abandoned();
        self.tokens = (self.tokens + 1.0).min(self.burst);
    }

    /// Counts a request that got no response, or for which nobody waits any longer.
    pub(crate) fn abandoned(&mut self) {
        self.unanswered = self.unanswered.saturating_sub(1);
    }

    /// Learns from the headers of the response to the request with this number. A response that a later one overtook
    /// shows the bucket fuller than it is, so its count is ignored.
    pub(crate) fn answered(&mut self, now: Instant, number: u64, headers: RateLimit) {
        self.abandoned();
        let overtaken = number < self.answered;
        self.answered = self.answered.max(number);
        self.refill(now);
        if headers.limit.is_some() || headers.remaining.is_some() {
            if !self.named {
                // The probed rate was a guess.
                self.per_second = LIMIT_DEFAULT / 60.0;
            }
            (self.limit_known, self.named) = (true, true);
        }
        if let Some(limit) = headers.limit {
            self.per_second = limit.max(1) as f64 / 60.0;
        }
        let Some(remaining) = headers.remaining else { return };
        let remaining = remaining as f64;
        let whole = remaining + headers.reset.unwrap_or(0) as f64 * self.per_second;
        self.burst = whole.clamp(1.0, (self.per_second * 60.0).max(1.0));
        if now >= self.counted && !overtaken {
            self.tokens = (remaining * self.share - f64::from(self.unanswered)).max(-self.burst);
        }
    }

    /// Counts a success of the request that was just [`answered`](Self::answered).
    pub(crate) fn accepted(&mut self) {
        self.refusals = 0;
        if self.named || self.tokens > self.burst * PROBE_FULLNESS_MAX {
            return;
        }
        let faster = if self.met_429 { self.per_second + PROBE_GAIN } else { self.per_second * PROBE_FACTOR };
        self.per_second = faster.min(PROBE_MAX);
    }

    /// Counts a 429 for the rate limit. At `retry_after` there is one token.
    pub(crate) fn refused(&mut self, now: Instant, retry_after: Option<Duration>) {
        self.refill(now);
        self.limit_known = true;
        // Requests in flight together are refused together; that counts as one refusal.
        let again =
            self.refused.is_some_and(|before| now.saturating_duration_since(before) <= REFUSAL_WINDOW);
        if now >= self.counted {
            if !self.named {
                (self.per_second, self.met_429) = ((self.per_second / 2.0).max(PROBE_MIN), true);
            } else if again {
                self.share = (self.share / 2.0).max(SHARE_MIN);
            }
            self.refused = Some(now);
            self.refusals = self.refusals.saturating_add(1);
        }
        let doubled = CLOSED_DEFAULT.saturating_mul(1 << self.refusals.saturating_sub(1).min(16));
        let closed = retry_after.unwrap_or(doubled.min(CLOSED_DEFAULT_MAX));
        let opens = now + closed.min(CLOSED_MAX);
        self.counted = self.counted.max(opens);
        self.tokens = 1.0;
    }

    fn refill(&mut self, now: Instant) {
        if now > self.counted {
            let passed = (now - self.counted).as_secs_f64();
            self.tokens = (self.tokens + passed * self.per_second * self.share).min(self.burst);
            self.share = (self.share + passed * SHARE_GAIN).min(1.0);
            self.counted = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn taken_at(budget: &mut Budget, now: Instant) -> u32 {
        let mut taken = 0;
        while budget.take(now, 0.0).is_ok() {
            taken += 1;
        }
        taken
    }

    /// The budget of a client whose server has named the limit of a default key.
    fn named(now: Instant) -> Budget {
        let mut budget = Budget::new(now);
        budget.answered(now, 0, RateLimit { limit: Some(120), ..RateLimit::default() });
        budget
    }

    #[test]
    fn before_the_first_response_the_limit_of_a_default_key_holds() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        assert_eq!(taken_at(&mut budget, start), 10);
        let next = budget.take(start, 0.0).unwrap_err();
        assert!(next - start <= seconds(0.500_01) && next - start >= seconds(0.5));
        assert_eq!(taken_at(&mut budget, start + seconds(3.0)), 6);
        assert_eq!(taken_at(&mut budget, start + seconds(600.0)), 10);
    }

    /// Takes tokens for `time`, each of which is accepted at once.
    fn accepted_for(budget: &mut Budget, from: Instant, time: Duration) -> u32 {
        let (mut now, mut accepted) = (from, 0);
        while now <= from + time {
            match budget.take(now, 0.0) {
                Ok(number) => {
                    budget.answered(now, number, RateLimit::default());
                    budget.accepted();
                    accepted += 1;
                }
                Err(when) => now = when,
            }
        }
        accepted
    }

    #[test]
    fn without_headers_the_limit_is_probed() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        let first = accepted_for(&mut budget, start, seconds(5.0));
        assert!((100..=300).contains(&first), "{first}");
        let at_most = accepted_for(&mut budget, start + seconds(60.0), seconds(10.0));
        assert!((1_000..=1_010).contains(&at_most), "{at_most}");
        // The first 429 ends the quick growth, and each halves the rate.
        let mut rate = PROBE_MAX;
        for refusal in 1..=12 {
            let now = start + seconds(100.0 * f64::from(refusal));
            budget.refused(now, None);
            budget.refused(now, None); // in flight with the one before
            rate = (rate / 2.0).max(PROBE_MIN);
            assert!((budget.per_second - rate).abs() < 1e-9, "{refusal}: {}", budget.per_second);
        }
        let slowly = accepted_for(&mut budget, start + seconds(1_300.0), seconds(60.0));
        assert!((10..60).contains(&slowly), "{slowly}");
        // A header that names the limit ends the probing.
        let now = start + seconds(2_000.0);
        budget.answered(now, 0, RateLimit { remaining: Some(10), reset: Some(0), limit: None });
        assert!((1_198..=1_212).contains(&accepted_for(&mut budget, now, seconds(600.0))));
    }

    #[test]
    fn a_rate_that_is_not_used_up_does_not_grow() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        for second in 0..1_000 {
            let now = start + seconds(f64::from(second));
            let number = budget.take(now, 0.0).unwrap();
            budget.answered(now, number, RateLimit::default());
            budget.accepted();
        }
        assert!((budget.per_second - 2.0).abs() < 1e-9, "{}", budget.per_second);
    }

    #[test]
    fn refusals_in_a_row_without_retry_after_close_the_bucket_ever_longer() {
        let start = Instant::now();
        for mut budget in [Budget::new(start), named(start)] {
            let mut now = start;
            for pause in [1.0, 2.0, 4.0, 8.0, 16.0, 16.0] {
                budget.refused(now, None);
                assert_eq!(budget.take(now, 0.0), Err(now + seconds(pause)));
                now += seconds(pause);
                assert!(budget.take(now, 0.0).is_ok());
            }
            budget.accepted();
            budget.refused(now, None);
            assert_eq!(budget.take(now, 0.0), Err(now + seconds(1.0)));
        }
    }

    #[test]
    fn the_servers_count_wins_less_the_unanswered_requests() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        for _ in 0..4 {
            budget.take(start, 0.0).unwrap();
        }
        budget.answered(start, 2, RateLimit { limit: Some(60), remaining: Some(28), reset: Some(2) });
        budget.answered(start, 1, RateLimit { limit: Some(60), remaining: Some(29), reset: Some(1) }); // overtaken
        assert_eq!(taken_at(&mut budget, start), 25); // 28 less the three unanswered
        assert_eq!(taken_at(&mut budget, start + seconds(5.0)), 5); // 60 a minute from now on
    }

    #[test]
    fn a_key_without_a_limit_is_not_held_back() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        budget.spend(start);
        let all = u64::from(u32::MAX);
        budget.answered(start, 1, RateLimit { limit: Some(all), remaining: Some(all), reset: Some(0) });
        assert!((0..100_000).all(|_| budget.take(start, 0.0).is_ok()));
    }

    #[test]
    fn a_429_closes_the_bucket_until_retry_after() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        budget.spend(start);
        budget.answered(start, 1, RateLimit { limit: Some(120), remaining: Some(0), reset: Some(15) });
        budget.refused(start, Some(seconds(7.0)));
        assert_eq!(budget.take(start + seconds(6.9), 0.0), Err(start + seconds(7.0)));
        assert_eq!(taken_at(&mut budget, start + seconds(7.0)), 1);
        assert_eq!(taken_at(&mut budget, start + seconds(9.0)), 4);
        // A late response to an earlier request does not open the bucket again.
        budget.refused(start + seconds(10.0), Some(seconds(5.0)));
        budget.answered(
            start + seconds(11.0),
            9,
            RateLimit { limit: Some(120), remaining: Some(9), reset: None },
        );
        assert!(budget.take(start + seconds(12.0), 0.0).is_err());
        // A wrong `Retry-After` does not close the bucket for ever.
        budget.refused(start + seconds(20.0), Some(seconds(1e6)));
        assert!(budget.take(start + seconds(80.0), 0.0).is_ok());
    }

    #[test]
    fn refusals_in_a_row_halve_the_share() {
        let start = Instant::now();
        let mut budget = named(start);
        let flows_in = |budget: &mut Budget, from: f64| {
            taken_at(budget, start + seconds(from));
            taken_at(budget, start + seconds(from + 4.0))
        };
        budget.refused(start, None);
        assert_eq!(flows_in(&mut budget, 2.0), 8); // a single refusal
        budget.refused(start + seconds(10.0), None);
        assert!((4..=5).contains(&flows_in(&mut budget, 12.0)));
        budget.refused(start + seconds(20.0), None);
        budget.refused(start + seconds(20.0), None); // in flight with the one before
        assert!((2..=3).contains(&flows_in(&mut budget, 22.0)));
        assert_eq!(flows_in(&mut budget, 130.0), 8);
    }

    #[test]
    fn calls_of_the_user_are_counted_and_their_debt_is_bounded() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        for _ in 0..1_000 {
            budget.spend(start);
        }
        assert!(budget.take(start + seconds(5.0), 0.0).is_err());
        assert!(budget.take(start + seconds(5.6), 0.0).is_ok());
    }

    proptest! {
        /// In any window the tokens taken are at most a burst and the refill at the rate that the server named, or at
        /// the highest probed rate if it named none.
        #[test]
        fn never_more_than_the_burst_and_the_rate(
            steps in prop::collection::vec((0u64..3_000, any::<bool>()), 1..300),
            names in any::<bool>(),
        ) {
            let start = Instant::now();
            let mut budget = if names { named(start) } else { Budget::new(start) };
            let rate = if names { LIMIT_DEFAULT / 60.0 } else { PROBE_MAX };
            let (mut now, mut taken) = (start, Vec::new());
            for (millis, gets_answer) in steps {
                now += Duration::from_millis(millis);
                while let Ok(number) = budget.take(now, 0.0) {
                    taken.push(now);
                    if gets_answer {
                        budget.answered(now, number, RateLimit::default());
                        budget.accepted();
                    } else {
                        budget.abandoned();
                    }
                }
            }
            for (first, from) in taken.iter().enumerate() {
                for (last, to) in taken.iter().enumerate().skip(first) {
                    let allowed = BURST_DEFAULT + (*to - *from).as_secs_f64() * rate + 1e-6;
                    prop_assert!(((last - first + 1) as f64) <= allowed);
                }
            }
        }
    }
}
