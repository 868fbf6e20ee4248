//! Accounts and keys.

use super::ledger::stored_balance;
use super::rows::{amount, count, credit_budget, credits, moment, spent_credits};
use super::writing::Writing;
use super::{audit, ledger, webhook_secrets};
use crate::clock::{both, timestamp, wall_at};
use crate::store::{
    AccountId, AccountSummary, Bootstrapped, FirstAccount, GrantRefused, Key, KeyHash, KeyListing, KeyPage,
    NewAccount, NewKey, Scopes, StoreError,
};
use clipia_queue::audit::Act;
use clipia_queue::commands::grant;
use clipia_queue::ledger::Balance;
use clipia_queue::limits::KeyLimits;
use clipia_queue::{Credits, Moment, usage};
use rusqlite::{Connection, OptionalExtension, Row, params};
use subtle::ConstantTimeEq;

pub(crate) fn create(w: &Writing<'_>, account: &NewAccount, now: Moment) -> Result<bool, StoreError> {
    let created = w
        .prepare_cached(
            "INSERT INTO account (id, available, held, created_at) VALUES (?1, 0, 0, ?2) ON CONFLICT DO NOTHING",
        )?
        .execute(params![account.id.0, wall_at(now).as_micros()])?;
    if created == 0 {
        return Ok(false);
    }
    webhook_secrets::first(w, &account.id, &account.webhook_secret, both(now))?;
    let entry = grant::open(account.grant).map_err(|refused| StoreError::Unreadable(refused.to_string()))?;
    ledger::enter(w, &account.id, entry, None, now)?;
    audit::record(w, &Act::account_created(&account.id, account.grant), now)?;
    Ok(true)
}

pub(crate) fn grant(
    w: &Writing<'_>,
    account: &AccountId,
    granted: Credits,
    now: Moment,
) -> Result<Balance, GrantRefused> {
    let entry = grant::grant(balance(w, account)?, granted)?;
    ledger::enter(w, account, entry, None, now)?;
    audit::record(w, &Act::credits_granted(account, granted), now)?;
    Ok(entry.balance)
}

pub(crate) fn withdraw(
    w: &Writing<'_>,
    account: &AccountId,
    withdrawn: Credits,
    now: Moment,
) -> Result<Balance, GrantRefused> {
    let entry = grant::withdraw(balance(w, account)?, withdrawn)?;
    ledger::enter(w, account, entry, None, now)?;
    audit::record(w, &Act::credits_withdrawn(account, withdrawn), now)?;
    Ok(entry.balance)
}

fn balance(w: &Writing<'_>, account: &AccountId) -> Result<Balance, GrantRefused> {
    w.write_back.balance(w, account)?.ok_or_else(|| GrantRefused::NoAccount(account.clone()))
}

pub(crate) fn bootstrap(
    w: &Writing<'_>,
    first: &FirstAccount,
    now: Moment,
) -> Result<Bootstrapped, StoreError> {
    if w.query_row("SELECT EXISTS (SELECT 1 FROM account)", [], |row| row.get(0))? {
        return Ok(Bootstrapped::Exists);
    }
    create(w, &first.account, now)?;
    for key in &first.keys {
        if !create_key(w, key, now)? {
            return Err(StoreError::Unreadable(format!("the key {} is of another account", key.id)));
        }
    }
    Ok(Bootstrapped::Created)
}

pub(crate) fn summary(
    c: &Connection,
    account: &AccountId,
    now: Moment,
) -> Result<Option<AccountSummary>, StoreError> {
    let Some(balance) = stored_balance(c, account)? else {
        return Ok(None);
    };
    let (requests, spent): (i64, i64) = c
        .prepare_cached(
            "SELECT coalesce(sum(requests), 0), coalesce(sum(credits), 0) FROM usage_day WHERE account = ?1 AND day >= ?2",
        )?
        .query_row(params![account.0, usage::first_day(wall_at(now))], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Some(AccountSummary {
        available: balance.available,
        requests_30d: count(requests),
        spent_30d: credits(spent)?,
    }))
}

