//! A fixed number of slots that all accounts share, and the tasks that wait for one.

use clipia_queue::shares::{Party, Shares, Waiting};
use prometheus_client::metrics::gauge::Gauge;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// A fixed number of slots. No party takes more than its share, so that a slot stays free for others.
pub struct SharedSlots<P: Party> {
    state: Mutex<State<P>>,
    /// The metric of the slots in use. Several `SharedSlots` may count in one gauge.
    in_use: Gauge,
    /// The metric of the tasks that wait for a slot.
    waiting: Gauge,
}

struct State<P: Party> {
    shares: Shares<P>,
    waiting: Waiting<P, oneshot::Sender<SharedSlot<P>>>,
    /// The part of the gauge `waiting` that these slots have added.
    counted_waiting: i64,
}

/// A slot in use. Dropping it frees the slot.
#[must_use = "the slot is free again when this is dropped"]
pub struct SharedSlot<P: Party> {
    slots: Arc<SharedSlots<P>>,
    party: P,
}

impl<P: Party> SharedSlots<P> {
    /// `total` slots, counted in these gauges.
    pub fn new(total: usize, in_use: Gauge, waiting: Gauge) -> Arc<Self> {
        let state = State { shares: Shares::new(total), waiting: Waiting::default(), counted_waiting: 0 };
        Arc::new(Self { state: Mutex::new(state), in_use, waiting })
    }

    fn state(&self) -> MutexGuard<'_, State<P>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The slots that each party holds now. Another task may free slots at any time.
    pub fn shares(&self) -> Shares<P> {
        self.state().shares.clone()
    }

    /// Takes a slot for `party` at once. It may exceed the party's share: the caller has checked.
    pub fn take(self: &Arc<Self>, party: P) -> SharedSlot<P> {
        self.state().shares.take(party.clone());
        self.slot(party)
    }

    /// Waits for a slot for `party`. Waiting parties are served in turn.
    pub async fn wait(self: &Arc<Self>, party: P) -> SharedSlot<P> {
        let waits = {
            let mut state = self.state();
            let (grant, waits) = oneshot::channel();
            state.waiting.push(party.clone(), grant);
            waits
        };
        self.grant();
        match waits.await {
            Ok(slot) => slot,
            // The sender is never dropped before it has sent, so this does not happen.
            Err(_) => self.take(party),
        }
    }

    /// The parties that hold or wait for slots, and cannot get another one now.
    pub fn full(&self) -> Vec<P> {
        let mut state = self.state();
        if state.shares.in_use() == 0 {
            return Vec::new();
        }
        state.waiting.retain(|who| !who.is_closed());
        let State { shares, waiting, .. } = &*state;
        let mut full: Vec<P> =
            shares.parties().filter(|party| !shares.has_room(party, party.share())).cloned().collect();
        full.extend(waiting.parties().filter(|party| shares.held(party) == 0).cloned());
        full
    }

    /// The number of further slots that `party` may take.
    pub fn free_for(&self, party: &P) -> usize {
        self.state().shares.room(party, party.share())
    }

    fn slot(self: &Arc<Self>, party: P) -> SharedSlot<P> {
        self.in_use.inc();
        SharedSlot { slots: Arc::clone(self), party }
    }

    /// Gives free slots to waiting tasks.
    fn grant(self: &Arc<Self>) {
        loop {
            let (slot, who) = {
                let mut state = self.state();
                // A task that stopped waiting must not use up its party's turn.
                state.waiting.retain(|who| !who.is_closed());
                let State { shares, waiting, counted_waiting } = &mut *state;
                let next = waiting.next(|party| shares.has_room(party, party.share()));
                let next = next.map(|(party, who)| {
                    shares.take(party.clone());
                    (self.slot(party), who)
                });
                let waits = i64::try_from(waiting.len()).unwrap_or(i64::MAX);
                self.waiting.inc_by(waits - std::mem::replace(counted_waiting, waits));
                match next {
                    Some(next) => next,
                    None => return,
                }
            };
            // If the task has just stopped waiting, this drops the slot, which frees it.
            drop(who.send(slot));
        }
    }
}

impl<P: Party> Drop for SharedSlot<P> {
    fn drop(&mut self) {
        self.slots.state().shares.give_back(&self.party);
        self.slots.in_use.dec();
        self.slots.grant();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clipia_queue::shares::Share;
    use futures_util::FutureExt;

    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Letter(char);

    impl Party for Letter {
        fn share(&self) -> Share {
            Share::Whole
        }
    }

    #[tokio::test]
    async fn a_noisy_party_waits_and_a_quiet_one_does_not() {
        let (in_use, waiting) = (Gauge::default(), Gauge::default());
        let slots = SharedSlots::new(16, in_use.clone(), waiting.clone());
        let mut noisy: Vec<_> = (0..1_000).map(|_| Box::pin(slots.wait(Letter('n')))).collect();
        let mut held: Vec<_> = noisy.iter_mut().filter_map(|wait| wait.now_or_never()).collect();
        assert_eq!((held.len(), in_use.get(), waiting.get()), (8, 8, 992));
        assert_eq!(slots.full(), [Letter('n')]);
        let quiet = slots.wait(Letter('q')).now_or_never().expect("a slot is free for another party");
        drop(quiet);
        // A task that stops waiting takes no slot.
        drop(noisy);
        held.pop();
        assert_eq!((in_use.get(), waiting.get()), (7, 0));
        assert_eq!((slots.free_for(&Letter('n')), slots.free_for(&Letter('q'))), (1, 5));
        drop(held);
        assert_eq!((in_use.get(), slots.full()), (0, vec![]));
        // Several `SharedSlots` count in one gauge.
        let others = SharedSlots::new(1, in_use.clone(), waiting.clone());
        let _held = (slots.wait(Letter('n')).await, others.wait(Letter('n')).await);
        let mut waits = Box::pin(others.wait(Letter('q')));
        assert!(waits.as_mut().now_or_never().is_none());
        drop(slots.wait(Letter('q')).await);
        assert_eq!((in_use.get(), waiting.get()), (2, 1));
    }

    #[tokio::test]
    async fn a_party_without_a_slot_is_served_before_a_party_with_one() {
        let slots = SharedSlots::new(2, Gauge::default(), Gauge::default());
        let (first, second) = (slots.wait(Letter('a')).await, slots.wait(Letter('b')).await);
        let mut a: Vec<_> = (0..3).map(|_| Box::pin(slots.wait(Letter('a')))).collect();
        let mut c = Box::pin(slots.wait(Letter('c')));
        assert!(c.as_mut().now_or_never().is_none() && a[0].as_mut().now_or_never().is_none());
        assert_eq!(slots.full().len(), 3);
        drop(second);
        let c = c.now_or_never().expect("a party without a slot is served first");
        assert!(a[0].as_mut().now_or_never().is_none());
        drop(c);
        drop(first);
        assert!(a[0].as_mut().now_or_never().is_some());
    }
}
