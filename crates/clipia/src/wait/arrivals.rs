//! Deliveries that came before anybody waited for them. Pure.

use clipia_api::types::{RequestId, ResultResponse};
use std::collections::{HashMap, VecDeque};

/// How many are kept: of more, the earliest is forgotten, and its wait asks.
const KEPT: usize = 4_096;

#[derive(Debug, Default)]
pub(super) struct Arrivals {
    order: VecDeque<RequestId>,
    results: HashMap<RequestId, ResultResponse>,
}

impl Arrivals {
    pub(super) fn get(&self, id: RequestId) -> Option<&ResultResponse> {
        self.results.get(&id)
    }

    /// Keeps a result. Of two for one generation the first stands.
    pub(super) fn keep(&mut self, result: &ResultResponse) {
        if self.results.contains_key(&result.request_id) {
            return;
        }
        if self.order.len() == KEPT
            && let Some(earliest) = self.order.pop_front()
        {
            self.results.remove(&earliest);
        }
        self.order.push_back(result.request_id);
        self.results.insert(result.request_id, result.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clipia_api::Status;

    #[test]
    fn the_first_of_a_generation_stands_and_the_earliest_goes() {
        let mut arrivals = Arrivals::default();
        let id = RequestId::generate();
        arrivals.keep(&ResultResponse::new(id, Status::Failed));
        arrivals.keep(&ResultResponse::new(id, Status::Completed));
        assert_eq!(arrivals.get(id).unwrap().status, Status::Failed);
        for _ in 0..KEPT {
            arrivals.keep(&ResultResponse::new(RequestId::generate(), Status::Completed));
        }
        assert!(arrivals.get(id).is_none());
        assert_eq!((arrivals.order.len(), arrivals.results.len()), (KEPT, KEPT));
    }
}
