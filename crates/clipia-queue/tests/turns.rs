//! The order of a queue's requests, and the positions in it, against a queue that is as naive as can be: it simulates all claims.

#![allow(clippy::unwrap_used, clippy::expect_used)] // test code: a failed expectation stops the test

use clipia_queue::position::{Change, Lane, Order, Place, QueuePlaces, Ticket, Turn, Undo};
use clipia_queue::{AccountId, Moment};
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::{BTreeMap, BTreeSet, HashMap};

#[derive(Clone, Debug)]
enum Step {
    /// An account submits so many.
    Submit(usize, u8),
    Claim(u8),
    Cancel(Index),
    Requeue(Index),
    /// The next one is set aside.
    SetAside,
    PutBack(Index),
    /// All is undone since the latest step of this kind, or will be by the next one.
    Undo,
    Reorder(Order),
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![3 => Just(Order::Turns), 1 => Just(Order::Fifo)]
}

fn step(accounts: usize) -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..accounts, 1u8..30).prop_map(|(account, many)| Step::Submit(account, many)),
        4 => (1u8..40).prop_map(Step::Claim),
        3 => any::<Index>().prop_map(Step::Cancel),
        3 => any::<Index>().prop_map(Step::Requeue),
        2 => Just(Step::SetAside),
        2 => any::<Index>().prop_map(Step::PutBack),
        2 => Just(Step::Undo),
        1 => order().prop_map(Step::Reorder),
    ]
}

/// A queue as naive as can be.
#[derive(Clone, Debug, Default)]
struct Naive {
    requeued: BTreeMap<i64, usize>,
    /// The accounts that wait, the next one first, with their tickets.
    ring: Vec<(usize, BTreeSet<i64>)>,
    aside: BTreeSet<i64>,
}

impl Naive {
    fn submit(&mut self, account: usize, ticket: i64) {
        match self.ring.iter_mut().find(|(of, _)| *of == account) {
            Some((_, tickets)) => drop(tickets.insert(ticket)),
            None => self.ring.push((account, BTreeSet::from([ticket]))),
        }
    }

    /// All that wait, in the order of their claims. What is set aside counts as if it were not, or is left out.
    fn order(&self, order: Order, with_aside: bool) -> Vec<(usize, Place)> {
        let counts = |ticket: &i64| with_aside || !self.aside.contains(ticket);
        let place = |lane, ticket| Place { lane, ticket: Ticket(ticket) };
        let requeued = self.requeued.iter().filter(|(ticket, _)| counts(ticket));
        let mut all: Vec<_> =
            requeued.map(|(ticket, account)| (*account, place(Lane::Requeued, *ticket))).collect();
        let mut ring = self.ring.clone();
        ring.iter_mut().for_each(|(_, tickets)| tickets.retain(counts));
        ring.retain(|(_, tickets)| !tickets.is_empty());
        let mut new = Vec::new();
        while !ring.is_empty() {
            let (account, mut tickets) = ring.remove(0);
            new.push((account, place(Lane::New, tickets.pop_first().unwrap())));
            if !tickets.is_empty() {
                ring.push((account, tickets));
            }
        }
        if order == Order::Fifo {
            new.sort_by_key(|(_, place)| place.ticket);
        }
        all.extend(new);
        all
    }

    fn leave(&mut self, account: usize, place: Place, claimed: bool) {
        self.aside.remove(&place.ticket.0);
        if place.lane == Lane::Requeued {
            self.requeued.remove(&place.ticket.0);
            return;
        }
        let at = self.ring.iter().position(|(of, _)| *of == account).unwrap();
        let (_, mut tickets) = self.ring[at].clone();
        tickets.remove(&place.ticket.0);
        match (tickets.is_empty(), claimed) {
            (true, _) => drop(self.ring.remove(at)),
            (false, true) => {
                self.ring.remove(at);
                self.ring.push((account, tickets));
            }
            (false, false) => self.ring[at].1 = tickets,
        }
    }
}

/// Both queues, and what has been claimed.
struct Both {
    accounts: Vec<AccountId>,
    places: QueuePlaces,
    naive: Naive,
    running: Vec<(usize, Place)>,
    next: i64,
    /// The changes since the beginning.
    made: Vec<(usize, Place, Change, Undo)>,
}

