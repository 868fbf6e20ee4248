//! The download of a file that an input names.
//!
//! The generated call hides the head of the response, which says the file's type and where the part begins.

use crate::response::success;
use crate::{CallError, Remote, types};
use clipia_api::RequestId;
use reqwest::Response;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderName, RANGE};

/// The rest of a file that an input names, as it arrives.
pub struct InputPart {
    /// Its first byte in the file. It is 0 where the server begins anew.
    pub from: u64,
    /// The length of the whole file in bytes; none where the server does not know it.
    pub length: Option<u64>,
    /// Its media type.
    pub media_type: Option<String>,
    response: Response,
}

impl InputPart {
    /// The next bytes; none at the end.
    ///
    /// # Errors
    /// [`CallError::Call`] if the response broke off.
    pub async fn next(&mut self) -> Result<Option<impl AsRef<[u8]> + Send + use<>>, CallError> {
        Ok(self.response.chunk().await?)
    }
}

impl Remote {
    /// A file that an input names, from the byte `from` on.
    ///
    /// # Errors
    /// [`CallError::Refused`] with 422 says why the file cannot be had.
    pub async fn input(
        &self,
        request_id: &RequestId,
        epoch: i64,
        query: &types::GetInputQuery,
        from: u64,
    ) -> Result<InputPart, CallError> {
        let url = format!("{}/worker/v1/inputs/{request_id}/{epoch}", self.baseurl);
        let mut call = self.client.get(url).query(query);
        if from > 0 {
            call = call.header(RANGE, format!("bytes={from}-"));
        }
        Ok(part(success(call.send().await?).await?))
    }
}

fn part(response: Response) -> InputPart {
    let headers = response.headers();
    let (from, length) = match text(headers, CONTENT_RANGE).and_then(range) {
        Some(range) => range,
        None => (0, text(headers, CONTENT_LENGTH).and_then(|length| length.parse().ok())),
    };
    let media_type = text(headers, CONTENT_TYPE).map(str::to_owned);
    InputPart { from, length, media_type, response }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// The first byte and the whole length that a `Content-Range` says, as `bytes 100-199/200`.
fn range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, length) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = range.split_once('-')?;
    Some((first.parse().ok()?, length.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn a_content_range_says_where_a_part_begins() {
        for (text, expected) in [
            ("bytes 100-199/200", Some((100, Some(200)))),
            ("bytes 0-9/*", Some((0, None))),
            ("bytes */200", None),
            ("items 1-2/3", None),
            ("", None),
        ] {
            assert_eq!(range(text), expected, "{text}");
        }
    }
}
