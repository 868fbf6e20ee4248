//! Files in `data:` URLs.

use crate::executor::JobError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A file in a `data:` URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataUrl {
    /// The media type that the URL tells, without parameters. It may be empty.
    pub media_type: String,
    /// The content.
    pub bytes: Vec<u8>,
}

impl DataUrl {
    /// The file in `url`; none if it is no `data:` URL. `parameter` is its name in the input, for messages.
    ///
    /// # Errors
    /// [`JobError::Failed`] tells the caller that the URL is not in base64.
    pub fn read(parameter: &str, url: &str) -> Option<Result<Self, JobError>> {
        let data = url.strip_prefix("data:")?;
        let read = || {
            let (told, encoded) = data.split_once(";base64,")?;
            let media_type = told.split(';').next().unwrap_or(told).to_owned();
            Some(Self { media_type, bytes: STANDARD.decode(encoded).ok()? })
        };
        Some(
            read().ok_or_else(|| {
                JobError::Failed(format!("`{parameter}` is a data: URL that is not in base64"))
            }),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_url_has_a_file_and_its_type() {
        let read = |url| DataUrl::read("image_url", url);
        for (url, media_type, bytes) in [
            ("data:text/plain;charset=utf-8;base64,YSwgYg==", "text/plain", &b"a, b"[..]),
            ("data:;base64,YQ==", "", b"a"),
        ] {
            let expected = DataUrl { media_type: media_type.to_owned(), bytes: bytes.to_vec() };
            assert_eq!(read(url).unwrap().unwrap(), expected);
        }
        for url in ["data:image/png,a", "data:image/png;base64,???"] {
            let why = read(url).unwrap().unwrap_err().to_string();
            assert_eq!(why, "`image_url` is a data: URL that is not in base64");
        }
        assert!(read("https://example.com/a.png").is_none());
    }
}
