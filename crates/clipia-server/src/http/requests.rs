//! `GET /v1/requests/{id}` and its status. A request of another account, or of the sandbox to a live key, is not told from
//! none.

use super::answer::{Segment, request_id, result_of, status_of};
use super::base_url::BaseUrl;
use super::caller::Caller;
use super::{ApiError, App, observe};
use axum::Json;
use axum::extract::{Extension, State};
use clipia_api::types::{ResultResponse, StatusResponse};
use http::StatusCode;

pub(super) async fn status(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Segment(id): Segment,
) -> Result<Json<StatusResponse>, ApiError> {
    let id = request_id(&id)?;
    observe::request(id);
    let found = app.store.status(&caller.0.account, id).await?;
    // Sandbox and live know nothing of each other.
    let found = found.filter(|status| status.sandbox == caller.0.sandbox);
    Ok(Json(status_of(found.ok_or_else(ApiError::no_such_request)?)))
}

pub(super) async fn result(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    base: BaseUrl,
    Segment(id): Segment,
) -> Result<(StatusCode, Json<ResultResponse>), ApiError> {
    let id = request_id(&id)?;
    observe::request(id);
    let found = app.store.request(&caller.0.account, id).await?;
    let found = found.filter(|request| request.sandbox == caller.0.sandbox);
    let request = found.ok_or_else(ApiError::no_such_request)?;
    let status = if request.phase.is_terminal() { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(result_of(request, &base))))
}
