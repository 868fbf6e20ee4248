//! The books: movements, balances, usage, and what keys have used of their limits.

use super::rows::{amount, credits, key};
use super::writing::Writing;
use crate::clock::wall_at;
use crate::ids;
use crate::store::{AccountId, StoreError};
use clipia_queue::ledger::{Balance, Entries, Entry};
use clipia_queue::limits::KeyUse;
use clipia_queue::usage::Usage;
use clipia_queue::{Moment, RequestId};
use rusqlite::{Connection, OptionalExtension, params};

/// The two books of an account, as this transaction has them.
pub(crate) fn balance(w: &Writing<'_>, account: &AccountId) -> Result<Balance, StoreError> {
    let balance = w.write_back.balance(w, account)?;
    balance.ok_or_else(|| StoreError::Unreadable(format!("no account `{account}`")))
}

/// The two books of an account, as of the latest commit.
pub(crate) fn stored_balance(c: &Connection, account: &AccountId) -> Result<Option<Balance>, StoreError> {
    let row: Option<(i64, i64)> = c
        .prepare_cached("SELECT available, held FROM account WHERE id = ?1")?
        .query_row([&account.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    row.map(|(available, held)| Ok(Balance { available: credits(available)?, held: credits(held)? }))
        .transpose()
}

/// What a key has used of its limits, as this transaction has it.
pub(crate) fn used(w: &Writing<'_>, key: &str) -> Result<KeyUse, StoreError> {
    let used = w.write_back.used(w, key)?;
    used.ok_or_else(|| StoreError::Unreadable(format!("no key {key}")))
}

/// Writes a movement, and the balance that it leaves.
pub(crate) fn enter(
    w: &Writing<'_>,
    account: &AccountId,
    Entry { movement, balance }: Entry,
    request: Option<RequestId>,
    now: Moment,
) -> Result<(), StoreError> {
    let Entries { available, held, issuance, revenue } = movement.entries();
    w.execute_often(
        "INSERT INTO movement (id, settles, account, kind, available, held, issuance, revenue, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            request.map_or_else(|| ids::new(now), key),
            movement.settles(),
            account.0,
            movement.kind(),
            available,
            held,
            issuance,
            revenue,
            wall_at(now).as_micros()
        ],
    )?;
    w.write_back.set_balance(account, balance);
    Ok(())
}

/// Writes the opening movement of an account, which sums what was condensed.
pub(crate) fn open(
    c: &Connection,
    account: &AccountId,
    Entries { available, held, issuance, revenue }: Entries,
    is_first: bool,
    now: Moment,
) -> Result<(), StoreError> {
    let values = params![available, held, issuance, revenue, wall_at(now).as_micros(), account.0];
    match is_first {
        true => c
            .prepare_cached(
                "INSERT INTO movement (id, settles, kind, available, held, issuance, revenue, at, account)
                 VALUES (randomblob(16), 0, 'opening', ?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(values)?,
        false => c
            .prepare_cached(
                "UPDATE movement SET available = ?1, held = ?2, issuance = ?3, revenue = ?4, at = ?5
                 WHERE account = ?6 AND kind = 'opening'",
            )?
            .execute(values)?,
    };
    Ok(())
}

/// Adds to what an account used.
pub(crate) fn use_up(w: &Writing<'_>, account: &AccountId, usage: Usage) -> Result<(), StoreError> {
    w.write_back.use_up(account, usage.day, i64::from(usage.requests), amount(usage.credits)?);
    Ok(())
}
