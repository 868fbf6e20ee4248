//! Which errors are worth another try, and after how long. Pure: the caller brings the time and the randomness,
//! and sleeps.
//!
//! | answer | class |
//! |---|---|
//! | no connection, broken connection, no answer in time, half of an answer | failure |
//! | 408 and 425: the server did not get, or did not take, the request in time | failure |
//! | 500 to 599, Cloudflare's 520 to 530 among them | failure |
//! | 429, any code | limit |
//! | 409 `request_in_progress`: the first submit of the key is not answered yet | limit |
//! | every other 4xx, an answer that cannot be read | final |
//!
//! Failures are bounded by count and by time. Limits are bounded by time alone, for the server keeps its word on
//! when there is room again: a fleet larger than the limit gets through. All of it is safe to repeat: reads
//! change nothing, and a submit carries its idempotency key.
//!
//! A `Retry-After` lengthens a pause and never shortens one: of 0, of the past, negative or unreadable it tells
//! nothing, and the pauses double.

use crate::error::Error;
use clipia_api::foreign;
use std::time::{Duration, SystemTime};

/// No pause of our own is longer.
const PAUSE_MAX: Duration = Duration::from_secs(20);

/// Longest `Retry-After` that a call sits out. Beyond it the error goes to the caller, who learns from
/// [`Error::retry_after`] when to come back; asking earlier than told would be refused again.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// The shortest `Retry-After` that is one. The header counts in seconds, and a date that is nearer than that, told
/// again and again, would be asked several times a second.
const RETRY_AFTER_MIN: Duration = Duration::from_secs(1);

/// Added to a `Retry-After` at random, so that many clients told the same do not come back as one.
const RETRY_AFTER_SPREAD: Duration = Duration::from_millis(250);

/// The least bound of the first pause after a limit, whatever the caller set: limits are not bounded by count.
const LIMIT_PAUSE_FIRST: Duration = Duration::from_millis(500);

/// The least part of its bound that a pause lasts where the server said that it is asked too much.
const LIMIT_PAUSE_SHARE: f64 = 0.5;

/// Pauses longer than this are logged as INFO, with what they wait for.
pub(crate) const PAUSE_LONG: Duration = Duration::from_secs(5);

/// What a pause waits for, in words for people.
pub(crate) const RATE_LIMIT: &str = "the rate limit";
pub(crate) const CONCURRENCY_LIMIT: &str = "the concurrency limit";

/// What an error means for another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// The same again ends the same.
    Final,
    /// Something broke, and may be whole again.
    Failure,
    /// There is no room now, and will be; or the first submit of the key is not answered yet, and will be.
    Limit,
}

fn classify(error: &Error) -> Class {
    match error {
        Error::Unreachable { .. } | Error::Connection { .. } | Error::Timeout { .. } => Class::Failure,
        Error::RequestInProgress(_) => Class::Limit,
        Error::Download { transient: true, .. } => Class::Failure,
        Error::SubmitUnanswered { source, .. } if seems_accepted(source) => Class::Failure,
        Error::UnexpectedAnswer(api) if foreign::is_half(api.envelope()) => Class::Failure,
        Error::SubmitUnanswered { source, .. } => classify(source),
        other => match other.http_status() {
            Some(429) => Class::Limit,
            Some(408 | 425 | 500..=599) => Class::Failure,
            _ => Class::Final,
        },
    }
}

/// Whether doing the same again later may succeed.
pub(crate) fn is_retryable(error: &Error) -> bool {
    classify(error) != Class::Final
}

/// What a pause after this error waits for, in words for people.
pub(crate) fn waits_for(error: &Error) -> &'static str {
    match error {
        Error::SubmitUnanswered { source, .. } => waits_for(source),
        Error::RequestInProgress(_) => "the first submit of this idempotency key",
        Error::ConcurrencyLimitExceeded(_) => CONCURRENCY_LIMIT,
        Error::Unreachable { .. } | Error::Connection { .. } | Error::Timeout { .. } => "a connection",
        Error::Download { .. } => "the media host",
        other if other.http_status() == Some(429) => RATE_LIMIT,
        _ => "the server to recover",
    }
}

