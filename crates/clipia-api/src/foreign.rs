//! Answers that are none of the API's, in the form of its errors: a page of HTML, nothing at all, JSON of another form.

use crate::Status;
use crate::lenient::is_told;
use crate::types::{ErrorBody, ErrorEnvelope};
use progenitor_client::{Error, ResponseValue};
use reqwest::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};

/// The start of the code of such an answer; the HTTP status follows.
const CODE: &str = "http_";

/// Characters of the body that are kept, and of those that the message shows.
const BEGINNING_MAX: usize = 1_000;
const EXCERPT_MAX: usize = 200;

/// The fields of the envelope that hold the beginning of the body, and the id that was found in the body.
const BODY: &str = "body";
const REQUEST_ID: &str = "request_id";

/// The field of the envelope that says that the answer breaks off.
const HALF: &str = "broken_off";

/// Whether such an answer breaks off, so that asking again may bring the whole of it.
pub fn is_half(envelope: &ErrorEnvelope) -> bool {
    is_foreign(envelope) && envelope.extra.contains_key(HALF)
}

/// Whether an envelope was made here for such an answer, and not sent by the API.
pub fn is_foreign(envelope: &ErrorEnvelope) -> bool {
    envelope.error.code.starts_with(CODE)
}

/// The beginning of the body of such an answer, if it has one.
pub fn beginning(envelope: &ErrorEnvelope) -> Option<&str> {
    envelope.extra.get(BODY).filter(|_| is_foreign(envelope))?.as_str()
}

/// The answer about a generation, unless the answer does not tell where the generation stands: then it is none of the
/// API's. A caller that asks until a generation has ended would ask for ever.
///
/// # Errors
/// Those of the answer, and the envelope of an answer that tells no status.
pub async fn telling<T: Serialize>(
    answer: impl Future<Output = Result<ResponseValue<T>, Error<ErrorEnvelope>>>,
    standing: impl Fn(&T) -> (&Status, &Map<String, Value>),
) -> Result<ResponseValue<T>, Error<ErrorEnvelope>> {
    let answer = answer.await?;
    let (told, extra) = standing(&answer);
    if is_told(told, extra) {
        return Ok(answer);
    }
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = serde_json::to_vec(&*answer).unwrap_or_default();
    let envelope = envelope(status, "the answer does not tell the status", &body);
    Err(Error::ErrorResponse(ResponseValue::new(envelope, status, headers)))
}

/// The first UUID in the body of such an answer, or in the address that it redirects to. Where the answer is that to a
/// submit, it is the id of the generation.
pub fn request_id(envelope: &ErrorEnvelope) -> Option<&str> {
    envelope.extra.get(REQUEST_ID).filter(|_| is_foreign(envelope))?.as_str()
}

/// The envelope of an answer whose JSON breaks off.
pub(crate) fn half(status: StatusCode, body: &[u8]) -> ErrorEnvelope {
    let mut envelope = envelope(status, "half of the answer is missing", body);
    envelope.extra.insert(HALF.to_owned(), true.into());
    envelope
}

/// The envelope of an answer that is none of the API's for this reason.
pub(crate) fn envelope(status: StatusCode, reason: &str, body: &[u8]) -> ErrorEnvelope {
    // A character has four bytes at most.
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
    // The reason of a redirect tells where to.
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
    fn what_is_known_of_a_foreign_answer() {
        let id = "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de";
        let page = format!("<html>\n  accepted {id} \u{fffd}</html>");
        let envelope = envelope(StatusCode::OK, "the answer is not the API's", page.as_bytes());
        assert!(is_foreign(&envelope));
        assert_eq!((envelope.error.code.as_str(), request_id(&envelope)), ("http_200", Some(id)));
        assert_eq!(beginning(&envelope), Some(&*page));
        let message = format!("the answer is not the API's: <html> accepted {id} \u{fffd}</html>");
        assert_eq!(envelope.error.message, Some(message));

        let long = super::envelope(StatusCode::BAD_GATEWAY, "long", "é".repeat(100_000).as_bytes());
        assert_eq!(beginning(&long).map(|text| text.chars().count()), Some(BEGINNING_MAX));
        let nothing = super::envelope(StatusCode::NO_CONTENT, "the answer is empty", b"");
        assert_eq!((beginning(&nothing), request_id(&nothing)), (None, None));
    }
}
