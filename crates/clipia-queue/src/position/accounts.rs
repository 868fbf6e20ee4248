//! The accounts of which new requests wait in a queue, with their turns.

use super::tickets::Tickets;
use super::{Turn, of_another_account};
use crate::AccountId;
use std::collections::{BTreeSet, HashMap};

/// Tickets that wait, and those of them that are set aside.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    /// Those that may be claimed.
    waiting: Tickets,
    /// Those that are set aside, and keep their places.
    aside: Tickets,
}

impl Line {
    pub(super) fn insert(&mut self, ticket: i64, aside: bool) -> bool {
        if aside { self.aside.insert(ticket) } else { self.waiting.insert(ticket) }
    }

    /// Removes a ticket. Says whether it was set aside; nothing where it was not there.
    pub(super) fn remove(&mut self, ticket: i64) -> Option<bool> {
        if self.waiting.remove(ticket) {
            return Some(false);
        }
        self.aside.remove(ticket).then_some(true)
    }

    /// Sets a ticket aside, or puts it back. False where it was not there, or was so already.
    pub(super) fn set_aside(&mut self, ticket: i64, aside: bool) -> bool {
        let (from, to) = match aside {
            true => (&mut self.waiting, &mut self.aside),
            false => (&mut self.aside, &mut self.waiting),
        };
        from.remove(ticket) && to.insert(ticket)
    }

    pub(super) fn count(&self) -> u64 {
        self.waiting.count() + self.aside.count()
    }

    pub(super) fn below(&self, ticket: i64) -> u64 {
        self.waiting.below(ticket) + self.aside.below(ticket)
    }

    /// The first that may be claimed.
    pub(super) fn first(&self) -> Option<i64> {
        self.waiting.first()
    }

    /// The first, which may be set aside.
    fn least(&self) -> Option<i64> {
        self.waiting.first().into_iter().chain(self.aside.first()).min()
    }

    /// All tickets, each with whether it is set aside.
    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, bool)> + '_ {
        let waiting = self.waiting.iter().map(|ticket| (ticket, false));
        waiting.chain(self.aside.iter().map(|ticket| (ticket, true)))
    }
}

/// The accounts of which new requests wait in a queue, with their turns.
#[derive(Clone, Debug, Default)]
pub(super) struct Accounts {
    /// The index of each account.
    indices: HashMap<AccountId, usize>,
    lines: Vec<(AccountId, Line)>,
    /// The turn of each account, and how many of its requests wait. They are beside each other in memory, since a position
    /// adds all of them up.
    counts: Vec<(Turn, u64)>,
    /// How many requests wait in all.
    waiting: u64,
    /// The accounts by their turns. No two have the same, except in a store that is damaged.
    by_turn: BTreeSet<(Turn, usize)>,
}

impl Accounts {
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// How many requests wait.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Each account with its turn.
    pub(super) fn turns(&self) -> impl Iterator<Item = (&AccountId, Turn)> {
        self.lines.iter().zip(&self.counts).map(|((account, _), (turn, _))| (account, *turn))
    }

    /// The turn of an account, while it has one.
    pub(super) fn turn(&self, account: &AccountId) -> Option<Turn> {
        self.indices.get(account).map(|index| self.counts[*index].0)
    }

    /// Each account with its least ticket.
    pub(super) fn least(&self) -> impl Iterator<Item = (&AccountId, i64)> {
        self.lines.iter().filter_map(|(account, line)| Some((account, line.least()?)))
    }

    /// The least ticket of an account.
    pub(super) fn least_of(&self, account: &AccountId) -> Option<i64> {
        self.lines[*self.indices.get(account)?].1.least()
    }

    /// The turn of an account that goes to the end: its own, where it is there already.
    pub(super) fn at_the_end(&self, account: &AccountId) -> Turn {
        match self.by_turn.last() {
            None => Turn::FIRST,
            Some((latest, _)) if self.turn(account) == Some(*latest) => *latest,
            Some((latest, _)) => latest.next(),
        }
    }

    /// Adds a request of an account. An account that does not wait yet gets `turn`.
    pub(super) fn insert(&mut self, account: &AccountId, ticket: i64, aside: bool, turn: Turn) -> bool {
        let index = match self.indices.get(account) {
            Some(index) => *index,
            None => {
                let index = self.lines.len();
                self.indices.insert(account.clone(), index);
                self.lines.push((account.clone(), Line::default()));
                self.counts.push((turn, 0));
                self.by_turn.insert((turn, index));
                index
            }
        };
        let added = self.lines[index].1.insert(ticket, aside);
        self.counts[index].1 += u64::from(added);
        self.waiting += u64::from(added);
        added
    }

    /// Removes a request of an account, and the account with its last one. Says whether the request was set aside.
    pub(super) fn remove(&mut self, account: &AccountId, ticket: i64) -> Option<bool> {
        let index = *self.indices.get(account)?;
        let aside = self.lines[index].1.remove(ticket)?;
        self.counts[index].1 -= 1;
        self.waiting -= 1;
        if self.counts[index].1 == 0 {
            self.forget(index);
        }
        Some(aside)
    }

    pub(super) fn set_aside(&mut self, account: &AccountId, ticket: i64, aside: bool) -> bool {
        self.indices.get(account).is_some_and(|index| self.lines[*index].1.set_aside(ticket, aside))
    }

    /// Gives an account another turn, if it waits.
    pub(super) fn set_turn(&mut self, account: &AccountId, turn: Turn) {
        if let Some(index) = self.indices.get(account) {
            let before = std::mem::replace(&mut self.counts[*index].0, turn);
            self.by_turn.remove(&(before, *index));
            self.by_turn.insert((turn, *index));
        }
    }

    /// The request that comes next in turn and may be claimed.
    pub(super) fn first(&self) -> Option<i64> {
        self.by_turn.iter().find_map(|(_, index)| self.lines[*index].1.first())
    }

    /// How many requests are ahead of one, which need not wait, if turns go round.
    pub(super) fn ahead(&self, account: &AccountId, ticket: i64) -> u64 {
        let (own, turn) = match self.indices.get(account) {
            Some(index) => (self.lines[*index].1.below(ticket), self.counts[*index].0),
            None => (0, Turn(i64::MAX)),
        };
        // Of its own account too as many as were claimed before: `own`, since no turn is before itself.
        let ahead = |(of, count): &(Turn, u64)| of_another_account(*count, own, *of < turn);
        self.counts.iter().map(ahead).sum()
    }

    /// All requests, each with whether it is set aside.
    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, bool)> + '_ {
        self.lines.iter().flat_map(|(_, line)| line.iter())
    }

    /// Forgets the account of this index. The last one gets its index.
    fn forget(&mut self, index: usize) {
        let last = self.lines.len() - 1;
        let (account, _) = self.lines.swap_remove(index);
        self.indices.remove(&account);
        let (turn, _) = self.counts.swap_remove(index);
        self.by_turn.remove(&(turn, index));
        if let Some((moved, _)) = self.lines.get(index) {
            let turn = self.counts[index].0;
            self.by_turn.remove(&(turn, last));
            self.by_turn.insert((turn, index));
            if let Some(at) = self.indices.get_mut(moved) {
                *at = index;
            }
        }
    }
}
