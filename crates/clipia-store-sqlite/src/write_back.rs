//! Rows that are written once a transaction: the balances and the usage of accounts, what keys have used of their limits, the counts of sandboxes, the
//! latest tickets of queues, the turns of accounts in them. Nearly every command changes some of them. A transaction keeps their values here, and writes each
//! row right before its commit.
//!
//! This is complex for speed. Hundreds of submits share a commit, and most are of few accounts, keys and queues. Without it each
//! submit would run four updates more, of rows that the next one writes again. `cargo xtask bench server` measures it.

use super::ledger::stored_balance;
use super::rows::{amount, spent_credits};
use crate::store::{AccountId, StoreError};
use clipia_queue::ledger::Balance;
use clipia_queue::limits::{KeyUse, SpentCredits};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::borrow::Borrow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;

/// The rows that this transaction has changed.
#[derive(Default)]
pub(crate) struct WriteBack {
    balances: Changed<AccountId, Balance>,
    /// What is added to the requests and the credits of an account on a day.
    usage: Changed<(AccountId, i64), (i64, i64)>,
    used: Changed<String, KeyUse>,
    tails: Changed<String, i64>,
    /// The turns of accounts in queues; nothing where an account has none any more.
    turns: Changed<(String, AccountId), Option<i64>>,
    sandbox: Changed<AccountId, i64>,
}

/// The beginning of a command, which may have to be undone.
#[derive(Clone, Copy)]
pub(crate) struct Mark([usize; 6]);

impl WriteBack {
    /// The two books of an account, if there is one.
    pub(crate) fn balance(&self, c: &Connection, account: &AccountId) -> Result<Option<Balance>, StoreError> {
        match self.balances.get(account) {
            Some(balance) => Ok(Some(balance)),
            None => stored_balance(c, account),
        }
    }

    pub(crate) fn set_balance(&self, account: &AccountId, balance: Balance) {
        self.balances.set(account, balance);
    }

    /// Adds to what an account used on a day.
    pub(crate) fn use_up(&self, account: &AccountId, day: i64, requests: i64, credits: i64) {
        let of = (account.clone(), day);
        let (before, spent) = self.usage.get(&of).unwrap_or_default();
        self.usage.set(&of, (before + requests, spent + credits));
    }

    /// What a key has used of its limits, if there is such a key.
    pub(crate) fn used(&self, c: &Connection, key: &str) -> Result<Option<KeyUse>, StoreError> {
        if let Some(used) = self.used.get(key) {
            return Ok(Some(used));
        }
        let mut stored =
            c.prepare_cached("SELECT in_flight, spent, spent_since, spent_until FROM api_key WHERE id = ?1")?;
        let columns = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
        let found = stored.query_row([key], columns).optional()?;
        let used = |(in_flight, spent, since, until)| {
            Ok(KeyUse { in_flight, spent: spent_credits(spent, since, until)? })
        };
        found.map(used).transpose()
    }

    pub(crate) fn set_used(&self, key: &str, used: KeyUse) {
        self.used.set(key, used);
    }

    /// How many requests of the sandbox are kept of an account.
    pub(crate) fn sandbox_kept(&self, c: &Connection, account: &AccountId) -> Result<i64, StoreError> {
        if let Some(kept) = self.sandbox.get(account) {
            return Ok(kept);
        }
        let mut stored = c.prepare_cached("SELECT sandbox_kept FROM account WHERE id = ?1")?;
        Ok(stored.query_row([&account.0], |row| row.get(0))?)
    }

    pub(crate) fn set_sandbox_kept(&self, account: &AccountId, kept: i64) {
        self.sandbox.set(account, kept);
    }

    /// The latest ticket of a queue.
    pub(crate) fn tail(&self, c: &Connection, queue: &str) -> Result<i64, StoreError> {
        if let Some(tail) = self.tails.get(queue) {
            return Ok(tail);
        }
        let mut stored = c.prepare_cached("SELECT tail FROM queue WHERE name = ?1")?;
        Ok(stored.query_row([queue], |row| row.get(0)).optional()?.unwrap_or(0))
    }

    pub(crate) fn set_tail(&self, queue: &str, tail: i64) {
        self.tails.set(queue, tail);
    }

    /// The turn of an account in a queue.
    pub(crate) fn turn(
        &self,
        c: &Connection,
        queue: &str,
        account: &AccountId,
    ) -> Result<Option<i64>, StoreError> {
        if let Some(turn) = self.turns.get(&(queue.to_owned(), account.clone())) {
            return Ok(turn);
        }
        let mut stored = c.prepare_cached("SELECT turn FROM queue_turn WHERE queue = ?1 AND account = ?2")?;
        Ok(stored.query_row([queue, &account.0], |row| row.get(0)).optional()?)
    }

    pub(crate) fn set_turn(&self, queue: &str, account: &AccountId, turn: Option<i64>) {
        self.turns.set(&(queue.to_owned(), account.clone()), turn);
    }

    pub(crate) fn mark(&self) -> Mark {
        let Self { balances, usage, used, tails, turns, sandbox } = self;
        Mark([balances.mark(), usage.mark(), used.mark(), tails.mark(), turns.mark(), sandbox.mark()])
    }