pub(crate) fn create_key(c: &Connection, key: &NewKey, now: Moment) -> Result<bool, StoreError> {
    let created = c.execute(
        "INSERT INTO api_key (id, account, hash, hint, sandbox, may_generate, created_at,
                              requests_per_minute, in_flight_max, credits_max, credits_per)
         SELECT ?1, id, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 FROM account WHERE id = ?2",
        params![
            key.id,
            key.account.0,
            key.hash.0,
            key.hint,
            key.sandbox,
            key.scopes.generate,
            wall_at(now).as_micros(),
            key.limits.requests_per_minute,
            key.limits.in_flight_max,
            key.limits.credits.map(|budget| amount(budget.credits)).transpose()?,
            key.limits.credits.map(|budget| budget.per.name()),
        ],
    )?;
    if created == 1 {
        audit::record(c, &Act::key_created(&key.id, &key.account, key.sandbox, key.scopes.generate), now)?;
    }
    Ok(created == 1)
}

pub(crate) fn key(c: &Connection, hash: KeyHash) -> Result<Option<Key>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT hash, id, account, hint, sandbox, may_generate, requests_per_minute, in_flight_max, credits_max,
                credits_per
         FROM api_key WHERE hash = ?1 AND revoked_at IS NULL",
    )?;
    let mut rows = statement.query([hash.0])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    // The index found it by its hash; the comparison that decides takes the same time whatever differs.
    if !bool::from(row.get::<_, [u8; 32]>("hash")?.ct_eq(&hash.0)) {
        return Ok(None);
    }
    Ok(Some(Key {
        id: row.get("id")?,
        account: AccountId(row.get("account")?),
        hint: row.get("hint")?,
        sandbox: row.get("sandbox")?,
        scopes: scopes(row)?,
        limits: limits(row)?,
    }))
}

pub(crate) fn keys(c: &Connection, after: Option<String>, limit: usize) -> Result<KeyPage, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT * FROM api_key WHERE number > iif(?1 IS NULL, 0, (SELECT number FROM api_key WHERE id = ?1))
         ORDER BY number",
    )?;
    let mut rows = statement.query([after])?;
    let mut page = KeyPage::default();
    while let Some(row) = rows.next()? {
        if page.keys.len() >= limit {
            page.next = page.keys.last().map(|last| last.id.clone());
            break;
        }
        let revoked: Option<i64> = row.get("revoked_at")?;
        page.keys.push(KeyListing {
            id: row.get("id")?,
            account: AccountId(row.get("account")?),
            hint: row.get("hint")?,
            sandbox: row.get("sandbox")?,
            scopes: scopes(row)?,
            limits: limits(row)?,
            spent: spent_credits(row.get("spent")?, row.get("spent_since")?, row.get("spent_until")?)?,
            created_at: timestamp(moment(row.get("created_at")?)),
            revoked_at: revoked.map(moment).map(timestamp),
        });
    }
    Ok(page)
}

pub(crate) fn revoke_key(w: &Writing<'_>, id: &str, now: Moment) -> Result<bool, StoreError> {
    let revoked: Option<[u8; 32]> = w
        .prepare_cached(
            "UPDATE api_key SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL RETURNING hash",
        )?
        .query_row(params![id, wall_at(now).as_micros()], |row| row.get(0))
        .optional()?;
    if let Some(hash) = revoked {
        w.key_revoked(id, KeyHash(hash));
        audit::record(w, &Act::key_revoked(id), now)?;
    }
    Ok(revoked.is_some())
}

fn scopes(row: &Row<'_>) -> rusqlite::Result<Scopes> {
    Ok(Scopes { generate: row.get("may_generate")? })
}

fn limits(row: &Row<'_>) -> Result<KeyLimits, StoreError> {
    let per: Option<String> = row.get("credits_per")?;
    Ok(KeyLimits {
        requests_per_minute: row.get("requests_per_minute")?,
        in_flight_max: row.get("in_flight_max")?,
        credits: credit_budget(row.get("credits_max")?, per.as_deref())?,
    })
}
