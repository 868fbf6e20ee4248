//! What operators did.

use super::{Admin, Asked};
use crate::api_error::ApiError;
use crate::store::{self, AUDIT_MAX};
use axum::Json;
use axum::extract::State;
use clipia_admin::types::{AuditEntry, AuditList, ListAuditQuery};

pub(super) async fn list(
    State(admin): State<Admin>,
    Asked(ListAuditQuery { before, limit }): Asked<ListAuditQuery>,
) -> Result<Json<AuditList>, ApiError> {
    // What was refused in the last minute, too.
    admin.refusals.record(admin.store.as_ref()).await;
    let entries = admin.store.audit(before, limit.min(AUDIT_MAX)).await?;
    Ok(Json(AuditList(entries.into_iter().map(entry).collect())))
}

fn entry(entry: store::AuditEntry) -> AuditEntry {
    let store::AuditEntry { number, at, act, subject, detail } = entry;
    AuditEntry { number, at, act, subject, detail }
}
