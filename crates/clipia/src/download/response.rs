//! The response of a media host, and what it means for a partial file. Pure.
//!
//! | request for | response | the body is |
//! |---|---|---|
//! | the whole file | 200 | the file |
//! | the rest | 200 | the file: the host does not support ranges, or the file has changed |
//! | the rest | 206 with our validator, from our position, of the same size | the rest, or a part of it |
//! | the rest | any other 206, 412, 416 | useless: request the whole file |
//! | either | anything else | a refusal |
//!
//! A partial file is never resumed without proof. Without proof the whole file is requested.

use reqwest::StatusCode;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, HeaderMap, HeaderName, LAST_MODIFIED,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How much older than its response a file must be for its date to be a strong validator (RFC 9110, section
/// 8.8.2.2): within one second the file may have changed twice.
const DATE_STRONG_AFTER: Duration = Duration::from_secs(1);

/// The version of a file to which a partial file belongs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Version {
    /// The URL without its query, which may be secret and changes with each signature.
    pub(super) url: String,
    /// A strong `ETag`, or else a strong `Last-Modified`.
    pub(super) validator: String,
    /// The size of the whole file, in bytes.
    pub(super) size: Option<u64>,
    pub(super) content_type: Option<String>,
}

/// What to do with a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MediaResponse {
    /// The body is the file from its first byte.
    Whole {
        /// The size of the file, in bytes.
        size: Option<u64>,
    },
    /// The body continues the partial file.
    Rest {
        /// The end of the body, counted from the first byte of the file.
        end: u64,
        /// The size of the whole file, in bytes.
        size: u64,
    },
    /// The body does not fit the partial file.
    Unfit,
    Refused {
        reason: String,
        transient: bool,
    },
}

/// Reads the response to a request for the whole file or, with `kept`, for the bytes after that many of a
/// version. `length` is that of the body, if announced.
pub(super) fn read(
    kept: Option<(&Version, u64)>,
    status: StatusCode,
    headers: &HeaderMap,
    length: Option<u64>,
) -> MediaResponse {
    let refused = |reason, transient| MediaResponse::Refused { reason, transient };
    match (status, kept) {
        (StatusCode::OK | StatusCode::PARTIAL_CONTENT, _) if let Some(coding) = coding(headers) => refused(
            format!("the media host answered in the coding `{coding}`, which was not asked for"),
            false,
        ),
        (StatusCode::OK, _) => MediaResponse::Whole { size: length },
        (StatusCode::PARTIAL_CONTENT, Some((version, bytes))) => {
            rest(version, bytes, headers, length).unwrap_or(MediaResponse::Unfit)
        }
        (StatusCode::PRECONDITION_FAILED | StatusCode::RANGE_NOT_SATISFIABLE, Some(_)) => {
            MediaResponse::Unfit
        }
        _ => {
            // Timeout, too early, too many requests.
            let passes = matches!(status.as_u16(), 408 | 425 | 429);
            refused(format!("the media host answered {status}"), passes || status.is_server_error())
        }
    }
}

/// The rest of this version, if the headers prove that the body is.
fn rest(version: &Version, bytes: u64, headers: &HeaderMap, length: Option<u64>) -> Option<MediaResponse> {
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
    agree.then_some(MediaResponse::Rest { end, size })
}

/// The validator of the file: a strong `ETag`, or without any `ETag` a strong `Last-Modified` (RFC 9110, sections 8.8
/// and 13.1.5).
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

/// The content coding of the body, if it is coded. `aws-chunked` is a coding of uploads, which stores repeat.
fn coding(headers: &HeaderMap) -> Option<&str> {
    let codings = text(headers, CONTENT_ENCODING)?.split(',').map(str::trim);
    let plain =
        |coding: &str| ["", "identity", "aws-chunked"].iter().any(|name| coding.eq_ignore_ascii_case(name));
    codings.into_iter().find(|coding| !plain(coding))
}

