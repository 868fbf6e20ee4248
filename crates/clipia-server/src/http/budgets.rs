//! The rate budget of each key. This process decides by what it has in memory. Where several nodes share the store, they tell each
//! other what they spend. After a restart of all of them each budget is whole.

use crate::store::{Key, Store, StoreError};
use clipia_queue::Moment;
use clipia_queue::limits::{Budget, Decision, RateLimit, Spending, Spent, TOLD_EVERY};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// The most keys in memory. At this number, keys with a whole budget are dropped.
const KEYS_KEPT: usize = 10_000;

/// The spent budget of each key.
pub(crate) struct Budgets {
    default: RateLimit,
    spendings: Mutex<HashMap<String, Spending>>,
}

impl Budgets {
    /// Whole budgets. `default` is the limit of keys that have no limit of their own.
    pub(crate) fn new(default: RateLimit) -> Self {
        Self { default, spendings: Mutex::default() }
    }

    /// A whole budget at the default limit.
    pub(crate) fn whole(&self) -> Budget {
        self.default.whole()
    }

    /// Spends one request of a key's budget, if one is left.
    pub(crate) fn spend(&self, key: &Key, now: Moment) -> Decision {
        let limit = key.limits.rate(self.default);
        with(&mut self.lock(), &key.id, now, |spending| spending.spend(limit, now))
    }

    /// What was spent since this was last called.
    fn tell(&self) -> Vec<(String, Spent)> {
        let mut spendings = self.lock();
        spendings.iter_mut().filter_map(|(key, spending)| Some((key.clone(), spending.tell()?))).collect()
    }

    /// What was to be told was not.
    fn untell(&self, spent: Vec<(String, Spent)>) {
        let mut spendings = self.lock();
        for (key, spent) in spent {
            // One that was dropped meanwhile is whole.
            if let Some(spending) = spendings.get_mut(&key) {
                spending.untell(spent);
            }
        }
    }

    /// What all nodes have spent.
    fn hear(&self, arrivals: Vec<(String, Moment)>, now: Moment) {
        let mut spendings = self.lock();
        for (key, arrival) in arrivals.into_iter().filter(|(_, arrival)| *arrival > now) {
            with(&mut spendings, &key, now, |spending| spending.hear(arrival));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Spending>> {
        self.spendings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does something with what was spent of a key's budget.
fn with<T>(
    spendings: &mut HashMap<String, Spending>,
    key: &str,
    now: Moment,
    work: impl FnOnce(&mut Spending) -> T,
) -> T {
    if let Some(spending) = spendings.get_mut(key) {
        return work(spending);
    }
    if spendings.len() >= KEYS_KEPT {
        spendings.retain(|_, spending| !spending.is_whole(now));
    }
    work(spendings.entry(key.to_owned()).or_default())
}

/// Tells other nodes what this one spends, and hears what they spend, until `stop`.
pub(crate) async fn share(budgets: Arc<Budgets>, store: Arc<dyn Store>, stop: CancellationToken) {
    let mut heard: Option<Instant> = None;
    while !stop.is_cancelled() {
        let (now, spent) = (Instant::now(), budgets.tell());
        match store.share_spending(spent.clone(), heard.map(|at| at.elapsed())).await {
            Ok(Some(arrivals)) => {
                budgets.hear(arrivals, store.clock().real());
                heard = Some(now);
            }
            // The store has this node only, or none any more.
            Ok(None) | Err(StoreError::Closed) => return stop.cancelled().await,
            Err(error) => {
                budgets.untell(spent);
                tracing::debug!(%error, "nodes cannot tell each other what keys spend: each counts for itself");
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(TOLD_EVERY) => {}
        }
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

    #[test]
    fn what_one_node_spends_another_hears() {
        let (one, other) = (Budgets::new(RateLimit::per_minute(60)), Budgets::new(RateLimit::per_minute(60)));
        let (now, key) = (Moment::from_micros(1_000_000_000), key("a", None));
        let burst = u64::from(RateLimit::per_minute(60).burst());
        for _ in 0..burst {
            assert_eq!(one.spend(&key, now).refused_for, None);
        }
        let told = one.tell();
        assert_eq!(told.len(), 1);
        // The store was away.
        one.untell(told.clone());
        assert_eq!(one.tell(), told);
        let arrivals = told.into_iter().map(|(key, spent)| (key, spent.arrival_after(Moment::default())));
        other.hear(arrivals.collect(), now);
        assert!(other.spend(&key, now).refused_for.is_some());
        assert_eq!(other.spend(&key, now + std::time::Duration::from_secs(1)).refused_for, None);
        assert_eq!((one.tell().len(), other.tell().len()), (0, 1));
    }
}
