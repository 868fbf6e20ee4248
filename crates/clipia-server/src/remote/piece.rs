//! What the headers of a piece say: where it is in its file, and what its digest is. Pure.

use crate::api_error::ApiError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};

/// The header with the digest of a body (RFC 9530).
const CONTENT_DIGEST: &str = "content-digest";

/// The algorithm of the digest, as its header names it.
const SHA_256: &str = "sha-256";

/// The most bytes of a piece. The client sends 8 MiB at most.
pub(super) const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A piece of a file, as its headers announce it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// The bytes of the file that come before.
    pub(super) start: u64,
    /// Its length in bytes.
    pub(super) bytes: u64,
    /// The length of the whole file.
    pub(super) total: u64,
    /// Its SHA-256.
    pub(super) digest: [u8; 32],
}

impl Piece {
    /// The bytes of the file up to its end.
    pub(super) fn end(&self) -> u64 {
        self.start + self.bytes
    }

    /// The piece that the headers of a call announce.
    ///
    /// # Errors
    /// `invalid_request` says which header is missing or malformed, or that the piece is too long.
    pub(super) fn announced(headers: &HeaderMap) -> Result<Self, ApiError> {
        let range = only(headers, header::CONTENT_RANGE.as_str()).and_then(content_range);
        let (start, bytes, total) = range.ok_or_else(|| {
            ApiError::invalid("a piece needs a `Content-Range` such as `bytes 0-1048575/3145728`, or `bytes */0` for an empty file")
        })?;
        if bytes > BYTES_MAX {
            let most = BYTES_MAX / 1024 / 1024;
            return Err(ApiError::invalid(format!("a piece has {most} MiB at most")));
        }
        let digest = only(headers, CONTENT_DIGEST).and_then(content_digest);
        let digest = digest.ok_or_else(|| {
            ApiError::invalid("a piece needs a `Content-Digest` with its SHA-256, as `sha-256=:…:`")
        })?;
        Ok(Self { start, bytes, total, digest })
    }
}

/// The text of a header; none where it comes more than once, or is no text.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())?.to_str().ok()
}

/// The start, the length and the whole length in a `Content-Range` (RFC 9110, section 14.4). A file without a byte has no range
/// of bytes: `bytes */0`.
fn content_range(value: &str) -> Option<(u64, u64, u64)> {
    let (unit, rest) = value.split_once(' ')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (range, total) = rest.split_once('/')?;
    let total = number(total)?;
    if range == "*" {
        return (total == 0).then_some((0, 0, 0));
    }
    let (first, last) = range.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    (first <= last && last < total).then(|| (first, last - first + 1, total))
}

/// A number of digits alone, which a file's length may be.
fn number(digits: &str) -> Option<u64> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|number| plain && i64::try_from(*number).is_ok())
}

/// The SHA-256 in a `Content-Digest`, a dictionary of digests by algorithm (RFC 9530, section 2). Where a key comes twice, the last
/// value counts (RFC 9651, section 3.2).
fn content_digest(value: &str) -> Option<[u8; 32]> {
    let members = value.split(',').map(|member| member.trim_matches([' ', '\t'])).rev();
    let mut digests = members.filter_map(|member| {
        let (name, value) = member.split_once('=')?;
        (name == SHA_256).then_some(value)
    });
    let encoded = digests.next()?.strip_prefix(':')?.strip_suffix(':')?;
    STANDARD.decode(encoded).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn a_range_says_where_a_piece_is() {
        for (text, range) in [
            ("bytes 0-0/1", Some((0, 1, 1))),
            ("bytes 0-1048575/3145728", Some((0, 1_048_576, 3_145_728))),
            ("BYTES 7-9/10", Some((7, 3, 10))),
            ("bytes */0", Some((0, 0, 0))),
            ("bytes */1", None),
            ("bytes 0-0/0", None),
            ("bytes 0-10/10", None),
            ("bytes 3-2/10", None),
            ("bytes 0-1/*", None),
            ("bytes -1/2", None),
            ("bytes 0-/2", None),
            ("bytes +0-1/2", None),
            ("bytes 0 - 1/2", None),
            ("bytes 0-1", None),
            ("bytes=0-1/2", None),
            ("lines 0-1/2", None),
            ("bytes 0-18446744073709551614/18446744073709551615", None),
            ("bytes 0-99999999999999999999/999999999999999999999", None),
            ("", None),
        ] {
            assert_eq!(content_range(text), range, "{text:?}");
        }
    }

    #[test]
    fn a_digest_is_that_of_sha_256() {
        let digest: [u8; 32] = Sha256::digest(b"fox").into();
        let encoded = STANDARD.encode(digest);
        for (text, is) in [
            (format!("sha-256=:{encoded}:"), true),
            (format!("sha-512=:AAAA:, sha-256=:{encoded}:"), true),
            (format!("sha-256=:AAAA:,\tsha-256=:{encoded}:"), true),
            (format!("sha-256=:{encoded}:, sha-256=:AAAA:"), false),
            (format!("sha-256={encoded}"), false),
            (format!("sha-512=:{encoded}:"), false),
            (format!("SHA-256=:{encoded}:"), false),
            (format!("sha-256=:{}:", &encoded[..40]), false),
            (format!("sha-256=:{}:", hex::encode(digest)), false),
            ("sha-256=:".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(content_digest(&text), is.then_some(digest), "{text:?}");
        }
    }

    #[test]
    fn a_header_that_comes_twice_says_nothing() {
        let range = HeaderValue::from_static("bytes 0-0/1");
        let mut headers = HeaderMap::new();
        headers.append(header::CONTENT_RANGE, range.clone());
        assert!(only(&headers, "content-range").is_some());
        headers.append(header::CONTENT_RANGE, range);
        assert!(only(&headers, "content-range").is_none());
    }

    proptest! {
        #[test]
        fn any_content_range_is_a_part_of_its_file_or_none(text in "(bytes )?[-0-9*/ +]{0,50}|\\PC{0,30}") {
            if let Some((start, bytes, total)) = content_range(&text) {
                prop_assert!(start.checked_add(bytes).is_some_and(|end| end <= total));
                prop_assert_eq!(bytes == 0, total == 0);
            }
        }

        #[test]
        fn any_content_digest_is_of_32_bytes_or_none(text in "(sha-256=:?)?[A-Za-z0-9+/=:, ]{0,60}|\\PC{0,30}") {
            if let Some(digest) = content_digest(&text) {
                prop_assert!(text.contains(&STANDARD.encode(digest)));
            }
        }

        #[test]
        fn any_headers_announce_a_piece_or_are_refused(
            range in "(bytes )?[-0-9*/]{0,30}",
            digest in prop::array::uniform32(any::<u8>()),
        ) {
            let text = format!("sha-256=:{}:", STANDARD.encode(digest));
            let headers = [("content-range", range), ("content-digest", text)];
            let headers = headers.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            if let Ok(piece) = Piece::announced(&HeaderMap::from_iter(headers)) {
                prop_assert!(piece.end() <= piece.total && piece.bytes <= BYTES_MAX);
                prop_assert_eq!(piece.digest, digest);
            }
        }
    }
}
