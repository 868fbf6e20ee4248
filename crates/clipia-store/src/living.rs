//! The work that this process has in hand. A lease that has run out tells of a worker that is gone; one that is in hand
//! here is not: the process stood still, as when its machine was suspended.

use clipia_queue::RequestId;
use clipia_queue::lifecycle::Epoch;
use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The attempts at generations that are in hand: a request, and the claim that it is held by.
pub type LivingAttempts = Living<(RequestId, Epoch)>;

/// What is in hand. A clone is the same set.
#[derive(Debug)]
pub struct Living<K: Eq + Hash>(Arc<Mutex<HashSet<K>>>);

/// Work in hand, until this value is dropped: at its end, and where it panics.
#[derive(Debug)]
#[must_use = "the work is no longer in hand when this is dropped"]
pub struct Alive<K: Eq + Hash> {
    living: Living<K>,
    key: K,
}

impl<K: Eq + Hash> Living<K> {
    /// Takes `key` in hand. Who hands the work over hands this value over, too: a key is entered once.
    pub fn enter(&self, key: K) -> Alive<K>
    where
        K: Clone,
    {
        self.keys().insert(key.clone());
        Alive { living: self.clone(), key }
    }

    /// Whether `key` is in hand.
    pub fn holds(&self, key: &K) -> bool {
        self.keys().contains(key)
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
    fn work_is_in_hand_until_its_end_or_a_panic() {
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
