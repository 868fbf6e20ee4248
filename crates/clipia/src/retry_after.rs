//! The header `Retry-After`: reading it, and the bounds within which it is obeyed.

use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use std::time::{Duration, SystemTime};

/// The longest `Retry-After` that the client waits for. After a longer one a call ends with its error, and
/// [`Error::retry_after`](crate::Error::retry_after) tells the caller when to come back; a wait polls again after this
/// time.
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// The shortest `Retry-After`. The header counts in seconds; a date that is nearer would make a client call several
/// times a second.
const RETRY_AFTER_MIN: Duration = Duration::from_secs(1);

/// The pause that the headers of a response ask for.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    // Both dates come from the server's clock, so their difference is right even if the clock here is wrong.
    let sent = text(DATE).and_then(|date| httpdate::parse_http_date(date).ok());
    parse(text(RETRY_AFTER)?, sent.unwrap_or_else(SystemTime::now))
}

/// Parses seconds or an HTTP date (RFC 9110, section 10.2.3). `None` for 0, for a date in the past, and for anything
/// else.
fn parse(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let pause = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(value).ok()?.duration_since(now).ok()?,
    };
    (!pause.is_zero()).then(|| pause.max(RETRY_AFTER_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
        for (value, seconds) in [
            ("1", Some(1)),
            (" 12 ", Some(12)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            // None of these names a time.
            ("0", None),
            ("Sun, 06 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:00:00 GMT", None),
            ("-1", None),
            ("-0", None),
            ("0.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(parse(value, now), seconds.map(Duration::from_secs), "{value}");
        }
        let almost = now + Duration::from_millis(800);
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:38 GMT", almost), Some(RETRY_AFTER_MIN));
    }

    proptest! {
        #[test]
        fn any_value_is_read_or_ignored(
            value in prop_oneof![
                any::<String>(),
                "[ +-]?[0-9]{0,25}[ .s]?",
                "(Sun|Mon|Sunday|Foo)?,? ?[0-9]{0,3}[ -](Jan|Feb|Dec|dec)[ -][0-9]{0,5} [0-9]{0,2}:[0-9]{2}:[0-9]{2} ?(GMT|UTC)?",
            ],
            now in 0..4_000_000_000_u64,
        ) {
            let now = UNIX_EPOCH + Duration::from_secs(now);
            let pause = parse(&value, now);
            prop_assert!(pause.is_none_or(|pause| pause >= RETRY_AFTER_MIN));
            let digits = value.trim().strip_prefix('+').unwrap_or(value.trim());
            if let Ok(seconds) = digits.parse::<u64>() {
                prop_assert_eq!(pause, (seconds > 0).then_some(Duration::from_secs(seconds)));
            }
        }
    }
}
