//! Reading of an HTTP response within bounds. A response that is not the API's becomes an error with the HTTP status
//! and the start of the body.
//!
//! A proxy between client and server may respond 502, or 200, with a page of HTML. A caller needs to know the status
//! and what the page says.

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

/// Bytes of a response body that are read at most, so that no response fills the memory. A result may hold a whole
/// picture; no catalogue is as long.
const RESPONSE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The first bytes of every gzip body.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// Reads the response to a call of the generated client: its body as `T`, or as the API's error envelope. A response
/// that is not the API's gets an envelope too, which [`foreign::is_foreign`] recognises.
pub(crate) async fn read<T: Lenient>(
    mut response: Response,
) -> Result<ResponseValue<T>, Error<ErrorEnvelope>> {
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let url = response.url().clone();
    // A body with a `Content-Length` is bounded by HTTP itself.
    let body = match response.content_length() {
        Some(length) if length <= RESPONSE_BYTES_MAX as u64 => response.bytes().await,
        // Boxed, so that the future of the usual response does not grow by this one.
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
    if body.len() > RESPONSE_BYTES_MAX {
        return Err(unreadable(&too_long(), &body));
    }
    let body = match decoded(&headers, body) {
        Ok(body) => body,
        Err(reason) => return Err(unreadable(&reason, &[])),
    };
    if body.trim_ascii().is_empty() {
        return Err(unreadable("the response is empty", &[]));
    }
    if status.is_success()
        && let Some(read) = T::read_regular(&body)
    {
        return Ok(ResponseValue::new(read, status, headers));
    }
    let value = match json::parse(&body) {
        Ok(value) => value,
        Err(error) if status.is_success() && error.is_eof() => {
            let envelope = foreign::truncated(status, &body);
            return Err(Error::ErrorResponse(ResponseValue::new(envelope, status, headers)));
        }
        Err(_) => return Err(unreadable("the response is not the API's", &body)),
    };
    if status.is_success() {
        return match T::read(named(value, url.path())) {
            Ok(read) => Ok(ResponseValue::new(read, status, headers)),
            Err(_) => Err(unreadable("the response lacks fields that the API documents", &body)),
        };
    }
    match ErrorEnvelope::read(value) {
        Ok(envelope) => Err(Error::ErrorResponse(ResponseValue::new(envelope, status, headers))),
        Err(_) => Err(unreadable("the response is not the API's", &body)),
    }
}

/// The body, cut one byte after [`RESPONSE_BYTES_MAX`]. The extra byte shows that the body is too long.
async fn bounded(mut response: Response) -> reqwest::Result<Bytes> {
    let mut body = Vec::new();
    while body.len() <= RESPONSE_BYTES_MAX
        && let Some(chunk) = response.chunk().await?
    {
        body.extend_from_slice(&chunk[..chunk.len().min(RESPONSE_BYTES_MAX + 1 - body.len())]);
    }
    Ok(body.into())
}

/// The body without its content coding. The client asks for no coding, but a proxy may add one.
fn decoded(headers: &HeaderMap, body: Bytes) -> Result<Bytes, String> {
    let coding =
        headers.get(CONTENT_ENCODING).and_then(|coding| coding.to_str().ok()).unwrap_or_default().trim();
    let is = |name: &str| coding.eq_ignore_ascii_case(name);
    // No JSON begins with these bytes, so the body is gzip even if the headers do not say so.
    if body.starts_with(GZIP) {
        let mut plain = Vec::new();
        let read = MultiGzDecoder::new(&*body).take(RESPONSE_BYTES_MAX as u64 + 1).read_to_end(&mut plain);
        return match read {
            Ok(length) if length > RESPONSE_BYTES_MAX => Err(too_long()),
            Ok(_) => Ok(plain.into()),
            Err(error) => Err(format!("the response is broken gzip: {error}")),
        };
    }
    // Plain JSON is read as it is, even if the headers name a coding.
    if is("") || is("identity") || is("gzip") || is("x-gzip") || body.trim_ascii_start().starts_with(b"{") {
        return Ok(body);
    }
    Err(format!("the response is in the coding `{coding}`, which was not asked for"))
}

fn too_long() -> String {
    format!("the response is longer than {} MiB", RESPONSE_BYTES_MAX / 1024 / 1024)
}

fn redirected(headers: &HeaderMap) -> String {
    let place = headers.get(LOCATION).and_then(|place| place.to_str().ok()).unwrap_or_default();
    // The query and the fragment of a URL may hold a secret.
    let place = place.split(['?', '#']).next().unwrap_or_default();
    let place = if place.is_empty() { "elsewhere".to_owned() } else { format!("to {place}") };
    format!("the server redirects {place}, where a key must not follow; set the base URL that it leads to")
}

/// Adds the request id of the URL to a response about a request that names none.
fn named(mut value: Value, path: &str) -> Value {
    if let Some(fields) = value.as_object_mut()
        && !fields.get("request_id").and_then(Value::as_str).is_some_and(is_id)
        && let Some(id) = id_of(path)
    {
        fields.insert("request_id".to_owned(), id.into());
    }
    value
}
