//! The request budget that the server grants. Pure: the time is an argument, and nothing here sleeps.
//!
//! A bucket of tokens, one per HTTP request. It refills at the rate that `RateLimit-Limit` names. Every response
//! corrects it: `RateLimit-Remaining` is the server's own count, from which the unanswered requests of this client are
//! subtracted. A 429 closes the bucket until its `Retry-After`; without one, for a pause that doubles with each refusal
//! in a row.
//!
//! The limit of a server that sends no `RateLimit-*` is probed, as TCP probes that of a path (RFC 5681): the rate grows
//! with each response, quickly up to the first 429 and slowly from then on, and each 429 halves it.
//!
//! Other processes may use the same key. [`Share`] says what part of the bucket is this client's. In simulated time on
//! a default key, with 2 to 20 processes that start together and do not talk to each other (with constant durations, at
//! different times within the first second, averaged over several such fleets):
//!
#![doc = include_str!("budget/shared.md")]
//!
//! For twenty processes with one generation each a ratio of 1.15 is not to be had by a client that knows neither the
//! others nor the duration: beyond their submits the key grants seventy polls in thirty seconds, three and a half for
//! each process, and as many steps of 1.15 cover only the durations from 18 s to 30 s.

mod share;
#[cfg(test)]
mod tests;

use share::Share;
use std::time::{Duration, Instant};

/// Requests a minute until a server names its limit (`contract.md`, "Limits").
const LIMIT_DEFAULT: f64 = 120.0;

/// Requests at once if a server names no limit. Before its first response there is one token.
const BURST_DEFAULT: f64 = 10.0;

/// How long the first 429 without `Retry-After` closes the bucket. Each further one in a row doubles it.
const CLOSED_DEFAULT: Duration = Duration::from_secs(1);

/// The longest time for which a 429 without `Retry-After` closes the bucket.
const CLOSED_DEFAULT_MAX: Duration = Duration::from_secs(16);

/// The longest time for which any 429 closes the bucket, so that a wrong `Retry-After` does not stop the client.
const CLOSED_MAX: Duration = Duration::from_secs(60);

/// The tokens that a client alone leaves in the bucket, so that the first request of another client gets through.
const RESERVE: f64 = 1.0;

/// The time within which most responses come.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);

/// Two refusals within this time are one.
const REFUSAL_WINDOW: Duration = Duration::from_secs(1);

/// The highest and the lowest rate that is probed, in requests a second, if the server does not name its limit.
const PROBE_MAX: f64 = 100.0;
const PROBE_MIN: f64 = 0.125;

/// The factor by which each response raises the probed rate until the first 429. Seven responses double the rate.
const PROBE_FACTOR: f64 = 1.1;

/// The rate that each response adds to the probed rate after a 429, in requests a second.
const PROBE_GAIN: f64 = 0.02;

/// The longest random addition to the time for which a 429 closes the bucket, in seconds.
const SPREAD_MAX: f64 = 30.0;

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
    /// What this client may spend.
    tokens: f64,
    /// The time for which `tokens` was counted. In the future while the bucket is closed.
    counted: Instant,
    /// Requests without a response, which `RateLimit-Remaining` may not count yet.
    unanswered: u32,
    /// The number of tokens taken, and the highest number of a token whose request was answered.
    taken: u64,
    answered: u64,
    share: Share,
    /// The time of the latest refusal.
    refused: Option<Instant>,
    /// Refusals since a request was last accepted.
    refusals: u32,
    /// Whether any response has come.
    heard: bool,
    /// Whether a server has sent a limit or a 429.
    limit_known: bool,
    /// Whether a server has named its limit in a header. Until then the rate is probed.
    named: bool,
    /// Whether the probed rate has met a 429.
    met_429: bool,
    /// The state of the random numbers.
    random: u64,
}

impl Budget {
    /// The random pauses of clients with different seeds differ.
    pub(crate) fn new(now: Instant, seed: u64) -> Self {
        Self {
            per_second: LIMIT_DEFAULT / 60.0,
            burst: BURST_DEFAULT,
            tokens: 1.0,
            counted: now,
            unanswered: 0,
            taken: 0,
            answered: 0,
            share: Share::new(now, BURST_DEFAULT),
            refused: None,
            refusals: 0,
            heard: false,
            limit_known: false,
            named: false,
            met_429: false,
            random: seed,
        }
    }

