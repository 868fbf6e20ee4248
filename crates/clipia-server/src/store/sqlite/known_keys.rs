//! The keys that called lately, in memory: every call needs its key.

use crate::store::{Key, KeyHash};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use subtle::ConstantTimeEq;

/// Keys kept, some 300 bytes each. Beyond it all are forgotten, and read again as they call.
const KEPT_MAX: usize = 10_000;

#[derive(Default)]
pub(crate) struct KnownKeys(RwLock<Known>);

#[derive(Default)]
struct Known {
    keys: HashMap<[u8; 8], (KeyHash, Arc<Key>)>,
    /// How often the stored keys have changed.
    changes: u64,
}

/// Where a key is found; what decides is the comparison of the whole.
fn place(hash: KeyHash) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = hash.0;
    [a, b, c, d, e, f, g, h]
}

impl KnownKeys {
    /// The key of this hash, or what [`learn`](Self::learn) needs to be told where it is not known.
    pub(crate) fn find(&self, hash: KeyHash) -> Result<Arc<Key>, u64> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match known.keys.get(&place(hash)) {
            Some((stored, key)) if bool::from(stored.0.ct_eq(&hash.0)) => Ok(Arc::clone(key)),
            _ => Err(known.changes),
        }
    }

    /// Keeps a key that was read after [`find`](Self::find), unless a key was changed since: then what was read may be old.
    pub(crate) fn learn(&self, hash: KeyHash, key: &Arc<Key>, found_at: u64) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.changes != found_at {
            return;
        }
        if known.keys.len() >= KEPT_MAX {
            known.keys.clear();
        }
        known.keys.insert(place(hash), (hash, Arc::clone(key)));
    }

    /// A commit has changed keys: from now on they are what is stored.
    pub(crate) fn forget(&self) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.changes += 1;
        known.keys.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{AccountId, Scopes};
    use clipia_queue::limits::KeyLimits;

    #[test]
    fn what_was_read_before_a_change_is_not_kept() {
        let known = KnownKeys::default();
        let hash = |end: u8| KeyHash(std::array::from_fn(|at| if at < 31 { 7 } else { end }));
        let key = Arc::new(Key {
            id: "key_1".to_owned(),
            account: AccountId("a".to_owned()),
            hint: String::new(),
            sandbox: false,
            scopes: Scopes { generate: true, read: true },
            limits: KeyLimits::default(),
        });
        let before = known.find(hash(1)).unwrap_err();
        known.forget();
        known.learn(hash(1), &key, before);
        let now = known.find(hash(1)).unwrap_err();
        known.learn(hash(1), &key, now);
        assert!(known.find(hash(1)).is_ok());
        // Found in the same place, and yet another.
        assert!(known.find(hash(2)).is_err());
        known.forget();
        assert!(known.find(hash(1)).is_err());
    }
}
