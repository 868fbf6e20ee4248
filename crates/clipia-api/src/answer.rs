//! Reads an HTTP answer within bounds, whatever its body is. An answer that is none of the API's becomes an error with its
//! HTTP status and the beginning of its body.
//!
//! A proxy between client and server may answer 502, or 200, with a page of HTML. A caller needs to know the status and
//! what the page says.

use crate::lenient::{Lenient, id_of, is_id};
use crate::types::ErrorEnvelope;
use crate::{foreign, json};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use progenitor_client::{Error, ResponseValue};
use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, HeaderMap, LOCATION};
use serde_json::Value;
use std::io::Read;

/// Bytes of an answer that are read at most, so that no answer fills the memory. No catalogue is as long; a result may
/// hold a whole picture.
const ANSWER_MAX: usize = 32 * 1024 * 1024;

/// The first bytes of whatever is coded gzip.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// Reads the answer of a call of the generated client: its body as `T`, or the API's envelope. An answer that is none of
/// the API's is given an envelope, too, which [`foreign::is_foreign`] tells apart.
pub(crate) async fn read<T: Lenient>(
    mut response: Response,
) -> Result<ResponseValue<T>, Error<ErrorEnvelope>> {
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let url = response.url().clone();
    // HTTP itself bounds a body by the length in its headers.
    let body = match response.content_length() {
        Some(length) if length <= ANSWER_MAX as u64 => response.bytes().await,
        // Boxed, so that the future of the common answer has no room for this one.
        _ => Box::pin(bounded(response)).await,
    };
    let body = body.map_err(Error::ResponseBodyError)?;
    let unreadable = |reason: &str, body: &[u8]| {
        Error::ErrorResponse(ResponseValue::new(
            foreign::envelope(status, reason, body),
            status,
            headers.clone(),
        ))
    };
    if status.is_redirection() {
        return Err(unreadable(&redirected(&headers), &body));
    }
    if body.len() > ANSWER_MAX {
        return Err(unreadable(&too_long(), &body));
    }
    let body = match decoded(&headers, body) {
        Ok(body) => body,
        Err(reason) => return Err(unreadable(&reason, &[])),
    };
    if body.trim_ascii().is_empty() {
        return Err(unreadable("the answer is empty", &[]));
    }
    if status.is_success()
        && let Some(answer) = T::read_regular(&body)
    {
        return Ok(ResponseValue::new(answer, status, headers));
    }
    let value = match json::parse(&body) {
        Ok(value) => value,
        Err(half) if status.is_success() && half.is_eof() => {
            let envelope = foreign::half(status, &body);
            return Err(Error::ErrorResponse(ResponseValue::new(envelope, status, headers)));
        }
        Err(_) => return Err(unreadable("the answer is not the API's", &body)),
    };
    if status.is_success() {
        return match T::read(named(value, url.path())) {
            Ok(answer) => Ok(ResponseValue::new(answer, status, headers)),
            Err(_) => Err(unreadable("the answer lacks what the API documents", &body)),
        };
    }
    match ErrorEnvelope::read(value) {
        Ok(envelope) => Err(Error::ErrorResponse(ResponseValue::new(envelope, status, headers))),
        Err(_) => Err(unreadable("the answer is not the API's", &body)),
    }
}

/// The body, cut one byte after [`ANSWER_MAX`]: so much tells that it is too long.
async fn bounded(mut response: Response) -> reqwest::Result<Bytes> {
    let mut body = Vec::new();
    while body.len() <= ANSWER_MAX
        && let Some(chunk) = response.chunk().await?
    {
        body.extend_from_slice(&chunk[..chunk.len().min(ANSWER_MAX + 1 - body.len())]);
    }
    Ok(body.into())
}

/// The body without its coding. The client asks for no coding, but a proxy may code the body all the same.
fn decoded(headers: &HeaderMap, body: Bytes) -> Result<Bytes, String> {
    let told =
        headers.get(CONTENT_ENCODING).and_then(|coding| coding.to_str().ok()).unwrap_or_default().trim();
    let is = |coding: &str| told.eq_ignore_ascii_case(coding);
    // Whatever the headers say: no JSON begins with these bytes.
    if body.starts_with(GZIP) {
        let mut plain = Vec::new();
        let read = MultiGzDecoder::new(&*body).take(ANSWER_MAX as u64 + 1).read_to_end(&mut plain);
        return match read {
            Ok(length) if length > ANSWER_MAX => Err(too_long()),
            Ok(_) => Ok(plain.into()),
            Err(error) => Err(format!("the answer is in the coding gzip, and broken: {error}")),
        };
    }
    // A body that is plain JSON is read, whatever coding the headers name.
    if is("") || is("identity") || is("gzip") || is("x-gzip") || body.trim_ascii_start().starts_with(b"{") {
        return Ok(body);
    }
    Err(format!("the answer is in the coding `{told}`, which was not asked for"))
}

fn too_long() -> String {
    format!("the answer is longer than {} MiB", ANSWER_MAX / 1024 / 1024)
}

fn redirected(headers: &HeaderMap) -> String {
    let place = headers.get(LOCATION).and_then(|place| place.to_str().ok()).unwrap_or_default();
    // The query and the fragment may hold a secret.
    let place = place.split(['?', '#']).next().unwrap_or_default();
    let place = if place.is_empty() { "elsewhere".to_owned() } else { format!("to {place}") };
    format!("the server redirects {place}, where a key must not follow; set the base URL that it leads to")
}

/// The answer with the id that was asked for, where it is about a request and names none.
fn named(mut value: Value, path: &str) -> Value {
    if let Some(fields) = value.as_object_mut()
        && !fields.get("request_id").and_then(Value::as_str).is_some_and(is_id)
        && let Some(id) = id_of(path)
    {
        fields.insert("request_id".to_owned(), id.into());
    }
    value
}
