//! The address at which clients reach a server: the value of the key `public_url`.

use super::PathPrefix;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use url::Url;

/// The address of the API, with the path before `/v1` if there is one; empty for the address that each call names.
///
/// ```
/// use clipia_server::PublicUrl;
///
/// let public: PublicUrl = "https://example.com/queue/".parse().unwrap();
/// assert_eq!(public.get(), Some("https://example.com/queue"));
/// assert_eq!(public.path().as_str(), "/queue");
/// assert_eq!("".parse::<PublicUrl>().unwrap().get(), None);
/// assert!("example.com".parse::<PublicUrl>().is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicUrl {
    /// The URL without a slash at its end; empty for none.
    url: String,
    path: PathPrefix,
}

/// A text is no address of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a public URL is such as `https://queue.example.com` or `https://example.com/queue`: http or https, a host, and at most a path"
)]
pub struct PublicUrlInvalid;

impl PublicUrl {
    /// The URL, without a slash at its end. `None` if none is set.
    pub fn get(&self) -> Option<&str> {
        Some(self.url.as_str()).filter(|url| !url.is_empty())
    }

    /// The path before that of a call.
    pub fn path(&self) -> &PathPrefix {
        &self.path
    }
}

impl FromStr for PublicUrl {
    type Err = PublicUrlInvalid;

    fn from_str(text: &str) -> Result<Self, PublicUrlInvalid> {
        text.to_owned().try_into()
    }
}

impl TryFrom<String> for PublicUrl {
    type Error = PublicUrlInvalid;

    fn try_from(text: String) -> Result<Self, PublicUrlInvalid> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let url: Url = text.parse().map_err(|_| PublicUrlInvalid)?;
        let is_plain = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let path = url.path().trim_end_matches('/').parse().map_err(|_| PublicUrlInvalid)?;
        let url = url.as_str().trim_end_matches('/').to_owned();
        if is_plain { Ok(Self { url, path }) } else { Err(PublicUrlInvalid) }
    }
}

impl From<PublicUrl> for String {
    fn from(public: PublicUrl) -> Self {
        public.url
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_a_host_and_a_path() {
        for (text, url, path) in [
            ("https://queue.example.com", "https://queue.example.com", ""),
            ("https://queue.example.com/", "https://queue.example.com", ""),
            ("http://10.0.0.1:8080/a/b/", "http://10.0.0.1:8080/a/b", "/a/b"),
            ("https://EXAMPLE.com/queue", "https://example.com/queue", "/queue"),
        ] {
            let public: PublicUrl = text.parse().unwrap();
            assert_eq!((public.get(), public.path().as_str()), (Some(url), path), "{text}");
        }
        for text in [
            "example.com",
            "ftp://example.com",
            "https://",
            "https://user@example.com",
            "https://example.com?a",
            "https://example.com/#a",
            "https://example.com/{x}",
            "https://example.com//a",
        ] {
            assert_eq!(text.parse::<PublicUrl>(), Err(PublicUrlInvalid), "{text}");
        }
    }
}
