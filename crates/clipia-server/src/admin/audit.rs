//! What operators did.

use super::{Admin, Asked};
use crate::api_error::ApiError;
use crate::store::{AUDIT_MAX, AuditEntry};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

/// Which entries to list, the newest first.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// Only those with a lower number.
    pub before: Option<i64>,
    /// How many; of more than a thousand, a thousand.
    pub limit: u32,
}

pub(super) async fn list(
    State(admin): State<Admin>,
    Asked(AuditQuery { before, limit }): Asked<AuditQuery>,
) -> Result<Json<Vec<AuditEntry>>, ApiError> {
    // What was refused in the last minute, too.
    admin.refusals.record(admin.store.as_ref()).await;
    Ok(Json(admin.store.audit(before, limit.min(AUDIT_MAX)).await?))
}
