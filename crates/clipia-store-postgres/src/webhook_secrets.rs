//! The secrets that deliveries are signed with.

use super::audit;
use super::connection::Connection;
use super::rows::Row;
use super::values::values;
use super::writing::Writing;
use clipia_queue::Moment;
use clipia_queue::audit::Act;
use clipia_queue::commands::Now;
use clipia_queue::rotation::{self, Rotated, Rotation, signing_order};
use clipia_store::{AccountId, SigningTimes, StoreError};

/// The first secret of an account.
pub(crate) fn first(c: &Connection, account: &AccountId, secret: &str, now: Now) {
    insert(c, account, secret, &SigningTimes::first(now));
}

fn insert(c: &Connection, account: &AccountId, secret: &str, times: &SigningTimes) {
    c.later(
        "INSERT INTO webhook_secret (account, secret, created_at, last_from, expires_at) VALUES ($1, $2, $3, $4, $5)",
        values![account, secret, times.created_at, times.last_from, times.ends_at],
    );
}

/// Writes when a secret of an account signs.
fn write(c: &Connection, account: &AccountId, times: &SigningTimes) {
    c.later(
        "UPDATE webhook_secret SET last_from = $3, expires_at = $4 WHERE account = $1 AND created_at = $2",
        values![account, times.created_at, times.last_from, times.ends_at],
    );
}

/// The columns `created_at`, `last_from`, `expires_at`.
fn times(row: &Row) -> Result<SigningTimes, StoreError> {
    Ok(SigningTimes {
        created_at: row.moment("created_at")?,
        last_from: row.optional_moment("last_from")?,
        ends_at: row.optional_moment("expires_at")?,
    })
}

/// When each secret of an account signs, the newest first: nothing where there is no such account.
async fn all(c: &Connection, account: &AccountId) -> Result<Vec<SigningTimes>, StoreError> {
    let rows = c
        .query(
            "SELECT created_at, last_from, expires_at FROM webhook_secret WHERE account = $1 ORDER BY created_at DESC",
            values![account],
        )
        .await?;
    rows.iter().map(times).collect()
}

/// The same, while no other command changes them.
async fn locked(w: &Writing, account: &AccountId) -> Result<Vec<SigningTimes>, StoreError> {
    super::ledger::lock_one(w, account).await?;
    all(w, account).await
}

/// The secrets that sign at `now`, in the order of their signatures.
pub(crate) async fn signing(
    c: &Connection,
    account: &AccountId,
    now: Moment,
) -> Result<Vec<String>, StoreError> {
    let rows = c
        .query(
            "SELECT secret, created_at, last_from, expires_at FROM webhook_secret WHERE account = $1
             ORDER BY created_at DESC",
            values![account],
        )
        .await?;
    let secrets = rows.iter().map(|row| Ok((times(row)?, row.get("secret")?)));
    Ok(signing_order(secrets.collect::<Result<Vec<_>, StoreError>>()?, now))
}

/// False where there is no such account.
pub(crate) async fn rotate(
    w: &Writing,
    account: &AccountId,
    new: &str,
    rotation: Rotation,
) -> Result<bool, StoreError> {
    let now = w.now().await?;
    let Some(rotated) = rotation::rotate(&locked(w, account).await?, rotation, now) else {
        return Ok(false);
    };
    let Rotated { new: times, changed, removed } = rotated;
    for changed in &changed {
        write(w, account, changed);
    }
    for removed in &removed {
        w.later(
            "DELETE FROM webhook_secret WHERE account = $1 AND created_at = $2",
            values![account, removed.created_at],
        );
    }
    insert(w, account, new, &times);
    audit::record(w, &Act::secret_rotated(account), now);
    Ok(true)
}

/// False where no old secret signs.
pub(crate) async fn replan(w: &Writing, account: &AccountId, rotation: Rotation) -> Result<bool, StoreError> {
    let now = w.now().await?;
    let Some(replanned) = rotation::replan(&locked(w, account).await?, rotation, now.steady) else {
        return Ok(false);
    };
    for times in &replanned {
        write(w, account, times);
    }
    audit::record(w, &Act::rotation_changed(account), now);
    Ok(true)
}

/// When each secret signs that does at `now`, the newest first.
pub(crate) async fn list(
    c: &Connection,
    account: &AccountId,
    now: Moment,
) -> Result<Vec<SigningTimes>, StoreError> {
    let mut secrets = all(c, account).await?;
    secrets.retain(|secret| secret.signs(now));
    Ok(secrets)
}
