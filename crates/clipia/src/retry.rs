//! Decides which errors are retried, and after which pause. Pure: the caller brings the time and the randomness,
//! and sleeps.
//!
//! | error | class |
//! |---|---|
//! | no connection, broken connection, timeout, truncated response | failure |
//! | 408 and 425: the server did not receive, or did not accept, the request in time | failure |
//! | 500 to 599, including Cloudflare's 520 to 530 | failure |
//! | 429, any code | limit |
//! | 409 `request_in_progress`: the first submit of the key is not answered yet | limit |
//! | every other 4xx, an unreadable response | final |
//!
//! Failures are bounded by count and by time. Limits are bounded by time alone, because each limit does end: a fleet
//! larger than the limit gets through. Every call is safe to repeat: reads change nothing, and a submit carries its
//! idempotency key.
//!
//! A `Retry-After` replaces the pause. One of 0, of the past, negative or unreadable is ignored, and the pauses double.

use crate::backoff::Backoff;
use crate::error::Error;
use crate::limits::Limit;
use crate::retry_after::RETRY_AFTER_MAX;
use clipia_api::foreign;
use std::time::Duration;

/// The longest pause without a `Retry-After`.
const PAUSE_MAX: Duration = Duration::from_secs(20);

/// A random addition to a `Retry-After`, so that clients that got the same one do not come back at the same moment.
const RETRY_AFTER_SPREAD: Duration = Duration::from_millis(250);

/// The smallest bound of the first pause after a limit, even if the caller sets less: limits are not bounded by count.
const LIMIT_PAUSE_FIRST: Duration = Duration::from_millis(500);

/// The smallest part of its bound that a pause lasts after an error of an overloaded server.
const LIMIT_PAUSE_SHARE: f64 = 0.5;

/// Longer pauses are logged as INFO, with the reason.
pub(crate) const PAUSE_LONG: Duration = Duration::from_secs(5);

/// Whether and how an error is retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// A retry would end the same.
    Final,
    /// Something broke, and may work again.
    Failure,
    /// A limit is reached and will have room later, or the first submit of the key will be answered later.
    Limit,
}

fn classify(error: &Error) -> Class {
    match error {
        Error::Unreachable { .. } | Error::Connection { .. } | Error::Timeout { .. } => Class::Failure,
        Error::RequestInProgress(_) => Class::Limit,
        Error::Download { transient: true, .. } => Class::Failure,
        Error::SubmitUnanswered { cause, .. } if seems_accepted(cause) => Class::Failure,
        Error::UnexpectedAnswer(api) if foreign::is_truncated(api.envelope()) => Class::Failure,
        Error::SubmitUnanswered { cause, .. } => classify(cause),
        other => match other.http_status() {
            Some(429) => Class::Limit,
            Some(408 | 425 | 500..=599) => Class::Failure,
            _ => Class::Final,
        },
    }
}

impl Error {
    /// Whether the same call may succeed later. The client has already retried it, as often as
    /// [`Builder::max_retries`](crate::Builder::max_retries) and as long as
    /// [`Builder::retry_within`](crate::Builder::retry_within) allow.
    pub fn is_retryable(&self) -> bool {
        classify(self) != Class::Final
    }
}

/// What a pause after this error waits for, in words for people.
pub(crate) fn waits_for(error: &Error) -> &'static str {
    match error {
        Error::SubmitUnanswered { cause, .. } => waits_for(cause),
        Error::RequestInProgress(_) => "the first submit of this idempotency key",
        Error::Unreachable { .. } | Error::Connection { .. } | Error::Timeout { .. } => "a connection",
        Error::Download { .. } => "the media host",
        other => Limit::of(other).map_or("the server to recover", Limit::name),
    }
}

/// The bounds of the retries of one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Retries after failures. With 0 nothing is retried, limits included.
    pub(crate) retries: u32,
    /// The time of all attempts and pauses together. A pause that would end later does not begin.
    pub(crate) within: Duration,
    /// The bound of the first pause. Each further pause doubles it.
    pub(crate) pause_first: Duration,
}

/// The attempts of one call so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Attempts {
    failures: u32,
    limits: u32,
    /// Whether the server may have accepted the submit without the client knowing.
    pub(crate) maybe_accepted: bool,
}

