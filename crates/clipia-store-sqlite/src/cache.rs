//! Caches of what is read again and again: keys, and the statuses of requests. A commit that changes a value removes it.

use super::position::QueuePlace;
use crate::store::{AccountId, Key, KeyHash};
use clipia_api::Progress;
use clipia_queue::RequestId;
use clipia_queue::lifecycle::{Epoch, Phase};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock};
use subtle::ConstantTimeEq;

/// Keys that are cached, some 300 bytes each.
const KEYS_MAX: usize = 10_000;

/// Statuses that are cached, some 150 bytes each: those of requests that clients wait for.
const STATUSES_MAX: usize = 50_000;

/// Values by their keys, as of the latest commit.
pub(crate) struct Cache<K, V> {
    most: usize,
    values: RwLock<Values<K, V>>,
}

struct Values<K, V> {
    by_key: HashMap<K, V>,
    /// How often stored values have changed.
    changes: u64,
}

/// How often stored values had changed when a value was looked for.
#[derive(Clone, Copy)]
pub(crate) struct Version(u64);

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    fn new(most: usize) -> Self {
        Self { most, values: RwLock::new(Values { by_key: HashMap::new(), changes: 0 }) }
    }

    /// The value. Where it is not cached, the version that [`insert`](Self::insert) takes with it.
    pub(crate) fn find(&self, of: &K) -> Result<V, Version> {
        let values = self.values.read().unwrap_or_else(PoisonError::into_inner);
        values.by_key.get(of).cloned().ok_or(Version(values.changes))
    }

    /// Caches a value that was read after [`find`](Self::find), unless a commit changed something since: the value may be old
    /// then. A cache that is full is emptied first.
    pub(crate) fn insert(&self, of: K, value: V, Version(changes): Version) {
        let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
        if values.changes != changes {
            return;
        }
        if values.by_key.len() >= self.most {
            values.by_key.clear();
        }
        values.by_key.insert(of, value);
    }

    /// Removes values that a commit has changed.
    pub(crate) fn invalidate<'k>(&self, these: impl IntoIterator<Item = &'k K>)
    where
        K: 'k,
    {
        let mut these = these.into_iter().peekable();
        if these.peek().is_none() {
            return;
        }
        let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
        values.changes += 1;
        for one in these {
            values.by_key.remove(one);
        }
    }
}

/// API keys by the beginning of their hashes.
pub(crate) struct KeyCache(Cache<[u8; 8], (KeyHash, Arc<Key>)>);

impl KeyCache {
    /// The part of a hash that a key is found by. The comparison of the whole hash decides. It takes the same time whatever
    /// differs.
    fn place(KeyHash([a, b, c, d, e, f, g, h, ..]): KeyHash) -> [u8; 8] {
        [a, b, c, d, e, f, g, h]
    }

    pub(crate) fn find(&self, hash: KeyHash) -> Result<Arc<Key>, Option<Version>> {
        match self.0.find(&Self::place(hash)) {
            Ok((stored, key)) if bool::from(stored.0.ct_eq(&hash.0)) => Ok(key),
            Ok(_) => Err(None),
            Err(as_of) => Err(Some(as_of)),
        }
    }

    pub(crate) fn insert(&self, hash: KeyHash, key: &Arc<Key>, as_of: Option<Version>) {
        if let Some(as_of) = as_of {
            self.0.insert(Self::place(hash), (hash, Arc::clone(key)), as_of);
        }
    }

    /// Removes keys that a commit has changed.
    pub(crate) fn invalidate(&self, these: &[KeyHash]) {
        let places: Vec<_> = these.iter().copied().map(Self::place).collect();
        self.0.invalidate(&places);
    }
}

impl Default for KeyCache {
    fn default() -> Self {
        Self(Cache::new(KEYS_MAX))
    }
}

/// Statuses by the ids of their requests.
pub(crate) type StatusCache = Cache<RequestId, Arc<CachedStatus>>;

/// The status of a request without its position, which changes with every move in its queue.
pub(crate) struct CachedStatus {
    pub(crate) account: AccountId,
    pub(crate) sandbox: bool,
    pub(crate) phase: Phase,
    pub(crate) progress: Progress,
    /// Its place, while it waits.
    pub(crate) at: Option<QueuePlace>,
    /// The attempt whose log lines it shows, if it shows any. The lines are not cached: they are long, and change often.
    pub(crate) logs_of: Option<Epoch>,
}

impl Default for StatusCache {
    fn default() -> Self {
        Self::new(STATUSES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Scopes;
    use clipia_queue::limits::KeyLimits;

    #[test]
    fn what_was_read_before_a_change_is_not_kept() {
        let cache = Cache::new(2);
        let before = cache.find(&1).unwrap_err();
        cache.invalidate(&[7]);
        cache.insert(1, "old", before);
        let after = cache.find(&1).unwrap_err();
        cache.insert(1, "new", after);
        assert_eq!(cache.find(&1).ok(), Some("new"));
        cache.invalidate(&[]);
        cache.insert(2, "two", after);
        assert_eq!(cache.find(&2).ok(), Some("two"));
        cache.invalidate(&[1]);
        assert!(cache.find(&1).is_err() && cache.find(&2).is_ok());
    }

    #[test]
    fn there_is_a_bound() {
        let cache = Cache::new(2);
        for one in 0..5 {
            let as_of = cache.find(&one).unwrap_err();
            cache.insert(one, one, as_of);
        }
        assert_eq!((0..5).filter(|one| cache.find(one).is_ok()).count(), 1);
    }

    #[test]
    fn the_whole_of_a_key_decides() {
        let keys = KeyCache::default();
        let [hash, alike] =
            [1, 2].map(|end| KeyHash(std::array::from_fn(|at| if at < 31 { 7 } else { end })));
        let key = Arc::new(Key {
            id: "key_1".to_owned(),
            account: AccountId("a".to_owned()),
            hint: String::new(),
            sandbox: false,
            scopes: Scopes { generate: true },
            limits: KeyLimits::default(),
        });
        keys.insert(hash, &key, keys.find(hash).unwrap_err());
        assert!(keys.find(hash).is_ok());
        keys.insert(alike, &key, keys.find(alike).unwrap_err());
        assert!(keys.find(alike).is_err());
        keys.invalidate(&[hash]);
        assert!(keys.find(hash).is_err());
    }
}
