//! `GET /v1/account`.

use super::App;
use super::caller::Caller;
use crate::api_error::ApiError;
use crate::store::AccountSummary;
use axum::Json;
use axum::extract::{Extension, State};
use clipia_api::types::{Account, Balance, Usage};
use clipia_queue::Credits;
use std::sync::Arc;

/// The account that a sandbox key sees. Its credits never change, and are enough for a client that checks the balance before
/// it submits. A sandbox key does not see the real balance.
const SANDBOX: AccountSummary =
    AccountSummary { available: Credits::new(10_000), requests_30d: 0, spent_30d: Credits::ZERO };

pub(super) async fn account(
    State(app): State<Arc<App>>,
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
