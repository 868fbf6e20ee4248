//! Idempotency records, each kept for a day.
//!
//! Client keys are random: an index on them would dirty one page per submit. So records are logged in the order of their
//! submits, a few pages a commit. The recent ones are found in memory. Once there are enough, they are merged into the index in
//! sorted batches, many to a page, and they leave it in batches, too (a small log-structured merge tree). A start reads from the
//! log what the index lacks.
//!
//! This is complex for speed: `cargo xtask bench server` measures it with a key for each submit.

use super::recent_keys::{RecentKeys, with};
use super::rows::{key, moment};
use crate::store::{AccountId, StoreError};
use clipia_queue::commands::submit::NewRecord;
use clipia_queue::idempotency::{Fingerprint, Record, is_kept};
use clipia_queue::{Moment, RequestId};
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// How many records are gathered before they are merged into the index: some 3 MB.
const GATHERED: usize = 65_536;

/// How many records a commit merges, takes out of the index or forgets: about a millisecond.
const AT_ONCE: usize = 256;

/// A key's hash, and its number in the log.
pub(crate) type Entry = (i64, i64);

/// The records that the index lacks, and what is being changed in it.
pub(crate) struct Keys {
    gathered: usize,
    at_once: usize,
    /// The latest number in the log.
    last: i64,
    /// Records up to this number are in the index.
    indexed: i64,
    /// Records in the log alone.
    recent: RecentKeys,
    /// Records that are being merged. The index then has all up to the number.
    entering: Option<(BTreeSet<Entry>, i64)>,
    leaving: Leaving,
    /// When the first record of the log expires.
    expires: Option<Moment>,
    /// When this transaction last wrote a record.
    recorded: Option<Moment>,
    /// Whether a transaction was rolled back that had changed this.
    stale: bool,
}

/// The steps by which expired records leave, in this order.
enum Leaving {
    /// No record has expired.
    Idle,
    /// Expired records are gathered, by now up to the number.
    Gathering(BTreeSet<Entry>, i64),
    /// They are taken out of the index.
    Unindexing(BTreeSet<Entry>, i64),
    /// Those up to the number are deleted from the log.
    Forgetting(i64),
}

/// A key that a submit came with.
pub(crate) struct Name {
    name: String,
    sandbox: bool,
    hash: i64,
}

impl Name {
    /// A key belongs to an account and to its sandbox or not: the same name elsewhere is another key.
    pub(crate) fn new(account: &AccountId, sandbox: bool, name: String) -> Self {
        // A part of the digest is enough to find the key. Clients cannot make two keys collide on purpose.
        let digest = Sha256::new().chain_update(&account.0).chain_update([0, u8::from(sandbox)]);
        let digest = digest.chain_update(&name).finalize();
        Self { name, sandbox, hash: digest.first_chunk().map_or(0, |first| i64::from_be_bytes(*first)) }
    }
}

impl Keys {
    /// Reads the records of a store.
    pub(crate) fn load(c: &Connection) -> Result<Self, rusqlite::Error> {
        Self::load_with(c, GATHERED, AT_ONCE)
    }

