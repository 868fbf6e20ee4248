//! Fair shares: how many places an account may have of something, and which account is next where none is free.
//!
//! An account may hold as many places as are free: alone it gets half of them, and the other half is there at once for
//! whoever comes. Of `n` accounts that want all there is, each gets a part of `n + 1`, and as much stays free. A fixed
//! share would either leave a single account too little or be used up by a few of them.

use crate::AccountId;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// How large a share may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// As many places as are free.
    Whole,
    /// An eighth of that: for what costs its owner nothing.
    Small,
}

impl Share {
    /// The places that may be held while `free` are free.
    fn of(self, free: usize) -> usize {
        match self {
            Self::Whole => free,
            Self::Small => free / 8,
        }
    }
}

/// A party that has a share of the places, such as an account.
pub trait Party: Clone + Eq + Hash {
    /// The size of the share.
    fn share(&self) -> Share;
}

impl Party for AccountId {
    fn share(&self) -> Share {
        Share::Whole
    }
}

/// The places of one thing, and who holds how many.
#[derive(Clone, Debug)]
pub struct Shares<P> {
    total: usize,
    in_use: usize,
    held: HashMap<P, usize>,
}

impl<P: Clone + Eq + Hash> Shares<P> {
    /// So many places, all of them free.
    pub fn new(total: usize) -> Self {
        Self { total, in_use: 0, held: HashMap::new() }
    }

    /// How many are in use.
    pub fn in_use(&self) -> usize {
        self.in_use
    }

    /// How many are free.
    pub fn free(&self) -> usize {
        self.total.saturating_sub(self.in_use)
    }

    /// How many `party` holds.
    pub fn held(&self, party: &P) -> usize {
        self.held.get(party).copied().unwrap_or(0)
    }

    /// Those that hold any.
    pub fn parties(&self) -> impl Iterator<Item = &P> {
        self.held.keys()
    }

    /// Whether `party` may take another place. Who holds none may take any that is free.
    pub fn has_room(&self, party: &P, share: Share) -> bool {
        may_take(self.held(party), self.free(), share)
    }

    /// How many more places `party` may take, if nobody else takes any.
    pub fn room(&self, party: &P, share: Share) -> usize {
        let (held, free) = (self.held(party), self.free());
        (0..free).take_while(|taken| may_take(held + taken, free - taken, share)).count()
    }

    /// `party` takes a place. The caller has seen that it may; one beyond that counts as well.
    pub fn take(&mut self, party: P) {
        self.in_use += 1;
        *self.held.entry(party).or_default() += 1;
    }

    /// `party` gives a place back.
    pub fn give_back(&mut self, party: &P) {
        let Some(held) = self.held.get_mut(party) else { return };
        *held -= 1;
        self.in_use = self.in_use.saturating_sub(1);
        if *held == 0 {
            self.held.remove(party);
        }
    }
}

fn may_take(held: usize, free: usize, share: Share) -> bool {
    free > 0 && (held == 0 || held < share.of(free))
}

/// Those that wait for a place: a party after the other, and in their order within each.
#[derive(Debug)]
pub struct Waiting<P, W> {
    /// Each party that waits, once. The first has waited the longest.
    parties: VecDeque<(P, VecDeque<W>)>,
}

impl<P, W> Default for Waiting<P, W> {
    fn default() -> Self {
        Self { parties: VecDeque::new() }
    }
}

impl<P: Clone + Eq, W> Waiting<P, W> {
    /// `who` waits, behind whoever else of `party` does.
    pub fn push(&mut self, party: P, who: W) {
        match self.parties.iter_mut().find(|(other, _)| *other == party) {
            Some((_, waiting)) => waiting.push_back(who),
            None => self.parties.push_back((party, VecDeque::from([who]))),
        }
    }

    /// Takes out the next one: of the parties that `may`, the first. Its party comes next after the others.
    pub fn next(&mut self, may: impl Fn(&P) -> bool) -> Option<(P, W)> {
        let index = self.parties.iter().position(|(party, _)| may(party))?;
        let (party, mut waiting) = self.parties.remove(index)?;
        let who = waiting.pop_front()?;
        if !waiting.is_empty() {
            self.parties.push_back((party.clone(), waiting));
        }
        Some((party, who))
    }

