//! The rate limit of each key, in memory: a restart forgives what was spent.

use clipia_queue::Moment;
use clipia_queue::limits::{Budget, Decision, RateLimit};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// How many keys are remembered before those with a whole budget are forgotten.
const KEYS_KEPT: usize = 10_000;

/// What each key has spent.
pub(crate) struct Budgets {
    limit: RateLimit,
    arrivals: Mutex<HashMap<String, Moment>>,
}

impl Budgets {
    pub(crate) fn new(limit: RateLimit) -> Self {
        Self { limit, arrivals: Mutex::default() }
    }

    /// The budget of somebody who has spent nothing.
    pub(crate) fn whole(&self) -> Budget {
        self.limit.whole()
    }

    /// Spends one request of a key, if it has one.
    pub(crate) fn spend(&self, key_id: &str, now: Moment) -> Decision {
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        if arrivals.len() >= KEYS_KEPT && !arrivals.contains_key(key_id) {
            arrivals.retain(|_, arrival| *arrival > now);
        }
        let decision = self.limit.decide(arrivals.get(key_id).copied().unwrap_or_default(), now);
        arrivals.insert(key_id.to_owned(), decision.arrival);
        decision
    }
}