    /// The same for a client that ignores that others may share its key, as before [`Share`]: it takes all tokens of the
    /// server for its own, and a 429 closes the bucket until its `Retry-After`. Benchmarks compare with it.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn ignoring_others(self) -> Self {
        Self { tokens: BURST_DEFAULT, heard: true, share: self.share.ignoring_others(), ..self }
    }

    /// Whether a server has sent a limit or a 429. Until then the budget is a guess.
    pub(crate) fn is_limit_known(&self) -> bool {
        self.limit_known
    }

    /// Takes a token if this client has one and the server's bucket is at least this full (from 0 to 1); otherwise
    /// returns when to try again. [`answered`](Self::answered) takes the token's number.
    pub(crate) fn take(&mut self, now: Instant, fullness: f64) -> Result<u64, Instant> {
        self.refill(now);
        if now < self.counted {
            return Err(self.counted);
        }
        if self.unanswered >= self.share.in_flight_max(now, self.per_second) {
            return Err(now + ANSWER_WITHIN);
        }
        let level = (self.burst * fullness).min(self.burst * WHOLE - self.reserve());
        let for_level = self.share.time_to(level, self.per_second);
        let for_token = (WHOLE - self.tokens).max(0.0) / (self.per_second * self.share.part());
        let rest = for_level.max(for_token);
        if rest > 0.0 {
            self.share.waited(for_token > for_level);
            // A microsecond more than computed, so that rounding down does not make the caller spin.
            return Err(now + self.share.bounded(rest) + Duration::from_micros(1));
        }
        Ok(self.spend(now))
    }

    /// The tokens that a client alone leaves in the bucket.
    fn reserve(&self) -> f64 {
        if self.named && !self.share.is_shared() { RESERVE.min(self.burst - 1.0) } else { 0.0 }
    }

    /// Takes a token even if the bucket has none. The debt is at most a burst, because a refused request costs nothing.
    pub(crate) fn spend(&mut self, now: Instant) -> u64 {
        self.refill(now);
        self.tokens = (self.tokens - 1.0).max(-self.burst);
        self.share.spent(1.0, self.burst);
        self.unanswered += 1;
        self.taken += 1;
        self.taken
    }

    /// Returns the token of a request that was never sent.
    pub(crate) fn refund(&mut self) {
        self.abandoned();
        self.tokens = (self.tokens + 1.0).min(self.burst);
        self.share.spent(-1.0, self.burst);
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
        let first = !std::mem::replace(&mut self.heard, true);
        if headers.limit.is_some() || headers.remaining.is_some() {
            if !self.named {
                // The probed rate was a guess.
                self.per_second = LIMIT_DEFAULT / 60.0;
            }
            (self.limit_known, self.named) = (true, true);
        } else if first {
            self.tokens += BURST_DEFAULT - 1.0;
        }
        if let Some(limit) = headers.limit {
            self.per_second = limit.max(1) as f64 / 60.0;
        }
        let Some(remaining) = headers.remaining else { return };
        let remaining = remaining as f64;
        let whole = remaining + headers.reset.unwrap_or(0) as f64 * self.per_second;
        self.set_burst(whole.clamp(1.0, (self.per_second * 60.0).max(1.0)));
        if now >= self.counted && !overtaken {
            let unanswered = f64::from(self.unanswered);
            self.share.count(now, remaining, unanswered, self.burst);
            let mine = self.share.of(remaining - self.reserve());
            self.tokens = (mine - unanswered).max(-self.burst);
        }
    }

    /// Takes the size of the bucket by a response. `RateLimit-Reset` is rounded up to a second, so that the smallest
    /// size of several responses is the best.
    fn set_burst(&mut self, burst: f64) {
        let is_rounded = (self.burst..=self.burst + self.per_second + 1.0).contains(&burst);
        if !self.share.is_counted() || !is_rounded {
            self.burst = burst;
        }
    }

    /// Counts a success of the request that was just [`answered`](Self::answered).
    pub(crate) fn accepted(&mut self) {
        self.refusals = 0;
        self.share.accepted();
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
        if now >= self.counted {
            // Requests in flight together are refused together; that counts as one refusal.
            let again =
                self.refused.is_some_and(|before| now.saturating_duration_since(before) <= REFUSAL_WINDOW);
            if !self.named {
                (self.per_second, self.met_429) = ((self.per_second / 2.0).max(PROBE_MIN), true);
            } else if !again {
                self.share.refused(now);
            }
            self.refused = Some(now);
            self.refusals = self.refusals.saturating_add(1);
        }
        let doubled = CLOSED_DEFAULT.saturating_mul(1 << self.refusals.saturating_sub(1).min(16));
        let closed = retry_after.unwrap_or(doubled.min(CLOSED_DEFAULT_MAX));
        let mut opens = now + closed.min(CLOSED_MAX);
        if self.named && !self.share.ignores_others() {
            // Clients that are refused together must not come back together.
            let doubled = f64::from(1 << self.refusals.saturating_sub(1).min(8));
            let spread = (doubled / (self.per_second * self.share.part())).min(SPREAD_MAX);
            opens += Duration::from_secs_f64(spread * self.random());
        }
        self.counted = self.counted.max(opens);
        self.tokens = 1.0;
        self.share.empty(self.counted);
    }

    fn refill(&mut self, now: Instant) {
        if now > self.counted {
            let passed = (now - self.counted).as_secs_f64();
            // Before the first response nothing is known of others, so one request at a time asks.
            let most = if self.heard { (self.burst - self.reserve()).max(1.0) } else { 1.0 };
            self.tokens = (self.tokens + passed * self.per_second * self.share.part()).min(most);
            self.share.refill(passed, self.per_second, self.burst);
            self.counted = now;
        }
    }

    /// A random number from 0 up to 1 (the generator of Knuth's MMIX).
    fn random(&mut self) -> f64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 11) as f64 / (1u64 << 53) as f64
    }
}
