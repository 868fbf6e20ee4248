//! API keys.

use super::audit;
use super::connection::Connection;
use super::rows::{Row, amount};
use super::values::values;
use super::writing::Writing;
use clipia_queue::audit::Act;
use clipia_queue::limits::KeyLimits;
use clipia_store::columns::credit_budget;
use clipia_store::{AccountId, Key, KeyHash, KeyListing, KeyPage, NewKey, Scopes, StoreError, StoreEvent};
use subtle::ConstantTimeEq;

/// False where there is no such account.
pub(crate) async fn create(w: &Writing, key: &NewKey) -> Result<bool, StoreError> {
    let now = w.now().await?;
    let created = w
        .execute(
            "INSERT INTO api_key (id, account, hash, hint, sandbox, may_generate, created_at, requests_per_minute,
                                  in_flight_max, credits_max, credits_per)
             SELECT $1, id, $3, $4, $5, $6, $7, $8, $9, $10, $11 FROM account WHERE id = $2",
            values![
                &key.id,
                &key.account,
                key.hash.0.to_vec(),
                &key.hint,
                key.sandbox,
                key.scopes.generate,
                now.wall,
                key.limits.requests_per_minute,
                key.limits.in_flight_max,
                key.limits.credits.map(|budget| amount(budget.credits)).transpose()?,
                key.limits.credits.map(|budget| budget.per.name().to_owned()),
            ],
        )
        .await?;
    if created == 1 {
        audit::record(w, &Act::key_created(&key.id, &key.account, key.sandbox, key.scopes.generate), now);
    }
    Ok(created == 1)
}

/// The key in force with this hash.
pub(crate) async fn find(c: &Connection, hash: KeyHash) -> Result<Option<Key>, StoreError> {
    let found = c
        .optional(
            "SELECT hash, id, account, hint, sandbox, may_generate, requests_per_minute, in_flight_max,
                    credits_max, credits_per
             FROM (SELECT * FROM api_key WHERE hash >= $1 AND hash <= $1 ORDER BY hash DESC LIMIT 1) newest WHERE revoked_at IS NULL",
            values![hash.0.to_vec()],
        )
        .await?;
    let Some(row) = found else { return Ok(None) };
    // The index found it by its hash; the comparison that decides takes the same time whatever differs.
    if !bool::from(row.get::<&[u8]>("hash")?.ct_eq(&hash.0)) {
        return Ok(None);
    }
    Ok(Some(Key {
        id: row.get("id")?,
        account: row.account()?,
        hint: row.get("hint")?,
        sandbox: row.get("sandbox")?,
        scopes: scopes(&row)?,
        limits: limits(&row)?,
    }))
}

/// Keys in the order of their making.
pub(crate) async fn list(c: &Connection, after: Option<String>, limit: usize) -> Result<KeyPage, StoreError> {
    let rows = c
        .query(
            "SELECT * FROM api_key
             WHERE number > CASE WHEN $1::text IS NULL THEN 0 ELSE (SELECT number FROM api_key WHERE id = $1) END
             ORDER BY number LIMIT $2",
            values![after, limit.saturating_add(1)],
        )
        .await?;
    let mut page = KeyPage::default();
    for row in rows {
        if page.keys.len() >= limit {
            page.next = page.keys.last().map(|last| last.id.clone());
            break;
        }
        page.keys.push(KeyListing {
            id: row.get("id")?,
            account: AccountId(row.get("account")?),
            hint: row.get("hint")?,
            sandbox: row.get("sandbox")?,
            scopes: scopes(&row)?,
            limits: limits(&row)?,
            spent: row.spent()?,
            created_at: row.time("created_at")?,
            revoked_at: row.optional_time("revoked_at")?,
        });
    }
    Ok(page)
}

/// False where there is no such key in force.
pub(crate) async fn revoke(w: &Writing, id: &str) -> Result<bool, StoreError> {
    let now = w.now().await?;
    let revoked = w
        .execute(
            "UPDATE api_key SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL",
            values![id, now.wall],
        )
        .await?;
    if revoked == 1 {
        w.event(StoreEvent::KeyRevoked { id: id.into() });
        audit::record(w, &Act::key_revoked(id), now);
    }
    Ok(revoked == 1)
}

fn scopes(row: &Row) -> Result<Scopes, StoreError> {
    Ok(Scopes { generate: row.get("may_generate")? })
}

fn limits(row: &Row) -> Result<KeyLimits, StoreError> {
    let limit = |column: &str| {
        let found: Option<i64> = row.get(column)?;
        Ok::<_, StoreError>(found.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX)))
    };
    Ok(KeyLimits {
        requests_per_minute: limit("requests_per_minute")?,
        in_flight_max: limit("in_flight_max")?,
        credits: credit_budget(row.get("credits_max")?, row.get("credits_per")?)?,
    })
}
