//! Requests of every account: what an operator sees of them, and calling one off.

use super::{Admin, Asked, LISTED_MAX};
use crate::api_error::ApiError;
use crate::http::Segment;
use crate::store::{
    AccountId, AttemptEnd, DeliveryDetails, DeliveryFilter, RequestFilter, RequestHistory, RequestListing,
    RequestMovement, RequestPage, WorkRefused,
};
use axum::Json;
use axum::extract::State;
use clipia_api::error_code::ErrorCode;
use clipia_queue::lifecycle::{Phase, Refused};
use clipia_queue::{Credits, RequestId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which requests to list, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestQuery {
    /// Only those that stand there.
    #[serde(rename = "status")]
    pub phase: Option<Phase>,
    /// Only those of this account.
    #[serde(rename = "account_id")]
    pub account: Option<AccountId>,
    /// Only those of this model.
    pub model: Option<String>,
    /// Only those that are older than this one.
    pub after: Option<RequestId>,
    /// How many; of more than a thousand, a thousand.
    pub limit: u32,
}

/// What is known of a request, except what it is about: neither its input nor its output.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RequestDetails {
    /// What a list tells of it.
    #[serde(flatten)]
    pub request: RequestListing,
    /// What happened to it, in order.
    pub timeline: Vec<Occurrence>,
    /// How its credits moved, in order.
    pub movements: Vec<RequestMovement>,
    /// The deliveries of its end, with their attempts.
    pub deliveries: Vec<DeliveryDetails>,
}

/// Something that happened to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Occurrence {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: Happening,
    /// With which claim of a worker, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<i64>,
}

/// What can happen to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// It was accepted.
    Submitted,
    /// A worker took it.
    Started,
    /// The worker gave it back unharmed: it is in line again.
    Released,
    /// The worker fell silent or took too long: it is in line again, or failed.
    Lost,
    /// It ended with an output.
    Completed,
    /// It ended without one.
    Failed,
    /// It was called off.
    Canceled,
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Submitted => "submitted",
            Self::Started => "started",
            Self::Released => "released",
            Self::Lost => "lost",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        })
    }
}

/// A request that was called off.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RequestCanceled {
    /// Its id.
    pub request_id: RequestId,
    /// Whose it is.
    pub account_id: AccountId,
    /// The credits that were reserved for it, and are returned.
    pub returned: Credits,
    /// What the account can spend since.
    pub available: Credits,
}

pub(super) async fn list(
    State(admin): State<Admin>,
    Asked(query): Asked<RequestQuery>,
) -> Result<Json<RequestPage>, ApiError> {
    let RequestQuery { phase, account, model, after, limit } = query;
    let filter = RequestFilter { account, phase, model };
    let limit = usize::try_from(limit.min(LISTED_MAX)).unwrap_or(usize::MAX);
    Ok(Json(admin.store.list_requests(filter, after, limit).await?))
}

pub(super) async fn show(
    State(admin): State<Admin>,
    Segment(id): Segment,
) -> Result<Json<RequestDetails>, ApiError> {
    let id = id_of(&id)?;
    let history = admin.store.request_history(id).await?.ok_or_else(|| none(id))?;
    let timeline = timeline(&history);
    let filter = DeliveryFilter { request: Some(id), ..DeliveryFilter::default() };
    let mut deliveries = Vec::new();
    for delivery in admin.store.list_deliveries(filter, None, LISTED_MAX).await? {
        deliveries.extend(admin.store.delivery(delivery.id).await?);
    }
    let RequestHistory { request, movements, .. } = history;
    Ok(Json(RequestDetails { request, timeline, movements, deliveries }))
}

pub(super) async fn cancel(
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
        request_id: id,
        account_id: request.account,
        returned: Credits::new(returned),
        available: account.map_or(Credits::ZERO, |account| account.available),
    }))
}

/// What happened to a request, in order.
fn timeline(history: &RequestHistory) -> Vec<Occurrence> {
    let request = &history.request;
    let occurrence = |at, what, attempt| Occurrence { at, what, attempt };
    let mut timeline = vec![occurrence(request.created_at, Happening::Submitted, None)];
    for attempt in &history.attempts {
        let number = Some(attempt.epoch.0);
        timeline.push(occurrence(attempt.claimed_at, Happening::Started, number));
        // The end of the request tells what ended the attempt, too.
        match attempt.ended {
            Some((at, AttemptEnd::Released)) => timeline.push(occurrence(at, Happening::Released, number)),
            Some((at, AttemptEnd::Lost)) => timeline.push(occurrence(at, Happening::Lost, number)),
            _ => {}
        }
    }
    let end = match request.phase {
        Phase::Queued | Phase::Running => None,
        Phase::Completed => Some(Happening::Completed),
        Phase::Failed => Some(Happening::Failed),
        Phase::Canceled => Some(Happening::Canceled),
    };
    timeline.extend(end.zip(request.completed_at).map(|(what, at)| occurrence(at, what, None)));
    timeline
}

fn id_of(text: &str) -> Result<RequestId, ApiError> {
    text.parse().map_err(|_| none(text))
}

/// There is no request of this id.
fn none(id: impl fmt::Display) -> ApiError {
    ApiError::new(ErrorCode::NotFound, format!("there is no request `{id}`"))
}