impl Both {
    fn new(accounts: usize, order: Order) -> Self {
        let mut places = QueuePlaces::default();
        places.set_order(order);
        Self {
            accounts: (0..accounts).map(|n| AccountId(format!("acct_{n}"))).collect(),
            places,
            naive: Naive::default(),
            running: Vec::new(),
            next: 1,
            made: Vec::new(),
        }
    }

    fn apply(&mut self, account: usize, place: Place, change: Change) {
        let undo = self.places.apply(&self.accounts[account], place, change);
        self.made.push((account, place, change, undo.expect("the change can be made")));
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Submit(account, many) => {
                for _ in 0..*many {
                    self.naive.submit(*account, self.next);
                    self.apply(*account, Place { lane: Lane::New, ticket: Ticket(self.next) }, Change::Take);
                    self.next += 1;
                }
            }
            Step::Claim(many) => {
                for _ in 0..*many {
                    let Some((account, place)) = self.next_of_naive() else { break };
                    self.apply(account, place, Change::Claim);
                    self.naive.leave(account, place, true);
                    self.running.push((account, place));
                }
            }
            Step::Cancel(index) => {
                let all = self.naive.order(Order::Turns, true);
                if !all.is_empty() {
                    let (account, place) = all[index.index(all.len())];
                    self.apply(account, place, Change::Leave);
                    self.naive.leave(account, place, false);
                }
            }
            Step::Requeue(index) => {
                if !self.running.is_empty() {
                    let (account, place) = self.running.swap_remove(index.index(self.running.len()));
                    self.naive.requeued.insert(place.ticket.0, account);
                    self.apply(account, Place { lane: Lane::Requeued, ..place }, Change::Take);
                }
            }
            Step::SetAside => {
                if let Some((account, place)) = self.next_of_naive() {
                    self.apply(account, place, Change::SetAside);
                    self.naive.aside.insert(place.ticket.0);
                }
            }
            Step::PutBack(index) => {
                let aside: Vec<i64> = self.naive.aside.iter().copied().collect();
                if !aside.is_empty() {
                    let ticket = aside[index.index(aside.len())];
                    let all = self.naive.order(Order::Turns, true);
                    let (account, place) = *all.iter().find(|(_, place)| place.ticket.0 == ticket).unwrap();
                    self.apply(account, place, Change::PutBack);
                    self.naive.aside.remove(&ticket);
                }
            }
            Step::Reorder(order) => self.places.set_order(*order),
            Step::Undo => {}
        }
    }

    /// What the naive one claims next; the other one has the same.
    fn next_of_naive(&self) -> Option<(usize, Place)> {
        let next = self.naive.order(self.places.order(), false).first().copied();
        assert_eq!(self.places.first(), next.map(|(_, place)| place));
        next
    }

    fn agree(&self) {
        self.next_of_naive();
        let all = self.naive.order(self.places.order(), true);
        for ((account, place), ahead) in all.iter().zip(0..) {
            assert_eq!(self.places.ahead(&self.accounts[*account], *place), ahead, "{place:?}");
        }
        assert_eq!(self.places.waiting(), all.len() as u64);
        assert_eq!(self.places.accounts(), self.naive.ring.len());
        let mut turns: Vec<(Turn, &AccountId)> =
            self.places.turns().map(|(account, turn)| (turn, account)).collect();
        turns.sort_by_key(|(turn, _)| *turn);
        assert!(turns.is_sorted_by(|(a, _), (b, _)| a < b), "no two have the same turn");
        let ring: Vec<_> = self.naive.ring.iter().map(|(account, _)| &self.accounts[*account]).collect();
        assert_eq!(turns.into_iter().map(|(_, account)| account).collect::<Vec<_>>(), ring);
    }

    /// The queue as it is made again of what is stored: tickets, in their order, and turns.
    fn restored(&self) -> QueuePlaces {
        let turns: HashMap<_, _> = self.places.turns().collect();
        let mut all = self.naive.order(Order::Fifo, true);
        all.sort_by_key(|(_, place)| *place);
        let mut restored = QueuePlaces::default();
        restored.set_order(self.places.order());
        for (account, place) in all {
            let account = &self.accounts[account];
            restored.restore(account, place, turns.get(account).copied());
        }
        restored
    }
}

/// What an undo goes back to: how many changes there were, the naive order, and what ran.
type Kept = (usize, Naive, Vec<(usize, Place)>);

