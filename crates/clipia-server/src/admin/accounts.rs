//! Accounts and their credits.

use super::{Admin, Asked, Order, PageQuery};
use crate::api_error::ApiError;
use crate::credentials;
use crate::http::Segment;
use crate::store::{AccountId, AccountPage, GrantRefused, NewAccount};
use axum::Json;
use axum::extract::State;
use clipia_api::error_code::ErrorCode;
use clipia_queue::Credits;
use serde::{Deserialize, Serialize};

/// The most credits that one call gives: a slip of the hand is not yet a fortune.
pub const GRANT_MAX: Credits = Credits::new(1_000_000_000);

/// An account to make.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountOrder {
    /// Its first credits.
    pub credits: Credits,
}

/// An account that was made.
#[derive(Clone, Serialize, Deserialize)]
pub struct AccountMade {
    /// Its name.
    pub account_id: AccountId,
    /// What its deliveries are signed with, told this once.
    pub webhook_secret: String,
}

/// Credits to give.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantOrder {
    /// How many: at least 1, at most [`GRANT_MAX`].
    pub credits: Credits,
}

/// Credits that were given.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GrantMade {
    /// To whom.
    pub account_id: AccountId,
    /// How many.
    pub granted: Credits,
    /// What the account can spend since.
    pub available: Credits,
}

pub(super) async fn list(
    State(admin): State<Admin>,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<AccountPage>, ApiError> {
    let limit = page.limit();
    Ok(Json(admin.store.accounts(page.after.map(AccountId), limit).await?))
}

pub(super) async fn create(
    State(admin): State<Admin>,
    Order(order): Order<AccountOrder>,
) -> Result<Json<AccountMade>, ApiError> {
    if order.credits > GRANT_MAX {
        return Err(ApiError::invalid(format!(
            "an account begins with {GRANT_MAX} credits at most, not with {}",
            order.credits
        )));
    }
    let account = NewAccount {
        id: credentials::new_account_id(),
        webhook_secret: credentials::new_webhook_secret(),
        grant: order.credits,
    };
    let made = AccountMade { account_id: account.id.clone(), webhook_secret: account.webhook_secret.clone() };
    admin.store.create_account(account).await?;
    Ok(Json(made))
}

pub(super) async fn grant(
    State(admin): State<Admin>,
    Segment(account): Segment,
    Order(GrantOrder { credits }): Order<GrantOrder>,
) -> Result<Json<GrantMade>, ApiError> {
    if credits == Credits::ZERO || credits > GRANT_MAX {
        return Err(ApiError::invalid(format!("a grant is of 1 to {GRANT_MAX} credits, not of {credits}")));
    }
    let account = AccountId(account);
    let balance = admin.store.grant(&account, credits).await.map_err(|refused| match refused {
        GrantRefused::NoAccount(account) => none(&account),
        GrantRefused::Ledger(refused) => ApiError::invalid(refused.to_string()),
        GrantRefused::Store(error) => error.into(),
    })?;
    tracing::info!(account = %account, %credits, "credits granted");
    Ok(Json(GrantMade { account_id: account, granted: credits, available: balance.available }))
}

/// There is no account of this name.
pub(super) fn none(account: &AccountId) -> ApiError {
    ApiError::new(ErrorCode::NotFound, format!("there is no account `{account}`"))
}
