//! The list of pending generations. Pure.

use super::entry::{Entry, Pending};
use clipia_api::types::RequestId;
use std::collections::{BTreeMap, HashMap};

/// Pending generations that are listed. Of more, the oldest are forgotten: whoever never asks for the end of what it submits has no use for
/// the list.
const PENDING_MAX: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct List {
    last: u64,
    /// The oldest first.
    pending: BTreeMap<u64, Pending>,
    of_key: HashMap<String, u64>,
    of_request: HashMap<RequestId, u64>,
}

impl List {
    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn all(&self) -> Vec<Pending> {
        self.pending.values().cloned().collect()
    }

    /// Whether a change changes this list.
    pub(super) fn concerns(&self, entry: &Entry) -> bool {
        match entry {
            Entry::Begun(pending) => !self.of_key.contains_key(&pending.idempotency_key),
            Entry::Accepted { idempotency_key, .. } | Entry::Refused { idempotency_key } => {
                self.of_key.contains_key(idempotency_key)
            }
            Entry::Ended { request_id } => self.of_request.contains_key(request_id),
        }
    }

    /// Takes a change. One that does not concern the list changes nothing.
    pub(super) fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Begun(pending) if !self.of_key.contains_key(&pending.idempotency_key) => {
                self.last += 1;
                self.of_key.insert(pending.idempotency_key.clone(), self.last);
                if let Some(id) = &pending.request_id {
                    self.of_request.insert(id.clone(), self.last);
                }
                self.pending.insert(self.last, pending);
                if self.pending.len() > PENDING_MAX
                    && let Some((&oldest, _)) = self.pending.first_key_value()
                {
                    self.remove(oldest);
                }
            }
            // The same submit again: it is listed already.
            Entry::Begun(_) => {}
            Entry::Accepted { idempotency_key, request_id } => {
                let Some(&number) = self.of_key.get(&idempotency_key) else { return };
                if let Some(pending) = self.pending.get_mut(&number) {
                    self.of_request.insert(request_id.clone(), number);
                    pending.request_id = Some(request_id);
                }
            }
            Entry::Refused { idempotency_key } => {
                let number = self.of_key.get(&idempotency_key).copied();
                // A submit that was accepted before is not undone by the same submit again.
                let open = number.filter(|number| {
                    self.pending.get(number).is_some_and(|pending| pending.request_id.is_none())
                });
                if let Some(number) = open {
                    self.remove(number);
                }
            }
            Entry::Ended { request_id } => {
                if let Some(&number) = self.of_request.get(&request_id) {
                    self.remove(number);
                }
            }
        }
    }

    fn remove(&mut self, number: u64) {
        let Some(pending) = self.pending.remove(&number) else { return };
        self.of_key.remove(&pending.idempotency_key);
        if let Some(id) = pending.request_id {
            self.of_request.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(key: &str) -> Entry {
        Entry::Begun(Pending {
            model: "m".to_owned(),
            idempotency_key: key.to_owned(),
            request_id: None,
            submitted_at: jiff::Timestamp::UNIX_EPOCH,
        })
    }

    fn accepted(key: &str, id: &str) -> Entry {
        Entry::Accepted { idempotency_key: key.to_owned(), request_id: id.into() }
    }

    #[test]
    fn a_generation_is_listed_from_its_submit_to_its_end() {
        let mut list = List::default();
        let keys = |list: &List| -> Vec<String> {
            list.all().into_iter().map(|pending| pending.idempotency_key).collect()
        };
        for entry in [begun("a"), begun("b"), begun("c"), begun("a"), accepted("b", "1"), accepted("a", "2")]
        {
            list.take(entry);
        }
        assert_eq!(keys(&list), ["a", "b", "c"]);
        assert_eq!(list.all()[1].request_id, Some("1".into()));
        list.take(Entry::Ended { request_id: "1".into() });
        list.take(Entry::Refused { idempotency_key: "c".to_owned() });
        list.take(Entry::Refused { idempotency_key: "a".to_owned() });
        list.take(Entry::Ended { request_id: "unknown".into() });
        assert_eq!(keys(&list), ["a"]);
        list.take(Entry::Ended { request_id: "2".into() });
        assert!(list.len() == 0 && list.of_key.is_empty() && list.of_request.is_empty());
    }

    #[test]
    fn the_oldest_are_forgotten_when_there_are_too_many() {
        let mut list = List::default();
        for number in 0..=PENDING_MAX {
            list.take(begun(&number.to_string()));
            list.take(accepted(&number.to_string(), &format!("id {number}")));
        }
        assert_eq!(
            (list.len(), list.of_key.len(), list.of_request.len()),
            (PENDING_MAX, PENDING_MAX, PENDING_MAX)
        );
        assert_eq!(list.all()[0].idempotency_key, "1");
    }
}