    /// Forgets those that no longer wait.
    pub fn retain(&mut self, waits: impl Fn(&W) -> bool) {
        for (_, waiting) in &mut self.parties {
            waiting.retain(&waits);
        }
        self.parties.retain(|(_, waiting)| !waiting.is_empty());
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.parties.iter().map(|(_, waiting)| waiting.len()).sum()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.parties.is_empty()
    }

    /// The parties of which somebody waits.
    pub fn parties(&self) -> impl Iterator<Item = &P> {
        self.parties.iter().map(|(party, _)| party)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn so_many_that_want_all_leave_as_much_as_each_of_them_has() {
        for (noisy, total, share, each, free) in [
            (1, 256, Share::Whole, 128, 128),
            (3, 256, Share::Whole, 64, 64),
            (7, 16, Share::Whole, 2, 2),
            (1, 2, Share::Whole, 1, 1),
            (1, 1, Share::Whole, 1, 0),
            (1, 256, Share::Small, 29, 227),
            (4, 16, Share::Small, 1, 12),
        ] {
            let mut shares = Shares::new(total);
            while (0..noisy).any(|party| shares.has_room(&party, share)) {
                for party in 0..noisy {
                    if shares.has_room(&party, share) {
                        shares.take(party);
                    }
                }
            }
            // Whoever asked first may have one more.
            assert!((0..noisy).all(|party| shares.held(&party).abs_diff(each) <= 1), "{shares:?}");
            assert!(shares.free().abs_diff(free) <= noisy, "{shares:?}");
            assert_eq!(shares.has_room(&noisy, share), free > 0, "{shares:?}");
        }
    }

    #[test]
    fn parties_take_turns() {
        let mut waiting = Waiting::default();
        for (party, who) in [('a', 1), ('a', 2), ('a', 3), ('b', 4), ('b', 5), ('c', 6)] {
            waiting.push(party, who);
        }
        waiting.retain(|who| *who != 2);
        assert_eq!(waiting.len(), 5);
        assert_eq!(waiting.next(|party| *party == 'b'), Some(('b', 4)));
        let order: Vec<_> = std::iter::from_fn(|| waiting.next(|_| true)).collect();
        assert_eq!(order, [('a', 1), ('c', 6), ('b', 5), ('a', 3)]);
        assert!(waiting.is_empty());
    }

    proptest! {
        /// Whoever asks, gives back and goes away, in whatever order: never more places than there are, never more than a
        /// share, nobody waits who may have one, and everybody who goes on waiting gets one.
        #[test]
        fn nobody_starves(total in 1..40usize, steps in proptest::collection::vec((0..6u8, 0..8u8), 0..300)) {
            let share = |party: &u8| if *party == 7 { Share::Small } else { Share::Whole };
            let mut shares = Shares::new(total);
            let mut waiting: Waiting<u8, usize> = Waiting::default();
            let mut holders: Vec<u8> = Vec::new();
            let (mut asked, mut served) = (0, 0);
            let grant = |shares: &mut Shares<u8>, waiting: &mut Waiting<u8, usize>, holders: &mut Vec<u8>| {
                let mut granted = 0;
                while let Some((party, _)) = waiting.next(|party| shares.has_room(party, share(party))) {
                    let room = shares.room(&party, share(&party));
                    shares.take(party);
                    assert!(shares.room(&party, share(&party)) + 1 == room, "{shares:?}");
                    assert!(shares.held(&party) <= shares.free() + 1, "{shares:?}");
                    holders.push(party);
                    granted += 1;
                }
                granted
            };
            for (step, party) in steps {
                match step {
                    0..4 => {
                        waiting.push(party, asked);
                        asked += 1;
                    }
                    4 if !holders.is_empty() => {
                        let party = holders.swap_remove(usize::from(party) % holders.len());
                        shares.give_back(&party);
                    }
                    _ => {}
                }
                served += grant(&mut shares, &mut waiting, &mut holders);
                prop_assert!(shares.in_use() <= total && shares.in_use() == holders.len());
                prop_assert!(waiting.parties().all(|party| !shares.has_room(party, share(party))));
                prop_assert!(shares.free() == 0 || waiting.parties().all(|party| shares.held(party) > 0));
            }
            while let Some(party) = holders.pop() {
                shares.give_back(&party);
                served += grant(&mut shares, &mut waiting, &mut holders);
            }
            prop_assert!(waiting.is_empty() && served == asked && shares.in_use() == 0);
        }
    }
}
