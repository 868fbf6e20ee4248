//! Requests of the sandbox: how many of an account are kept. The account is locked meanwhile.

use super::connection::Connection;
use super::values::values;
use clipia_queue::commands::sandbox::Room;
use clipia_store::{AccountId, StoreError};
use uuid::Uuid;

/// Makes the room for one more.
pub(crate) async fn make_room(c: &Connection, account: &AccountId, room: Room) -> Result<(), StoreError> {
    match room {
        Room::Free(kept) => {
            set_kept(c, account, kept);
            Ok(())
        }
        Room::ForgetOldest => forget_oldest(c, account).await,
    }
}

/// Writes how many are kept.
pub(crate) fn set_kept(c: &Connection, account: &AccountId, kept: u32) {
    c.later("UPDATE account SET sandbox_kept = $2 WHERE id = $1", values![account, kept]);
}

async fn forget_oldest(c: &Connection, account: &AccountId) -> Result<(), StoreError> {
    let oldest = c
        .optional(
            "SELECT id FROM request WHERE account = $1 AND sandbox ORDER BY id LIMIT 1",
            values![account],
        )
        .await?;
    let Some(oldest) = oldest else {
        return Err(StoreError::Unreadable(format!("no request of `{account}` is in the sandbox")));
    };
    let oldest: Uuid = oldest.get("id")?;
    for part in [
        "DELETE FROM delivery_attempt WHERE delivery IN (SELECT id FROM delivery WHERE request = $1)",
        "DELETE FROM delivery WHERE request = $1",
        "DELETE FROM request_content WHERE request = $1",
        "DELETE FROM request WHERE id = $1",
    ] {
        c.later(part, values![oldest]);
    }
    Ok(())
}
