//! The conditions and ranges of a call for a file, by RFC 9110 (sections 13 and 14). Pure.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime};

/// The properties of a file that conditions compare.
#[derive(Clone, Debug)]
pub(crate) struct Validators {
    /// The strong entity tag, with its quotes.
    pub(crate) etag: HeaderValue,
    /// The time of the last change, in whole seconds; none where a header cannot express that time.
    pub(crate) modified: Option<SystemTime>,
    /// The length in bytes.
    pub(crate) length: u64,
}

/// The part of a file that a response has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Selected {
    /// The whole file.
    Whole,
    /// The bytes from the first to the last.
    Part(RangeInclusive<u64>),
    /// Nothing: the client has the file already.
    NotModified,
    /// Nothing: the client asked for another version.
    ConditionFailed,
    /// Nothing: the file has none of the bytes that the client asked for.
    Unsatisfiable,
}

impl Selected {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Whole => StatusCode::OK,
            Self::Part(_) => StatusCode::PARTIAL_CONTENT,
            Self::NotModified => StatusCode::NOT_MODIFIED,
            Self::ConditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::Unsatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
        }
    }
}

/// The part of a file for a `GET` or `HEAD` with these headers. The conditions are checked in the order of section 13.2.2.
pub(super) fn select(method: &Method, headers: &HeaderMap, file: &Validators) -> Selected {
    let etag = file.etag.as_bytes();
    let newer_than = |name| Some(file.modified? > date(headers, name)?);
    if headers.contains_key(header::IF_MATCH) {
        if !any_tag(headers, header::IF_MATCH, |tag| tag == etag) {
            return Selected::ConditionFailed;
        }
    } else if newer_than(header::IF_UNMODIFIED_SINCE) == Some(true) {
        return Selected::ConditionFailed;
    }
    if headers.contains_key(header::IF_NONE_MATCH) {
        if any_tag(headers, header::IF_NONE_MATCH, |tag| tag.strip_prefix(b"W/").unwrap_or(tag) == etag) {
            return Selected::NotModified;
        }
    } else if newer_than(header::IF_MODIFIED_SINCE) == Some(false) {
        return Selected::NotModified;
    }
    // Section 14.2: ranges are defined for `GET` alone.
    if method != Method::GET || !is_of_this_file(headers, file) {
        return Selected::Whole;
    }
    only(headers, header::RANGE)
        .and_then(|value| range(value.to_str().ok()?, file.length))
        .unwrap_or(Selected::Whole)
}

/// Whether `If-Range` names this very file (section 13.1.5). A date must be equal: a later one does not prove that the
/// client has this version.
fn is_of_this_file(headers: &HeaderMap, file: &Validators) -> bool {
    match headers.get(header::IF_RANGE) {
        None => true,
        Some(value) if value.as_bytes().contains(&b'"') => value == file.etag,
        Some(_) => file.modified.is_some() && date(headers, header::IF_RANGE) == file.modified,
    }
}

/// Whether a list of entity tags is `*` or has a tag for which `is` holds.
fn any_tag(headers: &HeaderMap, name: HeaderName, is: impl Fn(&[u8]) -> bool) -> bool {
    headers.get_all(name).iter().map(HeaderValue::as_bytes).any(|value| {
        let mut quoted = false;
        let separates = |byte: &u8| {
            quoted ^= *byte == b'"';
            *byte == b',' && !quoted
        };
        value.trim_ascii() == b"*" || value.split(separates).any(|tag| is(tag.trim_ascii()))
    })
}

/// The date in a header; none where the value is no date, which the RFC says to ignore.
fn date(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(only(headers, name)?.to_str().ok()?).ok()
}

/// The value of a header; none where the header comes more than once.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// The part that a `Range` selects of `length` bytes; none where the range has another unit or is malformed, which the RFC
/// says to ignore.
///
/// A range of several parts gets the whole file, as section 14.2 allows. Players and downloads ask for one part, and many
/// small parts are a known way to overload a server.
fn range(value: &str, length: u64) -> Option<Selected> {
    let (unit, set) = value.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let mut selected = Selected::Unsatisfiable;
    let mut parts =
        set.split(',').map(|part| part.trim_matches([' ', '\t'])).filter(|part| !part.is_empty()).peekable();
    parts.peek()?;
    for part in parts {
        let (first, last) = part.split_once('-')?;
        let (first, last) = (position(first)?, position(last)?);
        let range = match (first, last) {
            (None, None) => return None,
            (Some(first), Some(last)) if last < first => return None,
            (None, Some(0)) => continue,
            // The last bytes of an empty file are the whole file, and no `Content-Range` can express that.
            (None, Some(_)) if length == 0 => None,
            (None, Some(count)) => Some(length.saturating_sub(count)..=length - 1),
            (Some(first), _) if first >= length => continue,
            (Some(first), last) => Some(first..=last.unwrap_or(u64::MAX).min(length - 1)),
        };
        selected = match (selected, range) {
            (Selected::Unsatisfiable, Some(range)) => Selected::Part(range),
            _ => Selected::Whole,
        };
    }
    Some(selected)
}

