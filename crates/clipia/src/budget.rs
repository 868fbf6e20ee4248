//! What the server lets us spend. Pure: the time is an argument, and nothing here sleeps.
//!
//! A bucket of tokens, one per request. It refills at the rate that `RateLimit-Limit` names, and is set right by
//! every answer: `RateLimit-Remaining` is the server's own count, other processes with the same key included,
//! less the requests of ours that it has not answered yet. A 429 closes the bucket until its `Retry-After`, or
//! without one for a pause that doubles with each refusal in a row.
//!
//! A server that sends no `RateLimit-*` has its limit found out, as TCP finds that of a path (RFC 5681): the rate
//! grows with each answer, quickly up to the first 429 and slowly from then on, and each 429 halves it.
//!
//! One 429 may be the network's doing, which brought two requests closer together than they were sent. A second soon
//! after says that somebody else spends of the same budget: the share that this client takes for its own is halved, and
//! grows back evenly. Clients of one key so find their parts without knowing of each other (the rule of
//! TCP: Chiu and Jain, "Analysis of the Increase and Decrease Algorithms for Congestion Avoidance", 1989).

use std::time::{Duration, Instant};

/// Requests a minute until a server says otherwise (`contract.md`, "Limits").
const LIMIT_DEFAULT: f64 = 120.0;

/// Requests at once until a server says otherwise.
const BURST_DEFAULT: f64 = 10.0;

/// How long the first 429 without `Retry-After` closes the bucket; each further one in a row doubles it.
const CLOSED_DEFAULT: Duration = Duration::from_secs(1);

/// The longest that a 429 without `Retry-After` closes the bucket.
const CLOSED_DEFAULT_MAX: Duration = Duration::from_secs(16);

/// A server's slip must not stop a client for longer than this; then one request asks again.
const CLOSED_MAX: Duration = Duration::from_secs(60);

/// The least share of the budget that a client takes for its own: sixteen on one key still get through.
const SHARE_MIN: f64 = 1.0 / 16.0;

/// What the share grows by in a second: from a half to the whole in 50 s.
const SHARE_GAIN: f64 = 0.01;

/// Two refusals within this are no accident.
const ACCIDENT: Duration = Duration::from_secs(30);

/// The highest and the lowest rate that is tried, in requests a second, where the server does not name the limit.
const FOUND_MAX: f64 = 100.0;
const FOUND_MIN: f64 = 0.125;

/// The factor by which each answer raises that rate until the first 429: seven answers double the rate.
const FOUND_FACTOR: f64 = 1.1;

/// What each answer adds to that rate after a 429, in requests a second.
const FOUND_GAIN: f64 = 0.02;

/// The bucket must be emptier than this, from 0 to 1, for an answer to say that a higher rate would do: a rate that
/// is not used up is not tried (RFC 7661).
const FOUND_USED: f64 = 0.5;

/// Tokens are floats; a whole one may have lost its last bits.
const WHOLE: f64 = 1.0 - 1e-9;

