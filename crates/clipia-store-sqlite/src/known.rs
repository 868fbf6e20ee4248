//! What was read lately and is read again and again, in memory until a commit changes it.

use super::position::PlaceInLine;
use crate::store::{AccountId, Key, KeyHash};
use clipia_api::Progress;
use clipia_queue::RequestId;
use clipia_queue::lifecycle::Phase;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock};
use subtle::ConstantTimeEq;

/// Keys kept, some 300 bytes each.
const KEYS_MAX: usize = 10_000;

/// Requests kept, some 150 bytes each: those that are being waited for.
const STANDINGS_MAX: usize = 50_000;

/// Values by what they are found by, as of the latest commit.
pub(crate) struct Known<K, V> {
    most: usize,
    values: RwLock<Values<K, V>>,
}

struct Values<K, V> {
    known: HashMap<K, V>,
    /// How often stored values have changed.
    changes: u64,
}

/// How often stored values had changed when one was looked for.
#[derive(Clone, Copy)]
pub(crate) struct AsOf(u64);

impl<K: Eq + Hash, V: Clone> Known<K, V> {
    fn new(most: usize) -> Self {
        Self { most, values: RwLock::new(Values { known: HashMap::new(), changes: 0 }) }
    }

    /// The value, or what [`learn`](Self::learn) needs to be told where it is not known.
    pub(crate) fn find(&self, of: &K) -> Result<V, AsOf> {
        let values = self.values.read().unwrap_or_else(PoisonError::into_inner);
        values.known.get(of).cloned().ok_or(AsOf(values.changes))
    }

    /// Keeps a value that was read after [`find`](Self::find), unless something was changed since: it may be old then.
    /// Where there are too many, all are forgotten, and those that are needed read again.
    pub(crate) fn learn(&self, of: K, value: V, AsOf(changes): AsOf) {
        let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
        if values.changes != changes {
            return;
        }
        if values.known.len() >= self.most {
            values.known.clear();
        }
        values.known.insert(of, value);
    }

    /// A commit has changed these.
    pub(crate) fn changed<'k>(&self, these: impl IntoIterator<Item = &'k K>)
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
            values.known.remove(one);
        }
    }
}

/// The keys that call.
pub(crate) struct KnownKeys(Known<[u8; 8], (KeyHash, Arc<Key>)>);

impl KnownKeys {
    /// Where a key is found; what decides is the comparison of the whole, which takes the same time whatever differs.
    fn place(KeyHash([a, b, c, d, e, f, g, h, ..]): KeyHash) -> [u8; 8] {
        [a, b, c, d, e, f, g, h]
    }

    pub(crate) fn find(&self, hash: KeyHash) -> Result<Arc<Key>, Option<AsOf>> {
        match self.0.find(&Self::place(hash)) {
            Ok((stored, key)) if bool::from(stored.0.ct_eq(&hash.0)) => Ok(key),
            Ok(_) => Err(None),
            Err(as_of) => Err(Some(as_of)),
        }
    }

    pub(crate) fn learn(&self, hash: KeyHash, key: &Arc<Key>, as_of: Option<AsOf>) {
        if let Some(as_of) = as_of {
            self.0.learn(Self::place(hash), (hash, Arc::clone(key)), as_of);
        }
    }

    /// A commit has changed the keys of these hashes.
    pub(crate) fn changed(&self, these: &[KeyHash]) {
        let places: Vec<_> = these.iter().copied().map(Self::place).collect();
        self.0.changed(&places);
    }
}

impl Default for KnownKeys {
    fn default() -> Self {
        Self(Known::new(KEYS_MAX))
    }
}

/// Requests by their ids.
pub(crate) type KnownStandings = Known<RequestId, Arc<Stood>>;

/// Where a request stands, but for its position, which changes with every move of its line.
pub(crate) struct Stood {
    pub(crate) account: AccountId,
    pub(crate) sandbox: bool,
    pub(crate) phase: Phase,
    pub(crate) progress: Progress,
    /// While it waits.
    pub(crate) at: Option<PlaceInLine>,
}

impl Default for KnownStandings {
    fn default() -> Self {
        Self::new(STANDINGS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Scopes;
    use clipia_queue::limits::KeyLimits;

    #[test]
    fn what_was_read_before_a_change_is_not_kept() {
        let known = Known::new(2);
        let before = known.find(&1).unwrap_err();
        known.changed(&[7]);
        known.learn(1, "old", before);
        let after = known.find(&1).unwrap_err();
        known.learn(1, "new", after);
        assert_eq!(known.find(&1).ok(), Some("new"));
        known.changed(&[]);
        known.learn(2, "two", after);
        assert_eq!(known.find(&2).ok(), Some("two"));
        known.changed(&[1]);
        assert!(known.find(&1).is_err() && known.find(&2).is_ok());
    }

    #[test]
    fn there_is_a_bound() {
        let known = Known::new(2);
        for one in 0..5 {
            let as_of = known.find(&one).unwrap_err();
            known.learn(one, one, as_of);
        }
        assert_eq!((0..5).filter(|one| known.find(one).is_ok()).count(), 1);
    }

    #[test]
    fn the_whole_of_a_key_decides() {
        let keys = KnownKeys::default();
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
        keys.learn(hash, &key, keys.find(hash).unwrap_err());
        assert!(keys.find(hash).is_ok());
        keys.learn(alike, &key, keys.find(alike).unwrap_err());
        assert!(keys.find(alike).is_err());
        keys.changed(&[hash]);
        assert!(keys.find(hash).is_err());
    }
}
