//! Deliveries of every account: what an operator sees of them, and attempting them once more.

use super::{Admin, Asked, Order};
use crate::api_error::ApiError;
use crate::http::Segment;
use crate::store::{self, AccountId, DELIVERIES_MAX, DeliveryFilter, Store, StoreError};
use axum::Json;
use axum::extract::State;
use clipia_admin::types::{
    AttemptListing, DeliveryDetails, DeliveryList, DeliveryListing, DeliveryState, HeldSettled,
    ListDeliveriesQuery, ReplayOrder, Replayed,
};
use clipia_api::error_code::ErrorCode;
use clipia_queue::{Moment, RequestId};
use uuid::Uuid;

pub(super) async fn list(
    State(admin): State<Admin>,
    Asked(query): Asked<ListDeliveriesQuery>,
) -> Result<Json<DeliveryList>, ApiError> {
    let ListDeliveriesQuery { account_id, before, limit, request_id, state } = query;
    let filter = DeliveryFilter {
        account: account_id.map(AccountId),
        request: request_id.as_ref().map(super::requests::asked).transpose()?,
        state: state.map(stored_state),
    };
    let deliveries = admin.store.list_deliveries(filter, before, limit).await?;
    Ok(Json(DeliveryList(deliveries.into_iter().map(listing).collect())))
}

pub(super) async fn show(
    State(admin): State<Admin>,
    Segment(id): Segment,
) -> Result<Json<DeliveryDetails>, ApiError> {
    let found = admin.store.delivery(id_of(&id)?).await?;
    Ok(Json(details(found.ok_or_else(|| none(&id))?)))
}

pub(crate) async fn replay(State(admin): State<Admin>, Segment(id): Segment) -> Result<Json<()>, ApiError> {
    if !admin.store.replay(id_of(&id)?).await? {
        return Err(none(&id));
    }
    Ok(Json(()))
}

/// The deliveries of a request with their attempts, the newest first, at most `most`.
pub(crate) async fn of_request(
    store: &dyn Store,
    request: RequestId,
    most: u32,
) -> Result<Vec<store::DeliveryDetails>, StoreError> {
    let filter = DeliveryFilter { request: Some(request), ..DeliveryFilter::default() };
    let mut deliveries = Vec::new();
    for delivery in store.list_deliveries(filter, None, most).await? {
        deliveries.extend(store.delivery(delivery.id).await?);
    }
    Ok(deliveries)
}

/// Replays as many as one command may; the answer says where to go on.
pub(super) async fn replay_failed(
    State(admin): State<Admin>,
    Order(order): Order<ReplayOrder>,
) -> Result<Json<Replayed>, ApiError> {
    let since = Moment::from_micros(order.failed_since.as_microsecond());
    let store::Replayed { count, next } = admin.store.replay_failed(since, DELIVERIES_MAX).await?;
    Ok(Json(Replayed { count, next }))
}

/// Has those attempted that a restored store holds.
pub(crate) async fn resume(State(admin): State<Admin>) -> Result<Json<HeldSettled>, ApiError> {
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
pub(crate) async fn abandon(State(admin): State<Admin>) -> Result<Json<HeldSettled>, ApiError> {
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

fn listing(delivery: store::DeliveryListing) -> DeliveryListing {
    let store::DeliveryListing {
        id,
        account_id,
        request_id,
        url,
        state,
        attempts,
        postponed,
        created_at,
        next_at,
        settled_at,
    } = delivery;
    DeliveryListing {
        id,
        account_id: account_id.0,
        request_id: request_id.into(),
        url,
        state: wire_state(state),
        attempts,
        postponed,
        created_at,
        next_at,
        settled_at,
    }
}

/// A delivery with the log of its attempts.
pub(super) fn details(details: store::DeliveryDetails) -> DeliveryDetails {
    let store::DeliveryDetails { delivery, log } = details;
    DeliveryDetails { listing: listing(delivery), log: log.into_iter().map(attempt).collect() }
}

fn attempt(attempt: store::AttemptListing) -> AttemptListing {
    let store::AttemptListing { number, replay, at, status, duration_ms, class, error, reply } = attempt;
    AttemptListing { number, replay, at, status, duration_ms, class, error, reply }
}

const fn wire_state(state: store::DeliveryState) -> DeliveryState {
    match state {
        store::DeliveryState::Pending => DeliveryState::Pending,
        store::DeliveryState::Delivered => DeliveryState::Delivered,
        store::DeliveryState::Abandoned => DeliveryState::Abandoned,
        store::DeliveryState::Held => DeliveryState::Held,
    }
}

const fn stored_state(state: DeliveryState) -> store::DeliveryState {
    match state {
        DeliveryState::Pending => store::DeliveryState::Pending,
        DeliveryState::Delivered => store::DeliveryState::Delivered,
        DeliveryState::Abandoned => store::DeliveryState::Abandoned,
        DeliveryState::Held => store::DeliveryState::Held,
    }
}
