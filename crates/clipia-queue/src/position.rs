//! Queue positions: the order in which the requests of a queue are claimed, and how many are ahead of one, without counting
//! them.
//!
//! # The order
//!
//! Requests that a worker had come first, by their tickets: they had their turn. The others come in the [`Order`] of the queue.
//! [`Order::Fifo`] is one line by tickets. In [`Order::Turns`] turns go round the accounts that wait. Each of them has one
//! [`Turn`], a number that no other has. The account with the least turn is next, with the first of its requests.
//!
//! - An account of which a request is claimed goes to the end: its turn becomes one more than the latest.
//! - An account of which no new request waits has no turn. When one comes, it joins at the end. So it gains nothing if it lets
//!   its requests run out: the claim of its last one would have put it there, too.
//! - A request that is canceled, or queued again, moves no account.
//!
//! A thousand requests of one account keep another's first one waiting for one claim. With one account the order is that of the
//! tickets.
//!
//! # Why an account has the number, and not each request
//!
//! Start-time fair queueing would give each request the number of its round at its submit, and the claim would be the first of
//! an index. But a round that was given is not taken back: an account that cancels its first hundred requests would be passed
//! over for a hundred rounds. With a number for each account that cannot be. A submit writes a number only where its account
//! joins, a claim only where another account waits. The numbers and the tickets are all that must be stored: [`QueuePlaces`]
//! is made of them again after a crash.
//!
//! # A position
//!
//! The request that has `n` of its account before it is claimed in round `n`. Ahead of it are those that a worker had, these
//! `n`, and of every other account as many as it has, `n` at most, or `n + 1` if its turn comes before. [`QueuePlaces`] finds
//! `n` in O(log n), since it keeps the tickets that wait as one bit each, with a Fenwick tree (P. Fenwick, "A new data structure
//! for cumulative frequency tables", 1994) over how many there are in each word of 64. The sum takes one step for each account
//! that waits. A million places of one account take about 400 kB.
//!
//! ```
//! use clipia_queue::AccountId;
//! use clipia_queue::position::{Change, Lane, Order, Place, QueuePlaces, Ticket};
//!
//! let mut places = QueuePlaces::default();
//! let place = |ticket| Place { lane: Lane::New, ticket: Ticket(ticket) };
//! let [many, one] = ["many", "one"].map(|id| AccountId(id.to_owned()));
//! for ticket in 1..=1_000 {
//!     places.apply(&many, place(ticket), Change::Take);
//! }
//! places.apply(&many, place(500), Change::Leave); // canceled
//! places.apply(&one, place(1_001), Change::Take);
//! assert_eq!(places.ahead(&many, place(1_000)), 999);
//! assert_eq!(places.ahead(&one, place(1_001)), 1);
//! places.set_order(Order::Fifo);
//! assert_eq!(places.ahead(&one, place(1_001)), 999);
//! ```

mod accounts;
mod queue_places;
mod tickets;

pub use queue_places::{Change, QueuePlaces, Undo};

use crate::lifecycle::{Epoch, Lifecycle, Phase};
use serde::{Deserialize, Serialize};

/// The number that a request gets when it is accepted. Within a queue each is greater than those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ticket(pub i64);

impl Ticket {
    /// The ticket after this one.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// The number that an account has in a queue while new requests of it wait there. The least is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Turn(pub i64);

impl Turn {
    /// The first turn of a queue in which no account waits.
    pub const FIRST: Self = Self(1);

    /// The turn after this one.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// The order in which the requests of a queue are claimed that no worker had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Turns go round the accounts that wait, first in first out within each.
    #[default]
    Turns,
    /// One line, first in first out, whoever submitted.
    Fifo,
}

/// How many requests of an account that has `waiting` are claimed before one of another account that has `own` of that account
/// before it. `first` says whether the turn of the account comes before that of the other one.
pub fn of_another_account(waiting: u64, own: u64, first: bool) -> u64 {
    waiting.min(own + u64::from(first))
}

/// The two lanes of a queue. Requests of the first are claimed before those of the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Requests that a worker had, and that were released or lost.
    Requeued,
    /// Requests that no worker had.
    New,
}

impl Lane {
    /// The lane of a request whose latest claim was `epoch`.
    pub fn after(epoch: Epoch) -> Self {
        if epoch == Epoch::default() { Self::New } else { Self::Requeued }
    }
}

/// A place in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The lane.
    pub lane: Lane,
    /// The ticket. A request keeps it in either lane.
    pub ticket: Ticket,
}

impl Place {
    /// The place of a request while it waits: in the first lane once a worker had it.
    pub fn of(life: Lifecycle, ticket: Ticket) -> Option<Self> {
        (life.phase == Phase::Queued).then(|| Self { lane: Lane::after(life.epoch), ticket })
    }
}
