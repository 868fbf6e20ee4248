//! Reads an answer within a bound, and lets one that is no Clipia answer keep its HTTP status.
//!
//! A proxy between client and server answers 502 with a page of HTML. The generator's own reading would report only
//! that the page is not JSON; what a caller needs is the 502.

use crate::types::{ErrorBody, ErrorEnvelope};
use bytes::Bytes;
use progenitor_client::{Error, ResponseValue};
use reqwest::{Response, StatusCode};
use serde::de::DeserializeOwned;

/// Bytes of an answer read at most, so that none fills the memory. No catalogue comes near it, and a result might
/// hold a whole picture.
const ANSWER_MAX: usize = 32 * 1024 * 1024;

/// How much of a foreign error page is kept in the message, in characters.
const EXCERPT_MAX: usize = 200;

/// What the generated client makes of an answer: its body as `T`, which for a refusal is the API's envelope.
pub(crate) async fn read<T: DeserializeOwned, E>(
    mut response: Response,
) -> Result<ResponseValue<T>, Error<E>> {
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    // A length told beforehand is held to by HTTP itself.
    let body = match response.content_length() {
        Some(length) if length <= ANSWER_MAX as u64 => response.bytes().await,
        // Apart, so that the common answer does not carry its room.
        _ => Box::pin(bounded(response)).await,
    };
    let body = body.map_err(Error::ResponseBodyError)?;
    let is_error = status.is_client_error() || status.is_server_error();
    if body.len() > ANSWER_MAX && !is_error {
        return Err(Error::Custom(format!("it is longer than {} MiB", ANSWER_MAX / 1024 / 1024)));
    }
    let read = match serde_json::from_slice(&body) {
        Err(_) if is_error => serde_json::from_slice(&envelope_of(status, &body)),
        read => read,
    };
    let value = read.map_err(|reason| Error::InvalidResponsePayload(body, reason))?;
    Ok(ResponseValue::new(value, status, headers))
}

/// The body, but no more of it than tells that it is longer than [`ANSWER_MAX`].
async fn bounded(mut response: Response) -> reqwest::Result<Bytes> {
    let mut body = Vec::new();
    while body.len() <= ANSWER_MAX
        && let Some(chunk) = response.chunk().await?
    {
        body.extend_from_slice(&chunk[..chunk.len().min(ANSWER_MAX + 1 - body.len())]);
    }
    Ok(body.into())
}

fn envelope_of(status: StatusCode, body: &[u8]) -> Vec<u8> {
    let page = String::from_utf8_lossy(&body[..body.len().min(8 * EXCERPT_MAX)]);
    let words: Vec<&str> = page.split_whitespace().collect();
    let excerpt: String = words.join(" ").chars().take(EXCERPT_MAX).collect();
    let message = match excerpt.as_str() {
        "" => "the answer is empty".to_owned(),
        excerpt => format!("the answer is not the API's: {excerpt}"),
    };
    let envelope = ErrorEnvelope {
        error: ErrorBody {
            type_: "api_error".to_owned(),
            code: format!("http_{}", status.as_u16()),
            message,
            extra: Default::default(),
        },
        extra: Default::default(),
    };
    serde_json::to_vec(&envelope).unwrap_or_default()
}