    /// Undoes what was changed since a mark.
    pub(crate) fn rewind(&self, Mark([balances, usage, used, tails, turns, sandbox]): Mark) {
        self.balances.rewind(balances);
        self.usage.rewind(usage);
        self.used.rewind(used);
        self.tails.rewind(tails);
        self.turns.rewind(turns);
        self.sandbox.rewind(sandbox);
    }

    /// Writes the rows.
    pub(crate) fn write(&self, c: &Connection) -> Result<(), StoreError> {
        let mut write = c.prepare_cached("UPDATE account SET available = ?2, held = ?3 WHERE id = ?1")?;
        self.balances.each(|account, balance| {
            write.execute(params![account.0, amount(balance.available)?, amount(balance.held)?])?;
            Ok(())
        })?;
        let mut write = c.prepare_cached(
            "INSERT INTO usage_day (account, day, requests, credits) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (account, day) DO UPDATE SET requests = requests + ?3, credits = credits + ?4",
        )?;
        self.usage.each(|(account, day), (requests, credits)| {
            write.execute(params![account.0, day, requests, credits])?;
            Ok(())
        })?;
        let mut write = c.prepare_cached(
            "UPDATE api_key SET in_flight = ?2, spent = ?3, spent_since = ?4, spent_until = ?5 WHERE id = ?1",
        )?;
        self.used.each(|key, KeyUse { in_flight, spent: SpentCredits { period, credits } }| {
            write.execute(params![key, in_flight, amount(credits)?, period.since, period.until])?;
            Ok(())
        })?;
        let mut write = c.prepare_cached(
            "INSERT INTO queue (name, tail) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET tail = ?2",
        )?;
        self.tails.each(|queue, tail| {
            write.execute(params![queue, tail])?;
            Ok(())
        })?;
        self.turns.each(|(queue, account), turn| {
            match turn {
                Some(turn) => c
                    .prepare_cached(
                        "INSERT INTO queue_turn (queue, account, turn) VALUES (?1, ?2, ?3)
                         ON CONFLICT (queue, account) DO UPDATE SET turn = ?3",
                    )?
                    .execute(params![queue, account.0, turn])?,
                None => c
                    .prepare_cached("DELETE FROM queue_turn WHERE queue = ?1 AND account = ?2")?
                    .execute(params![queue, account.0])?,
            };
            Ok(())
        })?;
        self.sandbox.each(|account, kept| {
            c.prepare_cached("UPDATE account SET sandbox_kept = ?2 WHERE id = ?1")?
                .execute(params![account.0, kept])?;
            Ok(())
        })
    }
}

/// Changed values, and how to change them back.
struct Changed<K, V>(RefCell<Inner<K, V>>);

struct Inner<K, V> {
    /// The index of each value.
    places: HashMap<K, usize>,
    /// The values; nothing where all changes of one were undone.
    values: Vec<(K, Option<V>)>,
    /// What each change replaced, and its index.
    before: Vec<(usize, Option<V>)>,
}

impl<K, V> Default for Changed<K, V> {
    fn default() -> Self {
        Self(RefCell::new(Inner { places: HashMap::new(), values: Vec::new(), before: Vec::new() }))
    }
}

impl<K: Clone + Eq + Hash, V: Copy> Changed<K, V> {
    fn get<Q: Eq + Hash + ?Sized>(&self, of: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let inner = self.0.borrow();
        inner.places.get(of).and_then(|place| inner.values.get(*place)?.1)
    }

    fn set<Q: Eq + Hash + ToOwned<Owned = K> + ?Sized>(&self, of: &Q, value: V)
    where
        K: Borrow<Q>,
    {
        let Inner { places, values, before } = &mut *self.0.borrow_mut();
        if let Some((place, (_, now))) =
            places.get(of).and_then(|place| Some((*place, values.get_mut(*place)?)))
        {
            before.push((place, now.replace(value)));
            return;
        }
        let (place, of) = (values.len(), of.to_owned());
        places.insert(of.clone(), place);
        values.push((of, Some(value)));
        before.push((place, None));
    }

    fn mark(&self) -> usize {
        self.0.borrow().before.len()
    }

    fn rewind(&self, mark: usize) {
        let Inner { values, before, .. } = &mut *self.0.borrow_mut();
        for (place, value) in before.drain(mark.min(before.len())..).rev() {
            if let Some((_, now)) = values.get_mut(place) {
                *now = value;
            }
        }
    }

    fn each(&self, mut write: impl FnMut(&K, V) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let inner = self.0.borrow();
        inner.values.iter().try_for_each(|(of, value)| value.map_or(Ok(()), |value| write(of, value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_undone_is_as_it_was() {
        let (write_back, account) = (WriteBack::default(), AccountId("a".to_owned()));
        write_back.use_up(&account, 1, 1, 0);
        let mark = write_back.mark();
        write_back.use_up(&account, 1, 1, 12);
        write_back.use_up(&account, 2, 1, 0);
        write_back.set_used("k", KeyUse { in_flight: 5, ..KeyUse::default() });
        write_back.rewind(mark);
        assert_eq!(write_back.usage.get(&(account.clone(), 1)), Some((1, 0)));
        assert_eq!(write_back.usage.get(&(account, 2)), None);
        assert_eq!(write_back.used.get("k"), None);
    }
}
