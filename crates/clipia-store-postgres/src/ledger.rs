//! The books: movements, balances, usage, and what keys have used of their limits.
//!
//! # Rows that change with every batch
//!
//! While an old transaction is open, every earlier version of such a row is kept, and the index has them all. A look-up `id = $1` visits
//! them from the oldest on, so that a batch costs more with each one before it. `id >= $1 AND id <= $1 ORDER BY id DESC LIMIT 1` reads
//! the index backwards and finds the version that counts at once. A row is changed at the place, `ctid`, that such a look-up found: it
//! is locked, so it stays there.

use super::connection::Connection;
use super::rows::{Row, amount};
use super::values::values;
use clipia_queue::commands::Now;
use clipia_queue::ledger::{Balance, Entries, Entry};
use clipia_queue::limits::{KeyUse, SpentCredits};
use clipia_queue::usage::Usage;
use clipia_queue::{Credits, RequestId, ids};
use clipia_store::{AccountId, StoreError};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// The row of an account that is locked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Locked {
    pub(crate) balance: Balance,
    /// How many of its requests of the sandbox are kept.
    pub(crate) sandbox_kept: u32,
}

/// The row of a key that is locked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LockedKey {
    pub(crate) used: KeyUse,
    pub(crate) in_force: bool,
}

/// Rows are locked in the order of their ids.
fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort_unstable();
    ids
}

/// Locks accounts, in the order of their ids.
pub(crate) async fn lock(c: &Connection, ids: Vec<String>) -> Result<HashMap<String, Locked>, StoreError> {
    let rows = c
        .query(
            "SELECT a.* FROM unnest($1::text[]) AS asked (asked), LATERAL (
                SELECT id, available, held, sandbox_kept FROM account WHERE id >= asked AND id <= asked
                ORDER BY id DESC LIMIT 1 FOR NO KEY UPDATE) a",
            values![sorted(ids)],
        )
        .await?;
    let locked = |row: &Row| {
        let balance = Balance { available: row.credits("available")?, held: row.credits("held")? };
        Ok((row.get("id")?, Locked { balance, sandbox_kept: row.small("sandbox_kept")? }))
    };
    rows.iter().map(locked).collect()
}

/// Locks an account, if there is one.
pub(crate) async fn lock_one(c: &Connection, account: &AccountId) -> Result<Option<Locked>, StoreError> {
    Ok(lock(c, vec![account.0.clone()]).await?.remove(&account.0))
}

/// Locks keys, in the order of their ids.
pub(crate) async fn lock_keys(
    c: &Connection,
    ids: Vec<String>,
) -> Result<HashMap<String, LockedKey>, StoreError> {
    let rows = c
        .query(
            "SELECT k.* FROM unnest($1::text[]) AS asked (asked), LATERAL (
                SELECT id, in_flight, spent, spent_since, spent_until, revoked_at IS NULL AS in_force
                FROM api_key WHERE id >= asked AND id <= asked
                ORDER BY id DESC LIMIT 1 FOR NO KEY UPDATE) k",
            values![sorted(ids)],
        )
        .await?;
    let locked =
        |row: &Row| Ok((row.get("id")?, LockedKey { used: row.used()?, in_force: row.get("in_force")? }));
    rows.iter().map(locked).collect()
}

/// Writes a movement.
pub(crate) fn enter(c: &Connection, account: &AccountId, entry: Entry, request: Option<RequestId>, now: Now) {
    enter_all(c, vec![(account.clone(), entry, request)], now);
}