/// How far one call may go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// How often it is repeated after a failure; with 0 after nothing at all.
    pub(crate) retries: u32,
    /// All its tries and pauses together: no pause that would end later begins.
    pub(crate) within: Duration,
    /// The bound of the first pause; each further one doubles it.
    pub(crate) pause_first: Duration,
}

/// What one call has gone through.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tried {
    failures: u32,
    limits: u32,
    /// Whether a try of it may have been accepted without a word.
    pub(crate) open: bool,
}

impl Tried {
    /// The same after another try that ended so.
    pub(crate) fn and(self, error: &Error) -> Self {
        let class = classify(error);
        Self {
            failures: self.failures + u32::from(class != Class::Limit),
            limits: self.limits + u32::from(class == Class::Limit),
            open: match tells(error) {
                Tells::Nothing => self.open,
                Tells::MayBeAccepted => true,
                Tells::NotAccepted => false,
            },
        }
    }

    /// How many tries that were.
    pub(crate) fn times(self) -> u32 {
        self.failures + self.limits
    }
}

/// How long to pause before the next try of a call whose last one ended with `error`, `elapsed` after the first
/// began; `None` where it ends here. `jitter` is a random number from 0 up to 1.
pub(crate) fn decide(
    error: &Error,
    tried: Tried,
    elapsed: Duration,
    bounds: Bounds,
    jitter: f64,
) -> Option<Duration> {
    let same = match classify(error) {
        Class::Final => return None,
        Class::Failure if tried.failures > bounds.retries => return None,
        Class::Failure => tried.failures,
        Class::Limit if bounds.retries == 0 => return None,
        Class::Limit => tried.limits,
    };
    let pause = pause(error, same, bounds.pause_first, jitter)?;
    (elapsed.saturating_add(pause) <= bounds.within).then_some(pause)
}

/// The pause after an error that is the `same`-th of its class, from 1.
///
/// Full jitter: anything between nothing and a bound that doubles ("Exponential Backoff and Jitter", AWS
/// Architecture Blog). Where the server said that it is asked too much, half of the bound at least. A `Retry-After`
/// wins, which is never shorter than [`RETRY_AFTER_MIN`].
pub(crate) fn pause(error: &Error, same: u32, first: Duration, jitter: f64) -> Option<Duration> {
    if let Some(told) = error.retry_after() {
        return (told <= RETRY_AFTER_MAX).then(|| told + RETRY_AFTER_SPREAD.mul_f64(jitter));
    }
    let (first, share) = match (classify(error), error.http_status()) {
        (Class::Limit, _) => (first.max(LIMIT_PAUSE_FIRST), LIMIT_PAUSE_SHARE),
        (_, Some(503)) => (first, LIMIT_PAUSE_SHARE),
        _ => (first, 0.0),
    };
    let bound = first.saturating_mul(1 << same.saturating_sub(1).min(16)).min(PAUSE_MAX);
    Some(bound.mul_f64(share + (1.0 - share) * jitter))
}

/// What an error tells of whether the server accepted this submit, in this try or an earlier one of the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tells {
    Nothing,
    MayBeAccepted,
    NotAccepted,
}

fn tells(error: &Error) -> Tells {
    match error {
        // The answer was lost, or comes while the first try is being processed.
        Error::Connection { .. } | Error::Timeout { .. } => Tells::MayBeAccepted,
        Error::RequestInProgress(_) => Tells::MayBeAccepted,
        // Said of the key and its limits, before the submit is looked at.
        Error::InvalidApiKey(_) | Error::InsufficientScope(_) => Tells::Nothing,
        other => match other.api() {
            Some(api) if api.http_status() >= 500 => Tells::MayBeAccepted,
            Some(_) if seems_accepted(other) => Tells::MayBeAccepted,
            // Led on to what was made, as after a form is posted (RFC 9110, section 15.4.4).
            Some(api) if (300..400).contains(&api.http_status()) && api.request_id().is_some() => {
                Tells::MayBeAccepted
            }
            // A proxy that gave up on the server says 408, too.
            Some(api) if api.http_status() == 408 => Tells::MayBeAccepted,
            // Not looked at: it came in early data (RFC 8470).
            Some(api) if api.http_status() == 425 => Tells::Nothing,
            // Had it been accepted, the same key would have found it (`contract.md`, "Idempotency").
            Some(api) if api.is_genuine() && api.http_status() != 429 => Tells::NotAccepted,
            _ => Tells::Nothing,
        },
    }
}

