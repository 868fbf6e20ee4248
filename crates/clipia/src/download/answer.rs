//! What a media host's answer means for what is there of the file already. Pure.
//!
//! | asked for | answer | the body is |
//! |---|---|---|
//! | all | 200 | the file |
//! | the rest | 200 | the file: the host knows no ranges, or it is another by now |
//! | the rest | 206 of our validator, from where we are, of the same size | the rest, or a part of it |
//! | the rest | any other 206, 412, 416 | of no use: ask for all |
//! | | all else | a refusal |
//!
//! A partial file is never gone on with on trust: a host that proves nothing is asked for the whole file.

use reqwest::StatusCode;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, HeaderMap, HeaderName, LAST_MODIFIED,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use url::Url;

/// Redirects followed for one file: from a link that lasts to a signed one, and on within the store.
const REDIRECTS_MAX: usize = 5;

/// How much older than its answer a file must be for its date to tell it from every other (RFC 9110, section
/// 8.8.2.2): within one second it may have changed twice.
const DATE_STRONG_AFTER: Duration = Duration::from_secs(1);

/// Which file a partial file is the beginning of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Version {
    /// Without what may be secret, and changes from one signature to the next.
    pub(super) url: String,
    /// A strong `ETag`, or else a `Last-Modified` that is as good.
    pub(super) validator: String,
    /// Of the whole file, in bytes.
    pub(super) size: Option<u64>,
    pub(super) content_type: Option<String>,
}

/// How to read an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The body is the file from its first byte.
    Whole {
        /// In bytes.
        size: Option<u64>,
    },
    /// The body goes on where the partial file ends.
    Rest {
        /// Where the body ends, counted from the first byte of the file.
        end: u64,
        /// Of the whole file, in bytes.
        size: u64,
    },
    /// The body doesn't fit what is there.
    Unfit,
    Refused {
        reason: String,
        transient: bool,
    },
}

/// Reads the answer to a request for the whole file or, with `kept`, for what follows that many bytes of a
/// version. `length` is that of the body, if announced.
pub(super) fn read(
    kept: Option<(&Version, u64)>,
    status: StatusCode,
    headers: &HeaderMap,
    length: Option<u64>,
) -> Answer {
    let refused = |reason, transient| Answer::Refused { reason, transient };
    match (status, kept) {
        (StatusCode::OK | StatusCode::PARTIAL_CONTENT, _) if let Some(coding) = coding(headers) => refused(
            format!("the media host answered in the coding `{coding}`, which was not asked for"),
            false,
        ),
        (StatusCode::OK, _) => Answer::Whole { size: length },
        (StatusCode::PARTIAL_CONTENT, Some((version, bytes))) => {
            rest(version, bytes, headers, length).unwrap_or(Answer::Unfit)
        }
        (StatusCode::PRECONDITION_FAILED | StatusCode::RANGE_NOT_SATISFIABLE, Some(_)) => Answer::Unfit,
        _ => {
            // Timed out, too early, too many.
            let passes = matches!(status.as_u16(), 408 | 425 | 429);
            refused(format!("the media host answered {status}"), passes || status.is_server_error())
        }
    }
}

/// The rest of this version, if the headers prove that it is.
fn rest(version: &Version, bytes: u64, headers: &HeaderMap, length: Option<u64>) -> Option<Answer> {
    if validator(headers)? != version.validator {
        return None;
    }
    let (first, last, total) = content_range(text(headers, CONTENT_RANGE)?)?;
    let size = total.or(version.size)?;
    let end = last.checked_add(1)?;
    let agree = first == bytes
        && first < end
        && end <= size
        && version.size.is_none_or(|known| known == size)
        && length.is_none_or(|length| length == end - first);
    agree.then_some(Answer::Rest { end, size })
}

