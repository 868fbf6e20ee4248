//! Accounts as an operator sees them.

use super::rows::{count, credits, moment};
use crate::clock::timestamp;
use crate::store::{AccountId, AccountListing, AccountPage, StoreError};
use rusqlite::Connection;

pub(crate) fn list(
    c: &Connection,
    after: Option<AccountId>,
    limit: usize,
) -> Result<AccountPage, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT id, available, held, created_at,
                (SELECT count(*) FROM api_key WHERE account = account.id AND revoked_at IS NULL) AS keys
         FROM account WHERE id > ?1 ORDER BY id",
    )?;
    let mut rows = statement.query([after.map_or_else(String::new, |after| after.0)])?;
    let mut page = AccountPage::default();
    while let Some(row) = rows.next()? {
        if page.accounts.len() >= limit {
            page.next = page.accounts.last().map(|last| last.id.clone());
            break;
        }
        page.accounts.push(AccountListing {
            id: AccountId(row.get("id")?),
            available: credits(row.get("available")?)?,
            held: credits(row.get("held")?)?,
            keys: count(row.get("keys")?),
            created_at: timestamp(moment(row.get("created_at")?)),
        });
    }
    Ok(page)
}
