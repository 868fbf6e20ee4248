//! Error envelopes for responses that are not the API's: a page of HTML, an empty body, JSON of another form. Such a
//! response is called *foreign*.

use crate::Status;
use crate::lenient::has_status;
use crate::types::{ErrorBody, ErrorEnvelope};
use progenitor_client::{Error, ResponseValue};
use reqwest::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};

/// The start of the error code of a foreign response. The HTTP status follows.
const CODE: &str = "http_";

/// Characters of the body that the envelope keeps, and that its message shows.
const BEGINNING_MAX: usize = 1_000;
const EXCERPT_MAX: usize = 200;

/// The fields of the envelope for the start of the body, and for the id found in the body.
const BODY: &str = "body";
const REQUEST_ID: &str = "request_id";

/// The field of the envelope that marks a truncated body.
const TRUNCATED: &str = "broken_off";

/// Whether the body of a foreign response is truncated. A second call may bring the whole body.
pub fn is_truncated(envelope: &ErrorEnvelope) -> bool {
    is_foreign(envelope) && envelope.extra.contains_key(TRUNCATED)
}

/// Whether the envelope stands for a foreign response, and was not sent by the API.
pub fn is_foreign(envelope: &ErrorEnvelope) -> bool {
    envelope.error.code.starts_with(CODE)
}

/// The start of the body of a foreign response, if the body is not empty.
pub fn beginning(envelope: &ErrorEnvelope) -> Option<&str> {
    envelope.extra.get(BODY).filter(|_| is_foreign(envelope))?.as_str()
}

/// Requires a status in a response about a generation. A response without one counts as foreign, because a caller that
/// polls until the generation has ended would poll for ever.
///
/// # Errors
/// Those of the call, and the envelope of a response without a status.
pub async fn require_status<T: Serialize>(
    call: impl Future<Output = Result<ResponseValue<T>, Error<ErrorEnvelope>>>,
    status_of: impl Fn(&T) -> (&Status, &Map<String, Value>),
) -> Result<ResponseValue<T>, Error<ErrorEnvelope>> {
    let response = call.await?;
    let (status, extra) = status_of(&response);
    if has_status(status, extra) {
        return Ok(response);
    }
    let (status, headers) = (response.status(), response.headers().clone());
    let body = serde_json::to_vec(&*response).unwrap_or_default();
    let envelope = envelope(status, "the response has no status", &body);
    Err(Error::ErrorResponse(ResponseValue::new(envelope, status, headers)))
}

/// The first UUID in the body of a foreign response, or in the URL that it redirects to. In the response to a submit,
/// it is the id of the generation.
pub fn request_id(envelope: &ErrorEnvelope) -> Option<&str> {
    envelope.extra.get(REQUEST_ID).filter(|_| is_foreign(envelope))?.as_str()
}

/// The envelope of a response whose JSON is truncated.
pub(crate) fn truncated(status: StatusCode, body: &[u8]) -> ErrorEnvelope {
    let mut envelope = envelope(status, "the response is truncated", body);
    envelope.extra.insert(TRUNCATED.to_owned(), true.into());
    envelope
}

/// The envelope of a foreign response. `reason` says why the response is not the API's.
pub(crate) fn envelope(status: StatusCode, reason: &str, body: &[u8]) -> ErrorEnvelope {
    // A character has at most four bytes.
    let beginning = String::from_utf8_lossy(&body[..body.len().min(4 * BEGINNING_MAX)]);
    let beginning: String = beginning.chars().take(BEGINNING_MAX).collect();
    let excerpt = beginning.split_whitespace().collect::<Vec<_>>().join(" ");
    let message = match excerpt.as_str() {
        "" => reason.to_owned(),
        excerpt => format!("{reason}: {}", excerpt.chars().take(EXCERPT_MAX).collect::<String>()),
    };
    let mut extra = Map::new();
    if !beginning.is_empty() {
        extra.insert(BODY.to_owned(), beginning.into());
    }
    // The reason of a redirect names its target.
    if let Some(id) = uuid(body).or_else(|| uuid(reason.as_bytes())) {
        extra.insert(REQUEST_ID.to_owned(), id.into());
    }
    let error = ErrorBody {
        code: format!("{CODE}{}", status.as_u16()),
        message: Some(message),
        type_: Some("api_error".to_owned()),
        extra: Default::default(),
    };
    ErrorEnvelope { error, extra }
}

/// The first UUID in a text.
fn uuid(text: &[u8]) -> Option<&str> {
    const LENGTH: usize = 36;
    let is_uuid = |window: &&[u8]| {
        window.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    };
    std::str::from_utf8(text.windows(LENGTH).find(is_uuid)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_of_a_foreign_response_keeps_its_start_and_its_id() {
        let id = "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de";
        let page = format!("<html>\n  accepted {id} \u{fffd}</html>");
        let envelope = envelope(StatusCode::OK, "the response is not the API's", page.as_bytes());
        assert!(is_foreign(&envelope));
        assert_eq!((envelope.error.code.as_str(), request_id(&envelope)), ("http_200", Some(id)));
        assert_eq!(beginning(&envelope), Some(&*page));
        let message = format!("the response is not the API's: <html> accepted {id} \u{fffd}</html>");
        assert_eq!(envelope.error.message, Some(message));

        let long = super::envelope(StatusCode::BAD_GATEWAY, "long", "é".repeat(100_000).as_bytes());
        assert_eq!(beginning(&long).map(|text| text.chars().count()), Some(BEGINNING_MAX));
        let nothing = super::envelope(StatusCode::NO_CONTENT, "the response is empty", b"");
        assert_eq!((beginning(&nothing), request_id(&nothing)), (None, None));
    }
}
