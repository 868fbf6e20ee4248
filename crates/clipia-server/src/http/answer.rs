//! What handlers take from a call and put into an answer.

use super::ApiError;
use super::caller::BaseUrl;
use crate::clock::timestamp;
use crate::store::{Request, Standing};
use axum::body::{Body, BodyDataStream};
use axum::extract::{FromRequestParts, Path};
use bytes::BytesMut;
use clipia_api::types::{ResultResponse, StatusResponse};
use clipia_queue::RequestId;
use clipia_queue::lifecycle::Phase;
use futures_util::StreamExt;
use http::request::Parts;
use serde_json::{Map, Value};
use std::time::Duration;

/// The longest body that is taken, in bytes. An image may be in it as a `data:` URL.
const BODY_BYTES_MAX: usize = 6 * 1024 * 1024;

/// How much more of a body that is too long is read and thrown away, so that its sender gets to read the answer.
const DISCARDED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How deep arrays and objects may stand in each other. Inputs are flat; what the parser takes (128 levels) would not be
/// read back from within a larger document.
const DEPTH_MAX: usize = 32;

/// How long a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// The one variable segment of a path.
pub(super) struct Segment(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let segment = Path::<String>::from_request_parts(parts, state).await;
        segment.map(|Path(text)| Self(text)).map_err(|_| ApiError::invalid("the path is not UTF-8"))
    }
}

/// The body as a JSON object.
///
/// # Errors
/// `invalid_request` says what is wrong with it.
pub(super) async fn json_object(body: Body) -> Result<Map<String, Value>, ApiError> {
    let read = tokio::time::timeout(BODY_TIMEOUT, read(body.into_data_stream())).await;
    let bytes = read.map_err(|_| ApiError::invalid("the body took too long to arrive"))??;
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Result<Map<String, Value>, ApiError> {
    match serde_json::from_slice(bytes) {
        Ok(value) if depth(&value) > DEPTH_MAX => {
            Err(ApiError::invalid(format!("the body is nested deeper than {DEPTH_MAX} levels")))
        }
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(ApiError::invalid("the body must be a JSON object such as {\"input\": {…}}")),
        Err(error) => Err(ApiError::invalid(format!("the body is not JSON: {error}"))),
    }
}

/// How deep a value is; a number or a string is not at all. The parser's own limit bounds the recursion.
fn depth(value: &Value) -> usize {
    let inner = match value {
        Value::Array(items) => items.iter().map(depth).max(),
        Value::Object(fields) => fields.values().map(depth).max(),
        _ => return 0,
    };
    1 + inner.unwrap_or(0)
}

async fn read(mut stream: BodyDataStream) -> Result<BytesMut, ApiError> {
    let mut bytes = BytesMut::new();
    let mut discarded = 0;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| ApiError::invalid("the body broke off"))?;
        if discarded == 0 && bytes.len() + chunk.len() <= BODY_BYTES_MAX {
            bytes.extend_from_slice(&chunk);
            continue;
        }
        bytes = BytesMut::new();
        discarded += chunk.len();
        if discarded > DISCARDED_BYTES_MAX {
            break;
        }
    }
    if discarded > 0 {
        return Err(ApiError::invalid(format!(
            "the body is longer than {} MiB",
            BODY_BYTES_MAX / 1024 / 1024
        )));
    }
    Ok(bytes)
}

/// The member `input` of a body, which must be an object.
///
/// # Errors
/// `invalid_request` says what is wrong with it.
pub(super) fn input_of(body: &mut Map<String, Value>) -> Result<Map<String, Value>, ApiError> {
    match body.remove("input") {
        Some(Value::Object(input)) => Ok(input),
        Some(_) => Err(ApiError::invalid("`input` must be an object such as {\"prompt\": \"a red fox\"}")),
        None => Err(ApiError::invalid("`input` is missing: send {\"input\": {…}}")),
    }
}

/// The id in a path. What is no id names no request.
///
/// # Errors
/// `not_found`.
pub(super) fn request_id(text: &str) -> Result<RequestId, ApiError> {
    text.parse().map_err(|_| ApiError::no_such_request())
}

/// Where to ask for the result of a request.
pub(super) fn response_url(base: &BaseUrl, id: RequestId) -> String {
    format!("{}/v1/requests/{id}", base.0)
}

/// A request as `GET …/status` tells it.
pub(super) fn status_of(Standing { id, phase, position, progress, .. }: Standing) -> StatusResponse {
    StatusResponse {
        queue_position: (phase == Phase::Queued).then_some(position),
        progress: (phase == Phase::Running).then_some(progress),
        ..StatusResponse::new(id.into(), phase.status())
    }
}

/// A request as `GET /v1/requests/{id}` tells it.
pub(super) fn result_of(request: Request, base: &BaseUrl) -> ResultResponse {
    let StatusResponse { request_id, status, queue_position, progress, .. } = status_of(request.standing());
    let lifecycle = ResultResponse { queue_position, progress, ..ResultResponse::new(request_id, status) };
    if !request.phase.is_terminal() {
        return lifecycle;
    }
    ResultResponse {
        model: Some(request.model),
        output: request.output.map(|output| crate::media::absolute(output, &base.0)),
        error: request.failure.map(Into::into),
        cost: Some(request.cost.into()),
        created_at: Some(timestamp(request.created_at)),
        completed_at: request.completed_at.map(timestamp),
        ..lifecycle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_deep_a_body_may_be() {
        let nested = |levels: usize| {
            let (open, close) = ("[".repeat(levels - 1), "]".repeat(levels - 1));
            parse(format!("{{\"input\": {open}{close}}}").as_bytes())
        };
        nested(DEPTH_MAX).unwrap();
        for levels in [DEPTH_MAX + 1, 120, 200, 10_000] {
            let refused = format!("{:?}", nested(levels).unwrap_err());
            assert!(refused.contains("InvalidRequest"), "{levels}: {refused}");
        }
    }
}
