//! Which errors are worth another try, and after how long. Pure: the caller brings the randomness and sleeps.
//!
//! | answer | again |
//! |---|---|
//! | no connection, broken connection, no answer in time | yes |
//! | 429, any code | yes, after `Retry-After` |
//! | 409 `request_in_progress` | yes, the first submit of the key is about to end |
//! | 500 to 599 | yes |
//! | every other 4xx, an answer that cannot be read | no |
//!
//! All of it is safe to repeat: reads change nothing, and a submit carries its idempotency key.

use crate::error::Error;
use std::time::{Duration, SystemTime};

/// The bound of the first pause; each further one doubles it.
const PAUSE_FIRST: Duration = Duration::from_millis(500);

/// No pause of our own is longer.
const PAUSE_MAX: Duration = Duration::from_secs(20);

/// Longest `Retry-After` that a call sits out. Beyond it the error goes to the caller, who learns from
/// [`Error::retry_after`] when to come back; asking earlier than told would be refused again.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// Added to a `Retry-After` at random, so that many clients told the same do not come back as one.
const RETRY_AFTER_SPREAD: Duration = Duration::from_millis(250);

/// How long the first submit of an idempotency key is given to end, at least.
const IN_PROGRESS_PAUSE: Duration = Duration::from_millis(250);

/// Whether doing the same again later may succeed.
pub(crate) fn is_retryable(error: &Error) -> bool {
    match error {
        Error::Connection { .. } | Error::Timeout { .. } => true,
        Error::RequestInProgress(_) => true,
        Error::Download { transient, .. } => *transient,
        other => matches!(other.http_status(), Some(429 | 500..=599)),
    }
}

/// How long to pause before try number `tries + 1`, or `None` where trying again is of no use. `jitter` is a
/// random number from 0 up to 1.
///
/// Full jitter: anything between nothing and a bound that doubles ("Exponential Backoff and Jitter", AWS
/// Architecture Blog); a `Retry-After` wins.
pub(crate) fn pause(error: &Error, tries: u32, jitter: f64) -> Option<Duration> {
    if !is_retryable(error) {
        return None;
    }
    if let Some(told) = error.retry_after() {
        return (told <= RETRY_AFTER_MAX).then(|| told + RETRY_AFTER_SPREAD.mul_f64(jitter));
    }
    let bound = PAUSE_FIRST.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(PAUSE_MAX);
    let floor = match error {
        Error::RequestInProgress(_) => IN_PROGRESS_PAUSE,
        _ => Duration::ZERO,
    };
    Some(bound.mul_f64(jitter).max(floor))
}

/// Reads a `Retry-After`: seconds or an HTTP date (RFC 9110, section 10.2.3). A date in the past is now.
pub(crate) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ApiError;
    use std::time::UNIX_EPOCH;

    fn answer(http_status: u16, code: &str, retry_after: Option<u64>) -> Error {
        Error::from_api(ApiError {
            retry_after: retry_after.map(Duration::from_secs),
            ..ApiError::bare(http_status, code)
        })
    }

    #[test]
    fn the_table() {
        for (status, code, again) in [
            (400, "invalid_request", false),
            (400, "webhook_url_invalid", false),
            (400, "model_input_invalid", false),
            (401, "invalid_api_key", false),
            (402, "insufficient_credits", false),
            (402, "subscription_required", false),
            (403, "insufficient_scope", false),
            (404, "not_found", false),
            (404, "model_not_found", false),
            (408, "http_408", false),
            (409, "idempotency_key_reuse", false),
            (409, "request_in_progress", true),
            (422, "model_input_invalid", false),
            (429, "rate_limit_exceeded", true),
            (429, "concurrency_limit_exceeded", true),
            (429, "http_429", true),
            (500, "internal_error", true),
            (502, "http_502", true),
            (503, "service_unavailable", true),
            (504, "of_a_newer_api", true),
        ] {
            let error = answer(status, code, None);
            assert_eq!(error.is_retryable(), again, "{status} {code}");
            assert_eq!(pause(&error, 1, 0.5).is_some(), again, "{status} {code}");
        }
        let source = "reset".into();
        assert!(Error::Connection { request_id: None, attempts: 1, source }.is_retryable());
        assert!(Error::Timeout { request_id: None, attempts: 1 }.is_retryable());
        assert!(!Error::Decode { request_id: None, reason: String::new() }.is_retryable());
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_are_spread_over_all_of_it() {
        let error = answer(503, "service_unavailable", None);
        let bounds = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000];
        for (tries, bound) in (1..).zip(bounds) {
            assert_eq!(pause(&error, tries, 0.0), Some(Duration::ZERO));
            assert_eq!(pause(&error, tries, 1.0), Some(Duration::from_millis(bound)));
        }
        assert_eq!(pause(&error, u32::MAX, 1.0), Some(PAUSE_MAX));
    }

    #[test]
    fn retry_after_wins_within_its_cap() {
        let error = answer(429, "rate_limit_exceeded", Some(7));
        assert_eq!(pause(&error, 1, 0.0), Some(Duration::from_secs(7)));
        assert_eq!(pause(&error, 6, 1.0), Some(Duration::from_millis(7_250)));
        assert_eq!(pause(&answer(429, "rate_limit_exceeded", Some(61)), 1, 0.0), None);
        assert_eq!(pause(&answer(400, "invalid_request", Some(1)), 1, 0.0), None);
    }

    #[test]
    fn the_first_submit_of_a_key_gets_time_to_end() {
        assert_eq!(pause(&answer(409, "request_in_progress", None), 1, 0.0), Some(IN_PROGRESS_PAUSE));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
        for (value, seconds) in [
            ("0", Some(0)),
            (" 12 ", Some(12)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now), seconds.map(Duration::from_secs), "{value}");
        }
    }
}
