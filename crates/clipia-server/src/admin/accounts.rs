//! Accounts and their credits.

use super::{Admin, Asked, Order, page_limit};
use crate::api_error::ApiError;
use crate::credentials;
use crate::http::Segment;
use crate::store::{self, AccountId, GrantRefused, NewAccount};
use axum::Json;
use axum::extract::State;
use clipia_admin::types::{
    AccountListing, AccountMade, AccountOrder, AccountPage, GrantMade, GrantOrder, ListAccountsQuery,
    WithdrawalMade, WithdrawalOrder,
};
use clipia_api::error_code::ErrorCode;
use clipia_queue::Credits;

/// The most credits that one call gives.
pub(crate) const GRANT_MAX: Credits = Credits::new(clipia_admin::GRANT_MAX);

pub(super) async fn list(
    State(admin): State<Admin>,
    Asked(query): Asked<ListAccountsQuery>,
) -> Result<Json<AccountPage>, ApiError> {
    let page = admin.store.accounts(query.after.map(AccountId), page_limit(query.limit)).await?;
    let accounts = page.accounts.into_iter().map(listing).collect();
    Ok(Json(AccountPage { accounts, next: page.next.map(|id| id.0) }))
}

pub(crate) async fn create(
    State(admin): State<Admin>,
    Order(order): Order<AccountOrder>,
) -> Result<Json<AccountMade>, ApiError> {
    let grant = Credits::new(order.credits);
    if grant > GRANT_MAX {
        return Err(ApiError::invalid(format!(
            "an account begins with {GRANT_MAX} credits at most, not with {grant}"
        )));
    }
    let (id, webhook_secret) = (credentials::new_account_id(), credentials::new_webhook_secret());
    let made = AccountMade { account_id: id.0.clone(), webhook_secret: webhook_secret.clone().into() };
    admin.store.create_account(NewAccount { id, webhook_secret, grant }).await?;
    Ok(Json(made))
}

pub(crate) async fn grant(
    State(admin): State<Admin>,
    Segment(account): Segment,
    Order(order): Order<GrantOrder>,
) -> Result<Json<GrantMade>, ApiError> {
    let credits = Credits::new(order.credits.get());
    if credits > GRANT_MAX {
        return Err(ApiError::invalid(format!("a grant is of 1 to {GRANT_MAX} credits, not of {credits}")));
    }
    let account = AccountId(account);
    let balance = admin.store.grant(&account, credits).await.map_err(not_moved)?;
    tracing::info!(account = %account, %credits, "credits granted");
    let (granted, available) = (credits.into(), balance.available.into());
    Ok(Json(GrantMade { account_id: account.0, granted, available }))
}

pub(crate) async fn withdraw(
    State(admin): State<Admin>,
    Segment(account): Segment,
    Order(order): Order<WithdrawalOrder>,
) -> Result<Json<WithdrawalMade>, ApiError> {
    let (account, credits) = (AccountId(account), Credits::new(order.credits.get()));
    let balance = admin.store.withdraw(&account, credits).await.map_err(not_moved)?;
    tracing::info!(account = %account, %credits, "credits taken back");
    let (withdrawn, available) = (credits.into(), balance.available.into());
    Ok(Json(WithdrawalMade { account_id: account.0, withdrawn, available }))
}

/// Why no credits moved.
fn not_moved(refused: GrantRefused) -> ApiError {
    match refused {
        GrantRefused::NoAccount(account) => none(&account),
        GrantRefused::Ledger(refused) => ApiError::invalid(refused.to_string()),
        GrantRefused::Store(error) => error.into(),
    }
}

/// There is no account of this id.
pub(super) fn none(account: &AccountId) -> ApiError {
    ApiError::new(ErrorCode::NotFound, format!("there is no account `{account}`"))
}

fn listing(account: store::AccountListing) -> AccountListing {
    let store::AccountListing { id, available, held, keys, created_at } = account;
    AccountListing { account_id: id.0, available: available.into(), held: held.into(), keys, created_at }
}
