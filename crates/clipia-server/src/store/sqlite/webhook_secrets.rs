//! What deliveries are signed with.

use super::audit;
use crate::store::{AccountId, StoreError};
use clipia_queue::Moment;
use clipia_queue::schedules::{SECRET_GRACE, SECRETS_MAX};
use rusqlite::{Connection, params};

/// The secrets that sign at `now`, the newest first.
pub(crate) fn in_force(c: &Connection, account: &str, now: Moment) -> Result<Vec<String>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT secret FROM webhook_secret WHERE account = ?1 AND (expires_at IS NULL OR expires_at > ?2)
         ORDER BY created_at DESC",
    )?;
    let secrets = statement.query_map(params![account, now.as_micros()], |row| row.get(0))?;
    Ok(secrets.collect::<Result<_, _>>()?)
}

pub(crate) fn rotate(
    c: &Connection,
    account: &AccountId,
    new: &str,
    now: Moment,
) -> Result<Option<Moment>, StoreError> {
    let until = now + SECRET_GRACE;
    let newest: Option<i64> = c
        .prepare_cached("SELECT max(created_at) FROM webhook_secret WHERE account = ?1")?
        .query_row([&account.0], |row| row.get(0))?;
    let Some(newest) = newest else {
        return Ok(None);
    };
    c.prepare_cached("UPDATE webhook_secret SET expires_at = ?2 WHERE account = ?1 AND expires_at IS NULL")?
        .execute(params![account.0, until.as_micros()])?;
    // Two rotations in one microsecond, or a clock that was set back: the order stays that of the rotations.
    c.prepare_cached("INSERT INTO webhook_secret (account, secret, created_at) VALUES (?1, ?2, ?3)")?
        .execute(params![account.0, new, now.as_micros().max(newest + 1)])?;
    c.prepare_cached(
        "DELETE FROM webhook_secret WHERE account = ?1 AND (expires_at <= ?2 OR created_at NOT IN
            (SELECT created_at FROM webhook_secret WHERE account = ?1 ORDER BY created_at DESC LIMIT ?3))",
    )?
    .execute(params![account.0, now.as_micros(), SECRETS_MAX])?;
    audit::record(c, "webhook secret rotated", &account.0, "", now)?;
    Ok(Some(until))
}
