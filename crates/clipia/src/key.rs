//! The API key: a secret that cannot be printed.

use crate::environment::{clean, is_blank, is_quote};
use crate::error::Error;
use reqwest::header::HeaderValue;
use std::borrow::Cow;
use std::fmt;
use url::form_urlencoded;

/// Bytes of the longest key that is accepted. The API's own keys have about fifty.
const LENGTH_MAX: usize = 512;

/// Characters at the end of a key that may be shown, and the fewest hidden characters before them.
const SHOWN: usize = 4;
const HIDDEN_MIN: usize = 8;

/// The prefixes of the API's keys: production and sandbox.
const PREFIXES: [&str; 2] = ["clipia_live_", "clipia_test_"];

/// The words before a key in a header: those of this API, and `Key` of other APIs, whose keys people replace by ours.
const SCHEMES: [&str; 3] = ["Authorization:", "Bearer", "Key"];

#[derive(Clone)]
pub(crate) struct Key(String);

impl Key {
    /// Accepts a key as people paste it: from a header, a `.env` file, a web page.
    pub(crate) fn new(text: &str) -> Result<Self, Error> {
        let text = without_scheme(text);
        // `Bearer $KEY` with an unset variable leaves `bearer` alone.
        if text.is_empty() || text.eq_ignore_ascii_case("bearer") {
            return Err(Error::KeyMissing);
        }
        let refuse = |reason| Err(Error::KeyMalformed { reason });
        if text.len() > LENGTH_MAX {
            return refuse("it is too long");
        }
        if text.contains(char::is_whitespace) {
            return refuse("it has a space or a line break within");
        }
        if text.contains(is_blank) {
            return refuse("it has an invisible character within, such as a zero-width space: copy it again");
        }
        if text.starts_with(is_quote) || text.ends_with(is_quote) {
            return refuse("it has a quote at one end only");
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return refuse("it has a character that is not ASCII");
        }
        Ok(Self(text.to_owned()))
    }

    /// `Authorization: Bearer K`, marked so that HTTP libraries do not print it.
    pub(crate) fn header(&self) -> Result<HeaderValue, Error> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", self.0))
            .map_err(|_| Error::KeyMalformed { reason: "it cannot be sent in a header" })?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// Masks the key in a text of a server or proxy, which may repeat what it refuses. The start of the key is masked
    /// like the whole key, if it is long enough that masking hides a part of it.
    pub(crate) fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let encoded: String = form_urlencoded::byte_serialize(self.0.as_bytes()).collect();
        let mut hidden = self.hide_spelling(&self.0, text);
        if encoded != self.0
            && let Cow::Owned(text) = self.hide_spelling(&encoded, &hidden)
        {
            hidden = Cow::Owned(text);
        }
        hidden
    }

    fn hide_spelling<'a>(&self, key: &str, text: &'a str) -> Cow<'a, str> {
        let beginning = &key[..key.len().min(self.prefix().len() + HIDDEN_MIN)];
        let same =
            |text: &str| text.bytes().zip(key.bytes()).take_while(|(left, right)| left == right).count();
        let (mut hidden, mut rest) = (String::new(), text);
        while let Some(at) = rest.find(beginning) {
            let (before, found) = rest.split_at(at);
            let (found, after) = found.split_at(same(found));
            let in_a_word =
                before.ends_with(char::is_alphanumeric) || after.starts_with(char::is_alphanumeric);
            hidden.push_str(before);
            // A key as short as a word protects nothing, and occurs in many words.
            if key.len() < HIDDEN_MIN && in_a_word {
                hidden.push_str(found);
            } else {
                hidden.push_str(&self.masked());
            }
            rest = after;
        }
        if rest.len() == text.len() {
            return Cow::Borrowed(text);
        }
        hidden.push_str(rest);
        Cow::Owned(hidden)
    }

    fn prefix(&self) -> &'static str {
        PREFIXES.into_iter().find(|prefix| self.0.starts_with(prefix)).unwrap_or_default()
    }

    /// The masked key, which is enough to recognise it: `clipia_live_…k3Qz`.
    pub(crate) fn masked(&self) -> String {
        let prefix = self.prefix();
        let secret = &self.0[prefix.len()..];
        let end = if secret.len() >= HIDDEN_MIN + SHOWN { &secret[secret.len() - SHOWN..] } else { "" };
        format!("{prefix}…{end}")
    }
}

