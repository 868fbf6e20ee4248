//! Up to where this node has claimed.
//!
//! Rows of requests that were claimed stay in the index until the database removes them, which it may not while any transaction is
//! open that is older, such as that of a report. A claim that began at the first row would pass over all of them. So it begins where
//! the last one ended, and now and then where the places in memory say that the first one waits: what a claim left behind is found
//! then, such as what another command had locked.

use crate::position::Bounds;
use clipia_queue::position::Order;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a claim begins at the first that waits.
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
    /// When a claim last began at the first that waits.
    from_the_first: Instant,
    /// By account, the latest ticket that was claimed.
    tickets: HashMap<String, i64>,
}

impl Heads {
    /// The tickets up to which a claim looks for nothing. Before `bounds` nothing waits.
    pub(crate) fn of(&self, queue: &str, order: Order, bounds: Bounds) -> Bounds {
        let mut bounds = match order {
            Order::Turns => bounds,
            // All accounts are one.
            Order::Fifo => {
                let first = bounds.accounts.values().min().copied();
                Bounds { accounts: HashMap::new(), others: first.unwrap_or(bounds.others) }
            }
        };
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = queues.get_mut(queue).filter(|of| of.order == order);
        if let Some(known) = known
            && known.from_the_first.elapsed() < FROM_THE_FIRST
        {
            for (account, ticket) in &known.tickets {
                match order {
                    Order::Fifo => bounds.others = bounds.others.max(*ticket),
                    Order::Turns => {
                        let others = bounds.others;
                        let bound = bounds.accounts.entry(account.clone()).or_insert(others);
                        *bound = (*bound).max(*ticket);
                    }
                }
            }
            return bounds;
        }
        let first = Queue { order, from_the_first: Instant::now(), tickets: HashMap::new() };
        queues.insert(queue.to_owned(), first);
        bounds
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

    /// Requests were put back: the next claim begins at the first that waits.
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
        let bounds = || Bounds {
            accounts: [("a".to_owned(), 1), ("b".to_owned(), 2)].into_iter().collect(),
            others: 9,
        };
        let of = |order| {
            let Bounds { accounts, others } = heads.of("render", order, bounds());
            (accounts.get("a").copied(), accounts.get("b").copied(), others)
        };
        assert_eq!(of(Order::Turns), (Some(1), Some(2), 9));
        heads.claimed("render", Order::Turns, vec![("a".to_owned(), 4), ("a".to_owned(), 2)]);
        assert_eq!(of(Order::Turns), (Some(4), Some(2), 9));
        heads.forget("render");
        assert_eq!(of(Order::Turns), (Some(1), Some(2), 9));
        heads.claimed("render", Order::Turns, vec![("a".to_owned(), 5)]);
        // In another order it is another row.
        assert_eq!(of(Order::Fifo), (None, None, 1));
        heads.claimed("render", Order::Fifo, vec![("a".to_owned(), 6)]);
        assert_eq!(of(Order::Fifo), (None, None, 6));
    }
}
