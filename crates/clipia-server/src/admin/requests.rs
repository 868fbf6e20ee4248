//! Requests of every account: what an operator sees of them, and canceling one.

use super::{Admin, Asked, LISTED_MAX, deliveries};
use crate::api_error::ApiError;
use crate::http::Segment;
use crate::store::{self, AccountId, AttemptEnd, RequestFilter, RequestHistory, WorkRefused};
use axum::Json;
use axum::extract::State;
use clipia_admin::types::{
    Happening, ListRequestsQuery, Occurrence, RequestCanceled, RequestDetails, RequestListing,
    RequestMovement, RequestPage,
};
use clipia_api::Status;
use clipia_api::error_code::ErrorCode;
use clipia_queue::lifecycle::{Phase, Refused};
use clipia_queue::{Credits, RequestId};
use std::fmt;

pub(super) async fn list(
    State(admin): State<Admin>,
    Asked(query): Asked<ListRequestsQuery>,
) -> Result<Json<RequestPage>, ApiError> {
    let ListRequestsQuery { account_id, after, key_id, limit, model, since, status, text } = query;
    let phase = status.as_ref().map(phase_of).transpose()?;
    let filter = RequestFilter { account: account_id.map(AccountId), phase, model, key: key_id, since };
    let after = after.as_ref().map(asked).transpose()?;
    let limit = usize::try_from(limit.min(LISTED_MAX)).unwrap_or(usize::MAX);
    let page = match text {
        Some(words) => admin.store.search(&words, filter, after, limit).await?,
        None => admin.store.list_requests(filter, after, limit).await?,
    };
    let requests = page.requests.into_iter().map(listing).collect();
    Ok(Json(RequestPage { requests, next: page.next.map(Into::into) }))
}

pub(super) async fn show(
    State(admin): State<Admin>,
    Segment(id): Segment,
) -> Result<Json<RequestDetails>, ApiError> {
    let id = id_of(&id)?;
    let history = admin.store.request_history(id).await?.ok_or_else(|| none(id))?;
    let deliveries = deliveries::of_request(admin.store.as_ref(), id, LISTED_MAX).await?;
    Ok(Json(details(history, deliveries)))
}

pub(crate) async fn cancel(
    State(admin): State<Admin>,
    Segment(id): Segment,
) -> Result<Json<RequestCanceled>, ApiError> {
    let id = id_of(&id)?;
    admin.store.cancel(id).await.map_err(|refused| match refused {
        WorkRefused::Unknown => none(id),
        WorkRefused::Lifecycle(Refused::Phase { phase, .. }) => {
            ApiError::invalid(format!("the request {id} has ended {}: nothing changed", phase.status()))
        }
        WorkRefused::Store(error) => error.into(),
        other => ApiError::internal(&other),
    })?;
    // Its worker, if it has one, stops; its delivery, if it wants one, goes out.
    // Nobody listens where nothing runs.
    tracing::info!(request_id = %id, "generation canceled");
    let RequestHistory { request, movements, .. } =
        admin.store.request_history(id).await?.ok_or_else(|| none(id))?;
    let returned = movements.last().map_or(0, |movement| movement.available.unsigned_abs());
    let account = admin.store.account(&request.account).await?;
    Ok(Json(RequestCanceled {
        request_id: id.into(),
        account_id: request.account.0,
        returned: Credits::new(returned).into(),
        available: account.map_or(Credits::ZERO, |account| account.available).into(),
    }))
}

/// What happened to a request, in order.
fn timeline(history: &RequestHistory) -> Vec<Occurrence> {
    let request = &history.request;
    let of_none = |at, what| Occurrence { at, what, attempt: None, worker: None };
    let mut timeline = vec![of_none(request.created_at, Happening::Submitted)];
    for attempt in &history.attempts {
        let of_it = |at, what| Occurrence {
            at,
            what,
            attempt: Some(attempt.epoch.0),
            worker: attempt.worker.clone(),
        };
        timeline.push(of_it(attempt.claimed_at, Happening::Started));
        // The end of the request tells what ended the attempt, too.
        match attempt.ended {
            Some((at, AttemptEnd::Released)) => timeline.push(of_it(at, Happening::Released)),
            Some((at, AttemptEnd::Lost)) => timeline.push(of_it(at, Happening::Lost)),
            _ => {}
        }
    }
    let end = match request.phase {
        Phase::Queued | Phase::Running => None,
        Phase::Completed => Some(Happening::Completed),
        Phase::Failed => Some(Happening::Failed),
        Phase::Canceled => Some(Happening::Canceled),
    };
    timeline.extend(end.zip(request.completed_at).map(|(what, at)| of_none(at, what)));
    timeline
}

fn listing(request: store::RequestListing) -> RequestListing {
    let store::RequestListing {
        id,
        account,
        key,
        sandbox,
        model,
        queue,
        phase,
        position,
        progress,
        epoch,
        cost,
        error,
        created_at,
        completed_at,
    } = request;
    RequestListing {
        request_id: id.into(),
        account_id: account.0,
        key_id: key,
        sandbox,
        model,
        queue,
        status: phase.status(),
        queue_position: position,
        progress,
        attempts: epoch.0,
        cost: cost.into(),
        error,
        created_at,
        completed_at,
    }
}

/// A request and what happened to it: neither its input nor its output.
fn details(history: RequestHistory, deliveries: Vec<store::DeliveryDetails>) -> RequestDetails {
    RequestDetails {
        timeline: timeline(&history),
        listing: listing(history.request),
        movements: history.movements.into_iter().map(movement).collect(),
        deliveries: deliveries.into_iter().map(deliveries::details).collect(),
    }
}

fn movement(movement: store::RequestMovement) -> RequestMovement {
    let store::RequestMovement { kind, available, at } = movement;
    RequestMovement { kind, available, at }
}

/// Where a request of this status stands.
fn phase_of(status: &Status) -> Result<Phase, ApiError> {
    Ok(match status {
        Status::InQueue => Phase::Queued,
        Status::InProgress => Phase::Running,
        Status::Completed => Phase::Completed,
        Status::Failed => Phase::Failed,
        Status::Canceled => Phase::Canceled,
        other => return Err(ApiError::invalid(format!("`{other}` is no status of a request"))),
    })
}

/// The request that a query names.
pub(super) fn asked(id: &clipia_api::RequestId) -> Result<RequestId, ApiError> {
    id.as_str().parse().map_err(|_| ApiError::invalid(format!("`{id}` is no id of a request")))
}

/// The request that a path names.
pub(super) fn id_of(text: &str) -> Result<RequestId, ApiError> {
    text.parse().map_err(|_| none(text))
}

/// There is no request of this id.
pub(super) fn none(id: impl fmt::Display) -> ApiError {
    ApiError::new(ErrorCode::NotFound, format!("there is no request `{id}`"))
}
