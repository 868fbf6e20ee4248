//! Keys.

use super::{Admin, Asked, Order, PageQuery};
use crate::api_error::ApiError;
use crate::credentials;
use crate::http::Segment;
use crate::store::{AccountId, KeyPage, Scopes};
use axum::Json;
use axum::extract::State;
use clipia_api::error_code::ErrorCode;
use clipia_queue::limits::KeyLimits;
use serde::{Deserialize, Serialize};

/// A key to make.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyOrder {
    /// Whose it will be.
    pub account_id: AccountId,
    /// Whether it will be a sandbox key.
    pub sandbox: bool,
    /// What it may do.
    pub scopes: Scopes,
    /// How much it may do.
    pub limits: KeyLimits,
}

/// A key that was made.
#[derive(Clone, Serialize, Deserialize)]
pub struct KeyMade {
    /// Its name.
    pub id: String,
    /// The key itself, told this once.
    pub key: String,
}

pub(super) async fn list(
    State(admin): State<Admin>,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<KeyPage>, ApiError> {
    let limit = page.limit();
    Ok(Json(admin.store.keys(page.after, limit).await?))
}

pub(super) async fn create(
    State(admin): State<Admin>,
    Order(order): Order<KeyOrder>,
) -> Result<Json<KeyMade>, ApiError> {
    let (key, mut new) = credentials::new_key(order.account_id, order.sandbox, order.scopes);
    new.limits = order.limits;
    let (id, account) = (new.id.clone(), new.account.clone());
    if !admin.store.create_key(new).await? {
        return Err(super::accounts::none(&account));
    }
    Ok(Json(KeyMade { id, key }))
}

pub(super) async fn revoke(State(admin): State<Admin>, Segment(id): Segment) -> Result<Json<()>, ApiError> {
    if !admin.store.revoke_key(&id).await? {
        return Err(ApiError::new(ErrorCode::NotFound, format!("no key `{id}` is in force")));
    }
    Ok(Json(()))
}
