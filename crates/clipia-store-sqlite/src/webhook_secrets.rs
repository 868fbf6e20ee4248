//! What deliveries are signed with.

use super::audit;
use crate::clock::told;
use crate::store::{AccountId, SecretListing, StoreError};
use clipia_queue::Moment;
use clipia_queue::audit::Act;
use clipia_queue::rotation::{Rotation, SECRETS_MAX, signing_order};
use rusqlite::{Connection, params};

/// The secrets that sign at `now`, in the order of their signatures.
pub(crate) fn in_force(c: &Connection, account: &str, now: Moment) -> Result<Vec<String>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT secret, last_from FROM webhook_secret
         WHERE account = ?1 AND (expires_at IS NULL OR expires_at > ?2) ORDER BY created_at DESC",
    )?;
    let mut rows = statement.query(params![account, now.as_micros()])?;
    let (mut secrets, mut new_last_from) = (Vec::new(), None);
    while let Some(row) = rows.next()? {
        if secrets.is_empty() {
            new_last_from = row.get::<_, Option<i64>>("last_from")?.map(Moment::from_micros);
        }
        secrets.push(row.get("secret")?);
    }
    Ok(signing_order(secrets, new_last_from, now))
}

/// False where there is no such account.
pub(crate) fn rotate(
    c: &Connection,
    account: &AccountId,
    new: &str,
    rotation: Rotation,
    now: Moment,
) -> Result<bool, StoreError> {
    let Some(newest) = newest(c, account)? else {
        return Ok(false);
    };
    c.prepare_cached("UPDATE webhook_secret SET expires_at = ?2 WHERE account = ?1 AND expires_at IS NULL")?
        .execute(params![account.0, rotation.old_end_at.as_micros()])?;
    // Two rotations in one microsecond, or a clock that was set back: the order stays that of the rotations.
    let created_at = told(now).as_micros().max(newest + 1);
    c.prepare_cached(
        "INSERT INTO webhook_secret (account, secret, created_at, last_from) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![account.0, new, created_at, rotation.new_last_from.as_micros()])?;
    c.prepare_cached(
        "DELETE FROM webhook_secret WHERE account = ?1 AND (expires_at <= ?2 OR created_at NOT IN
            (SELECT created_at FROM webhook_secret WHERE account = ?1 ORDER BY created_at DESC LIMIT ?3))",
    )?
    .execute(params![account.0, now.as_micros(), SECRETS_MAX])?;
    audit::record(c, &Act::secret_rotated(account), now)?;
    Ok(true)
}

/// Gives the rotation under way other times. A secret that has ended stays so. False where no old secret signs.
pub(crate) fn replan(
    c: &Connection,
    account: &AccountId,
    rotation: Rotation,
    now: Moment,
) -> Result<bool, StoreError> {
    let changed = c
        .prepare_cached("UPDATE webhook_secret SET expires_at = ?2 WHERE account = ?1 AND expires_at > ?3")?
        .execute(params![account.0, rotation.old_end_at.as_micros(), now.as_micros()])?;
    if changed == 0 {
        return Ok(false);
    }
    c.prepare_cached("UPDATE webhook_secret SET last_from = ?2 WHERE account = ?1 AND expires_at IS NULL")?
        .execute(params![account.0, rotation.new_last_from.as_micros()])?;
    audit::record(c, &Act::rotation_changed(account), now)?;
    Ok(true)
}

/// The secrets that sign at `now`, the newest first; none where there is no such account.
pub(crate) fn list(
    c: &Connection,
    account: &AccountId,
    now: Moment,
) -> Result<Vec<SecretListing>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT created_at, last_from, expires_at FROM webhook_secret
         WHERE account = ?1 AND (expires_at IS NULL OR expires_at > ?2) ORDER BY created_at DESC",
    )?;
    let listed = statement.query_map(params![account.0, now.as_micros()], |row| {
        let moment =
            |name| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(name)?.map(Moment::from_micros));
        Ok(SecretListing {
            created_at: Moment::from_micros(row.get("created_at")?),
            last_from: moment("last_from")?,
            ends_at: moment("expires_at")?,
        })
    })?;
    Ok(listed.collect::<Result<_, _>>()?)
}

fn newest(c: &Connection, account: &AccountId) -> Result<Option<i64>, StoreError> {
    let mut statement = c.prepare_cached("SELECT max(created_at) FROM webhook_secret WHERE account = ?1")?;
    Ok(statement.query_row([&account.0], |row| row.get(0))?)
}
