//! The API key: a secret that cannot be printed.

use crate::error::Error;
use reqwest::header::HeaderValue;
use std::fmt;

/// Longest key taken, in bytes; the API's own have about fifty.
const LENGTH_MAX: usize = 512;

/// How many characters of its end a key may show, and the fewest that must stay hidden before them.
const SHOWN: usize = 4;
const HIDDEN_MIN: usize = 8;

/// What the API's keys begin with: production and sandbox.
const PREFIXES: [&str; 2] = ["clipia_live_", "clipia_test_"];

#[derive(Clone)]
pub(crate) struct Key(String);

impl Key {
    /// Takes a key as people paste it: white space around it is not part of it.
    pub(crate) fn new(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Error::KeyMissing);
        }
        if text.len() > LENGTH_MAX {
            return Err(Error::KeyMalformed { reason: "it is too long" });
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::KeyMalformed { reason: "it has a space or a character that is not ASCII" });
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

    /// Enough to tell keys apart: `clipia_live_…k3Qz`.
    pub(crate) fn masked(&self) -> String {
        let prefix = PREFIXES.into_iter().find(|prefix| self.0.starts_with(prefix)).unwrap_or_default();
        let secret = &self.0[prefix.len()..];
        let end = if secret.len() >= HIDDEN_MIN + SHOWN { &secret[secret.len() - SHOWN..] } else { "" };
        format!("{prefix}…{end}")
    }
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
    fn a_key_shows_only_what_tells_it_apart() {
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
    fn what_cannot_be_a_key_is_refused() {
        assert!(matches!(Key::new(" "), Err(Error::KeyMissing)));
        for key in ["two words", "schlüssel", "line\nbreak", &"k".repeat(LENGTH_MAX + 1)] {
            let error = Key::new(key).unwrap_err();
            assert!(matches!(error, Error::KeyMalformed { .. }), "{key}");
            assert!(!format!("{error} {error:?}").contains(key), "{key}");
        }
    }
}
