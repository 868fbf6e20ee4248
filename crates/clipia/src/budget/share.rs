//! The part of the server's bucket that this client claims, when other clients spend from it, too. Pure: the time is an
//! argument.
//!
//! The clients do not talk to each other. Each knows its own requests, and from `RateLimit-Remaining` the tokens that
//! are left for all. If more is missing than it has spent, others have spent it.
//!
//! A client alone uses the whole bucket but for one token. It begins with one request, and each response that shows
//! nobody else allows one more at once, as TCP begins a connection ("slow start", RFC 5681). A client that sees others:
//!
//! - *Estimates* its part `s` of all tokens that were spent of late. One that finds the bucket nearly empty at its first
//!   count cannot tell how many others there are, and begins with a tenth.
//! - *Spends*, of `R` tokens left, `s · (R − (10 − 12 s))`, and `s · r` more each second at the server's rate `r`. So
//!   nobody needs to know the number of clients: if the parts add up to less than 1, the bucket only settles higher, and
//!   nobody leaves the rate unused when others join or die. The smaller the part, the more clients may join at once, so
//!   the more it leaves.
//! - *Lowers* `s` while fewer than 11 tokens are left, and *raises* it while more are left and it lacks its own.
//! - Is *stable*, because `s` falls in proportion and grows by the same amount for all: the parts become equal (Chiu and
//!   Jain, "Analysis of the Increase and Decrease Algorithms for Congestion Avoidance", 1989). A 429 halves it.
//!
//! What a client knows of the bucket becomes old. Then, and while others spend, each request waits for the response to
//! the one before.

use std::time::{Duration, Instant};

/// The smallest part.
const PART_MIN: f64 = 1.0 / 64.0;

/// How fast the part follows the bucket: in each second it falls by this share of itself if the bucket is empty.
const FOLLOWS: f64 = 0.12;

/// The growth of every part in a second.
const GAIN: f64 = 0.006;

/// The tokens that a client with a very small part leaves in the bucket, and how many fewer one with the whole part
/// would leave.
const RESERVE: f64 = 10.0;
const RESERVE_FALLS: f64 = 12.0;

/// The tokens in the bucket at which parts neither fall nor rise.
const WANTED: f64 = 11.0;

/// A client whose first count is below so many tokens joins others that have used up the bucket.
const JOINS_BELOW: f64 = 10.0;

/// The least part that such a client begins with.
const PART_JOINS: f64 = 0.1;

/// The part of a client whose first request is refused: others use the whole bucket.
const PART_REFUSED: f64 = 1.0 / 30.0;

/// The tokens of others from which this client believes in them. Counts are whole numbers, and clocks differ.
const OTHERS_MIN: f64 = 2.0;

/// How long the tokens of others are added up.
const OTHERS_WINDOW: Duration = Duration::from_secs(15);

/// The client is alone again if nobody else has spent anything for so long.
const OTHERS_GONE: Duration = Duration::from_secs(30);

/// The time since the latest count from which this count is old.
const OLD: Duration = Duration::from_secs(5);

/// So many tokens are enough for anybody: with more in the bucket nobody needs to wait for a response.
const PLENTY: f64 = 100.0;

/// The longest time, in seconds, that a change of the part is computed for.
const STEP_MAX: f64 = 20.0;

/// In how many seconds a request's response comes: so many seconds' requests may be in flight.
const IN_FLIGHT_SECONDS: f64 = 0.5;

#[derive(Debug)]
pub(super) struct Share {
    part: f64,
    /// The tokens of the server's bucket.
    level: f64,
    /// When others were last known to spend.
    others: Option<Instant>,
    /// The tokens of the server's bucket if nobody else has spent any since `expected_since`, and the tokens that this
    /// client has spent since.
    expected: f64,
    expected_since: Instant,
    own: f64,
    /// The requests that a client alone may have in flight.
    window: f64,
    /// The time of the latest count.
    counted: Option<Instant>,
    /// Whether others had used up the bucket at the first count.
    joined: bool,
    /// Whether any request was accepted.
    was_accepted: bool,
    /// Whether a request has waited for this client's own tokens since the latest count.
    limited: bool,
    /// Whether this client ignores others.
    ignores_others: bool,
}

impl Share {
    pub(super) fn new(now: Instant, burst: f64) -> Self {
        Self {
            part: 1.0,
            level: burst,
            others: None,
            expected: burst,
            expected_since: now,
            own: 0.0,
            window: 1.0,
            counted: None,
            joined: false,
            was_accepted: false,
            limited: false,
            ignores_others: false,
        }
    }

    /// The same for a client that ignores others.
    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn ignoring_others(self) -> Self {
        Self { ignores_others: true, window: f64::INFINITY, ..self }
    }

    /// The part of the server's rate that is this client's, up to 1.
    pub(super) fn part(&self) -> f64 {
        self.part
    }

    /// Whether others spend, too.
    pub(super) fn is_shared(&self) -> bool {
        self.others.is_some()
    }

    /// Whether this client ignores others.
    pub(super) fn ignores_others(&self) -> bool {
        self.ignores_others
    }

    /// Whether the server has counted its bucket.
    pub(super) fn is_counted(&self) -> bool {
        self.counted.is_some()
    }