/// What tells this file from every other at its URL: a strong `ETag`, or without any a `Last-Modified` that
/// is strong (RFC 9110, sections 8.8 and 13.1.5).
pub(super) fn validator(headers: &HeaderMap) -> Option<&str> {
    if headers.contains_key(ETAG) {
        return text(headers, ETAG).filter(|tag| tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"'));
    }
    let modified = text(headers, LAST_MODIFIED)?;
    let date = |value| httpdate::parse_http_date(value).ok();
    let age = date(text(headers, DATE)?)?.duration_since(date(modified)?).ok()?;
    (age >= DATE_STRONG_AFTER).then_some(modified)
}

pub(super) fn content_type(headers: &HeaderMap) -> Option<&str> {
    text(headers, CONTENT_TYPE)
}

/// The coding of a body that is not the file itself. `aws-chunked` is of an upload; stores repeat it.
fn coding(headers: &HeaderMap) -> Option<&str> {
    let codings = text(headers, CONTENT_ENCODING)?.split(',').map(str::trim);
    let plain =
        |coding: &str| ["", "identity", "aws-chunked"].iter().any(|name| coding.eq_ignore_ascii_case(name));
    codings.into_iter().find(|coding| !plain(coding))
}

/// `bytes 5-9/10`, with `*` where the size is not known (RFC 9110, section 14.4).
fn content_range(value: &str) -> Option<(u64, u64, Option<u64>)> {
    let (unit, range) = value.trim().split_once(' ')?;
    let (range, total) = range.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    let numbers = (first.parse().ok()?, last.parse().ok()?, total);
    unit.eq_ignore_ascii_case("bytes").then_some(numbers)
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Whether a redirect on the way to a file may be followed.
pub(crate) fn check_redirect(previous: &[Url], next: &Url) -> Result<(), &'static str> {
    if previous.len() > REDIRECTS_MAX {
        return Err("it redirects too often");
    }
    if next.scheme() != "https" && previous.iter().any(|url| url.scheme() == "https") {
        return Err("it redirects from https to http");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const A_SECOND_LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    fn version(size: Option<u64>) -> Version {
        Version {
            url: "https://media.example/1".to_owned(),
            validator: "\"v1\"".to_owned(),
            size,
            content_type: None,
        }
    }

    #[test]
    fn only_a_proven_rest_is_added() {
        let five_of_ten = Answer::Rest { end: 10, size: 10 };
        for (tag, range, length, known, want) in [
            ("\"v1\"", "bytes 5-9/10", Some(5), Some(10), &five_of_ten),
            ("\"v1\"", "Bytes 5-9/10", None, Some(10), &five_of_ten),
            ("\"v1\"", "bytes 5-9/*", Some(5), Some(10), &five_of_ten),
            ("\"v1\"", "bytes 5-9/10", Some(5), None, &five_of_ten),
            ("\"v1\"", "bytes 5-6/10", Some(2), Some(10), &Answer::Rest { end: 7, size: 10 }),
            ("\"v2\"", "bytes 5-9/10", Some(5), Some(10), &Answer::Unfit),
            ("W/\"v1\"", "bytes 5-9/10", Some(5), Some(10), &Answer::Unfit),
            ("\"v1\"", "bytes 0-9/10", Some(10), Some(10), &Answer::Unfit),
            ("\"v1\"", "bytes 4-9/10", Some(6), Some(10), &Answer::Unfit),
            ("\"v1\"", "bytes 6-9/10", Some(4), Some(10), &Answer::Unfit),
            ("\"v1\"", "bytes 5-4/10", Some(0), Some(10), &Answer::Unfit),
            ("\"v1\"", "bytes 5-10/10", Some(6), Some(10), &Answer::Unfit),
            ("\"v1\"", "bytes 5-9/11", Some(5), Some(10), &Answer::Unfit),
            ("\"v1\"", "bytes 5-9/10", Some(6), Some(10), &Answer::Unfit),
            ("\"v1\"", "bytes 5-9/*", Some(5), None, &Answer::Unfit),
            ("\"v1\"", "bytes 5-18446744073709551615/*", None, Some(10), &Answer::Unfit),
            ("\"v1\"", "bytes */10", None, Some(10), &Answer::Unfit),
            ("\"v1\"", "lines 5-9/10", Some(5), Some(10), &Answer::Unfit),
            ("\"v1\"", "soon", Some(5), Some(10), &Answer::Unfit),
        ] {
            let headers = headers(&[(ETAG, tag), (CONTENT_RANGE, range)]);
            let answer = read(Some((&version(known), 5)), StatusCode::PARTIAL_CONTENT, &headers, length);
            assert_eq!(answer, *want, "{tag} {range} {length:?} {known:?}");
        }
        let nothing = HeaderMap::new();
        let read = |status| read(Some((&version(None), 5)), status, &nothing, Some(10));
        assert_eq!(read(StatusCode::PARTIAL_CONTENT), Answer::Unfit);
        assert_eq!(read(StatusCode::RANGE_NOT_SATISFIABLE), Answer::Unfit);
        assert_eq!(read(StatusCode::PRECONDITION_FAILED), Answer::Unfit);
        assert_eq!(read(StatusCode::OK), Answer::Whole { size: Some(10) });
    }

    #[test]
    fn a_refusal_says_whether_it_may_pass() {
        for (status, passes) in [
            (204, false),
            (206, false),
            (304, false),
            (403, false),
            (404, false),
            (408, true),
            (410, false),
            (416, false),
            (425, true),
            (429, true),
            (500, true),
            (503, true),
        ] {
            let answer = read(None, StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), None);
            assert!(matches!(answer, Answer::Refused { transient, .. } if transient == passes), "{status}");
        }
    }

    #[test]
    fn a_body_in_a_coding_is_not_the_file() {
        for (coding, plain) in
            [("identity", true), ("AWS-chunked", true), ("gzip", false), ("aws-chunked, br", false)]
        {
            let answer = read(None, StatusCode::OK, &headers(&[(CONTENT_ENCODING, coding)]), Some(1));
            assert_eq!(answer == Answer::Whole { size: Some(1) }, plain, "{coding}");
        }
    }

    #[test]
    fn a_validator_is_strong_or_none() {
        for (pairs, want) in [
            (vec![(ETAG, "\"v1\"")], Some("\"v1\"")),
            (vec![(ETAG, "W/\"v1\"")], None),
            (vec![(ETAG, "v1")], None),
            (vec![(ETAG, "W/\"v1\""), (LAST_MODIFIED, AT), (DATE, A_SECOND_LATER)], None),
            (vec![(LAST_MODIFIED, AT), (DATE, A_SECOND_LATER)], Some(AT)),
            (vec![(LAST_MODIFIED, AT), (DATE, AT)], None),
            (vec![(LAST_MODIFIED, A_SECOND_LATER), (DATE, AT)], None),
            (vec![(LAST_MODIFIED, AT)], None),
            (vec![(LAST_MODIFIED, "yesterday"), (DATE, AT)], None),
            (vec![], None),
        ] {
            assert_eq!(validator(&headers(&pairs)), want, "{pairs:?}");
        }
    }

    #[test]
    fn redirects_are_few_and_stay_secure() {
        let url = |text: &str| Url::parse(text).unwrap();
        let (safe, plain) = (url("https://media.example/1"), url("http://media.example/1"));
        let from = |url: &Url, times| vec![url.clone(); times];
        assert!(check_redirect(&from(&safe, 5), &safe).is_ok());
        assert!(check_redirect(&from(&plain, 1), &plain).is_ok());
        assert!(check_redirect(&from(&plain, 1), &safe).is_ok());
        assert!(check_redirect(&from(&safe, 1), &plain).is_err());
        assert!(check_redirect(&from(&safe, 6), &safe).is_err());
    }
}
