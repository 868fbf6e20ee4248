//! The rate limit of each key, in memory: a restart forgives what was spent.

use crate::store::Key;
use clipia_queue::Moment;
use clipia_queue::limits::{Budget, Decision, RateLimit};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// How many keys are remembered before those with a whole budget are forgotten.
const KEYS_KEPT: usize = 10_000;

/// What each key has spent.
pub(crate) struct Budgets {
    default: RateLimit,
    arrivals: Mutex<HashMap<String, Moment>>,
}

impl Budgets {
    /// Nothing is spent. `default` is the limit of keys that nothing else was said about.
    pub(crate) fn new(default: RateLimit) -> Self {
        Self { default, arrivals: Mutex::default() }
    }

    /// The budget of somebody who has spent nothing.
    pub(crate) fn whole(&self) -> Budget {
        self.default.whole()
    }

    /// Spends one request of a key, if it has one.
    pub(crate) fn spend(&self, key: &Key, now: Moment) -> Decision {
        let limit = key.limits.rate(self.default);
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        if arrivals.len() >= KEYS_KEPT && !arrivals.contains_key(&key.id) {
            arrivals.retain(|_, arrival| *arrival > now);
        }
        let decision = limit.decide(arrivals.get(&key.id).copied().unwrap_or_default(), now);
        arrivals.insert(key.id.clone(), decision.arrival);
        decision
    }
}
