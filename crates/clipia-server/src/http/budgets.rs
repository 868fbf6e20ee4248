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
        if let Some(arrival) = arrivals.get_mut(&key.id) {
            let decision = limit.decide(*arrival, now);
            *arrival = decision.arrival;
            return decision;
        }
        let decision = limit.decide(Moment::default(), now);
        arrivals.insert(key.id.clone(), decision.arrival);
        decision
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{AccountId, Scopes};
    use clipia_queue::limits::KeyLimits;

    fn key(id: &str, requests_per_minute: Option<u32>) -> Key {
        Key {
            id: id.to_owned(),
            account: AccountId("a".to_owned()),
            hint: String::new(),
            sandbox: false,
            scopes: Scopes { generate: true },
            limits: KeyLimits { requests_per_minute, ..KeyLimits::default() },
        }
    }

    #[test]
    fn each_key_has_its_own_limit_or_the_servers() {
        let budgets = Budgets::new(RateLimit::per_minute(120));
        let now = Moment::from_micros(1);
        for (key, limit) in [(key("a", None), 120), (key("b", Some(6)), 6), (key("c", Some(0)), u32::MAX)] {
            let first = budgets.spend(&key, now);
            assert_eq!((first.budget.limit, first.refused_for), (limit, None));
        }
        let narrow = key("b", Some(6));
        let refused = (0..6).map(|_| budgets.spend(&narrow, now)).filter(|d| d.refused_for.is_some());
        assert_eq!(refused.count(), 1);
        assert_eq!(budgets.spend(&key("a", None), now).refused_for, None);
    }
}
