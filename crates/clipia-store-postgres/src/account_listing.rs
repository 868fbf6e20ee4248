//! Accounts as an operator sees them.

use super::connection::Connection;
use super::values::values;
use clipia_store::{AccountId, AccountListing, AccountPage, StoreError};

pub(crate) async fn list(
    c: &Connection,
    after: Option<AccountId>,
    limit: usize,
) -> Result<AccountPage, StoreError> {
    let rows = c
        .query(
            "SELECT id, available, held, created_at,
                    (SELECT count(*) FROM api_key WHERE account = account.id AND revoked_at IS NULL) AS keys
             FROM account WHERE id > $1 ORDER BY id LIMIT $2",
            values![after.map_or_else(String::new, |after| after.0), limit.saturating_add(1)],
        )
        .await?;
    let mut page = AccountPage::default();
    for row in rows {
        if page.accounts.len() >= limit {
            page.next = page.accounts.last().map(|last| last.id.clone());
            break;
        }
        page.accounts.push(AccountListing {
            id: AccountId(row.get("id")?),
            available: row.credits("available")?,
            held: row.credits("held")?,
            keys: row.count("keys")?,
            created_at: row.time("created_at")?,
        });
    }
    Ok(page)
}