proptest! {
    #[test]
    fn positions_and_claims_are_those_of_the_simulated_order(
        (accounts, order) in (1usize..12, order()),
        steps in proptest::collection::vec(step(11), 1..60),
    ) {
        let mut both = Both::new(accounts, order);
        let mut kept: Option<Kept> = None;
        for step in &steps {
            match (step, kept.take()) {
                (Step::Undo, None) => kept = Some((both.made.len(), both.naive.clone(), both.running.clone())),
                (Step::Undo, Some((since, naive, running))) => {
                    while both.made.len() > since {
                        let (account, place, change, undo) = both.made.pop().unwrap();
                        both.places.undo(&both.accounts[account], place, change, undo);
                    }
                    (both.naive, both.running) = (naive, running);
                }
                (Step::Submit(account, many), before) => {
                    both.step(&Step::Submit(account % accounts, *many));
                    kept = before;
                }
                (step, before) => {
                    both.step(step);
                    kept = before;
                }
            }
            both.agree();
        }
        let mut restored = both.restored();
        // What was set aside is put back when a store is opened.
        both.naive.aside.clear();
        for (account, place) in both.naive.order(restored.order(), false) {
            prop_assert_eq!(restored.first(), Some(place));
            prop_assert!(restored.apply(&both.accounts[account], place, Change::Claim).is_some());
        }
        prop_assert_eq!((restored.first(), restored.waiting(), restored.accounts()), (None, 0, 0));
    }

    /// However many requests an account submits, cancels or lets run out, another one's first request waits for one of each
    /// account that was there before it.
    #[test]
    fn the_first_request_of_an_account_waits_for_one_of_each_account_before_it(
        before in proptest::collection::vec(0usize..6, 1..80),
        after in proptest::collection::vec((0usize..6, 0usize..4), 0..200),
    ) {
        let mut both = Both::new(7, Order::Turns);
        before.iter().for_each(|account| both.step(&Step::Submit(*account, 1)));
        both.step(&Step::Submit(6, 1));
        let place = Place { lane: Lane::New, ticket: Ticket(both.next - 1) };
        let (mut claims, others) = (0, both.places.accounts() as u64 - 1);
        prop_assert_eq!(both.places.ahead(&both.accounts[6], place), others);
        for (account, what) in after {
            match what {
                0 | 1 => both.step(&Step::Submit(account, 3)),
                2 => {
                    let mine = |(of, _): &&(usize, Place)| *of == account;
                    if let Some((_, place)) = both.naive.order(Order::Turns, true).iter().find(mine) {
                        both.apply(account, *place, Change::Leave);
                        both.naive.leave(account, *place, false);
                    }
                }
                _ if both.places.turn(&both.accounts[6]).is_some() => {
                    both.step(&Step::Claim(1));
                    claims += 1;
                }
                _ => {}
            }
        }
        prop_assert!(claims <= others + 1);
        while both.places.turn(&both.accounts[6]).is_some() {
            both.step(&Step::Claim(1));
            claims += 1;
        }
        prop_assert!(claims <= others + 1, "{} claims, {} other accounts", claims, others);
    }
}

#[test]
fn what_is_not_there_changes_nothing() {
    let mut places = QueuePlaces::default();
    let (account, other) = (AccountId("a".to_owned()), AccountId("b".to_owned()));
    let place = Place { lane: Lane::New, ticket: Ticket(1) };
    for change in [Change::Claim, Change::Leave, Change::SetAside, Change::PutBack] {
        assert_eq!(places.apply(&account, place, change), None);
    }
    assert!(places.apply(&account, place, Change::Take).is_some());
    assert_eq!(places.apply(&account, place, Change::Take), None);
    assert_eq!(places.apply(&other, place, Change::Leave), None);
    assert_eq!((places.waiting(), places.accounts(), places.first()), (1, 1, Some(place)));
}

#[test]
fn a_paused_queue_has_no_first_and_keeps_its_positions() {
    let mut places = QueuePlaces::default();
    let account = AccountId("a".to_owned());
    let place = |ticket| Place { lane: Lane::New, ticket: Ticket(ticket) };
    places.apply(&account, place(1), Change::Take);
    places.set_paused_at(Some(Moment::from_micros(1)));
    places.apply(&account, place(2), Change::Take);
    assert_eq!((places.first(), places.ahead(&account, place(2))), (None, 1));
    places.set_paused_at(None);
    assert_eq!(places.first(), Some(place(1)));
}
