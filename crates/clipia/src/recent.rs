//! A bounded map of the latest requests. Pure.

use clipia_api::types::RequestId;
use std::collections::{HashMap, VecDeque};

/// The first value of each of the latest `MAX` requests.
#[derive(Debug)]
pub(crate) struct Recent<V, const MAX: usize> {
    values: HashMap<RequestId, V>,
    /// The oldest first.
    order: VecDeque<RequestId>,
}

impl<V, const MAX: usize> Recent<V, MAX> {
    /// Keeps the value if the request has none yet. Returns whether it was kept.
    pub(crate) fn insert(&mut self, id: RequestId, value: V) -> bool {
        if self.values.contains_key(&id) {
            return false;
        }
        if self.order.len() == MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.values.remove(&oldest);
        }
        self.order.push_back(id.clone());
        self.values.insert(id, value);
        true
    }

    pub(crate) fn get(&self, id: &RequestId) -> Option<&V> {
        self.values.get(id)
    }
}

impl<V, const MAX: usize> Default for Recent<V, MAX> {
    fn default() -> Self {
        Self { values: HashMap::new(), order: VecDeque::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_wins_and_the_oldest_goes() {
        let mut recent = Recent::<_, 2>::default();
        let [a, b, c] = ["a", "b", "c"].map(RequestId::from);
        assert!(recent.insert(a.clone(), 1) && !recent.insert(a.clone(), 2) && recent.insert(b.clone(), 3));
        assert_eq!((recent.get(&a), recent.get(&b)), (Some(&1), Some(&3)));
        assert!(recent.insert(c.clone(), 4));
        assert_eq!((recent.get(&a), recent.get(&b), recent.get(&c)), (None, Some(&3), Some(&4)));
        assert_eq!((recent.values.len(), recent.order.len()), (2, 2));
    }
}