/// Whether an answer that cannot be read says by its HTTP status that all is well.
pub(crate) fn seems_accepted(error: &Error) -> bool {
    let unreadable = error.api().filter(|api| !api.is_genuine());
    unreadable.is_some_and(|api| (200..300).contains(&api.http_status()))
}

/// Reads a `Retry-After`: seconds or an HTTP date (RFC 9110, section 10.2.3). One of 0, of the past, or that is
/// neither tells nothing.
pub(crate) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let told = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(value).ok()?.duration_since(now).ok()?,
    };
    (!told.is_zero()).then(|| told.max(RETRY_AFTER_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ApiError;
    use proptest::prelude::*;
    use std::time::UNIX_EPOCH;

    const PAUSE_FIRST: Duration = Duration::from_millis(500);

    const BOUNDS: Bounds = Bounds { retries: 5, within: Duration::from_secs(600), pause_first: PAUSE_FIRST };

    fn answer(http_status: u16, code: &str, retry_after: Option<u64>) -> Error {
        Error::from_api(ApiError {
            retry_after: retry_after.map(Duration::from_secs),
            ..ApiError::bare(http_status, code)
        })
    }

    fn busy() -> Error {
        answer(503, "service_unavailable", None)
    }

    fn full() -> Error {
        answer(429, "concurrency_limit_exceeded", None)
    }

    /// Every error that is not an answer of the API, one of each kind that `retry` tells apart.
    fn broken() -> [(Error, Class, Tells); 5] {
        let (attempts, elapsed) = (1, Duration::ZERO);
        let (server, source) = (String::new(), || "reset".into());
        [
            (
                Error::Unreachable { request_id: None, server, attempts, elapsed, source: source() },
                Class::Failure,
                Tells::Nothing,
            ),
            (
                Error::Connection { request_id: None, attempts, elapsed, source: source() },
                Class::Failure,
                Tells::MayBeAccepted,
            ),
            (Error::Timeout { request_id: None, attempts, elapsed }, Class::Failure, Tells::MayBeAccepted),
            (Error::BaseUrl { url: String::new(), reason: "" }, Class::Final, Tells::Nothing),
            (Error::KeyMissing, Class::Final, Tells::Nothing),
        ]
    }

    /// The decision after `errors`, of which the last came `elapsed` after the first try began.
    fn decision(errors: &[Error], elapsed: u64, bounds: Bounds, jitter: f64) -> Option<Duration> {
        let tried = errors.iter().fold(Tried::default(), Tried::and);
        decide(errors.last().unwrap(), tried, Duration::from_secs(elapsed), bounds, jitter)
    }

    #[test]
    fn the_table() {
        use {Class::*, Tells::*};
        for (status, code, class, tells) in [
            (400, "invalid_request", Final, NotAccepted),
            (400, "webhook_url_invalid", Final, NotAccepted),
            (400, "model_input_invalid", Final, NotAccepted),
            (401, "invalid_api_key", Final, Nothing),
            (402, "insufficient_credits", Final, NotAccepted),
            (402, "subscription_required", Final, NotAccepted),
            (403, "insufficient_scope", Final, Nothing),
            (404, "not_found", Final, NotAccepted),
            (404, "model_not_found", Final, NotAccepted),
            (404, "http_404", Final, Nothing),
            (408, "http_408", Failure, MayBeAccepted),
            (408, "of_a_newer_api", Failure, MayBeAccepted),
            (409, "idempotency_key_reuse", Final, NotAccepted),
            (409, "request_in_progress", Limit, MayBeAccepted),
            (422, "model_input_invalid", Final, NotAccepted),
            (425, "http_425", Failure, Nothing),
            (425, "of_a_newer_api", Failure, Nothing),
            (429, "rate_limit_exceeded", Limit, Nothing),
            (429, "concurrency_limit_exceeded", Limit, Nothing),
            (429, "http_429", Limit, Nothing),
            (500, "internal_error", Failure, MayBeAccepted),
            (502, "http_502", Failure, MayBeAccepted),
            (503, "service_unavailable", Failure, MayBeAccepted),
            (504, "of_a_newer_api", Failure, MayBeAccepted),
            (520, "http_520", Failure, MayBeAccepted),
            (524, "http_524", Failure, MayBeAccepted),
            (530, "http_530", Failure, MayBeAccepted),
        ] {
            let error = answer(status, code, None);
            assert_eq!((classify(&error), super::tells(&error)), (class, tells), "{status} {code}");
            assert_eq!(error.is_retryable(), class != Final);
            assert_eq!(decision(&[error], 0, BOUNDS, 0.5).is_some(), class != Final, "{status} {code}");
        }
        for (error, class, tells) in broken() {
            assert_eq!((classify(&error), super::tells(&error)), (class, tells), "{error:?}");
        }
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_are_spread_over_all_of_it() {
        let bounds = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000];
        for (same, bound) in (1..).zip(bounds) {
            let bound = Duration::from_millis(bound);
            for (error, least) in [
                (answer(500, "internal_error", None), Duration::ZERO),
                (answer(408, "http_408", None), Duration::ZERO),
                // The server said that it is asked too much.
                (busy(), bound / 2),
                (full(), bound / 2),
                (answer(429, "rate_limit_exceeded", None), bound / 2),
                (answer(409, "request_in_progress", None), bound / 2),
            ] {
                assert_eq!(pause(&error, same, PAUSE_FIRST, 0.0), Some(least), "{error:?}");
                assert_eq!(pause(&error, same, PAUSE_FIRST, 1.0), Some(bound), "{error:?}");
            }
        }
        assert_eq!(pause(&busy(), u32::MAX, PAUSE_FIRST, 1.0), Some(PAUSE_MAX));
        // A limit is not bounded by count, so that its pauses cannot be set to nothing.
        assert_eq!(pause(&full(), 1, Duration::ZERO, 0.0), Some(LIMIT_PAUSE_FIRST / 2));
        assert_eq!(pause(&busy(), 9, Duration::ZERO, 1.0), Some(Duration::ZERO));
    }

    #[test]
    fn the_first_pause_is_as_long_as_set() {
        for (millis, pauses) in [(0, [0, 0, 0]), (30, [30, 60, 120]), (15_000, [15_000, 20_000, 20_000])] {
            let bounds = Bounds { pause_first: Duration::from_millis(millis), ..BOUNDS };
            for (failures, pause) in (1..).zip(pauses) {
                let failing: Vec<Error> = (0..failures).map(|_| busy()).collect();
                assert_eq!(decision(&failing, 0, bounds, 1.0), Some(Duration::from_millis(pause)));
            }
        }
        let told = [answer(503, "service_unavailable", Some(7))];
        let at_once = Bounds { pause_first: Duration::ZERO, ..BOUNDS };
        assert_eq!(decision(&told, 0, at_once, 0.0), Some(Duration::from_secs(7)));
    }

    #[test]
    fn retry_after_wins_within_its_cap() {
        let told = |seconds| [answer(429, "rate_limit_exceeded", Some(seconds))];
        assert_eq!(decision(&told(7), 0, BOUNDS, 0.0), Some(Duration::from_secs(7)));
        assert_eq!(decision(&told(7), 0, BOUNDS, 1.0), Some(Duration::from_millis(7_250)));
        assert_eq!(decision(&told(61), 0, BOUNDS, 0.0), None);
        assert_eq!(decision(&[answer(400, "invalid_request", Some(1))], 0, BOUNDS, 0.0), None);
    }

    #[test]
    fn failures_are_bounded_by_count_and_limits_are_not() {
        let failing: Vec<Error> = (0..6).map(|_| busy()).collect();
        assert!(decision(&failing[..5], 0, BOUNDS, 1.0).is_some());
        assert_eq!(decision(&failing, 0, BOUNDS, 1.0), None);
        for limit in [full, || answer(409, "request_in_progress", None)] {
            let waiting: Vec<Error> = (0..100).map(|_| limit()).collect();
            assert_eq!(decision(&waiting, 0, BOUNDS, 1.0), Some(PAUSE_MAX));
        }
        // Each in its own count: a limit uses up no retry, and a failure begins with short pauses.
        let both: Vec<Error> = (0..100).map(|_| full()).chain([busy()]).collect();
        assert_eq!(decision(&both, 0, BOUNDS, 1.0), Some(PAUSE_FIRST));
        let once = Bounds { retries: 0, ..BOUNDS };
        assert_eq!((decision(&[busy()], 0, once, 0.0), decision(&[full()], 0, once, 0.0)), (None, None));
    }

    #[test]
    fn no_pause_ends_after_the_time() {
        for error in [busy, full] {
            assert_eq!(decision(&[error()], 599, BOUNDS, 1.0), Some(PAUSE_FIRST));
            assert_eq!(decision(&[error()], 600, BOUNDS, 1.0), None);
            let whenever = Bounds { within: Duration::MAX, ..BOUNDS };
            assert_eq!(decision(&[error()], u64::MAX, whenever, 1.0), Some(PAUSE_FIRST));
        }
        let told = [answer(429, "rate_limit_exceeded", Some(30))];
        assert_eq!(decision(&told, 571, BOUNDS, 0.0), None);
    }

    #[test]
    fn a_submit_stays_open_until_an_answer_settles_it() {
        let lost = || broken().into_iter().nth(1).unwrap().0;
        let refused = |code| answer(400, code, None);
        for (errors, open) in [
            (vec![lost()], true),
            (vec![lost(), full(), answer(401, "invalid_api_key", None)], true),
            (vec![lost(), refused("insufficient_credits")], false),
            (vec![full(), refused("insufficient_credits")], false),
            (vec![full(), full()], false),
        ] {
            assert_eq!(errors.iter().fold(Tried::default(), Tried::and).open, open, "{errors:?}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
        for (value, seconds) in [
            ("1", Some(1)),
            (" 12 ", Some(12)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            // None of these says when.
            ("0", None),
            ("Sun, 06 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:00:00 GMT", None),
            ("-1", None),
            ("-0", None),
            ("0.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now), seconds.map(Duration::from_secs), "{value}");
        }
        let almost = now + Duration::from_millis(800);
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:38 GMT", almost), Some(RETRY_AFTER_MIN));
    }

    proptest! {
        #[test]
        fn any_retry_after_is_read_or_passed_over(
            value in prop_oneof![
                any::<String>(),
                "[ +-]?[0-9]{0,25}[ .s]?",
                "(Sun|Mon|Sunday|Foo)?,? ?[0-9]{0,3}[ -](Jan|Feb|Dec|dec)[ -][0-9]{0,5} [0-9]{0,2}:[0-9]{2}:[0-9]{2} ?(GMT|UTC)?",
            ],
            now in 0..4_000_000_000_u64,
        ) {
            let now = UNIX_EPOCH + Duration::from_secs(now);
            let pause = retry_after(&value, now);
            prop_assert!(pause.is_none_or(|pause| pause >= RETRY_AFTER_MIN));
            let digits = value.trim().strip_prefix('+').unwrap_or(value.trim());
            if let Ok(seconds) = digits.parse::<u64>() {
                prop_assert_eq!(pause, (seconds > 0).then_some(Duration::from_secs(seconds)));
            }
        }
    }
}
