//! The key of a caller. In the emulator every key of the right form is an account of its own.

use clipia_server::credentials::{self, LIVE, TEST};
use clipia_server::store::KeyHash;
use std::fmt;
use std::str::FromStr;

/// The longest key, in bytes.
const BYTES_MAX: usize = 512;

/// An API key of the right form: `clipia_live_` or `clipia_test_`, and letters, digits, `_` or `-`. `Debug` shows its hint alone:
/// somebody may have pasted a real one.
///
/// ```
/// use clipia_emulator::CallerKey;
///
/// let key: CallerKey = "clipia_live_test_of_the_cart".parse()?;
/// assert_eq!(key.hint(), "clipia_live_…cart");
/// assert!(!key.is_sandbox());
/// # Ok::<(), clipia_emulator::NoCallerKey>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CallerKey(String);

/// A text that is no [`CallerKey`]. The text may be a secret, so it is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a key is `{LIVE}` or `{TEST}` and 1 to 500 letters, digits, `_` or `-`, such as `clipia_live_my_test`: each is an account of its own"
)]
pub struct NoCallerKey;

impl CallerKey {
    /// The key itself: a secret.
    pub fn revealed(&self) -> &str {
        &self.0
    }

    /// Enough of it to recognise it by.
    pub fn hint(&self) -> String {
        credentials::hint(&self.0)
    }

    /// What it is found by.
    pub fn hash(&self) -> KeyHash {
        credentials::hash(&self.0)
    }

    /// Whether its generations are samples that cost nothing.
    pub fn is_sandbox(&self) -> bool {
        self.0.starts_with(TEST)
    }
}

impl FromStr for CallerKey {
    type Err = NoCallerKey;

    fn from_str(text: &str) -> Result<Self, NoCallerKey> {
        let name = text.strip_prefix(LIVE).or_else(|| text.strip_prefix(TEST)).ok_or(NoCallerKey)?;
        let is_spelled = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        let is_key = is_spelled && !name.is_empty() && text.len() <= BYTES_MAX;
        is_key.then(|| Self(text.to_owned())).ok_or(NoCallerKey)
    }
}

impl fmt::Debug for CallerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallerKey").field(&self.hint()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_a_form_and_is_not_shown() {
        for text in ["clipia_live_", "clipia_live_a b", "clipia_work_abc", "", "sk_live_abc"] {
            let error = text.parse::<CallerKey>().unwrap_err().to_string();
            assert!(error.contains("clipia_live_my_test"), "{error}");
        }
        let key: CallerKey = "clipia_test_0123456789".parse().unwrap();
        assert!(key.is_sandbox());
        assert_eq!(format!("{key:?}"), "CallerKey(\"clipia_test_…\")");
    }
}
