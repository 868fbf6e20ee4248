//! `GET /v1/account`.

use super::caller::Caller;
use super::{ApiError, App};
use crate::store::AccountSummary;
use axum::Json;
use axum::extract::{Extension, State};
use clipia_api::types::{Account, Balance, Usage};
use clipia_queue::Credits;

/// What a sandbox key is told: credits that nothing is taken from, enough for whatever looks before it submits. The books of
/// the account are none of its business.
const SANDBOX: AccountSummary =
    AccountSummary { available: Credits::new(10_000), requests_30d: 0, spent_30d: Credits::ZERO };

pub(super) async fn account(
    State(app): State<App>,
    Extension(Caller(key)): Extension<Caller>,
) -> Result<Json<Account>, ApiError> {
    let summary = match key.sandbox {
        true => SANDBOX,
        false => {
            let summary = app.store.account(&key.account).await?;
            summary.ok_or_else(|| ApiError::internal(&format!("no account `{}`", key.account)))?
        }
    };
    Ok(Json(Account {
        account_id: Some(key.account.0.clone()),
        balance: Balance { credits: summary.available.into(), extra: Default::default() },
        usage_30d: Some(Usage {
            requests: summary.requests_30d,
            credits_spent: summary.spent_30d.into(),
            extra: Default::default(),
        }),
        extra: Default::default(),
    }))
}
