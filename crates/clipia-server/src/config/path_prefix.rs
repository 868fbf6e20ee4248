//! The path at which a proxy shows pages: the value of the key `dashboard_prefix`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A path before the path of a page; empty for none.
///
/// ```
/// use clipia_server::PathPrefix;
///
/// let prefix: PathPrefix = "/queue".parse().unwrap();
/// assert_eq!(prefix.as_str(), "/queue");
/// assert_eq!("".parse::<PathPrefix>().unwrap(), PathPrefix::default());
/// assert!("queue/".parse::<PathPrefix>().is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathPrefix(String);

/// A text is no prefix of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a prefix of a path is such as `/queue`: letters, digits, `-`, `.`, `_` and `~` after each `/`, and no `/` at the end"
)]
pub struct PathPrefixInvalid;

impl PathPrefix {
    /// The path, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PathPrefix {
    type Err = PathPrefixInvalid;

    fn from_str(text: &str) -> Result<Self, PathPrefixInvalid> {
        text.to_owned().try_into()
    }
}

impl TryFrom<String> for PathPrefix {
    type Error = PathPrefixInvalid;

    fn try_from(text: String) -> Result<Self, PathPrefixInvalid> {
        let of_a_segment = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let is_segment =
            |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(of_a_segment);
        let is_path = text.strip_prefix('/').is_some_and(|path| path.split('/').all(is_segment));
        if text.is_empty() || is_path { Ok(Self(text)) } else { Err(PathPrefixInvalid) }
    }
}

impl From<PathPrefix> for String {
    fn from(prefix: PathPrefix) -> Self {
        prefix.0
    }
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_path_of_plain_segments() {
        for text in ["", "/queue", "/a/b-c_d.e~"] {
            assert_eq!(text.parse::<PathPrefix>().unwrap().as_str(), text);
        }
        for text in ["/", "queue", "/queue/", "//evil.example", "/a/../b", "/a b", "/{x}", "/a?b"] {
            assert_eq!(text.parse::<PathPrefix>(), Err(PathPrefixInvalid), "{text}");
        }
    }
}
