//! Recognises an error page that a media host sent in place of a file, with the status of a success. Pure.
//!
//! Content type and first bytes decide together. The bytes count for a genuine picture that is sent as `text/html`, and
//! for a page of HTML that is sent as `image/png`.

use super::extension::essence;
use crate::environment::is_blank;
use url::Url;

/// Characters of a host's text in an error.
const SHOWN_MAX: usize = 120;

/// A shorter value of a query is no secret, and may be part of any word.
const SECRET_MIN: usize = 4;

/// The beginning of a playlist, in lower case.
const PLAYLIST: &str = "#extm3u";

/// Root elements of images and of pages, in lower case.
const IMAGES: [&str; 2] = ["<svg", "<!doctype svg"];
const PAGES: [&str; 5] = ["<!doctype html", "<html", "<head", "<body", "<error"];

/// Whether the body may be a page, so that more of its first bytes are needed.
pub(super) fn is_possible(content_type: Option<&str>, beginning: &[u8]) -> bool {
    let first = beginning.iter().find(|byte| !byte.is_ascii_whitespace() && !b"\xef\xbb\xbf".contains(byte));
    matches!(first, None | Some(b'<' | b'{' | b'['))
        || content_type.is_some_and(|value| is_of_pages(&essence(value)))
}

/// Whether the body is a page, and not an image, a clip or a sound.
pub(super) fn is_page(content_type: Option<&str>, beginning: &[u8]) -> bool {
    // A page is only text. Media have a control character among their first bytes.
    if beginning.iter().any(|byte| byte.is_ascii_control() && !b"\t\n\x0c\r\x1b".contains(byte)) {
        return false;
    }
    let text = String::from_utf8_lossy(beginning).to_lowercase();
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let essence = content_type.map(essence).unwrap_or_default();
    if !text.starts_with('<') {
        return !text.starts_with(PLAYLIST) && (is_of_pages(&essence) || is_json(text));
    }
    let first = |names: &[&str]| names.iter().filter_map(|name| text.find(name)).min();
    match (first(&IMAGES), first(&PAGES)) {
        // An image within a page, or words of a page within an image: the first element is the root.
        (Some(image), page) => page.is_some_and(|page| page < image),
        (None, Some(_)) => true,
        (None, None) => !essence.ends_with("+xml") || is_of_pages(&essence),
    }
}

/// Whether the type is one of pages. Hosts send `text/plain` for errors, and for files that they do not know.
fn is_of_pages(essence: &str) -> bool {
    let names = ["text/html", "application/xhtml+xml", "text/plain", "text/xml", "application/xml"];
    let json = essence.ends_with("/json") || essence.ends_with("+json");
    names.contains(&essence) || json || essence == "application/problem+xml"
}

fn is_json(text: &str) -> bool {
    let inside = |open, begins: &[char]| {
        text.strip_prefix(open).is_some_and(|inside: &str| inside.trim_start().starts_with(begins))
    };
    inside('{', &['"', '}']) || inside('[', &['{', '[', '"', ']'])
}

/// A host's text as an error shows it: cut short, on one line, without invisible characters (some change the order in
/// which text is shown), and without the values in the queries of `urls`, which may be signatures.
pub(super) fn redacted(text: &str, urls: &[&Url]) -> String {
    let mut text = text.to_owned();
    for url in urls {
        let raw = url
            .query()
            .unwrap_or_default()
            .split('&')
            .filter_map(|pair| Some(pair.split_once('=')?.1.into()));
        for secret in url.query_pairs().map(|(_, value)| value).chain(raw) {
            if secret.len() >= SECRET_MIN {
                text = text.replace(&*secret, "…");
            }
        }
    }
    let spaced = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c });
    let mut shown: String = spaced.filter(|&c| c == ' ' || !is_blank(c)).take(SHOWN_MAX + 1).collect();
    if let Some((end, _)) = shown.char_indices().nth(SHOWN_MAX) {
        shown.truncate(end);
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_recognised_by_its_type_and_its_bytes() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".as_slice();
        for (content_type, beginning, page) in [
            ("image/png", png, false),
            ("text/html", png, false),
            ("text/plain", png, false),
            ("application/json", png, false),
            ("image/png", b"anything", false),
            ("application/octet-stream", b"anything", false),
            ("text/html; charset=utf-8", b"Sign in", true),
            ("text/plain", b"no such key", true),
            ("application/problem+json", b"7", true),
            ("image/png", b"<!DOCTYPE html><title>", true),
            ("image/png", b"\xef\xbb\xbf\r\n <HTML lang=en>", true),
            ("image/png", b"<!-- sign in --><html><svg></svg>", true),
            ("image/png", b"<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied", true),
            ("binary/octet-stream", b"<Error><Code>", true),
            ("image/svg+xml", b"<Error><Code>", true),
            ("video/mp4", b"{\"detail\": \"gone\"}", true),
            ("video/mp4", b"{}", true),
            ("video/mp4", b"[\n {\"detail\"", true),
            ("image/svg+xml", b"<svg xmlns=", false),
            ("image/svg+xml", b"<?xml version=\"1.0\"?><!-- long -->", false),
            ("text/xml", b"<?xml version=\"1.0\"?><svg><title>an <html> page</title>", false),
            ("text/plain", b"<svg xmlns=", false),
            ("text/plain", b"#EXTM3U\n#EXT-X", false),
            ("application/dash+xml", b"<?xml version=\"1.0\"?><MPD", false),
            ("image/x-portable-pixmap", b"P3 1 1 255", false),
            ("application/json", b"{\"image\": \"<svg>\"}", true),
        ] {
            let shown = String::from_utf8_lossy(beginning);
            assert_eq!(is_page(Some(content_type), beginning), page, "{content_type}: {shown}");
            assert!(!page || is_possible(Some(content_type), beginning), "{content_type}: {shown}");
        }
        assert!(is_page(None, b"<html>") && !is_page(None, b"anything"));
        assert!(is_possible(None, b"") && !is_possible(None, png));
    }

    #[test]
    fn a_hosts_text_is_shown_short_plain_and_without_signatures() {
        let url = Url::parse("https://media.example/1?sig=a%2Fsecret&n=1&token=key-1234").unwrap();
        for (text, want) in [
            ("plain", "plain".to_owned()),
            ("\x1b[31mred\u{9b}2J\r\nnext\u{202e}\0", "[31mred2J  next".to_owned()),
            ("/1?sig=a%2Fsecret&amp;n=1 a/secret, key-1234", "/1?sig=…&amp;n=1 …, …".to_owned()),
            (&"é".repeat(121), "é".repeat(120) + "…"),
            (&"é".repeat(120), "é".repeat(120)),
        ] {
            assert_eq!(redacted(text, &[&url]), want);
        }
    }
}
