//! The work that is under way in this process. A lease that has expired is that of a worker that is gone, unless the work is under
//! way here: then the process was suspended, as with its machine.

use clipia_queue::RequestId;
use clipia_queue::lifecycle::Epoch;
use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The attempts at generations that are under way: a request, and its claim.
pub type LivingAttempts = Living<(RequestId, Epoch)>;

/// What is under way. A clone is the same set.
#[derive(Debug)]
pub struct Living<K: Eq + Hash>(Arc<Mutex<HashSet<K>>>);

/// Work that is under way until this value is dropped: at its end, and where it panics.
#[derive(Debug)]
#[must_use = "the work is no longer under way when this is dropped"]
pub struct Alive<K: Eq + Hash> {
    living: Living<K>,
    key: K,
}

impl<K: Eq + Hash> Living<K> {
    /// Enters `key`. The value moves with the work: a key is entered once.
    pub fn enter(&self, key: K) -> Alive<K>
    where
        K: Clone,
    {
        self.keys().insert(key.clone());
        Alive { living: self.clone(), key }
    }

    /// Whether `key` is under way.
    pub fn holds(&self, key: &K) -> bool {
        self.keys().contains(key)
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.keys().is_empty()
    }

    fn keys(&self) -> MutexGuard<'_, HashSet<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash> Clone for Living<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Eq + Hash> Default for Living<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Eq + Hash> Drop for Alive<K> {
    fn drop(&mut self) {
        self.living.keys().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_under_way_until_its_end_or_a_panic() {
        let living = Living::default();
        let alive = living.enter(7);
        assert!(living.clone().holds(&7) && !living.holds(&8));
        drop(alive);
        assert!(!living.holds(&7));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _alive = living.enter(7);
            panic!("as an executor might");
        }));
        assert!(panicked.is_err() && !living.holds(&7));
    }
}
