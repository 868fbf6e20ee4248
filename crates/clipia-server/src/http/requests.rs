//! `GET /v1/requests/{id}` and `GET /v1/requests/{id}/status`.
//!
//! A request of another account gets the same response as no request. So does a sandbox request for a live key, and the
//! other way round.

use super::base_url::BaseUrl;
use super::caller::Caller;
use super::path::Segment;
use super::responses::{result_response, status_response};
use super::{App, observe};
use crate::api_error::ApiError;
use axum::Json;
use axum::extract::{Extension, State};
use clipia_api::types::{ResultResponse, StatusResponse};
use http::StatusCode;
use std::sync::Arc;

pub(super) async fn status(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    segment: Segment,
) -> Result<Json<StatusResponse>, ApiError> {
    let id = segment.request_id()?;
    observe::request(id);
    let found = app.store.status(&caller.0.account, id).await?;
    // Sandbox and live know nothing of each other.
    let found = found.filter(|status| status.sandbox == caller.0.sandbox);
    Ok(Json(status_response(found.ok_or_else(ApiError::no_such_request)?)))
}

pub(super) async fn result(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    base: BaseUrl,
    segment: Segment,
) -> Result<(StatusCode, Json<ResultResponse>), ApiError> {
    let id = segment.request_id()?;
    observe::request(id);
    let found = app.store.request(&caller.0.account, id).await?;
    let found = found.filter(|request| request.sandbox == caller.0.sandbox);
    let request = found.ok_or_else(ApiError::no_such_request)?;
    let status = if request.phase.is_terminal() { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(result_response(request, &base))))
}
