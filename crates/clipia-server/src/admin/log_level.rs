//! What the server logs.

use super::{Admin, Order};
use crate::api_error::ApiError;
use crate::log::LevelRefused;
use axum::Json;
use axum::extract::State;
use clipia_admin::types::{LogLevel, LogLevelOrder};

pub(super) async fn set(
    State(admin): State<Admin>,
    Order(order): Order<LogLevelOrder>,
) -> Result<Json<LogLevel>, ApiError> {
    let filter = order.filter.to_string();
    let log = admin.log.as_ref().ok_or(LevelRefused::Fixed);
    log.and_then(|log| log.set_level(&filter)).map_err(|refused| ApiError::invalid(refused.to_string()))?;
    tracing::info!(%filter, "the level of the log changed");
    Ok(Json(LogLevel { filter }))
}
