//! Accounts as an operator sees them.

use super::rows::{count, credits, moment};
use crate::clock::timestamp;
use crate::store::{AccountId, AccountListing, StoreError};
use rusqlite::Connection;

pub(crate) fn list(c: &Connection) -> Result<Vec<AccountListing>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT id, available, held, created_at,
                (SELECT count(*) FROM api_key WHERE account = account.id AND revoked_at IS NULL) AS keys
         FROM account ORDER BY created_at, id",
    )?;
    let mut rows = statement.query([])?;
    let mut listed = Vec::new();
    while let Some(row) = rows.next()? {
        listed.push(AccountListing {
            id: AccountId(row.get("id")?),
            available: credits(row.get("available")?)?,
            held: credits(row.get("held")?)?,
            keys: count(row.get("keys")?),
            created_at: timestamp(moment(row.get("created_at")?)),
        });
    }
    Ok(listed)
}