/// Writes movements.
pub(crate) fn enter_all(c: &Connection, entries: Vec<(AccountId, Entry, Option<RequestId>)>, now: Now) {
    let mut ids_of = Vec::new();
    let (mut settles, mut accounts, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
    let mut books: [Vec<i64>; 4] = Default::default();
    for (account, Entry { movement, .. }, request) in entries {
        ids_of.push(request.map_or_else(|| ids::new(now.steady), |request| request.0));
        settles.push(movement.settles());
        accounts.push(account.0);
        kinds.push(movement.kind().to_owned());
        let Entries { available, held, issuance, revenue } = movement.entries();
        for (book, entered) in books.iter_mut().zip([available, held, issuance, revenue]) {
            book.push(entered);
        }
    }
    let [available, held, issuance, revenue] = books;
    c.later(
        "INSERT INTO movement (id, settles, account, kind, available, held, issuance, revenue, at)
         SELECT *, $9 FROM unnest($1::uuid[], $2::bool[], $3::text[], $4::text[], $5::int8[], $6::int8[], $7::int8[], $8::int8[])",
        values![ids_of, settles, accounts, kinds, available, held, issuance, revenue, now.wall],
    );
}

/// Writes a balance.
pub(crate) fn set_balance(c: &Connection, account: &AccountId, balance: Balance) -> Result<(), StoreError> {
    set_balances(c, &HashMap::from([(account.clone(), balance)]))
}

/// Writes balances, each of another account.
pub(crate) fn set_balances(c: &Connection, balances: &HashMap<AccountId, Balance>) -> Result<(), StoreError> {
    if balances.is_empty() {
        return Ok(());
    }
    let column = |of: fn(&Balance) -> Credits| balances.values().map(|balance| amount(of(balance))).collect();
    let (available, held): (Result<Vec<_>, _>, Result<Vec<_>, _>) =
        (column(|balance| balance.available), column(|balance| balance.held));
    c.later(
        "UPDATE account a SET available = n.available, held = n.held
         FROM unnest($1::text[], $2::int8[], $3::int8[]) AS n (id, available, held)
         WHERE a.ctid = (SELECT ctid FROM account WHERE id >= n.id AND id <= n.id ORDER BY id DESC LIMIT 1)",
        values![balances.keys().map(|id| id.0.clone()).collect::<Vec<_>>(), available?, held?],
    );
    Ok(())
}

/// Writes what keys have used of their limits, each another key.
pub(crate) fn set_used(c: &Connection, used: &HashMap<String, KeyUse>) -> Result<(), StoreError> {
    if used.is_empty() {
        return Ok(());
    }
    let (mut keys, mut columns): (Vec<_>, [Vec<i64>; 4]) = (Vec::new(), Default::default());
    for (key, KeyUse { in_flight, spent: SpentCredits { period, credits } }) in used {
        keys.push(key.clone());
        let values = [i64::from(*in_flight), amount(*credits)?, period.since, period.until];
        columns.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
    }
    let [in_flight, spent, since, until] = columns;
    c.later(
        "UPDATE api_key k SET in_flight = n.in_flight, spent = n.spent, spent_since = n.since, spent_until = n.until
         FROM unnest($1::text[], $2::int8[], $3::int8[], $4::int8[], $5::int8[]) AS n (id, in_flight, spent, since, until)
         WHERE k.ctid = (SELECT ctid FROM api_key WHERE id >= n.id AND id <= n.id ORDER BY id DESC LIMIT 1)",
        values![keys, in_flight, spent, since, until],
    );
    Ok(())
}

/// Writes the opening movement of an account, which sums what was condensed.
pub(crate) fn open(c: &Connection, account: &AccountId, entries: Entries, is_first: bool, now: Now) {
    let Entries { available, held, issuance, revenue } = entries;
    match is_first {
        true => c.later(
            "INSERT INTO movement (id, settles, account, kind, available, held, issuance, revenue, at)
             VALUES ($1, FALSE, $2, 'opening', $3, $4, $5, $6, $7)",
            values![Uuid::new_v4(), account, available, held, issuance, revenue, now.wall],
        ),
        false => c.later(
            "UPDATE movement SET available = $2, held = $3, issuance = $4, revenue = $5, at = $6
             WHERE account = $1 AND kind = 'opening'",
            values![account, available, held, issuance, revenue, now.wall],
        ),
    }
}

/// Adds to what accounts used. The accounts are locked, and so are their rows here.
pub(crate) fn use_up(c: &Connection, used: &[(AccountId, Usage)]) -> Result<(), StoreError> {
    let mut sums: BTreeMap<(&str, i64), (i64, i64)> = BTreeMap::new();
    for (account, usage) in used {
        let sum = sums.entry((&account.0, usage.day)).or_default();
        sum.0 = sum.0.saturating_add(i64::from(usage.requests));
        sum.1 = sum.1.saturating_add(amount(usage.credits)?);
    }
    if sums.is_empty() {
        return Ok(());
    }
    // The account is locked: nobody makes the row meanwhile.
    c.later(
        "WITH used AS MATERIALIZED (
            SELECT used.*, (SELECT ctid FROM usage_day d WHERE d.account = used.account AND d.day >= used.day AND d.day <= used.day
                            ORDER BY d.account DESC, d.day DESC LIMIT 1) AS place
            FROM unnest($1::text[], $2::int8[], $3::int8[], $4::int8[]) AS used (account, day, requests, credits)
         ), added AS (
            UPDATE usage_day d SET requests = d.requests + used.requests, credits = d.credits + used.credits
            FROM used WHERE d.ctid = used.place)
         INSERT INTO usage_day (account, day, requests, credits)
         SELECT account, day, requests, credits FROM used WHERE place IS NULL",
        values![
            sums.keys().map(|(account, _)| (*account).to_owned()).collect::<Vec<_>>(),
            sums.keys().map(|(_, day)| *day).collect::<Vec<_>>(),
            sums.values().map(|(requests, _)| *requests).collect::<Vec<_>>(),
            sums.values().map(|(_, credits)| *credits).collect::<Vec<_>>(),
        ],
    );
    Ok(())
}
