//! The taken places of one queue.

use super::accounts::{Accounts, Line};
use super::{Lane, Order, Place, Ticket, Turn};
use crate::{AccountId, Moment};

/// The taken places of one queue: the [order](super) of its requests, and their positions.
#[derive(Clone, Debug, Default)]
pub struct QueuePlaces {
    order: Order,
    requeued: Line,
    new: Accounts,
    /// The new ones of all accounts, in [`Order::Fifo`].
    fifo: Line,
    paused_at: Option<Moment>,
}

/// A change of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A request comes and waits.
    Take,
    /// A request is claimed. If it is a new one, the turn of its account is over.
    Claim,
    /// A request leaves otherwise: it is canceled.
    Leave,
    /// A request is set aside: it keeps its place, and is not claimed.
    SetAside,
    /// A request that was set aside may be claimed again.
    PutBack,
}

/// What a change did to the turn of its account, and what undoes it as long as no other comes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undo {
    /// The turn that the account had before, if it had one.
    pub before: Option<Turn>,
    /// The turn that it has since.
    pub after: Option<Turn>,
    /// Whether the request was set aside.
    aside: bool,
}

impl QueuePlaces {
    /// Changes a place of an account's request. Nothing where that cannot be: the place is taken already, or is not taken.
    pub fn apply(&mut self, account: &AccountId, place: Place, change: Change) -> Option<Undo> {
        let before = self.new.turn(account);
        let aside = match change {
            Change::Take => {
                let turn = before.unwrap_or_else(|| self.new.at_the_end(account));
                self.insert(account, place, false, turn).then_some(false)?;
                let after = if place.lane == Lane::New { Some(turn) } else { before };
                return Some(Undo { before, after, aside: false });
            }
            Change::Claim => {
                let aside = self.remove(account, place)?;
                if place.lane == Lane::New {
                    self.new.set_turn(account, self.new.at_the_end(account));
                }
                aside
            }
            Change::Leave => self.remove(account, place)?,
            Change::SetAside => self.set_aside(account, place, true).then_some(false)?,
            Change::PutBack => self.set_aside(account, place, false).then_some(true)?,
        };
        Some(Undo { before, after: self.new.turn(account), aside })
    }

    /// Undoes a change, the latest that was not undone.
    pub fn undo(&mut self, account: &AccountId, place: Place, change: Change, undo: Undo) {
        match change {
            Change::Take => drop(self.remove(account, place)),
            Change::SetAside | Change::PutBack => drop(self.set_aside(account, place, undo.aside)),
            Change::Claim | Change::Leave => {
                let turn = undo.before.unwrap_or(Turn::FIRST);
                self.insert(account, place, undo.aside, turn);
                if place.lane == Lane::New {
                    self.new.set_turn(account, turn);
                }
            }
        }
    }

    /// Takes a place as it is stored, with the turn that is stored for its account. The places of an account come by their
    /// tickets.
    pub fn restore(&mut self, account: &AccountId, place: Place, turn: Option<Turn>) {
        let turn = turn.unwrap_or_else(|| self.new.at_the_end(account));
        self.insert(account, place, false, turn);
    }

    /// The place that is claimed next; none while the queue is paused.
    pub fn first(&self) -> Option<Place> {
        if self.paused_at.is_some() {
            return None;
        }
        let place = |lane| move |ticket| Place { lane, ticket: Ticket(ticket) };
        let new = || match self.order {
            Order::Turns => self.new.first(),
            Order::Fifo => self.fifo.first(),
        };
        self.requeued.first().map(place(Lane::Requeued)).or_else(|| new().map(place(Lane::New)))
    }

    /// How many places are taken ahead of one of an account, which need not be taken; 0 is next.
    pub fn ahead(&self, account: &AccountId, place: Place) -> u64 {
        let ticket = place.ticket.0;
        match (place.lane, self.order) {
            (Lane::Requeued, _) => self.requeued.below(ticket),
            (Lane::New, Order::Turns) => self.requeued.count() + self.new.ahead(account, ticket),
            (Lane::New, Order::Fifo) => self.requeued.count() + self.fifo.below(ticket),
        }
    }

    /// How many places are taken.
    pub fn waiting(&self) -> u64 {
        self.requeued.count() + self.new.waiting()
    }

    /// How many accounts have new requests that wait: those that turns go round.
    pub fn accounts(&self) -> usize {
        self.new.len()
    }

    /// These accounts with their turns, in no order.
    pub fn turns(&self) -> impl Iterator<Item = (&AccountId, Turn)> {
        self.new.turns()
    }

    /// The turn of an account, while new requests of it wait.
    pub fn turn(&self, account: &AccountId) -> Option<Turn> {
        self.new.turn(account)
    }

    /// Gives an account another turn, as it is stored.
    pub fn set_turn(&mut self, account: &AccountId, turn: Turn) {
        self.new.set_turn(account, turn);
    }

    /// The accounts of which new requests wait, each with the least ticket of them, in no order.
    pub fn least(&self) -> impl Iterator<Item = (&AccountId, Ticket)> {
        self.new.least().map(|(account, ticket)| (account, Ticket(ticket)))
    }

    /// The least ticket of the new requests of an account that wait.
    pub fn least_of(&self, account: &AccountId) -> Option<Ticket> {
        self.new.least_of(account).map(Ticket)
    }

    /// The order.
    pub fn order(&self) -> Order {
        self.order
    }

    /// Sets the order. Turns are counted in either, so that it may be changed while requests wait.
    pub fn set_order(&mut self, order: Order) {
        if self.order == order {
            return;
        }
        self.order = order;
        self.fifo = Line::default();
        if order == Order::Fifo {
            let mut all: Vec<_> = self.new.iter().collect();
            all.sort_unstable();
            for (ticket, aside) in all {
                self.fifo.insert(ticket, aside);
            }
        }
    }

    /// When the queue was paused, by the system's clock, if it is.
    pub fn paused_at(&self) -> Option<Moment> {
        self.paused_at
    }

    /// Pauses the queue, or resumes it. Requests come, leave and keep their positions as ever.
    pub fn set_paused_at(&mut self, paused_at: Option<Moment>) {
        self.paused_at = paused_at;
    }

    fn insert(&mut self, account: &AccountId, place: Place, aside: bool, turn: Turn) -> bool {
        let ticket = place.ticket.0;
        match (place.lane, self.order) {
            (Lane::Requeued, _) => self.requeued.insert(ticket, aside),
            (Lane::New, Order::Turns) => self.new.insert(account, ticket, aside, turn),
            (Lane::New, Order::Fifo) => {
                self.fifo.insert(ticket, aside) && self.new.insert(account, ticket, aside, turn)
            }
        }
    }

    /// Removes a place. Says whether it was set aside; nothing where it was not taken.
    fn remove(&mut self, account: &AccountId, place: Place) -> Option<bool> {
        let ticket = place.ticket.0;
        match place.lane {
            Lane::Requeued => self.requeued.remove(ticket),
            Lane::New => {
                self.fifo.remove(ticket);
                self.new.remove(account, ticket)
            }
        }
    }

    fn set_aside(&mut self, account: &AccountId, place: Place, aside: bool) -> bool {
        let ticket = place.ticket.0;
        match place.lane {
            Lane::Requeued => self.requeued.set_aside(ticket, aside),
            Lane::New => {
                self.fifo.set_aside(ticket, aside);
                self.new.set_aside(account, ticket, aside)
            }
        }
    }
}
