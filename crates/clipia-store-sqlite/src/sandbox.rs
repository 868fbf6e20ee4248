//! What is kept of the sandbox, which costs its callers nothing.

use super::rows::key;
use super::writer::Writing;
use crate::store::{AccountId, StoreError};
use clipia_queue::RequestId;
use clipia_queue::limits::SANDBOX_KEPT;
use rusqlite::{OptionalExtension, params};
use uuid::Uuid;

/// Counts one more request of an account in the sandbox. Where that are too many, the oldest is forgotten with its delivery:
/// a submit that is free must not fill the disk.
pub(crate) fn make_room(w: &Writing<'_>, account: &AccountId) -> Result<(), StoreError> {
    let kept = w.tallies.sandbox_kept(w, account)?;
    if kept < i64::from(SANDBOX_KEPT) {
        w.tallies.set_sandbox_kept(account, kept + 1);
        return Ok(());
    }
    let oldest: Option<Uuid> = w
        .prepare_cached("SELECT id FROM request WHERE account = ?1 AND sandbox = 1 ORDER BY id LIMIT 1")?
        .query_row([&account.0], |row| row.get(0))
        .optional()?;
    let Some(oldest) = oldest.map(RequestId) else {
        return Err(StoreError::Unreadable(format!("no request of `{account}` is in the sandbox")));
    };
    w.prepare_cached(
        "DELETE FROM delivery_attempt WHERE delivery IN (SELECT id FROM delivery WHERE request = ?1)",
    )?
    .execute(params![key(oldest)])?;
    for part in [
        "DELETE FROM delivery WHERE request = ?1",
        "DELETE FROM request_content WHERE request = ?1",
        "DELETE FROM request WHERE id = ?1",
    ] {
        w.prepare_cached(part)?.execute(params![key(oldest)])?;
    }
    w.standing_changed(oldest);
    Ok(())
}
