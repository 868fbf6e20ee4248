//! Deliveries of every account: what an operator sees of them, and attempting them once more.

use super::{Admin, Asked};
use crate::api_error::ApiError;
use crate::http::Segment;
use crate::store::{
    AccountId, DELIVERIES_MAX, DeliveryDetails, DeliveryFilter, DeliveryListing, DeliveryState, Replayed,
};
use axum::Json;
use axum::extract::State;
use clipia_api::error_code::ErrorCode;
use clipia_queue::{Moment, RequestId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Which deliveries to list, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveryQuery {
    /// Only those that stand there.
    pub state: Option<DeliveryState>,
    /// Only those of this account.
    #[serde(rename = "account_id")]
    pub account: Option<AccountId>,
    /// Only that of this request.
    #[serde(rename = "request_id")]
    pub request: Option<RequestId>,
    /// Only those that are older than this one.
    pub before: Option<Uuid>,
    /// How many; of more than a thousand, a thousand.
    pub limit: u32,
}

/// Which deliveries to attempt once more.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayOrder {
    /// Those that were given up since then.
    pub failed_since: Timestamp,
}

/// Deliveries of a restored store that were resumed or given up.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct HeldSettled {
    /// How many.
    pub count: u64,
}

pub(super) async fn list(
    State(admin): State<Admin>,
    Asked(query): Asked<DeliveryQuery>,
) -> Result<Json<Vec<DeliveryListing>>, ApiError> {
    let DeliveryQuery { state, account, request, before, limit } = query;
    let filter = DeliveryFilter { account, request, state };
    Ok(Json(admin.store.list_deliveries(filter, before, limit).await?))
}

pub(super) async fn show(
    State(admin): State<Admin>,
    Segment(id): Segment,
) -> Result<Json<DeliveryDetails>, ApiError> {
    let found = admin.store.delivery(id_of(&id)?).await?;
    Ok(Json(found.ok_or_else(|| none(&id))?))
}

pub(super) async fn replay(State(admin): State<Admin>, Segment(id): Segment) -> Result<Json<()>, ApiError> {
    if !admin.store.replay(id_of(&id)?).await? {
        return Err(none(&id));
    }
    Ok(Json(()))
}

/// Replays as many as one command may; the answer says where to go on.
pub(super) async fn replay_failed(
    State(admin): State<Admin>,
    super::Order(order): super::Order<ReplayOrder>,
) -> Result<Json<Replayed>, ApiError> {
    let since = Moment::from_micros(order.failed_since.as_microsecond());
    let replayed = admin.store.replay_failed(since, DELIVERIES_MAX).await?;
    Ok(Json(replayed))
}

/// Has those attempted that a restored store holds.
pub(super) async fn resume(State(admin): State<Admin>) -> Result<Json<HeldSettled>, ApiError> {
    let mut all = HeldSettled { count: 0 };
    loop {
        let count = admin.store.resume_deliveries(DELIVERIES_MAX).await?;
        all.count += count;
        if count < u64::from(DELIVERIES_MAX) {
            return Ok(Json(all));
        }
    }
}

/// Gives those up that a restored store holds.
pub(super) async fn abandon(State(admin): State<Admin>) -> Result<Json<HeldSettled>, ApiError> {
    let mut all = HeldSettled { count: 0 };
    loop {
        let count = admin.store.abandon_deliveries(DELIVERIES_MAX).await?;
        all.count += count;
        if count < u64::from(DELIVERIES_MAX) {
            return Ok(Json(all));
        }
    }
}

fn id_of(text: &str) -> Result<Uuid, ApiError> {
    text.parse().map_err(|_| none(text))
}

/// There is no delivery of this id.
fn none(id: &str) -> ApiError {
    ApiError::new(ErrorCode::NotFound, format!("there is no delivery `{id}`"))
}
