//! Idempotency records that only the log has, found by the hashes of their keys.

use super::idempotency::Entry;
use std::collections::{BTreeSet, HashMap};

/// Nearly always there is one record for a hash. Another one has expired, or is a collision.
#[derive(Default)]
pub(crate) struct RecentKeys {
    numbers: HashMap<i64, i64>,
    others: BTreeSet<Entry>,
}

impl RecentKeys {
    pub(crate) fn insert(&mut self, (hash, number): Entry) {
        if let Some(other) = self.numbers.insert(hash, number) {
            self.others.insert((hash, other));
        }
    }

    pub(crate) fn remove(&mut self, entry @ (hash, number): Entry) {
        if self.numbers.get(&hash) == Some(&number) {
            self.numbers.remove(&hash);
        } else {
            self.others.remove(&entry);
        }
    }

    /// The numbers in the log of keys with this hash.
    pub(crate) fn with(&self, hash: i64) -> impl Iterator<Item = i64> {
        self.numbers.get(&hash).copied().into_iter().chain(with(&self.others, hash))
    }

    pub(crate) fn len(&self) -> usize {
        self.numbers.len() + self.others.len()
    }

    /// All records, in the order of their hashes.
    pub(crate) fn sorted(self) -> BTreeSet<Entry> {
        self.numbers.into_iter().chain(self.others).collect()
    }
}

/// The numbers of the entries with this hash.
pub(crate) fn with(entries: &BTreeSet<Entry>, hash: i64) -> impl Iterator<Item = i64> {
    entries.range((hash, i64::MIN)..=(hash, i64::MAX)).map(|(_, number)| *number)
}

impl FromIterator<Entry> for RecentKeys {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        let mut recent = Self::default();
        entries.into_iter().for_each(|entry| recent.insert(entry));
        recent
    }
}