    fn load_with(c: &Connection, gathered: usize, at_once: usize) -> Result<Self, rusqlite::Error> {
        let indexed: i64 = c
            .prepare_cached("SELECT ifnull(max(through), 0) FROM idempotency_indexed")?
            .query_row([], |row| row.get(0))?;
        let mut statement =
            c.prepare_cached("SELECT hash, number FROM idempotency WHERE number > ?1 ORDER BY number")?;
        let recent: Vec<Entry> = statement
            .query_map([indexed], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        Ok(Self {
            gathered,
            at_once,
            last: recent.last().map_or(indexed, |(_, number)| *number),
            indexed,
            recent: recent.into_iter().collect(),
            entering: None,
            leaving: Leaving::Idle,
            expires: first_expires(c)?,
            recorded: None,
            stale: false,
        })
    }

    /// The transaction was rolled back.
    pub(crate) fn undo(&mut self) {
        self.stale = true;
    }

    /// Reads the records again after a rollback.
    pub(crate) fn refresh(&mut self, c: &Connection) -> Result<(), rusqlite::Error> {
        if self.stale {
            *self = Self::load_with(c, self.gathered, self.at_once)?;
        }
        Ok(())
    }

    /// The record of a key, if it is in force.
    pub(crate) fn find(
        &self,
        c: &Connection,
        account: &AccountId,
        name: &Name,
        now: Moment,
    ) -> Result<Option<Record>, StoreError> {
        let hash = name.hash;
        let is_empty = self.indexed == 0 && self.entering.is_none();
        let indexed = if is_empty { Vec::new() } else { indexed(c, hash)? };
        let entering = self.entering.iter().flat_map(|(entering, _)| with(entering, hash));
        for number in self.recent.with(hash).chain(entering).chain(indexed) {
            if let Some(record) = read(c, number, account, name, now)? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    pub(crate) fn record(
        &mut self,
        c: &Connection,
        account: &AccountId,
        Name { name, sandbox, hash }: &Name,
        NewRecord { record, expires_at }: NewRecord,
        now: Moment,
    ) -> Result<(), StoreError> {
        self.last += 1;
        c.prepare_cached(
            "INSERT INTO idempotency (number, hash, account, sandbox, key, fingerprint, request, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            self.last,
            hash,
            account.0,
            sandbox,
            name,
            record.fingerprint.0,
            key(record.request_id),
            expires_at.as_micros()
        ])?;
        self.recent.insert((*hash, self.last));
        self.expires = self.expires.or(Some(expires_at));
        self.recorded = Some(now);
        Ok(())
    }

    /// Changes the index a little, with each commit that writes a record.
    pub(crate) fn before_commit(&mut self, c: &Connection) -> Result<(), StoreError> {
        self.recorded.take().map_or(Ok(()), |now| self.tend(c, now))
    }

    fn tend(&mut self, c: &Connection, now: Moment) -> Result<(), StoreError> {
        if self.entering.is_none() && self.recent.len() >= self.gathered {
            self.entering = Some((std::mem::take(&mut self.recent).sorted(), self.last));
        }
        if let Some((entering, through)) = &mut self.entering {
            let mut enter =
                c.prepare_cached("INSERT OR IGNORE INTO idempotency_index (hash, number) VALUES (?1, ?2)")?;
            for (hash, number) in some(entering, self.at_once) {
                enter.execute([hash, number])?;
            }
            if entering.is_empty() {
                c.prepare_cached(
                    "INSERT OR REPLACE INTO idempotency_indexed (only, through) VALUES (1, ?1)",
                )?
                .execute([*through])?;
                self.indexed = *through;
                self.entering = None;
            }
        }
        self.forget(c, now)
    }

    /// Forgets expired records.
    fn forget(&mut self, c: &Connection, now: Moment) -> Result<(), StoreError> {
        match &mut self.leaving {
            Leaving::Idle if self.expires.is_some_and(|expires| !is_kept(expires, now)) => {
                self.leaving = Leaving::Gathering(BTreeSet::new(), 0);
            }
            Leaving::Idle => {}
            Leaving::Gathering(leaving, through) => {
                let mut statement = c.prepare_cached(
                    "SELECT hash, number, expires_at FROM idempotency WHERE number > ?1 ORDER BY number",
                )?;
                let mut rows = statement.query([*through])?;
                let enough = leaving.len() + self.at_once;
                while leaving.len() < enough
                    && let Some(row) = rows.next()?
                    && !is_kept(moment(row.get("expires_at")?), now)
                {
                    *through = row.get("number")?;
                    leaving.insert((row.get("hash")?, *through));
                }
                if leaving.len() < enough || leaving.len() >= self.gathered {
                    self.leaving = Leaving::Unindexing(std::mem::take(leaving), *through);
                }
            }
            Leaving::Unindexing(leaving, through) => {
                let mut remove =
                    c.prepare_cached("DELETE FROM idempotency_index WHERE hash = ?1 AND number = ?2")?;
                for entry in some(leaving, self.at_once) {
                    self.recent.remove(entry);
                    if let Some((entering, _)) = &mut self.entering {
                        entering.remove(&entry);
                    }
                    remove.execute([entry.0, entry.1])?;
                }
                if leaving.is_empty() {
                    self.leaving = Leaving::Forgetting(*through);
                }
            }
            Leaving::Forgetting(through) => {
                let forgotten = c
                    .prepare_cached(
                        "DELETE FROM idempotency WHERE number IN
                            (SELECT number FROM idempotency WHERE number <= ?1 ORDER BY number LIMIT ?2)",
                    )?
                    .execute([*through, i64::try_from(self.at_once).unwrap_or(i64::MAX)])?;
                if forgotten < self.at_once {
                    self.leaving = Leaving::Idle;
                    self.expires = first_expires(c)?;
                }
            }
        }
        Ok(())
    }
}

/// The numbers of the records with this hash, by the index.
fn indexed(c: &Connection, hash: i64) -> Result<Vec<i64>, rusqlite::Error> {
    c.prepare_cached("SELECT number FROM idempotency_index WHERE hash = ?1")?
        .query_map([hash], |row| row.get(0))?
        .collect()
}

/// Takes the first entries, `most` at most.
fn some(entries: &mut BTreeSet<Entry>, most: usize) -> impl Iterator<Item = Entry> {
    std::iter::from_fn(|| entries.pop_first()).take(most)
}

/// When the first record of the log expires.
fn first_expires(c: &Connection) -> Result<Option<Moment>, rusqlite::Error> {
    c.prepare_cached("SELECT expires_at FROM idempotency ORDER BY number LIMIT 1")?
        .query_row([], |row| row.get(0).map(Moment::from_micros))
        .optional()
}

/// The record of this number, if it is this key's and in force.
fn read(
    c: &Connection,
    number: i64,
    account: &AccountId,
    name: &Name,
    now: Moment,
) -> Result<Option<Record>, StoreError> {
    let row: Option<(Record, Moment)> = c
        .prepare_cached(
            "SELECT fingerprint, request, expires_at FROM idempotency
             WHERE number = ?1 AND account = ?2 AND sandbox = ?3 AND key = ?4",
        )?
        .query_row(params![number, account.0, name.sandbox, name.name], |row| {
            let (fingerprint, request_id) = (Fingerprint(row.get(0)?), RequestId(row.get(1)?));
            Ok((Record { fingerprint, request_id }, moment(row.get(2)?)))
        })
        .optional()?;
    Ok(row.filter(|(_, expires_at)| is_kept(*expires_at, now)).map(|(record, _)| record))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clipia_queue::idempotency::KEPT;
    use proptest::prelude::*;
    use std::collections::HashMap;
    use std::time::Duration;

    const SCHEMA: &str = "
        CREATE TABLE idempotency (number INTEGER PRIMARY KEY, hash, account, sandbox, key, fingerprint, request, expires_at);
        CREATE TABLE idempotency_index (hash, number, PRIMARY KEY (hash, number)) WITHOUT ROWID;
        CREATE TABLE idempotency_indexed (only INTEGER PRIMARY KEY, through);";

    fn rows(c: &Connection, table: &str) -> i64 {
        c.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    }

    #[derive(Clone, Debug)]
    enum Step {
        /// A submit with one of a few keys.
        Submit(u8),
        /// So many minutes pass.
        Pass(u16),
        /// The server ends and starts.
        Restart,
    }

    proptest! {
        /// Whatever was entered, taken out, forgotten or read anew meanwhile: a key is found for a day, and not longer.
        #[test]
        fn a_key_is_found_for_a_day(
            steps in prop::collection::vec(
                prop_oneof![
                    16 => (0u8..60).prop_map(Step::Submit),
                    2 => (1u16..300).prop_map(Step::Pass),
                    1 => Just(Step::Restart),
                ],
                1..400,
            ),
        ) {
            let c = Connection::open_in_memory().unwrap();
            c.execute_batch(SCHEMA).unwrap();
            let mut keys = Keys::load_with(&c, 9, 4).unwrap();
            let account = AccountId("a".to_owned());
            let (mut now, mut kept) = (Moment::from_micros(0), HashMap::<u8, (RequestId, Moment)>::new());
            for step in steps {
                match step {
                    Step::Submit(one) => {
                        let name = Name::new(&account, false, format!("key-{one}"));
                        let found = keys.find(&c, &account, &name, now).unwrap();
                        let expected = kept.get(&one).filter(|(_, until)| *until > now).map(|(id, _)| *id);
                        prop_assert_eq!(found.map(|record| record.request_id), expected);
                        if expected.is_none() {
                            let id = RequestId::generate();
                            let record = Record { fingerprint: Fingerprint([one; 32]), request_id: id };
                            keys.record(&c, &account, &name, NewRecord { record, expires_at: now + KEPT }, now).unwrap();
                            kept.insert(one, (id, now + KEPT));
                        }
                        keys.tend(&c, now).unwrap();
                    }
                    Step::Pass(minutes) => now = now + Duration::from_secs(60 * u64::from(minutes)),
                    Step::Restart => {
                        keys.undo();
                        keys.refresh(&c).unwrap();
                    }
                }
            }
            // All are forgotten in the end, if there is more to do.
            now = now + KEPT;
            for _ in 0..1_000 {
                keys.tend(&c, now).unwrap();
            }
            prop_assert_eq!((rows(&c, "idempotency"), rows(&c, "idempotency_index")), (0, 0));
            prop_assert!(keys.recent.len() == 0 && keys.entering.is_none());
        }
    }

    #[test]
    fn keys_of_one_hash_are_told_apart() {
        let c = Connection::open_in_memory().unwrap();
        c.execute_batch(SCHEMA).unwrap();
        let mut keys = Keys::load_with(&c, 2, 4).unwrap();
        let (account, other) = (AccountId("a".to_owned()), AccountId("b".to_owned()));
        let (now, record) = (
            Moment::from_micros(0),
            Record { fingerprint: Fingerprint([1; 32]), request_id: RequestId::generate() },
        );
        let name_of = |account| Name::new(account, false, "fox".to_owned());
        let (name, other_name) = (name_of(&account), name_of(&other));
        for gathered in [false, true] {
            keys.record(&c, &account, &name, NewRecord { record, expires_at: now + KEPT }, now).unwrap();
            // As if they were one.
            let number = keys.last;
            keys.recent.insert((other_name.hash, number));
            assert_eq!(keys.find(&c, &other, &other_name, now).unwrap(), None, "{gathered}");
            assert_eq!(keys.find(&c, &account, &name, now).unwrap(), Some(record), "{gathered}");
            keys.tend(&c, now).unwrap();
        }
        assert!(keys.indexed > 0);
    }
}
