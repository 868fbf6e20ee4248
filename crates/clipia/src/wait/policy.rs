//! When to ask for a generation next. Pure: the time is an argument.
//!
//! Nobody tells when a generation ends, and durations have a heavy tail: one that has run for a minute is likely to
//! run for another. With the chance `S(t) = (2 s / t)^0.7` of outliving the age `t`, asking whenever the chance
//! that it has ended since the last ask is one in five means asking at ages that grow by a fixed factor,
//! `0.8^(-1/0.7) ≈ 1.4` ([`GROWTH`]). That costs few requests for any duration and is late by a fixed share of it.
//! Progress and position bend this schedule; they never replace it, for servers are wrong about both.
//!
//! The bound: an entry is due at most [`Known::interval_max`] after it was last asked (more only after failures or
//! where the server says `Retry-After`), and what is due is served in due order. Of `n` entries on a budget of `r`
//! requests a second each is therefore asked at least every `interval_max + n / r` seconds.

use crate::error::Error;
use clipia_api::{Progress, Status};
use std::time::{Duration, Instant};

/// The first ask after a submit, and the least time between two: a local server is done in well under a second.
pub(crate) const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// The most between two asks where nobody watches.
pub(crate) const INTERVAL_MAX: Duration = Duration::from_secs(15);

/// The most between two asks where somebody watches the progress.
pub(crate) const INTERVAL_MAX_WATCHED: Duration = Duration::from_secs(3);

/// The next ask comes when the age has grown by this share.
const GROWTH: f64 = 0.4;

/// However near the end seems, no ask comes sooner than after this share of the age.
const GROWTH_NEAR_END: f64 = 0.05;

/// Nothing ends while others are ahead of it: the interval grows by this factor.
const QUEUED: u32 = 2;

/// The longest `Retry-After` that one entry sits out.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// How many answers in a row may be none of the API's (a page of a proxy, JSON that cannot be read). At the pace of
/// failures that is about a minute, longer than a deployment takes; a wrong address does not wait for ever.
const FOREIGN_MAX: u32 = 9;

/// What is known of one generation.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// Since when it runs, as far as this process knows.
    since: Instant,
    watched: bool,
    status: Option<Status>,
    queued: bool,
    /// When progress was first seen, and how much.
    first: Option<(Instant, u8)>,
    /// The latest progress.
    last: Option<(Instant, u8)>,
    /// Failures in a row.
    failures: u32,
    /// Answers in a row that were not the API's.
    foreign: u32,
}

impl Known {
    /// Nothing, of a generation that this process has known `since` then.
    pub(crate) fn new(since: Instant, watched: bool) -> Self {
        Self { since, watched, status: None, queued: false, first: None, last: None, failures: 0, foreign: 0 }
    }

    /// The most between two asks.
    pub(crate) fn interval_max(&self) -> Duration {
        if self.watched { INTERVAL_MAX_WATCHED } else { INTERVAL_MAX }
    }

    /// It was asked for at `now`, and this is where it stands.
    pub(crate) fn answered(
        &mut self,
        now: Instant,
        status: &Status,
        position: Option<u64>,
        progress: Option<Progress>,
    ) {
        (self.failures, self.foreign) = (0, 0);
        if self.status.as_ref() != Some(status) {
            // A new attempt starts its progress anew.
            (self.first, self.last) = (None, None);
            self.status = Some(status.clone());
        }
        self.queued = *status == Status::InQueue && position.unwrap_or(0) > 0;
        let Some(progress) = progress.map(Progress::percent) else { return };
        if self.last.is_some_and(|(_, last)| progress < last) {
            self.first = None;
        }
        self.first.get_or_insert((now, progress));
        self.last = Some((now, progress));
    }

    /// It was asked for, and the answer was none. Whether that ends the wait.
    pub(crate) fn failed(&mut self, error: &Error) -> Verdict {
        self.failures = self.failures.saturating_add(1);
        let definite = match error.api() {
            Some(api) if api.is_genuine() => !error.is_retryable(),
            _ if error.is_retryable() => false,
            _ => {
                self.foreign += 1;
                self.foreign >= FOREIGN_MAX
            }
        };
        if definite { Verdict::GiveUp } else { Verdict::AskAgain }
    }

    /// How long after an answer at `now` to ask again.
    pub(crate) fn interval(&self, now: Instant) -> Duration {
        let age = now.saturating_duration_since(self.since);
        let most = self.interval_max();
        let regular = age.mul_f64(GROWTH).clamp(INTERVAL_MIN, most);
        if self.queued {
            return (regular * QUEUED).min(most);
        }
        match self.rest() {
            Some(rest) => rest.max(age.mul_f64(GROWTH_NEAR_END)).clamp(INTERVAL_MIN, regular),
            None => regular,
        }
    }

    /// How long after a failure at `now` to ask again: longer after each, and not before the server said.
    pub(crate) fn interval_after_failure(&self, now: Instant, retry_after: Option<Duration>) -> Duration {
        let doubled = INTERVAL_MIN.saturating_mul(1 << self.failures.min(16)).min(INTERVAL_MAX);
        self.interval(now).max(doubled).max(retry_after.unwrap_or_default().min(RETRY_AFTER_MAX))
    }

    /// How long it still takes if its progress goes on as it has.
    fn rest(&self) -> Option<Duration> {
        let ((first_at, first), (last_at, last)) = (self.first?, self.last?);
        let gained = last.checked_sub(first).filter(|gained| *gained > 0)?;
        let per_percent = (last_at - first_at) / u32::from(gained);
        Some(per_percent * u32::from(100 - last))
    }
}

