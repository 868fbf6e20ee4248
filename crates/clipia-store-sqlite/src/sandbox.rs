//! Requests of the sandbox: how many of an account are kept.

use super::rows::key;
use super::writing::Writing;
use crate::store::{AccountId, StoreError};
use clipia_queue::RequestId;
use clipia_queue::commands::sandbox::Room;
use rusqlite::{OptionalExtension, params};
use uuid::Uuid;

/// How many are kept of an account, as this transaction has it.
pub(crate) fn kept(w: &Writing<'_>, account: &AccountId) -> Result<u32, StoreError> {
    let kept = w.write_back.sandbox_kept(w, account)?;
    u32::try_from(kept)
        .map_err(|_| StoreError::Unreadable(format!("{kept} requests of the sandbox are kept")))
}

/// Makes the room for one more.
pub(crate) fn make_room(w: &Writing<'_>, account: &AccountId, room: Room) -> Result<(), StoreError> {
    match room {
        Room::Free(kept) => {
            w.write_back.set_sandbox_kept(account, i64::from(kept));
            Ok(())
        }
        Room::ForgetOldest => forget_oldest(w, account),
    }
}

fn forget_oldest(w: &Writing<'_>, account: &AccountId) -> Result<(), StoreError> {
    let oldest: Option<Uuid> = w
        .prepare_cached("SELECT id FROM request WHERE account = ?1 AND sandbox = 1 ORDER BY id LIMIT 1")?
        .query_row([&account.0], |row| row.get(0))
        .optional()?;
    let Some(oldest) = oldest.map(RequestId) else {
        return Err(StoreError::Unreadable(format!("no request of `{account}` is in the sandbox")));
    };
    for part in [
        "DELETE FROM delivery_attempt WHERE delivery IN (SELECT id FROM delivery WHERE request = ?1)",
        "DELETE FROM delivery WHERE request = ?1",
        "DELETE FROM request_content WHERE request = ?1",
        "DELETE FROM request WHERE id = ?1",
    ] {
        w.prepare_cached(part)?.execute(params![key(oldest)])?;
    }
    w.status_changed(oldest);
    Ok(())
}