/// What an answer's `RateLimit-*` headers said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RateLimit {
    /// Requests a minute.
    pub(crate) limit: Option<u64>,
    /// Requests that may be made at once, now.
    pub(crate) remaining: Option<u64>,
    /// Seconds until `remaining` is whole again.
    pub(crate) reset: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct Budget {
    per_second: f64,
    burst: f64,
    tokens: f64,
    /// When `tokens` was right. In the future while the bucket is closed.
    counted: Instant,
    /// Requests on the way, which `RateLimit-Remaining` may not count yet.
    unanswered: u32,
    /// How many were taken, and the latest of them that was answered.
    taken: u64,
    answered: u64,
    /// The part of the budget that is taken to be ours.
    share: f64,
    /// When a request was last refused.
    refused: Option<Instant>,
    /// Refusals since a request was last accepted.
    refusals: u32,
    /// Whether a server has said anything of a limit.
    told: bool,
    /// Whether a server has named the limit in a header. Until then the rate is found out.
    named: bool,
    /// Whether the rate that is found out has met a 429.
    met: bool,
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
            told: false,
            named: false,
            met: false,
        }
    }

    /// Whether a server has said anything of a limit. Until then all of this is a guess.
    pub(crate) fn is_told(&self) -> bool {
        self.told
    }

    /// Spends a token if there is one and the bucket is at least so full (from 0 to 1), or says when it may be.
    /// The token's number tells [`answered`](Self::answered) which request it was.
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

    /// Spends a token whether there is one or not. The debt is at most a burst, for what is refused costs nothing.
    pub(crate) fn spend(&mut self, now: Instant) -> u64 {
        self.refill(now);
        self.tokens = (self.tokens - 1.0).max(-self.burst);
        self.unanswered += 1;
        self.taken += 1;
        self.taken
    }

    /// A token was taken, and the request was never sent.
    pub(crate) fn refund(&mut self) {
        self.abandoned();
        self.tokens = (self.tokens + 1.0).min(self.burst);
    }

    /// A request got no answer, or nobody waits for it any longer.
    pub(crate) fn abandoned(&mut self) {
        self.unanswered = self.unanswered.saturating_sub(1);
    }

    /// The request of this number was answered, with these headers. An answer that was overtaken by a later request's
    /// tells of a bucket that was fuller than it is.
    pub(crate) fn answered(&mut self, now: Instant, number: u64, told: RateLimit) {
        self.abandoned();
        let overtaken = number < self.answered;
        self.answered = self.answered.max(number);
        self.refill(now);
        if told.limit.is_some() || told.remaining.is_some() {
            if !self.named {
                // What was found out so far was a guess.
                self.per_second = LIMIT_DEFAULT / 60.0;
            }
            (self.told, self.named) = (true, true);
        }
        if let Some(limit) = told.limit {
            self.per_second = limit.max(1) as f64 / 60.0;
        }
        let Some(remaining) = told.remaining else { return };
        let remaining = remaining as f64;
        let whole = remaining + told.reset.unwrap_or(0) as f64 * self.per_second;
        self.burst = whole.clamp(1.0, (self.per_second * 60.0).max(1.0));
        if now >= self.counted && !overtaken {
            self.tokens = (remaining * self.share - f64::from(self.unanswered)).max(-self.burst);
        }
    }

    /// The request that was [`answered`](Self::answered) was accepted.
    pub(crate) fn accepted(&mut self) {
        self.refusals = 0;
        if self.named || self.tokens > self.burst * FOUND_USED {
            return;
        }
        let faster = if self.met { self.per_second + FOUND_GAIN } else { self.per_second * FOUND_FACTOR };
        self.per_second = faster.min(FOUND_MAX);
    }

    /// A request was refused because the limit is reached. At `retry_after` there is one token.
    pub(crate) fn refused(&mut self, now: Instant, retry_after: Option<Duration>) {
        self.refill(now);
        self.told = true;
        // Requests that were on the way together are refused together, and say so once.
        let again = self.refused.is_some_and(|before| now.saturating_duration_since(before) <= ACCIDENT);
        if now >= self.counted {
            if !self.named {
                (self.per_second, self.met) = ((self.per_second / 2.0).max(FOUND_MIN), true);
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

    /// Of a server that has named a default key's limit.
    fn named(now: Instant) -> Budget {
        let mut budget = Budget::new(now);
        budget.answered(now, 0, RateLimit { limit: Some(120), ..RateLimit::default() });
        budget
    }

    #[test]
    fn until_the_first_answer_it_is_a_default_key() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        assert_eq!(taken_at(&mut budget, start), 10);
        let next = budget.take(start, 0.0).unwrap_err();
        assert!(next - start <= seconds(0.500_01) && next - start >= seconds(0.5));
        assert_eq!(taken_at(&mut budget, start + seconds(3.0)), 6);
        assert_eq!(taken_at(&mut budget, start + seconds(600.0)), 10);
    }

    /// Takes what it can for so long, all of which is accepted at once.
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
    fn without_headers_the_limit_is_found_out() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        let first = accepted_for(&mut budget, start, seconds(5.0));
        assert!((100..=300).contains(&first), "{first}");
        let at_most = accepted_for(&mut budget, start + seconds(60.0), seconds(10.0));
        assert!((1_000..=1_010).contains(&at_most), "{at_most}");
        // The first 429 ends the quick growth, and each halves the rate.
        let mut rate = FOUND_MAX;
        for refusal in 1..=12 {
            let now = start + seconds(100.0 * f64::from(refusal));
            budget.refused(now, None);
            budget.refused(now, None); // on the way with the one before
            rate = (rate / 2.0).max(FOUND_MIN);
            assert!((budget.per_second - rate).abs() < 1e-9, "{refusal}: {}", budget.per_second);
        }
        let slowly = accepted_for(&mut budget, start + seconds(1_300.0), seconds(60.0));
        assert!((10..60).contains(&slowly), "{slowly}");
        // What the server says in a header counts from then on, and only that.
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
    fn refusals_in_a_row_that_name_no_time_close_it_ever_longer() {
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
    fn the_servers_count_wins_less_what_it_has_not_seen() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        for _ in 0..4 {
            budget.take(start, 0.0).unwrap();
        }
        budget.answered(start, 2, RateLimit { limit: Some(60), remaining: Some(28), reset: Some(2) });
        budget.answered(start, 1, RateLimit { limit: Some(60), remaining: Some(29), reset: Some(1) }); // overtaken
        assert_eq!(taken_at(&mut budget, start), 25); // 28 less the three that were on the way
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
    fn a_429_closes_it_until_retry_after() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        budget.spend(start);
        budget.answered(start, 1, RateLimit { limit: Some(120), remaining: Some(0), reset: Some(15) });
        budget.refused(start, Some(seconds(7.0)));
        assert_eq!(budget.take(start + seconds(6.9), 0.0), Err(start + seconds(7.0)));
        assert_eq!(taken_at(&mut budget, start + seconds(7.0)), 1);
        assert_eq!(taken_at(&mut budget, start + seconds(9.0)), 4);
        // A late answer from before does not open it again.
        budget.refused(start + seconds(10.0), Some(seconds(5.0)));
        budget.answered(
            start + seconds(11.0),
            9,
            RateLimit { limit: Some(120), remaining: Some(9), reset: None },
        );
        assert!(budget.take(start + seconds(12.0), 0.0).is_err());
        // Nor does a slip close it for ever.
        budget.refused(start + seconds(20.0), Some(seconds(1e6)));
        assert!(budget.take(start + seconds(80.0), 0.0).is_ok());
    }

    #[test]
    fn refusals_in_a_row_say_that_others_spend_too() {
        let start = Instant::now();
        let mut budget = named(start);
        let flows_in = |budget: &mut Budget, from: f64| {
            taken_at(budget, start + seconds(from));
            taken_at(budget, start + seconds(from + 4.0))
        };
        budget.refused(start, None);
        assert_eq!(flows_in(&mut budget, 2.0), 8); // an accident
        budget.refused(start + seconds(10.0), None);
        assert!((4..=5).contains(&flows_in(&mut budget, 12.0)));
        budget.refused(start + seconds(20.0), None);
        budget.refused(start + seconds(20.0), None); // with the one before
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
        /// Whatever is taken and answered, in any window no more is taken than a burst and what flows in at the rate
        /// that the server named, or at the highest that is tried where it named none.
        #[test]
        fn never_more_than_the_burst_and_the_rate(
            steps in prop::collection::vec((0u64..3_000, any::<bool>()), 1..300),
            names in any::<bool>(),
        ) {
            let start = Instant::now();
            let mut budget = if names { named(start) } else { Budget::new(start) };
            let rate = if names { LIMIT_DEFAULT / 60.0 } else { FOUND_MAX };
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