impl Attempts {
    /// The same after another attempt, which ended with `error`.
    pub(crate) fn with(self, error: &Error) -> Self {
        let class = classify(error);
        Self {
            failures: self.failures + u32::from(class != Class::Limit),
            limits: self.limits + u32::from(class == Class::Limit),
            maybe_accepted: match acceptance(error) {
                Acceptance::Unchanged => self.maybe_accepted,
                Acceptance::Possible => true,
                Acceptance::Excluded => false,
            },
        }
    }

    /// The number of attempts.
    pub(crate) fn count(self) -> u32 {
        self.failures + self.limits
    }
}

/// The pause before the next attempt of a call whose latest attempt ended with `error`, `elapsed` after the first
/// began; `None` if the call ends. `jitter` is a random number from 0 up to 1.
pub(crate) fn decide(
    error: &Error,
    attempts: Attempts,
    elapsed: Duration,
    bounds: Bounds,
    jitter: f64,
) -> Option<Duration> {
    let count = match classify(error) {
        Class::Final => return None,
        Class::Failure if attempts.failures > bounds.retries => return None,
        Class::Failure => attempts.failures,
        Class::Limit if bounds.retries == 0 => return None,
        Class::Limit => attempts.limits,
    };
    let pause = pause(error, count, bounds.pause_first, jitter)?;
    (elapsed.saturating_add(pause) <= bounds.within).then_some(pause)
}

/// The pause after the `count`-th error of a class, counted from 1.
///
/// The pause is random between zero and a bound that doubles: full jitter ("Exponential Backoff and Jitter", AWS
/// Architecture Blog). After an error of an overloaded server the pause is at least half of the bound. A `Retry-After`
/// replaces the pause.
pub(crate) fn pause(error: &Error, count: u32, first: Duration, jitter: f64) -> Option<Duration> {
    if let Some(asked) = error.retry_after() {
        return (asked <= RETRY_AFTER_MAX).then(|| asked + RETRY_AFTER_SPREAD.mul_f64(jitter));
    }
    let (first, share) = match (classify(error), error.http_status()) {
        (Class::Limit, _) => (first.max(LIMIT_PAUSE_FIRST), LIMIT_PAUSE_SHARE),
        (_, Some(503)) => (first, LIMIT_PAUSE_SHARE),
        _ => (first, 0.0),
    };
    let bound = Backoff { first, max: PAUSE_MAX }.pause(count);
    Some(bound.mul_f64(share + (1.0 - share) * jitter))
}

/// What an error says about whether the server accepted a submit, in this attempt or an earlier one with the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Acceptance {
    /// The error says nothing about it.
    Unchanged,
    Possible,
    Excluded,
}

fn acceptance(error: &Error) -> Acceptance {
    match error {
        // The response was lost, or the first attempt is still being processed.
        Error::Connection { .. } | Error::Timeout { .. } => Acceptance::Possible,
        Error::RequestInProgress(_) => Acceptance::Possible,
        // The server checks the key and its limits before it looks at the submit.
        Error::InvalidApiKey(_) | Error::InsufficientScope(_) => Acceptance::Unchanged,
        other => match other.api() {
            Some(api) if api.http_status() >= 500 => Acceptance::Possible,
            Some(_) if seems_accepted(other) => Acceptance::Possible,
            // A redirect to the new resource, as after a form is posted (RFC 9110, section 15.4.4).
            Some(api) if (300..400).contains(&api.http_status()) && api.request_id().is_some() => {
                Acceptance::Possible
            }
            // A proxy sends 408, too, when the server takes too long.
            Some(api) if api.http_status() == 408 => Acceptance::Possible,
            // The server did not process the request, because it came in early data (RFC 8470).
            Some(api) if api.http_status() == 425 => Acceptance::Unchanged,
            // Had an attempt been accepted, the server would have found it by the key (`contract.md`, "Idempotency").
            Some(api) if api.is_genuine() && api.http_status() != 429 => Acceptance::Excluded,
            _ => Acceptance::Unchanged,
        },
    }
}

