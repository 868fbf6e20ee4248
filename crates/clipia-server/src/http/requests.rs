//! `GET /v1/requests/{id}` and its status.

use super::answer::{Segment, request_id, result_of, status_of};
use super::caller::{BaseUrl, Caller};
use super::{ApiError, App, observe};
use crate::store::Request;
use axum::Json;
use axum::extract::{Extension, State};
use clipia_api::types::{ResultResponse, StatusResponse};
use http::StatusCode;

pub(super) async fn status(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Segment(id): Segment,
) -> Result<Json<StatusResponse>, ApiError> {
    Ok(Json(status_of(&request(&app, &caller, &id).await?)))
}

pub(super) async fn result(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Extension(base): Extension<BaseUrl>,
    Segment(id): Segment,
) -> Result<(StatusCode, Json<ResultResponse>), ApiError> {
    let request = request(&app, &caller, &id).await?;
    let status = if request.phase.is_terminal() { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(result_of(request, &base))))
}

/// A request of the caller's account. Another account's is not told from none.
async fn request(app: &App, caller: &Caller, id: &str) -> Result<Request, ApiError> {
    let id = request_id(id)?;
    observe::request(id);
    let found = app.store.request(&caller.0.account, id).await?;
    found.ok_or_else(ApiError::no_such_request)
}
