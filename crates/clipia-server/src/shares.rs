//! Places of something that all accounts share, for tasks that wait for them.

use clipia_queue::shares::{Share, Shares, Waiting};
use prometheus_client::metrics::gauge::Gauge;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Somebody who gets a share.
pub trait Party: Clone + Eq + Hash + Send + Sync + 'static {
    /// How large it may be.
    fn share(&self) -> Share;
}

/// So many places, of which no party takes more than its share while others could come.
pub struct Places<P: Party> {
    state: Mutex<State<P>>,
    /// How many are in use, for metrics. Others may count in the same gauges.
    in_use: Gauge,
    /// How many wait for one, for metrics.
    waiting: Gauge,
}

struct State<P: Party> {
    shares: Shares<P>,
    waiting: Waiting<P, oneshot::Sender<Place<P>>>,
    /// What the gauge was last told of `waiting`.
    told_waiting: i64,
}

/// A place. It is free again when this is dropped.
#[must_use = "the place is free again when this is dropped"]
pub struct Place<P: Party> {
    places: Arc<Places<P>>,
    party: P,
}

impl<P: Party> Places<P> {
    /// `total` places, counted in these gauges.
    pub fn new(total: usize, in_use: Gauge, waiting: Gauge) -> Arc<Self> {
        let state = State { shares: Shares::new(total), waiting: Waiting::default(), told_waiting: 0 };
        Arc::new(Self { state: Mutex::new(state), in_use, waiting })
    }

    fn state(&self) -> MutexGuard<'_, State<P>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who holds how many, as of now. Others may give places back at any time.
    pub fn shares(&self) -> Shares<P> {
        self.state().shares.clone()
    }

    /// A place for `party` at once, even beyond its share: the caller has decided.
    pub fn take(self: &Arc<Self>, party: P) -> Place<P> {
        self.state().shares.take(party.clone());
        self.place(party)
    }

    /// A place for `party`, once there is one. Parties that wait get their turns one after the other.
    pub async fn wait(self: &Arc<Self>, party: P) -> Place<P> {
        let waits = {
            let mut state = self.state();
            let (tell, waits) = oneshot::channel();
            state.waiting.push(party.clone(), tell);
            waits
        };
        self.grant();
        match waits.await {
            Ok(place) => place,
            // Its sender is only dropped with the place in it.
            Err(_) => self.take(party),
        }
    }

    /// The parties that hold or wait for places, and may not have another one now.
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

    /// How many more places `party` may take.
    pub fn room(&self, party: &P) -> usize {
        self.state().shares.room(party, party.share())
    }

    fn place(self: &Arc<Self>, party: P) -> Place<P> {
        self.in_use.inc();
        Place { places: Arc::clone(self), party }
    }

    /// Gives free places to those that wait.
    fn grant(self: &Arc<Self>) {
        loop {
            let (place, who) = {
                let mut state = self.state();
                // Those that went away while they waited must not take a turn.
                state.waiting.retain(|who| !who.is_closed());
                let State { shares, waiting, told_waiting } = &mut *state;
                let next = waiting.next(|party| shares.has_room(party, party.share()));
                let next = next.map(|(party, who)| {
                    shares.take(party.clone());
                    (self.place(party), who)
                });
                let waits = i64::try_from(waiting.len()).unwrap_or(i64::MAX);
                self.waiting.inc_by(waits - std::mem::replace(told_waiting, waits));
                match next {
                    Some(next) => next,
                    None => return,
                }
            };
            // One that has just gone away gives the place back right here.
            drop(who.send(place));
        }
    }
}

impl<P: Party> Drop for Place<P> {
    fn drop(&mut self) {
        self.places.state().shares.give_back(&self.party);
        self.places.in_use.dec();
        self.places.grant();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    impl Party for char {
        fn share(&self) -> Share {
            Share::Whole
        }
    }

    #[tokio::test]
    async fn a_noisy_party_waits_for_itself_and_a_quiet_one_does_not() {
        let (in_use, waiting) = (Gauge::default(), Gauge::default());
        let places = Places::new(16, in_use.clone(), waiting.clone());
        let mut noisy: Vec<_> = (0..1_000).map(|_| Box::pin(places.wait('n'))).collect();
        let mut held: Vec<_> = noisy.iter_mut().filter_map(|wait| wait.now_or_never()).collect();
        assert_eq!((held.len(), in_use.get(), waiting.get()), (8, 8, 992));
        assert_eq!(places.full(), ['n']);
        let quiet = places.wait('q').now_or_never().expect("a place is free for whoever comes");
        drop(quiet);
        // Those that go away leave no place behind.
        drop(noisy);
        held.pop();
        assert_eq!((in_use.get(), waiting.get()), (7, 0));
        assert_eq!((places.room(&'n'), places.room(&'q')), (1, 5));
        drop(held);
        assert_eq!((in_use.get(), places.full()), (0, vec![]));
        // The places of each queue count in the same gauges.
        let others = Places::new(1, in_use.clone(), waiting.clone());
        let _held = (places.wait('n').await, others.wait('n').await);
        let mut waits = Box::pin(others.wait('q'));
        assert!(waits.as_mut().now_or_never().is_none());
        drop(places.wait('q').await);
        assert_eq!((in_use.get(), waiting.get()), (2, 1));
    }

    #[tokio::test]
    async fn those_without_a_place_take_turns_when_none_is_left() {
        let places = Places::new(2, Gauge::default(), Gauge::default());
        let (first, second) = (places.wait('a').await, places.wait('b').await);
        let mut a: Vec<_> = (0..3).map(|_| Box::pin(places.wait('a'))).collect();
        let mut c = Box::pin(places.wait('c'));
        assert!(c.as_mut().now_or_never().is_none() && a[0].as_mut().now_or_never().is_none());
        assert_eq!(places.full().len(), 3);
        drop(second);
        let c = c.now_or_never().expect("the one who has none comes before the one who has");
        assert!(a[0].as_mut().now_or_never().is_none());
        drop(c);
        drop(first);
        assert!(a[0].as_mut().now_or_never().is_some());
    }
}
