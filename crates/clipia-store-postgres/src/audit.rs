//! The audit log: what operators did, and how often tokens were refused.

use super::connection::Connection;
use super::values::{text, values};
use super::writing::Writing;
use clipia_queue::audit::{Act, RefusedKind};
use clipia_queue::commands::Now;
use clipia_store::{AuditEntry, Refusals, StoreError};

/// Writes an act in the transaction that does it.
pub(crate) fn record(c: &Connection, act: &Act, now: Now) {
    c.later(
        "INSERT INTO audit (at, act, subject, detail) VALUES ($1, $2, $3, $4)",
        values![now.wall, act.act, text(&act.subject), text(&act.detail)],
    );
}

/// Entries before the number `before`, the newest first.
pub(crate) async fn list(
    c: &Connection,
    before: Option<i64>,
    most: u32,
) -> Result<Vec<AuditEntry>, StoreError> {
    let rows = c
        .query(
            "SELECT * FROM audit WHERE number < $1 ORDER BY number DESC LIMIT $2",
            values![before.unwrap_or(i64::MAX), most],
        )
        .await?;
    let entries = rows.iter().map(|row| {
        Ok(AuditEntry {
            number: row.get("number")?,
            at: row.time("at")?,
            act: row.get("act")?,
            subject: row.get("subject")?,
            detail: row.get("detail")?,
        })
    });
    entries.collect()
}

pub(crate) async fn record_refusals(w: &Writing, refused: Refusals) -> Result<(), StoreError> {
    let now = w.now().await?;
    let Refusals { keys, administration } = refused;
    for (kind, count) in [(RefusedKind::ApiKey, keys), (RefusedKind::Administration, administration)] {
        if let Some(act) = Act::refused(kind, count) {
            record(w, &act, now);
        }
    }
    Ok(())
}
