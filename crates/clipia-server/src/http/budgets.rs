//! The rate budget of each key. It is in memory only: after a restart each budget is whole.

use crate::store::Key;
use clipia_queue::Moment;
use clipia_queue::limits::{Budget, Decision, RateLimit};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The most keys in memory. At this number, keys with a whole budget are dropped.
const KEYS_KEPT: usize = 10_000;

/// The spent budget of each key.
pub(crate) struct Budgets {
    default: RateLimit,
    arrivals: Mutex<HashMap<String, Moment>>,
}

impl Budgets {
    /// Whole budgets. `default` is the limit of keys that have no limit of their own.
    pub(crate) fn new(default: RateLimit) -> Self {
        Self { default, arrivals: Mutex::default() }
    }

    /// A whole budget at the default limit.
    pub(crate) fn whole(&self) -> Budget {
        self.default.whole()
    }

    /// Spends one request of a key's budget, if one is left.
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
