//! The store as a whole: whether it is sound, and a copy of it.

use super::{Admin, Order};
use crate::api_error::ApiError;
use crate::store::{self, BackupError};
use axum::Json;
use axum::extract::State;
use clipia_admin::types::{BackupMade, BackupOrder, Checked, Findings, Paused, Pin, Violation};
use std::path::Path;

pub(crate) async fn examine(State(admin): State<Admin>) -> Result<Json<Findings>, ApiError> {
    let store::Findings { checked, violation: found, pins } = admin.store.examine().await?;
    let paused = admin.pauses.iter().filter_map(|pause| Some((pause.of().to_owned(), pause.error()?)));
    let paused = paused.map(|(of, why)| Paused { of, why }).collect();
    let pins = pins.into_iter().map(pin).collect();
    Ok(Json(Findings { checked: looked_at(checked), paused, pins, violation: found.map(violation) }))
}

pub(crate) async fn back_up(
    State(admin): State<Admin>,
    Order(BackupOrder { path }): Order<BackupOrder>,
) -> Result<Json<BackupMade>, ApiError> {
    let file = Path::new(&path);
    if !file.is_absolute() {
        return Err(ApiError::invalid(format!("`{path}` is not an absolute path")));
    }
    admin.store.backup(file).await.map_err(|error| match error {
        BackupError::Store(error) => error.into(),
        refused => ApiError::invalid(refused.to_string()),
    })?;
    let bytes = tokio::fs::metadata(file).await.map_err(|error| ApiError::internal(&error))?.len();
    Ok(Json(BackupMade { path, bytes }))
}

fn looked_at(checked: store::Checked) -> Checked {
    let store::Checked { rules, accounts, requests, movements, deliveries, deliveries_held } = checked;
    Checked { rules, accounts, requests, movements, deliveries, deliveries_held }
}

fn pin(pin: store::Pin) -> Pin {
    let store::Pin { by, transactions, since } = pin;
    Pin { by, transactions, since }
}

fn violation(violation: store::Violation) -> Violation {
    let store::Violation { rule, account, request, found } = violation;
    Violation { rule, account: account.map(|id| id.0), request: request.map(Into::into), found }
}
