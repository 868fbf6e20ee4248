//! Where media are: the value of the key `media`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The beginning of a location in an S3-compatible store.
const S3: &str = "s3://";

/// The directory of media below the data directory, where no other is named.
const DIRECTORY: &str = "media";

/// Where the files of generations and uploads are.
///
/// ```
/// use clipia_server::MediaLocation;
///
/// let shared: MediaLocation = "s3://bucket/clipia".parse().unwrap();
/// assert_eq!(shared.to_string(), "s3://bucket/clipia");
/// let mounted: MediaLocation = "/mnt/media".parse().unwrap();
/// assert_eq!(mounted, MediaLocation::Directory("/mnt/media".into()));
/// assert!("gs://bucket".parse::<MediaLocation>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PathBuf", into = "PathBuf")]
pub enum MediaLocation {
    /// A directory. A relative path begins at the data directory.
    Directory(PathBuf),
    /// An S3-compatible store. Its address and the credentials are in the environment alone.
    S3 {
        /// The bucket.
        bucket: String,
        /// The beginning of all keys in the bucket, without a slash at either end; may be empty.
        prefix: String,
    },
}

/// Why a text is no location of media.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoMediaLocation {
    /// It is empty.
    #[error("name a directory, or an S3-compatible store as s3://bucket/prefix")]
    Empty,
    /// It is a URL of another kind. The text is not shown: such URLs may hold secrets.
    #[error("media may be in a directory or at s3://bucket/prefix, and no other kind of URL")]
    Scheme,
    /// The bucket or the prefix has a character that the other parts of the URL need.
    #[error(
        "an S3 location is s3://bucket/prefix, of letters, digits, `.`, `_` and `-`; credentials are read from the environment alone"
    )]
    Name,
}

impl MediaLocation {
    /// What an operator can do where the place cannot be used.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Directory(_) => "",
            Self::S3 { .. } => {
                "; the environment names the store and the credentials: AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, and AWS_ALLOW_HTTP=true for one without TLS"
            }
        }
    }
}

impl Default for MediaLocation {
    fn default() -> Self {
        Self::Directory(DIRECTORY.into())
    }
}

impl fmt::Display for MediaLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => path.display().fmt(f),
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "{S3}{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "{S3}{bucket}/{prefix}"),
        }
    }
}

impl FromStr for MediaLocation {
    type Err = NoMediaLocation;

    fn from_str(text: &str) -> Result<Self, NoMediaLocation> {
        let Some(below) = text.strip_prefix(S3) else {
            return match text {
                "" => Err(NoMediaLocation::Empty),
                _ if text.contains("://") => Err(NoMediaLocation::Scheme),
                _ => Ok(Self::Directory(text.into())),
            };
        };
        let below = below.strip_suffix('/').unwrap_or(below);
        if !below.split('/').all(super::is_plain) {
            return Err(NoMediaLocation::Name);
        }
        let (bucket, prefix) = below.split_once('/').unwrap_or((below, ""));
        Ok(Self::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

impl TryFrom<PathBuf> for MediaLocation {
    type Error = NoMediaLocation;

    /// A path that is not UTF-8 names a directory.
    fn try_from(path: PathBuf) -> Result<Self, NoMediaLocation> {
        match path.to_str() {
            Some(text) => text.parse(),
            None => Ok(Self::Directory(path)),
        }
    }
}

impl From<MediaLocation> for PathBuf {
    fn from(location: MediaLocation) -> Self {
        match location {
            MediaLocation::Directory(path) => path,
            s3 => s3.to_string().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_names_a_directory_or_a_bucket_or_nothing() {
        let s3 = |bucket: &str, prefix: &str| {
            Ok(MediaLocation::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
        };
        for (text, location) in [
            ("media", Ok(MediaLocation::default())),
            ("/mnt/a:b", Ok(MediaLocation::Directory("/mnt/a:b".into()))),
            ("s3://media", s3("media", "")),
            ("s3://media/", s3("media", "")),
            ("s3://media/a/b/", s3("media", "a/b")),
            ("", Err(NoMediaLocation::Empty)),
            ("s3://", Err(NoMediaLocation::Name)),
            ("s3:///a", Err(NoMediaLocation::Name)),
            ("s3://media//a", Err(NoMediaLocation::Name)),
            ("s3://media/../a", Err(NoMediaLocation::Name)),
            ("s3://key:secret@media", Err(NoMediaLocation::Name)),
            ("s3://media?region=x", Err(NoMediaLocation::Name)),
            ("https://media.s3.amazonaws.com", Err(NoMediaLocation::Scheme)),
        ] {
            let parsed = text.parse::<MediaLocation>();
            assert_eq!(parsed, location, "{text}");
            if let Err(error) = parsed {
                assert!(!error.to_string().contains("secret"), "{error}");
            }
        }
    }
}
