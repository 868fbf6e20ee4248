//! The store as a whole: whether it is sound, and a copy of it.

use super::{Admin, Order};
use crate::api_error::ApiError;
use crate::store::{BackupError, Findings};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A copy to make.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupOrder {
    /// The file to write, by its absolute path: the server stands in a directory of its own.
    pub path: PathBuf,
}

/// A copy that was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BackupMade {
    /// The file.
    pub path: PathBuf,
    /// How large it is.
    pub bytes: u64,
}

pub(super) async fn examine(State(admin): State<Admin>) -> Result<Json<Findings>, ApiError> {
    Ok(Json(admin.store.examine().await?))
}

pub(super) async fn back_up(
    State(admin): State<Admin>,
    Order(BackupOrder { path }): Order<BackupOrder>,
) -> Result<Json<BackupMade>, ApiError> {
    if !path.is_absolute() {
        return Err(ApiError::invalid(format!("`{}` is not an absolute path", path.display())));
    }
    admin.store.backup(&path).await.map_err(|error| match error {
        BackupError::Store(error) => error.into(),
        refused => ApiError::invalid(refused.to_string()),
    })?;
    let bytes = tokio::fs::metadata(&path).await.map_err(|error| ApiError::internal(&error))?.len();
    Ok(Json(BackupMade { path, bytes }))
}
