//! The secrets that deliveries are signed with.

use super::audit;
use super::rows::moment;
use crate::clock::both;
use crate::store::{AccountId, SigningTimes, StoreError};
use clipia_queue::Moment;
use clipia_queue::audit::Act;
use clipia_queue::commands::Now;
use clipia_queue::rotation::{self, Rotated, Rotation, signing_order};
use rusqlite::{Connection, Row, params};

/// The first secret of an account.
pub(crate) fn first(c: &Connection, account: &AccountId, secret: &str, now: Now) -> rusqlite::Result<()> {
    insert(c, account, secret, &SigningTimes::first(now))
}

fn insert(c: &Connection, account: &AccountId, secret: &str, times: &SigningTimes) -> rusqlite::Result<()> {
    c.prepare_cached(
        "INSERT INTO webhook_secret (account, secret, created_at, last_from, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        account.0,
        secret,
        times.created_at.as_micros(),
        times.last_from.map(Moment::as_micros),
        times.ends_at.map(Moment::as_micros)
    ])?;
    Ok(())
}

/// Writes when a secret of an account signs.
fn write(c: &Connection, account: &AccountId, times: &SigningTimes) -> rusqlite::Result<()> {
    c.prepare_cached(
        "UPDATE webhook_secret SET last_from = ?3, expires_at = ?4 WHERE account = ?1 AND created_at = ?2",
    )?
    .execute(params![
        account.0,
        times.created_at.as_micros(),
        times.last_from.map(Moment::as_micros),
        times.ends_at.map(Moment::as_micros)
    ])?;
    Ok(())
}

/// The columns `created_at`, `last_from`, `expires_at`.
fn times(row: &Row<'_>) -> rusqlite::Result<SigningTimes> {
    Ok(SigningTimes {
        created_at: moment(row.get("created_at")?),
        last_from: row.get::<_, Option<i64>>("last_from")?.map(moment),
        ends_at: row.get::<_, Option<i64>>("expires_at")?.map(moment),
    })
}

/// When each secret of an account signs, the newest first: nothing where there is no such account.
fn all(c: &Connection, account: &AccountId) -> rusqlite::Result<Vec<SigningTimes>> {
    c.prepare_cached(
        "SELECT created_at, last_from, expires_at FROM webhook_secret WHERE account = ?1 ORDER BY created_at DESC",
    )?
    .query_map([&account.0], times)?
    .collect()
}

/// The secrets that sign at `now`, in the order of their signatures.
pub(crate) fn signing(c: &Connection, account: &AccountId, now: Moment) -> Result<Vec<String>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT secret, created_at, last_from, expires_at FROM webhook_secret WHERE account = ?1 ORDER BY created_at DESC",
    )?;
    let secrets = statement.query_map([&account.0], |row| Ok((times(row)?, row.get("secret")?)))?;
    Ok(signing_order(secrets.collect::<Result<Vec<_>, _>>()?, now))
}

/// False where there is no such account.
pub(crate) fn rotate(
    c: &Connection,
    account: &AccountId,
    new: &str,
    rotation: Rotation,
    now: Moment,
) -> Result<bool, StoreError> {
    let Some(rotated) = rotation::rotate(&all(c, account)?, rotation, both(now)) else {
        return Ok(false);
    };
    let Rotated { new: times, changed, removed } = rotated;
    for changed in &changed {
        write(c, account, changed)?;
    }
    for removed in &removed {
        c.prepare_cached("DELETE FROM webhook_secret WHERE account = ?1 AND created_at = ?2")?
            .execute(params![account.0, removed.created_at.as_micros()])?;
    }
    insert(c, account, new, &times)?;
    audit::record(c, &Act::secret_rotated(account), now)?;
    Ok(true)
}

/// False where no old secret signs.
pub(crate) fn replan(
    c: &Connection,
    account: &AccountId,
    rotation: Rotation,
    now: Moment,
) -> Result<bool, StoreError> {
    let Some(replanned) = rotation::replan(&all(c, account)?, rotation, now) else {
        return Ok(false);
    };
    for times in &replanned {
        write(c, account, times)?;
    }
    audit::record(c, &Act::rotation_changed(account), now)?;
    Ok(true)
}

/// When each secret signs that does at `now`, the newest first.
pub(crate) fn list(
    c: &Connection,
    account: &AccountId,
    now: Moment,
) -> Result<Vec<SigningTimes>, StoreError> {
    let mut secrets = all(c, account)?;
    secrets.retain(|secret| secret.signs(now));
    Ok(secrets)
}
