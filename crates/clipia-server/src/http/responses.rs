//! The bodies of responses that tell about one request.

use super::base_url::BaseUrl;
use crate::clock::timestamp;
use crate::store::{Request, RequestStatus, Submitted};
use clipia_api::types::{ResultResponse, StatusResponse, SubmitResponse};
use clipia_queue::RequestId;
use clipia_queue::lifecycle::Phase;

/// The response to a submit.
pub(super) fn submit_response(submitted: Submitted, base: &BaseUrl) -> SubmitResponse {
    let response_url = response_url(base, submitted.id);
    SubmitResponse {
        request_id: submitted.id.into(),
        status: submitted.phase.status(),
        queue_position: Some(submitted.position),
        status_url: Some(format!("{response_url}/status")),
        response_url: Some(response_url),
        cost: Some(submitted.cost.into()),
        warnings: submitted.warnings,
        extra: Default::default(),
    }
}

/// The URL of a request's result.
fn response_url(base: &BaseUrl, id: RequestId) -> String {
    format!("{}/v1/requests/{id}", base.0)
}

/// The response of `GET /v1/requests/{id}/status`.
pub(super) fn status_response(
    RequestStatus { id, phase, position, progress, logs, .. }: RequestStatus,
) -> StatusResponse {
    StatusResponse {
        logs: logs.into_iter().map(Into::into).collect(),
        queue_position: (phase == Phase::Queued).then_some(position),
        progress: (phase == Phase::Running).then_some(progress),
        ..StatusResponse::new(id.into(), phase.status())
    }
}

/// The response of `GET /v1/requests/{id}`.
pub(super) fn result_response(request: Request, base: &BaseUrl) -> ResultResponse {
    let StatusResponse { request_id, status, queue_position, progress, .. } =
        status_response(request.status());
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
