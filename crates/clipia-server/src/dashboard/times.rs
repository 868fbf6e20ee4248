//! Times and amounts as people read them.

use jiff::Timestamp;
use maud::{Markup, html};
use std::fmt;
use std::time::Duration;

/// How long ago a moment was, or how soon it is; the exact moment is in its title.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> Markup {
    let seconds = now.duration_since(at).as_secs();
    let distance = Span(Duration::from_secs(seconds.unsigned_abs()));
    let words = match seconds {
        0 => "now".to_owned(),
        1.. => format!("{distance} ago"),
        _ => format!("in {distance}"),
    };
    html! { time datetime=(at) title=(exact(at)) { (words) } }
}

/// A moment to the millisecond.
pub(super) fn exact(at: Timestamp) -> impl fmt::Display {
    at.strftime("%Y-%m-%d %H:%M:%S%.3f UTC")
}

/// A span in its largest unit below ten minutes, and in two units above.
pub(super) struct Span(pub(super) Duration);

impl Span {
    pub(super) fn between(from: Timestamp, to: Timestamp) -> Self {
        Self(Duration::try_from(to.duration_since(from)).unwrap_or_default())
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (millis, seconds) = (self.0.as_millis(), self.0.as_secs());
        match seconds {
            0 => write!(f, "{millis} ms"),
            1..=9 if millis % 1_000 >= 100 => write!(f, "{:.1} s", self.0.as_secs_f64()),
            1..=119 => write!(f, "{seconds} s"),
            120..=7_199 => write!(f, "{} min", seconds / 60),
            7_200..=172_799 => write!(f, "{} h {} min", seconds / 3_600, seconds / 60 % 60),
            _ => write!(f, "{} days", seconds / 86_400),
        }
    }
}

/// A number with a narrow space between groups of three digits, exact whatever its size.
pub(super) fn grouped(number: impl fmt::Display) -> String {
    let digits = number.to_string();
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("−", digits),
        None => ("", digits.as_str()),
    };
    let first = digits.len() % 3;
    let groups = digits.as_bytes()[first..].chunks(3).map(String::from_utf8_lossy);
    let groups: Vec<_> = (first > 0).then(|| digits[..first].into()).into_iter().chain(groups).collect();
    format!("{sign}{}", groups.join("\u{202f}"))
}

/// A number and its noun.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_short_and_a_number_exact() {
        for (millis, words) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_040, "1 s"),
            (1_240, "1.2 s"),
            (119_999, "119 s"),
            (120_000, "2 min"),
            (7_260_000, "2 h 1 min"),
            (200_000_000, "2 days"),
        ] {
            assert_eq!(Span(Duration::from_millis(millis)).to_string(), words);
        }
        assert_eq!(grouped(u64::MAX), "18\u{202f}446\u{202f}744\u{202f}073\u{202f}709\u{202f}551\u{202f}615");
        assert_eq!((grouped(-1_000), grouped(12)), ("−1\u{202f}000".to_owned(), "12".to_owned()));
    }

    #[test]
    fn a_moment_is_told_from_now_and_exactly() {
        let now: Timestamp = "2026-11-28T10:00:00Z".parse().unwrap();
        let at: Timestamp = "2026-11-28T09:57:00.25Z".parse().unwrap();
        let shown = ago(at, now).into_string();
        assert!(shown.contains(">2 min ago<") && shown.contains("09:57:00.250 UTC"), "{shown}");
        assert!(ago(now, at).into_string().contains(">in 2 min<"));
    }
}