/// A position in a range. `Some(None)` where it is left out; the largest number where it is larger than any file; `None`
/// where it is malformed.
fn position(digits: &str) -> Option<Option<u64>> {
    if digits.bytes().any(|byte| !byte.is_ascii_digit()) {
        return None;
    }
    Some((!digits.is_empty()).then(|| digits.parse().unwrap_or(u64::MAX)))
}

/// A time without its fraction of a second; none where a header cannot express it, before 1970 or after 9999.
pub(super) fn whole_seconds(time: SystemTime) -> Option<SystemTime> {
    const YEAR_10000: u64 = 253_402_300_800;
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    (seconds < YEAR_10000).then(|| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
    const EARLIER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

    fn of(method: &Method, headers: &[(&str, &str)], length: u64) -> Selected {
        let headers = headers.iter().map(|(name, value)| {
            (name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
        });
        // `append` keeps several headers of one name; `FromIterator` would not.
        let headers = headers.fold(HeaderMap::new(), |mut map, (name, value)| {
            map.append(name, value);
            map
        });
        let modified = Some(httpdate::parse_http_date(MODIFIED).unwrap());
        select(method, &headers, &Validators { etag: HeaderValue::from_static("\"a,b\""), modified, length })
    }

    #[test]
    fn conditions_and_ranges_are_those_of_the_rfc() {
        use Selected::{ConditionFailed, NotModified, Unsatisfiable, Whole};
        let part = |first, last| Selected::Part(first..=last);
        let ranges: &[(&str, Selected)] = &[
            ("bytes=0-9", part(0, 9)),
            ("bytes=0-0", part(0, 0)),
            ("BYTES=007-9", part(7, 9)),
            ("bytes=95-", part(95, 99)),
            ("bytes=-7", part(93, 99)),
            ("bytes=-700", part(0, 99)),
            ("bytes=90-1000", part(90, 99)),
            ("bytes=90-99999999999999999999999", part(90, 99)),
            ("bytes=-99999999999999999999999", part(0, 99)),
            ("bytes= 1-2 ,", part(1, 2)),
            ("bytes=,,1-2, 100-", part(1, 2)),
            ("bytes=100-", Unsatisfiable),
            ("bytes=99999999999999999999999-", Unsatisfiable),
            ("bytes=-0", Unsatisfiable),
            ("bytes=200-300,100-", Unsatisfiable),
            // A range of several parts gets the whole file.
            ("bytes=0-1,5-9", Whole),
            ("bytes=0-,0-,0-", Whole),
            // Ignored: another unit, or malformed.
            ("bytes=9-0", Whole),
            ("bytes=0-1,9-0", Whole),
            ("bytes=", Whole),
            ("bytes=-", Whole),
            ("bytes=,", Whole),
            ("bytes=a-b", Whole),
            ("bytes=+1-2", Whole),
            ("bytes=1-2-3", Whole),
            ("bytes=1 -2", Whole),
            ("bytes 0-9", Whole),
            ("lines=0-9", Whole),
            ("bytes=\u{661}-9", Whole),
            ("", Whole),
        ];
        for (range, expected) in ranges {
            assert_eq!(&of(&Method::GET, &[("range", range)], 100), expected, "{range:?}");
            assert_eq!(of(&Method::HEAD, &[("range", range)], 100), Whole, "HEAD {range:?}");
        }
        for (range, expected) in
            [("bytes=0-", Unsatisfiable), ("bytes=-5", Whole), ("bytes=-0", Unsatisfiable)]
        {
            assert_eq!(of(&Method::GET, &[("range", range)], 0), expected, "{range:?} of nothing");
        }
        let conditions: &[(&[(&str, &str)], Selected)] = &[
            (&[("if-none-match", "\"a,b\"")], NotModified),
            (&[("if-none-match", "W/\"a,b\"")], NotModified),
            (&[("if-none-match", "\"x\",W/\"a,b\" , \"y\"")], NotModified),
            (&[("if-none-match", "\"x\""), ("if-none-match", "\"a,b\"")], NotModified),
            (&[("if-none-match", " * ")], NotModified),
            (&[("if-none-match", "\"x\"")], Whole),
            (&[("if-none-match", "a,b")], Whole),
            (&[("if-none-match", "\"a\", \"b\"")], Whole),
            (&[("if-modified-since", MODIFIED)], NotModified),
            (&[("if-modified-since", LATER)], NotModified),
            (&[("if-modified-since", EARLIER)], Whole),
            (&[("if-modified-since", "Sunday, 06-Nov-94 08:49:37 GMT")], NotModified),
            (&[("if-modified-since", "Sun Nov  6 08:49:37 1994")], NotModified),
            (&[("if-modified-since", "yesterday")], Whole),
            (&[("if-modified-since", LATER), ("if-modified-since", LATER)], Whole),
            // A tag has precedence over a date.
            (&[("if-none-match", "\"x\""), ("if-modified-since", LATER)], Whole),
            (&[("if-match", "\"x\", \"a,b\"")], Whole),
            (&[("if-match", "*")], Whole),
            (&[("if-match", "W/\"a,b\"")], ConditionFailed),
            (&[("if-match", "\"x\"")], ConditionFailed),
            (&[("if-match", "")], ConditionFailed),
            (&[("if-match", "\"x\""), ("if-none-match", "*")], ConditionFailed),
            (&[("if-match", "\"a,b\""), ("if-unmodified-since", EARLIER)], Whole),
            (&[("if-match", "\"a,b\""), ("if-none-match", "*")], NotModified),
            (&[("if-unmodified-since", EARLIER)], ConditionFailed),
            (&[("if-unmodified-since", MODIFIED)], Whole),
            (&[("if-unmodified-since", "tomorrow")], Whole),
            // A condition has precedence over a range.
            (&[("range", "bytes=100-"), ("if-none-match", "*")], NotModified),
            (&[("range", "bytes=100-"), ("if-match", "\"x\"")], ConditionFailed),
            (&[("range", "bytes=0-9"), ("if-match", "\"a,b\"")], part(0, 9)),
            (&[("range", "bytes=0-9"), ("if-range", "\"a,b\"")], part(0, 9)),
            (&[("range", "bytes=0-9"), ("if-range", MODIFIED)], part(0, 9)),
            (&[("range", "bytes=0-9"), ("if-range", "W/\"a,b\"")], Whole),
            (&[("range", "bytes=0-9"), ("if-range", "\"x\"")], Whole),
            (&[("range", "bytes=0-9"), ("if-range", LATER)], Whole),
            (&[("range", "bytes=0-9"), ("if-range", EARLIER)], Whole),
            (&[("range", "bytes=0-9"), ("if-range", "nonsense")], Whole),
            (&[("range", "bytes=100-"), ("if-range", "\"x\"")], Whole),
            (&[("if-range", "\"x\"")], Whole),
            (&[("range", "bytes=0-9"), ("range", "bytes=0-9")], Whole),
        ];
        for (headers, expected) in conditions {
            assert_eq!(&of(&Method::GET, headers, 100), expected, "{headers:?}");
        }
    }

    #[test]
    fn a_time_that_no_header_can_express_is_none() {
        let day = Duration::from_secs(86_400);
        assert_eq!(whole_seconds(SystemTime::UNIX_EPOCH - day), None);
        assert_eq!(whole_seconds(SystemTime::UNIX_EPOCH + day * 365 * 9_000), None);
        let cut = whole_seconds(SystemTime::UNIX_EPOCH + Duration::from_millis(1_500)).unwrap();
        assert_eq!(cut, SystemTime::UNIX_EPOCH + Duration::from_secs(1));
    }

    proptest! {
        #[test]
        fn any_range_selects_what_it_names_or_nothing_at_all(
            parts in prop::collection::vec((prop::option::of(0..40_u64), prop::option::of(0..40_u64)), 1..4),
            length in 0..32_u64,
        ) {
            let text = |position: &Option<u64>| position.map_or_else(String::new, |at| at.to_string());
            let written: Vec<_> = parts.iter().map(|(first, last)| format!("{}-{}", text(first), text(last))).collect();
            let malformed = parts.iter().any(|part| match part {
                (None, None) => true,
                (Some(first), Some(last)) => last < first,
                _ => false,
            });
            // The reference goes byte by byte: slow, and plainly right.
            let bytes = |(first, last): &(Option<u64>, Option<u64>)| -> Vec<u64> {
                let named = |at: &u64| match (first, last) {
                    (None, Some(count)) => *at + *count >= length,
                    (first, last) => first.is_some_and(|first| *at >= first) && last.is_none_or(|last| *at <= last),
                };
                (0..length).filter(named).collect()
            };
            let named: Vec<_> = parts.iter().map(bytes).filter(|bytes| !bytes.is_empty()).collect();
            let end_of_nothing = length == 0 && parts.iter().any(|part| matches!(part, (None, Some(1..))));
            let expected = match &named[..] {
                _ if malformed || end_of_nothing => Selected::Whole,
                [] => Selected::Unsatisfiable,
                [one] => Selected::Part(one[0]..=one[one.len() - 1]),
                _ => Selected::Whole,
            };
            let range = format!("bytes={}", written.join(", "));
            prop_assert_eq!(of(&Method::GET, &[("range", &range)], length), expected, "{} of {}", range, length);
        }

        #[test]
        fn any_header_selects_bytes_within_the_file(
            range in "(bytes=)?[-0-9, \t=b\"\\*\u{e9}]{0,40}",
            condition in "(W/)?[\"a-z,\\* ]{0,20}",
            length: u64,
        ) {
            for name in ["if-match", "if-none-match", "if-range", "if-modified-since", "if-unmodified-since"] {
                match of(&Method::GET, &[("range", &range), (name, &condition)], length) {
                    Selected::Part(part) => prop_assert!(part.start() <= part.end() && *part.end() < length),
                    Selected::Unsatisfiable => prop_assert!(range.starts_with("bytes=")),
                    _ => {}
                }
            }
        }
    }
}