/// Parses `bytes 5-9/10`, with `*` for an unknown size (RFC 9110, section 14.4).
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
    fn only_a_proven_rest_is_appended() {
        let five_of_ten = MediaResponse::Rest { end: 10, size: 10 };
        for (tag, range, length, known, want) in [
            ("\"v1\"", "bytes 5-9/10", Some(5), Some(10), &five_of_ten),
            ("\"v1\"", "Bytes 5-9/10", None, Some(10), &five_of_ten),
            ("\"v1\"", "bytes 5-9/*", Some(5), Some(10), &five_of_ten),
            ("\"v1\"", "bytes 5-9/10", Some(5), None, &five_of_ten),
            ("\"v1\"", "bytes 5-6/10", Some(2), Some(10), &MediaResponse::Rest { end: 7, size: 10 }),
            ("\"v2\"", "bytes 5-9/10", Some(5), Some(10), &MediaResponse::Unfit),
            ("W/\"v1\"", "bytes 5-9/10", Some(5), Some(10), &MediaResponse::Unfit),
            ("\"v1\"", "bytes 0-9/10", Some(10), Some(10), &MediaResponse::Unfit),
            ("\"v1\"", "bytes 4-9/10", Some(6), Some(10), &MediaResponse::Unfit),
            ("\"v1\"", "bytes 6-9/10", Some(4), Some(10), &MediaResponse::Unfit),
            ("\"v1\"", "bytes 5-4/10", Some(0), Some(10), &MediaResponse::Unfit),
            ("\"v1\"", "bytes 5-10/10", Some(6), Some(10), &MediaResponse::Unfit),
            ("\"v1\"", "bytes 5-9/11", Some(5), Some(10), &MediaResponse::Unfit),
            ("\"v1\"", "bytes 5-9/10", Some(6), Some(10), &MediaResponse::Unfit),
            ("\"v1\"", "bytes 5-9/*", Some(5), None, &MediaResponse::Unfit),
            ("\"v1\"", "bytes 5-18446744073709551615/*", None, Some(10), &MediaResponse::Unfit),
            ("\"v1\"", "bytes */10", None, Some(10), &MediaResponse::Unfit),
            ("\"v1\"", "lines 5-9/10", Some(5), Some(10), &MediaResponse::Unfit),
            ("\"v1\"", "soon", Some(5), Some(10), &MediaResponse::Unfit),
        ] {
            let headers = headers(&[(ETAG, tag), (CONTENT_RANGE, range)]);
            let response = read(Some((&version(known), 5)), StatusCode::PARTIAL_CONTENT, &headers, length);
            assert_eq!(response, *want, "{tag} {range} {length:?} {known:?}");
        }
        let nothing = HeaderMap::new();
        let read = |status| read(Some((&version(None), 5)), status, &nothing, Some(10));
        assert_eq!(read(StatusCode::PARTIAL_CONTENT), MediaResponse::Unfit);
        assert_eq!(read(StatusCode::RANGE_NOT_SATISFIABLE), MediaResponse::Unfit);
        assert_eq!(read(StatusCode::PRECONDITION_FAILED), MediaResponse::Unfit);
        assert_eq!(read(StatusCode::OK), MediaResponse::Whole { size: Some(10) });
    }

    #[test]
    fn a_refusal_is_transient_or_final() {
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
            let response = read(None, StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), None);
            assert!(
                matches!(response, MediaResponse::Refused { transient, .. } if transient == passes),
                "{status}"
            );
        }
    }

    #[test]
    fn a_body_in_a_coding_is_not_the_file() {
        for (coding, plain) in
            [("identity", true), ("AWS-chunked", true), ("gzip", false), ("aws-chunked, br", false)]
        {
            let response = read(None, StatusCode::OK, &headers(&[(CONTENT_ENCODING, coding)]), Some(1));
            assert_eq!(response == MediaResponse::Whole { size: Some(1) }, plain, "{coding}");
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
}
