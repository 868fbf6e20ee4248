//! What the deliveries of an account are signed with.

use super::{Admin, Order, accounts};
use crate::api_error::ApiError;
use crate::clock::{timestamp, wall_at};
use crate::credentials;
use crate::http::Segment;
use crate::store::{AccountId, SigningTimes};
use axum::Json;
use axum::extract::State;
use clipia_admin::types::{RotationOrder, SecretMade, SecretTimes, SecretsListing};
use clipia_queue::Moment;
use clipia_queue::rotation::Rotation;
use std::time::Duration;

pub(super) async fn rotate(
    State(admin): State<Admin>,
    Segment(account): Segment,
    Order(order): Order<RotationOrder>,
) -> Result<Json<SecretMade>, ApiError> {
    let (account, secret) = (AccountId(account), credentials::new_webhook_secret());
    let rotation = plan(&order, admin.store.now())?;
    if !admin.store.rotate_webhook_secret(&account, secret.clone(), rotation).await? {
        return Err(accounts::none(&account));
    }
    tracing::info!(account = %account, "webhook secret rotated");
    Ok(Json(SecretMade {
        account_id: account.0,
        webhook_secret: secret.into(),
        new_last_from: timestamp(wall_at(rotation.new_last_from)),
        old_sign_until: timestamp(wall_at(rotation.old_end_at)),
    }))
}

pub(super) async fn list(
    State(admin): State<Admin>,
    Segment(account): Segment,
) -> Result<Json<SecretsListing>, ApiError> {
    Ok(Json(listing(&admin, AccountId(account)).await?))
}

/// Changes the times of the rotation under way; what the order does not say stays.
pub(super) async fn replan(
    State(admin): State<Admin>,
    Segment(account): Segment,
    Order(order): Order<RotationOrder>,
) -> Result<Json<SecretsListing>, ApiError> {
    let (account, now) = (AccountId(account), admin.store.now());
    let secrets = admin.store.webhook_secrets(&account).await?;
    let (newest, old) = secrets.split_first().ok_or_else(|| accounts::none(&account))?;
    let no_rotation =
        || ApiError::invalid(format!("only one secret of account `{account}` signs: there is no rotation"));
    let old_end = old.iter().filter_map(|old| old.ends_at).max().ok_or_else(no_rotation)?;
    let left = |moment: Moment| moment.since(now).as_secs();
    let old_end_in = order.old_end_in_seconds.unwrap_or(left(old_end));
    let new_last_in =
        order.new_last_in_seconds.unwrap_or(left(newest.last_from.unwrap_or(old_end)).min(old_end_in));
    let order =
        RotationOrder { new_last_in_seconds: Some(new_last_in), old_end_in_seconds: Some(old_end_in) };
    if !admin.store.replan_rotation(&account, plan(&order, now)?).await? {
        return Err(no_rotation());
    }
    tracing::info!(account = %account, "rotation of the webhook secret changed");
    Ok(Json(listing(&admin, account).await?))
}

fn plan(order: &RotationOrder, now: Moment) -> Result<Rotation, ApiError> {
    let seconds = |seconds: Option<u64>| seconds.map(Duration::from_secs);
    Rotation::plan(seconds(order.new_last_in_seconds), seconds(order.old_end_in_seconds), now)
        .map_err(|refused| ApiError::invalid(refused.to_string()))
}

async fn listing(admin: &Admin, account: AccountId) -> Result<SecretsListing, ApiError> {
    let secrets = admin.store.webhook_secrets(&account).await?;
    if secrets.is_empty() {
        return Err(accounts::none(&account));
    }
    let times = |secret: &SigningTimes| SecretTimes {
        created_at: timestamp(secret.created_at),
        last_from: secret.last_from.map(wall_at).map(timestamp),
        ends_at: secret.ends_at.map(wall_at).map(timestamp),
    };
    Ok(SecretsListing { account_id: account.0, secrets: secrets.iter().map(times).collect() })
}