/// The key without the words before it in an `Authorization` header.
fn without_scheme(text: &str) -> &str {
    let mut key = clean(text);
    while let Some((word, rest)) = key.split_once(is_blank)
        && SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme))
    {
        key = clean(rest);
    }
    key
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_key_shows_only_its_prefix_and_its_end() {
        for (key, masked) in [
            ("clipia_live_0123456789abk3Qz", "clipia_live_…k3Qz"),
            (" clipia_test_0123456789abk3Qz\n", "clipia_test_…k3Qz"),
            ("clipia_live_short", "clipia_live_…"),
            ("another0123456789", "…6789"),
            ("tiny", "…"),
        ] {
            let key = Key::new(key).unwrap();
            assert_eq!(key.masked(), masked);
            assert_eq!(format!("{key:?}"), masked);
            assert_eq!(format!("{:?}", key.header().unwrap()), "Sensitive");
        }
    }

    #[test]
    fn a_key_is_accepted_as_people_paste_it() {
        const KEY: &str = "clipia_live_0123456789abk3Qz";
        for text in [
            format!(" {KEY}\r\n"),
            format!("\"{KEY}\""),
            format!("'{KEY}' "),
            format!("“{KEY}”"),
            format!("\u{feff}{KEY}"),
            format!("\u{200b}{KEY}\u{2060}\u{a0}"),
            format!("Bearer {KEY}"),
            format!("bearer\u{a0} {KEY}"),
            format!("Key {KEY}"),
            format!("\"Authorization: Bearer {KEY}\""),
            format!("Bearer \"\u{200b}{KEY}\""),
        ] {
            assert_eq!(Key::new(&text).unwrap().0, KEY, "{text:?}");
        }
    }

    #[test]
    fn a_malformed_key_is_refused() {
        for nothing in ["", " ", "\u{feff}\n", "\"\"", "Bearer ", "Authorization: Bearer"] {
            assert!(matches!(Key::new(nothing), Err(Error::KeyMissing)), "{nothing:?}");
        }
        for (key, reason) in [
            ("two words", "a space or a line break within"),
            ("Basic secret", "a space or a line break within"),
            ("line\nbreak", "a space or a line break within"),
            ("no\u{a0}break", "a space or a line break within"),
            ("zero\u{200b}width", "an invisible character within"),
            ("word\u{2060}joiner", "an invisible character within"),
            ("bell\u{7}", "not there"),
            ("schlüssel", "not ASCII"),
            ("\"clipia_live_secret", "a quote at one end"),
            ("clipia_live_secret'", "a quote at one end"),
            (&"k".repeat(LENGTH_MAX + 1), "too long"),
        ] {
            match Key::new(key) {
                Err(error @ Error::KeyMalformed { .. }) => {
                    assert!(error.to_string().contains(reason), "{key:?}: {error}");
                    assert!(!format!("{error} {error:?}").contains(key), "{key}");
                }
                // A trailing control character is removed like white space.
                other => assert_eq!((other.unwrap().0.as_str(), reason), ("bell", "not there"), "{key:?}"),
            }
        }
    }

    #[test]
    fn a_key_is_masked_wherever_others_repeat_it() {
        let key = Key::new("clipia_live_0123456789abk3Qz").unwrap();
        for (text, hidden) in [
            ("no such key: clipia_live_0123456789abk3Qz", "no such key: clipia_live_…k3Qz"),
            ("`Bearer clipia_live_0123456789abk3Qz` is none", "`Bearer clipia_live_…k3Qz` is none"),
            (
                "clipia_live_0123456789abk3Qzclipia_live_0123456789abk3Qz!",
                "clipia_live_…k3Qzclipia_live_…k3Qz!",
            ),
            ("clipia_live_0123456789… is none", "clipia_live_…k3Qz… is none"),
            ("clipia_live_0123", "clipia_live_0123"),
            ("clipia_live_…k3Qz", "clipia_live_…k3Qz"),
            ("schön", "schön"),
            ("", ""),
        ] {
            assert_eq!(key.hide(text), hidden, "{text}");
            assert_eq!(matches!(key.hide(text), Cow::Borrowed(_)), text == hidden, "{text}");
        }
        let odd = Key::new("a/key+with=signs").unwrap();
        assert_eq!(odd.hide("?key=a%2Fkey%2Bwith%3Dsigns, a/key+with=signs"), "?key=…igns, …igns");
        let short = Key::new("k").unwrap();
        assert_eq!(short.hide("the key `k` is unknown"), "the key `…` is unknown");
    }
}
