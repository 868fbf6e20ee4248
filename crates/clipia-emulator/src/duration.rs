//! A duration, as people write it: `30s`, `2m`, `500ms`, `1h30m`.

use jiff::fmt::friendly::{Spacing, SpanParser, SpanPrinter};
use std::time::Duration;

/// The longest duration: a year. It can be added to every moment of a clock.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The duration that a text says; none where it says none, or one of more than a year.
///
/// ```
/// use clipia_emulator::duration;
/// use std::time::Duration;
///
/// assert_eq!(duration::parse("2m"), Some(Duration::from_secs(120)));
/// assert_eq!(duration::parse("30"), None, "a number needs a unit");
/// ```
pub fn parse(text: &str) -> Option<Duration> {
    SpanParser::new().parse_unsigned_duration(text).ok().filter(|duration| *duration <= LONGEST)
}

/// The duration as a text without a space, which [`parse`] reads.
///
/// ```
/// use clipia_emulator::duration;
/// use std::time::Duration;
///
/// assert_eq!(duration::shown(Duration::from_millis(90_500)), "1m30s500ms");
/// ```
pub fn shown(duration: Duration) -> String {
    SpanPrinter::new().spacing(Spacing::None).unsigned_duration_to_string(&duration)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_duration_has_a_unit() {
        for (text, expected) in [
            ("30s", Some(30_000)),
            ("2m", Some(120_000)),
            ("500ms", Some(500)),
            ("1h30m", Some(5_400_000)),
            ("1.5s", Some(1_500)),
            ("0s", Some(0)),
            ("8760h", Some(8760 * 3_600_000)),
            ("8761h", None),
            ("30", None),
            ("-3s", None),
            ("3s ago", None),
            ("", None),
            ("soon", None),
        ] {
            assert_eq!(parse(text), expected.map(Duration::from_millis), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_duration_is_read_as_it_is_shown(nanoseconds in 0..=LONGEST.as_nanos() as u64) {
            let duration = Duration::from_nanos(nanoseconds);
            prop_assert_eq!(parse(&shown(duration)), Some(duration));
        }
    }
}
