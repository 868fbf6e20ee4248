//! Up to where this node has claimed.
//!
//! Rows of requests that were claimed stay in the index until the database removes them, which it may not while any transaction is
//! open that is older, such as that of a report. A claim that began at the first row would pass over all of them. So it begins where
//! the last one ended, and now and then at the first row: what another node put back is found then.

use clipia_queue::position::Order;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a claim begins at the first row.
const FROM_THE_FIRST: Duration = Duration::from_secs(5);

/// How many accounts of a queue are remembered.
const ACCOUNTS_MAX: usize = 1_000;

/// The name of all accounts together, in [`Order::Fifo`].
const ALL: &str = "";

/// Up to where this node has claimed the new requests of each queue.
#[derive(Default)]
pub(crate) struct Heads(Mutex<HashMap<String, Queue>>);

struct Queue {
    order: Order,
    /// When a claim last began at the first row.
    from_the_first: Instant,
    /// By account, the latest ticket that was claimed.
    tickets: HashMap<String, i64>,
}

impl Heads {
    /// The accounts of a queue of which something was claimed, each with the latest ticket. Nothing where the claim is to begin at the
    /// first row.
    pub(crate) fn of(&self, queue: &str, order: Order) -> (Vec<String>, Vec<i64>) {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = queues.get_mut(queue).filter(|of| of.order == order);
        if let Some(known) = known
            && known.from_the_first.elapsed() < FROM_THE_FIRST
        {
            return known.tickets.iter().map(|(account, ticket)| (account.clone(), *ticket)).unzip();
        }
        let first = Queue { order, from_the_first: Instant::now(), tickets: HashMap::new() };
        queues.insert(queue.to_owned(), first);
        Default::default()
    }

    /// New requests were claimed, each of an account and with a ticket.
    pub(crate) fn claimed(&self, queue: &str, order: Order, claimed: Vec<(String, i64)>) {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = queues.get_mut(queue).filter(|of| of.order == order) else { return };
        for (account, ticket) in claimed {
            let account = if order == Order::Fifo { ALL.to_owned() } else { account };
            if known.tickets.len() >= ACCOUNTS_MAX {
                known.tickets.clear();
            }
            let latest = known.tickets.entry(account).or_default();
            *latest = ticket.max(*latest);
        }
    }

    /// Requests were put back: the next claim begins at the first row.
    pub(crate) fn forget(&self, queue: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(queue);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_begins_where_the_last_one_ended_unless_something_was_put_back() {
        let heads = Heads::default();
        let of = |order| heads.of("render", order).1;
        assert!(of(Order::Turns).is_empty());
        heads.claimed("render", Order::Turns, vec![("a".to_owned(), 4), ("a".to_owned(), 2)]);
        assert_eq!(of(Order::Turns), [4]);
        heads.forget("render");
        assert!(of(Order::Turns).is_empty());
        heads.claimed("render", Order::Turns, vec![("a".to_owned(), 5)]);
        // In another order it is another row.
        assert!(of(Order::Fifo).is_empty());
        heads.claimed("render", Order::Turns, vec![("a".to_owned(), 6)]);
        assert!(of(Order::Fifo).is_empty());
    }
}
