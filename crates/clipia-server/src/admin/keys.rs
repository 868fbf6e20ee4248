//! Keys.

use super::{Admin, Asked, Order, page_limit};
use crate::api_error::ApiError;
use crate::credentials;
use crate::http::Segment;
use crate::store::{self, AccountId};
use axum::Json;
use axum::extract::State;
use clipia_admin::types::{KeyLimits, KeyListing, KeyMade, KeyOrder, KeyPage, ListKeysQuery, Scopes};
use clipia_api::error_code::ErrorCode;
use clipia_queue::limits;

pub(super) async fn list(
    State(admin): State<Admin>,
    Asked(query): Asked<ListKeysQuery>,
) -> Result<Json<KeyPage>, ApiError> {
    let page = admin.store.keys(query.after, page_limit(query.limit)).await?;
    Ok(Json(KeyPage { keys: page.keys.into_iter().map(listing).collect(), next: page.next }))
}

pub(crate) async fn create(
    State(admin): State<Admin>,
    Order(order): Order<KeyOrder>,
) -> Result<Json<KeyMade>, ApiError> {
    let KeyOrder { account_id, sandbox, scopes, limits } = order;
    let scopes = store::Scopes { generate: scopes.generate };
    let (key, mut new) = credentials::new_key(AccountId(account_id), sandbox, scopes);
    let KeyLimits { requests_per_minute, in_flight_max } = limits;
    new.limits = limits::KeyLimits { requests_per_minute, in_flight_max };
    let (id, account) = (new.id.clone(), new.account.clone());
    if !admin.store.create_key(new).await? {
        return Err(super::accounts::none(&account));
    }
    Ok(Json(KeyMade { id, key: key.into() }))
}

pub(crate) async fn revoke(State(admin): State<Admin>, Segment(id): Segment) -> Result<Json<()>, ApiError> {
    if !admin.store.revoke_key(&id).await? {
        return Err(ApiError::new(ErrorCode::NotFound, format!("no key `{id}` is in force")));
    }
    Ok(Json(()))
}

fn listing(key: store::KeyListing) -> KeyListing {
    let store::KeyListing { id, account, hint, sandbox, scopes, limits, created_at, revoked_at } = key;
    let limits::KeyLimits { requests_per_minute, in_flight_max } = limits;
    KeyListing {
        id,
        account_id: account.0,
        hint,
        sandbox,
        scopes: Scopes { generate: scopes.generate },
        limits: KeyLimits { requests_per_minute, in_flight_max },
        created_at,
        revoked_at,
    }
}