    /// Of so many tokens in the bucket, those that are this client's.
    pub(super) fn of(&self, remaining: f64) -> f64 {
        if self.is_shared() {
            (remaining - (RESERVE - RESERVE_FALLS * self.part).max(0.0)) * self.part
        } else {
            remaining.min(self.window.max(remaining - PLENTY))
        }
    }

    /// The requests that may be in flight at once.
    pub(super) fn in_flight_max(&self, now: Instant, per_second: f64) -> u32 {
        let Some(counted) = self.counted else { return u32::MAX };
        let is_old = now.saturating_duration_since(counted) > OLD;
        if self.ignores_others || self.level > PLENTY || !self.is_shared() && !is_old {
            return u32::MAX;
        }
        ((per_second * self.part * IN_FLIGHT_SECONDS) as u32).max(1)
    }

    /// The seconds until the server's bucket has so many tokens, if nobody else spends any.
    pub(super) fn time_to(&self, level: f64, per_second: f64) -> f64 {
        (level - self.level).max(0.0) / per_second
    }

    /// How long to sleep of so many seconds. While others spend, forecasts are soon wrong.
    pub(super) fn bounded(&self, seconds: f64) -> Duration {
        Duration::from_secs_f64(if self.is_shared() { seconds.min(1.0) } else { seconds })
    }

    /// Notes what a request waits for.
    pub(super) fn waited(&mut self, for_own_tokens: bool) {
        self.limited |= for_own_tokens;
    }

    /// Counts tokens that this client has spent.
    pub(super) fn spent(&mut self, tokens: f64, burst: f64) {
        self.level = (self.level - tokens).clamp(-burst, burst);
        self.expected = (self.expected - tokens).clamp(-burst, burst);
        self.own += tokens;
    }

    /// Counts what flows into the server's bucket.
    pub(super) fn refill(&mut self, passed: f64, per_second: f64, burst: f64) {
        self.level = (self.level + passed * per_second).min(burst);
        self.expected = (self.expected + passed * per_second).min(burst);
    }

    /// Takes the server's count of its bucket.
    pub(super) fn count(&mut self, now: Instant, remaining: f64, unanswered: f64, burst: f64) {
        let level = (remaining - unanswered).max(-burst);
        let before = self.counted.replace(now);
        if self.ignores_others {
            self.level = level;
            return;
        }
        if before.is_none() {
            // Of the time before, only what is missing now is known.
            (self.expected, self.level) = ((burst - self.own).max(level), level);
            self.joined = level < JOINS_BELOW.min(burst / 3.0);
        }
        self.find_others(now, level, before.is_none());
        let passed = before.map_or(0.0, |before| now.saturating_duration_since(before).as_secs_f64());
        if self.is_shared() {
            self.follow(remaining, passed.min(STEP_MAX));
        } else {
            let was_idle = passed > OTHERS_WINDOW.as_secs_f64();
            self.window = if was_idle { 2.0 } else { (self.window + 1.0).min(burst.max(2.0)) };
        }
        (self.level, self.limited) = (level, false);
    }

    /// Counts a request that was accepted.
    pub(super) fn accepted(&mut self) {
        self.was_accepted = true;
    }

    /// Counts a 429.
    pub(super) fn refused(&mut self, now: Instant) {
        if self.ignores_others {
            return;
        }
        self.part = if self.was_accepted { (self.part / 2.0).max(PART_MIN) } else { PART_REFUSED };
        self.others = Some(now);
    }

    /// Takes it that the bucket has one token at `opens`.
    pub(super) fn empty(&mut self, opens: Instant) {
        (self.level, self.expected) = (1.0, 1.0);
        (self.own, self.expected_since) = (0.0, opens);
    }

    /// Compares the tokens that are left with those that would be left if this client were alone.
    fn find_others(&mut self, now: Instant, level: f64, is_first: bool) {
        let by_others = self.expected - level;
        if by_others > OTHERS_MIN {
            let own = self.own.max(1.0);
            let part = own / (own + by_others);
            self.part = match self.others {
                None if self.joined && is_first => part.max(PART_JOINS),
                None => part,
                Some(_) if part < self.part && !self.joined => (self.part * part).sqrt(),
                Some(_) => self.part,
            };
            self.part = self.part.max(PART_MIN);
            self.others = Some(now);
        } else if self.others.is_some_and(|others| now.saturating_duration_since(others) > OTHERS_GONE) {
            (self.others, self.part, self.window) = (None, 1.0, 1.0);
        }
        if by_others > OTHERS_MIN || now.saturating_duration_since(self.expected_since) > OTHERS_WINDOW {
            (self.expected, self.expected_since, self.own) = (level, now, 0.0);
        }
        self.expected = self.expected.max(level);
    }

    /// Lets the part follow the bucket.
    fn follow(&mut self, remaining: f64, passed: f64) {
        let rises_by = if self.limited { 2.0 } else { 0.0 };
        let surplus = ((remaining - WANTED) / WANTED).min(rises_by);
        let part = self.part * (FOLLOWS * passed * surplus).exp() + GAIN * passed;
        self.part = part.clamp(PART_MIN, 1.0);
    }
}
