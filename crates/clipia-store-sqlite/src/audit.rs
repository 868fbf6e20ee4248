//! The audit log: what operators did, and how often tokens were refused.

use super::rows::moment;
use crate::clock::{timestamp, wall_at};
use crate::store::{AuditEntry, Refusals, StoreError};
use clipia_queue::Moment;
use clipia_queue::audit::{Act, RefusedKind};
use rusqlite::{Connection, params};

/// Writes an act in the transaction that does it.
pub(crate) fn record(c: &Connection, act: &Act, now: Moment) -> rusqlite::Result<()> {
    c.prepare_cached("INSERT INTO audit (at, act, subject, detail) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![wall_at(now).as_micros(), act.act, act.subject, act.detail])?;
    Ok(())
}

/// Entries before the number `before`, the newest first.
pub(crate) fn list(c: &Connection, before: Option<i64>, most: u32) -> Result<Vec<AuditEntry>, StoreError> {
    let mut statement =
        c.prepare_cached("SELECT * FROM audit WHERE number < ?1 ORDER BY number DESC LIMIT ?2")?;
    let entries = statement.query_map(params![before.unwrap_or(i64::MAX), most], |row| {
        Ok(AuditEntry {
            number: row.get("number")?,
            at: timestamp(moment(row.get("at")?)),
            act: row.get("act")?,
            subject: row.get("subject")?,
            detail: row.get("detail")?,
        })
    })?;
    Ok(entries.collect::<Result<_, _>>()?)
}

pub(crate) fn record_refusals(c: &Connection, refused: Refusals, now: Moment) -> Result<(), StoreError> {
    let Refusals { keys, administration } = refused;
    for (kind, count) in [(RefusedKind::ApiKey, keys), (RefusedKind::Administration, administration)] {
        if let Some(act) = Act::refused(kind, count) {
            record(c, &act, now)?;
        }
    }
    Ok(())
}
