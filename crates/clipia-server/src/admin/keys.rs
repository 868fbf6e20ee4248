//! Keys.

use super::accounts::GRANT_MAX;
use super::{Admin, Asked, Order, page_limit};
use crate::api_error::ApiError;
use crate::clock::{timestamp, wall_at};
use crate::credentials;
use crate::http::Segment;
use crate::store::{self, AccountId};
use axum::Json;
use axum::extract::State;
use clipia_admin::types::{
    self, BudgetPeriod, KeyLimits, KeyListing, KeyMade, KeyOrder, KeyPage, KeySpent, ListKeysQuery, Scopes,
};
use clipia_api::error_code::ErrorCode;
use clipia_queue::limits::{self, CreditBudget, Per};
use clipia_queue::{Credits, Moment};
use std::num::NonZeroU64;

pub(super) async fn list(
    State(admin): State<Admin>,
    Asked(query): Asked<ListKeysQuery>,
) -> Result<Json<KeyPage>, ApiError> {
    let page = admin.store.keys(query.after, page_limit(query.limit)).await?;
    let wall = wall_at(admin.store.now());
    let keys = page.keys.into_iter().map(|key| listing(key, wall)).collect();
    Ok(Json(KeyPage { keys, next: page.next }))
}

pub(crate) async fn create(
    State(admin): State<Admin>,
    Order(order): Order<KeyOrder>,
) -> Result<Json<KeyMade>, ApiError> {
    let KeyOrder { account_id, sandbox, scopes, limits } = order;
    let scopes = store::Scopes { generate: scopes.generate };
    let (key, mut new) = credentials::new_key(AccountId(account_id), sandbox, scopes);
    let KeyLimits { requests_per_minute, in_flight_max, credits } = limits;
    let credits = credits.map(budget).transpose()?;
    new.limits = limits::KeyLimits { requests_per_minute, in_flight_max, credits };
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

/// The budget that an order asks for.
fn budget(asked: types::CreditBudget) -> Result<CreditBudget, ApiError> {
    let credits = Credits::new(asked.max.get());
    if credits > GRANT_MAX {
        return Err(ApiError::invalid(format!(
            "the credit budget of a key is of 1 to {GRANT_MAX} credits, not of {credits}"
        )));
    }
    let per = match asked.per {
        BudgetPeriod::Day => Per::Day,
        BudgetPeriod::Month => Per::Month,
    };
    Ok(CreditBudget { credits, per })
}

/// A budget as a list shows it.
fn shown(budget: CreditBudget) -> Option<types::CreditBudget> {
    let per = match budget.per {
        Per::Day => BudgetPeriod::Day,
        Per::Month => BudgetPeriod::Month,
    };
    NonZeroU64::new(budget.credits.get()).map(|max| types::CreditBudget { max, per })
}

fn listing(key: store::KeyListing, wall: Moment) -> KeyListing {
    let store::KeyListing { id, account, hint, sandbox, scopes, limits, spent, created_at, revoked_at } = key;
    let limits::KeyLimits { requests_per_minute, in_flight_max, credits } = limits;
    let spent = credits.map(|budget| {
        let spent = budget.current(spent, wall);
        KeySpent { credits: spent.credits.into(), whole_at: timestamp(spent.period.end()) }
    });
    KeyListing {
        id,
        account_id: account.0,
        hint,
        sandbox,
        scopes: Scopes { generate: scopes.generate },
        limits: KeyLimits { requests_per_minute, in_flight_max, credits: credits.and_then(shown) },
        spent,
        created_at,
        revoked_at,
    }
}