/// Whether an unreadable response has the HTTP status of a success.
pub(crate) fn seems_accepted(error: &Error) -> bool {
    let unreadable = error.api().filter(|api| !api.is_genuine());
    unreadable.is_some_and(|api| (200..300).contains(&api.http_status()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ApiError;

    const PAUSE_FIRST: Duration = Duration::from_millis(500);

    const BOUNDS: Bounds = Bounds { retries: 5, within: Duration::from_secs(600), pause_first: PAUSE_FIRST };

    fn api_error(http_status: u16, code: &str, retry_after: Option<u64>) -> Error {
        Error::from_api(ApiError {
            retry_after: retry_after.map(Duration::from_secs),
            ..ApiError::bare(http_status, code)
        })
    }

    fn busy() -> Error {
        api_error(503, "service_unavailable", None)
    }

    fn full() -> Error {
        api_error(429, "concurrency_limit_exceeded", None)
    }

    fn connection_broken() -> Error {
        let (attempts, elapsed) = (1, Duration::ZERO);
        Error::Connection { request_id: None, attempts, elapsed, cause: "reset".into() }
    }

    /// The errors that are not a response of the API. For each: how often it is retried, and whether a submit may have
    /// been accepted after it.
    fn errors_without_a_response() -> [(Error, usize, [bool; 2]); 5] {
        let (attempts, elapsed) = (1, Duration::ZERO);
        let (server, source) = (String::new(), || "reset".into());
        [
            (
                Error::Unreachable { request_id: None, server, attempts, elapsed, cause: source() },
                COUNTED,
                UNCHANGED,
            ),
            (connection_broken(), COUNTED, POSSIBLE),
            (Error::Timeout { request_id: None, attempts, elapsed }, COUNTED, POSSIBLE),
            (Error::BaseUrl { url: String::new(), reason: "" }, NEVER, UNCHANGED),
            (Error::KeyMissing, NEVER, UNCHANGED),
        ]
    }

    /// The decision after `errors`, of which the last came `elapsed` seconds after the first attempt began.
    fn decision(errors: &[Error], elapsed: u64, bounds: Bounds, jitter: f64) -> Option<Duration> {
        let attempts = errors.iter().fold(Attempts::default(), Attempts::with);
        decide(errors.last().unwrap(), attempts, Duration::from_secs(elapsed), bounds, jitter)
    }

    /// How often an error is retried within [`BOUNDS`], if it comes again and again and no time passes.
    const NEVER: usize = 0;
    const COUNTED: usize = 5;
    const WITHOUT_COUNT: usize = 100;

    /// Whether a submit may have been accepted after an error: as its first, and after a broken connection.
    const UNCHANGED: [bool; 2] = [false, true];
    const POSSIBLE: [bool; 2] = [true, true];
    const EXCLUDED: [bool; 2] = [false, false];

    fn check(error: &Error, retries: usize, maybe_accepted: [bool; 2]) {
        let mut attempts = Attempts::default();
        let retried = (0..WITHOUT_COUNT).take_while(|_| {
            attempts = attempts.with(error);
            decide(error, attempts, Duration::ZERO, BOUNDS, 0.5).is_some()
        });
        assert_eq!(retried.count(), retries, "{error:?}");
        assert_eq!(error.is_retryable(), retries > 0, "{error:?}");
        let lost = Attempts::default().with(&connection_broken());
        let after = [Attempts::default(), lost].map(|before| before.with(error).maybe_accepted);
        assert_eq!(after, maybe_accepted, "{error:?}");
    }

    #[test]
    fn each_error_is_retried_as_often_as_it_may_help_and_an_open_submit_is_known() {
        for (status, code, retries, maybe_accepted) in [
            (400, "invalid_request", NEVER, EXCLUDED),
            (400, "webhook_url_invalid", NEVER, EXCLUDED),
            (400, "model_input_invalid", NEVER, EXCLUDED),
            (401, "invalid_api_key", NEVER, UNCHANGED),
            (402, "insufficient_credits", NEVER, EXCLUDED),
            (402, "subscription_required", NEVER, EXCLUDED),
            (403, "insufficient_scope", NEVER, UNCHANGED),
            (403, "upload_limit_exceeded", NEVER, EXCLUDED),
            (413, "upload_too_large", NEVER, EXCLUDED),
            (404, "not_found", NEVER, EXCLUDED),
            (404, "model_not_found", NEVER, EXCLUDED),
            (404, "http_404", NEVER, UNCHANGED),
            (408, "http_408", COUNTED, POSSIBLE),
            (408, "of_a_newer_api", COUNTED, POSSIBLE),
            (409, "idempotency_key_reuse", NEVER, EXCLUDED),
            (409, "request_in_progress", WITHOUT_COUNT, POSSIBLE),
            (422, "model_input_invalid", NEVER, EXCLUDED),
            (425, "http_425", COUNTED, UNCHANGED),
            (425, "of_a_newer_api", COUNTED, UNCHANGED),
            (429, "rate_limit_exceeded", WITHOUT_COUNT, UNCHANGED),
            (429, "concurrency_limit_exceeded", WITHOUT_COUNT, UNCHANGED),
            (429, "http_429", WITHOUT_COUNT, UNCHANGED),
            (500, "internal_error", COUNTED, POSSIBLE),
            (502, "http_502", COUNTED, POSSIBLE),
            (503, "service_unavailable", COUNTED, POSSIBLE),
            (504, "of_a_newer_api", COUNTED, POSSIBLE),
            (520, "http_520", COUNTED, POSSIBLE),
            (524, "http_524", COUNTED, POSSIBLE),
            (530, "http_530", COUNTED, POSSIBLE),
        ] {
            check(&api_error(status, code, None), retries, maybe_accepted);
        }
        for (error, retries, maybe_accepted) in errors_without_a_response() {
            check(&error, retries, maybe_accepted);
        }
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_are_spread_over_all_of_it() {
        let bounds = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000];
        for (count, bound) in (1..).zip(bounds) {
            let bound = Duration::from_millis(bound);
            for (error, least) in [
                (api_error(500, "internal_error", None), Duration::ZERO),
                (api_error(408, "http_408", None), Duration::ZERO),
                // The server is overloaded.
                (busy(), bound / 2),
                (full(), bound / 2),
                (api_error(429, "rate_limit_exceeded", None), bound / 2),
                (api_error(409, "request_in_progress", None), bound / 2),
            ] {
                assert_eq!(pause(&error, count, PAUSE_FIRST, 0.0), Some(least), "{error:?}");
                assert_eq!(pause(&error, count, PAUSE_FIRST, 1.0), Some(bound), "{error:?}");
            }
        }
        assert_eq!(pause(&busy(), u32::MAX, PAUSE_FIRST, 1.0), Some(PAUSE_MAX));
        // A limit is not bounded by count, so its pauses must not be zero.
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
        let limited = [api_error(503, "service_unavailable", Some(7))];
        let at_once = Bounds { pause_first: Duration::ZERO, ..BOUNDS };
        assert_eq!(decision(&limited, 0, at_once, 0.0), Some(Duration::from_secs(7)));
    }

    #[test]
    fn retry_after_replaces_the_pause_up_to_its_bound() {
        let limited = |seconds| [api_error(429, "rate_limit_exceeded", Some(seconds))];
        assert_eq!(decision(&limited(7), 0, BOUNDS, 0.0), Some(Duration::from_secs(7)));
        assert_eq!(decision(&limited(7), 0, BOUNDS, 1.0), Some(Duration::from_millis(7_250)));
        assert_eq!(decision(&limited(61), 0, BOUNDS, 0.0), None);
        assert_eq!(decision(&[api_error(400, "invalid_request", Some(1))], 0, BOUNDS, 0.0), None);
    }

    #[test]
    fn failures_are_bounded_by_count_and_limits_are_not() {
        let failing: Vec<Error> = (0..6).map(|_| busy()).collect();
        assert!(decision(&failing[..5], 0, BOUNDS, 1.0).is_some());
        assert_eq!(decision(&failing, 0, BOUNDS, 1.0), None);
        for limit in [full, || api_error(409, "request_in_progress", None)] {
            let waiting: Vec<Error> = (0..100).map(|_| limit()).collect();
            assert_eq!(decision(&waiting, 0, BOUNDS, 1.0), Some(PAUSE_MAX));
        }
        // Limits and failures are counted apart: a limit uses up no retry, and a failure begins with short pauses.
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
        let limited = [api_error(429, "rate_limit_exceeded", Some(30))];
        assert_eq!(decision(&limited, 571, BOUNDS, 0.0), None);
    }

    #[test]
    fn a_submit_may_be_accepted_until_a_response_excludes_it() {
        let lost = connection_broken;
        let refused = |code| api_error(400, code, None);
        for (errors, maybe_accepted) in [
            (vec![lost()], true),
            (vec![lost(), full(), api_error(401, "invalid_api_key", None)], true),
            (vec![lost(), refused("insufficient_credits")], false),
            (vec![full(), refused("insufficient_credits")], false),
            (vec![full(), full()], false),
        ] {
            let attempts = errors.iter().fold(Attempts::default(), Attempts::with);
            assert_eq!(attempts.maybe_accepted, maybe_accepted, "{errors:?}");
        }
    }
}