/// What a failed ask means for its wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    AskAgain,
    GiveUp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ApiError;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// The ages at which a generation is asked for that answers nothing but this.
    fn asks(
        watched: bool,
        until: Duration,
        answer: impl Fn(Duration) -> (Status, Option<u64>, Option<u8>),
    ) -> Vec<f64> {
        let start = Instant::now();
        let (mut known, mut now, mut ages) = (Known::new(start, watched), start + INTERVAL_MIN, Vec::new());
        while now - start <= until {
            ages.push((now - start).as_secs_f64());
            let (status, position, progress) = answer(now - start);
            known.answered(now, &status, position, progress.map(Progress::new));
            now += known.interval(now);
        }
        ages
    }

    #[test]
    fn it_asks_soon_and_then_ever_more_rarely() {
        let ages = asks(false, seconds(600.0), |_| (Status::InProgress, None, None));
        assert!(
            ages[..4].iter().zip([0.1, 0.2, 0.3, 0.42]).all(|(age, want)| (age - want).abs() < 1e-3),
            "{ages:?}"
        );
        assert!(ages.iter().filter(|age| **age <= 30.0).count() <= 18, "{ages:?}");
        assert!(ages.windows(2).all(|pair| pair[1] - pair[0] <= INTERVAL_MAX.as_secs_f64() + 1e-6));
        // Late by two fifths of the duration at most.
        assert!(ages.windows(2).all(|pair| pair[1] <= pair[0] * 1.4 + 0.1 + 1e-6));
    }

    #[test]
    fn it_asks_more_often_where_somebody_watches() {
        let ages = asks(true, seconds(60.0), |_| (Status::InProgress, None, None));
        assert!(ages.windows(2).all(|pair| pair[1] - pair[0] <= INTERVAL_MAX_WATCHED.as_secs_f64() + 1e-6));
    }

    #[test]
    fn honest_progress_brings_an_ask_near_the_end() {
        let ages = asks(false, seconds(40.0), |age| {
            (Status::InProgress, None, Some((age.as_secs_f64() / 30.0 * 100.0).min(100.0) as u8))
        });
        let after = ages.iter().find(|age| **age >= 30.0).unwrap();
        assert!(after - 30.0 <= 2.5, "{ages:?}");
        assert!(ages.len() <= 30, "{ages:?}");
    }

    #[test]
    fn dishonest_progress_costs_little() {
        for percent in [0, 50, 99, 100] {
            let ages = asks(false, seconds(30.0), |age| {
                (Status::InProgress, None, Some(if age < seconds(1.0) { 0 } else { percent }))
            });
            assert!(ages.len() <= 90, "{percent} %: {}", ages.len());
        }
    }

    #[test]
    fn one_behind_others_is_asked_less() {
        let queued = asks(false, seconds(60.0), |_| (Status::InQueue, Some(40), None));
        let next = asks(false, seconds(60.0), |_| (Status::InQueue, Some(0), None));
        assert!(queued.len() < next.len());
    }

    #[test]
    fn a_second_attempt_starts_its_progress_anew() {
        let start = Instant::now();
        let mut known = Known::new(start, false);
        for (age, percent) in [(1, 10), (2, 90), (3, 5), (4, 6)] {
            let now = start + Duration::from_secs(age);
            known.answered(now, &Status::InProgress, None, Some(Progress::new(percent)));
        }
        assert_eq!(known.rest(), Some(Duration::from_secs(94)));
    }

    fn answer(http_status: u16, code: &str) -> Error {
        Error::from_api(ApiError::bare(http_status, code))
    }

    #[test]
    fn only_a_refusal_ends_a_wait() {
        let mut known = Known::new(Instant::now(), false);
        let timeout = Error::Timeout { request_id: None, attempts: 1, elapsed: Duration::ZERO };
        let (attempts, elapsed, source) = (1, Duration::ZERO, "reset".into());
        let connection = Error::Connection { request_id: None, attempts, elapsed, source };
        for _ in 0..1_000 {
            for error in
                [&timeout, &connection, &answer(429, "rate_limit_exceeded"), &answer(502, "http_502")]
            {
                assert_eq!(known.failed(error), Verdict::AskAgain);
            }
        }
        for (status, code) in [(401, "invalid_api_key"), (403, "insufficient_scope"), (404, "not_found")] {
            assert_eq!(known.failed(&answer(status, code)), Verdict::GiveUp);
        }
    }

    #[test]
    fn what_is_not_the_apis_is_borne_for_about_a_minute() {
        let start = Instant::now();
        let (mut known, mut now) = (Known::new(start, false), start);
        let page = answer(404, "http_404");
        while known.failed(&page) == Verdict::AskAgain {
            now += known.interval_after_failure(now, None);
        }
        assert!(now - start > seconds(40.0) && now - start < seconds(120.0), "{:?}", now - start);
        known.answered(now, &Status::InQueue, None, None);
        assert_eq!(known.failed(&page), Verdict::AskAgain);
    }

    #[test]
    fn failures_are_spaced_and_retry_after_is_heeded_within_a_cap() {
        let start = Instant::now();
        let mut known = Known::new(start, false);
        let error = answer(503, "service_unavailable");
        for millis in [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 15_000, 15_000] {
            known.failed(&error);
            assert_eq!(known.interval_after_failure(start, None), Duration::from_millis(millis));
        }
        assert_eq!(known.interval_after_failure(start, Some(seconds(20.0))), seconds(20.0));
        assert_eq!(known.interval_after_failure(start, Some(seconds(1e6))), RETRY_AFTER_MAX);
    }
}
