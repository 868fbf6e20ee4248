//! Bounds an answer, and lets one that is no Clipia answer keep its HTTP status.
//!
//! A proxy between client and server answers 502 with a page of HTML. The generated client would report only
//! that the page is not JSON; what a caller needs is the 502.

use crate::generated_client::{Client, Error};
use crate::types::{ErrorBody, ErrorEnvelope};
use progenitor_client::{ClientHooks, OperationInfo};
use reqwest::{Response, Result, StatusCode};

/// Bytes of an answer read at most, so that none fills the memory. No catalogue comes near it, and a result might
/// hold a whole picture.
const ANSWER_MAX: usize = 32 * 1024 * 1024;

/// How much of a foreign error page is kept in the message, in characters.
const EXCERPT_MAX: usize = 200;

/// Marks an answer that was cut at [`ANSWER_MAX`].
#[derive(Clone, Copy)]
struct Cut;

impl ClientHooks<()> for Client {
    async fn exec(&self, request: reqwest::Request, _operation: &OperationInfo) -> Result<Response> {
        let response = self.client.execute(request).await?;
        let status = response.status();
        let is_error = status.is_client_error() || status.is_server_error();
        // A length told beforehand is held to by HTTP itself; taking such an answer apart would only cost time.
        if !is_error && response.content_length().is_some_and(|length| length <= ANSWER_MAX as u64) {
            return Ok(response);
        }
        // Apart, so that calls which end well do not carry its room.
        Box::pin(rebuilt(response, is_error)).await
    }

    async fn post<E>(
        &self,
        result: &Result<Response>,
        _operation: &OperationInfo,
    ) -> std::result::Result<(), Error<E>> {
        match result {
            Ok(response) if response.extensions().get::<Cut>().is_some() => {
                Err(Error::Custom(format!("it is longer than {} MiB", ANSWER_MAX / 1024 / 1024)))
            }
            _ => Ok(()),
        }
    }
}

/// An answer whose body is bounded, and an error that is the API's envelope in any case.
async fn rebuilt(mut response: Response, is_error: bool) -> Result<Response> {
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let (mut body, whole) = read(response).await?;
    if is_error && serde_json::from_slice::<ErrorEnvelope>(&body).is_err() {
        body = envelope_of(status, &body);
    }
    let mut rebuilt = http::Response::new(body);
    (*rebuilt.status_mut(), *rebuilt.headers_mut()) = (status, headers);
    if !whole && !is_error {
        rebuilt.extensions_mut().insert(Cut);
    }
    Ok(rebuilt.into())
}

/// The body, up to [`ANSWER_MAX`], and whether that is all of it.
async fn read(mut response: Response) -> Result<(Vec<u8>, bool)> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = ANSWER_MAX - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            return Ok((body, false));
        }
    }
    Ok((body, true))
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
