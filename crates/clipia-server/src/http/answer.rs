//! What handlers take from a call and put into an answer.

use super::ApiError;
use super::base_url::BaseUrl;
use crate::clock::timestamp;
use crate::store::{Request, RequestStatus};
use axum::extract::{FromRequestParts, Path};
use clipia_api::types::{ResultResponse, StatusResponse};
use clipia_queue::RequestId;
use clipia_queue::lifecycle::Phase;
use http::request::Parts;
use serde_json::{Map, Value};

/// The one variable segment of a path.
pub(crate) struct Segment(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let segment = Path::<String>::from_request_parts(parts, state).await;
        segment.map(|Path(text)| Self(text)).map_err(|_| ApiError::invalid("the path is not UTF-8"))
    }
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
pub(super) fn status_of(
    RequestStatus { id, phase, position, progress, .. }: RequestStatus,
) -> StatusResponse {
    StatusResponse {
        queue_position: (phase == Phase::Queued).then_some(position),
        progress: (phase == Phase::Running).then_some(progress),
        ..StatusResponse::new(id.into(), phase.status())
    }
}

/// A request as `GET /v1/requests/{id}` tells it.
pub(super) fn result_of(request: Request, base: &BaseUrl) -> ResultResponse {
    let StatusResponse { request_id, status, queue_position, progress, .. } = status_of(request.status());
    ResultResponse {
        queue_position,
        progress,
        model: Some(request.model),
        output: request.output.map(|output| crate::media::absolute(output, &base.0)),
        error: request.failure.map(Into::into),
        cost: Some(request.cost.into()),
        created_at: Some(timestamp(request.created_at)),
        completed_at: request.completed_at.map(timestamp),
        expired_at: request.expired_at.map(timestamp),
        ..ResultResponse::new(request_id, status)
    }
}
