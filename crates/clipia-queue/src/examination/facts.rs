//! The facts that an examination looks at, as a store gathers them.

use crate::leases::AttemptEnd;
use crate::ledger::Entries;
use crate::lifecycle::{Epoch, Phase};
use crate::position::{Lane, Ticket, Turn};
use crate::{Moment, RequestId};

/// A movement of credits.
#[derive(Clone, Copy, Debug)]
pub struct Movement<'a> {
    /// Whose.
    pub account: &'a str,
    /// For which request, if it is for one.
    pub request: Option<RequestId>,
    /// Its kind.
    pub kind: &'a str,
    /// What it enters.
    pub entries: Entries,
}

/// The requests of one key in one phase.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    /// Whose.
    pub account: &'a str,
    /// The public name of the key.
    pub key: &'a str,
    /// Whether they are of the sandbox.
    pub sandbox: bool,
    /// Their phase.
    pub phase: Phase,
    /// How many.
    pub requests: i64,
    /// The sum of their prices.
    pub cost: i64,
}

/// An account.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// Its name.
    pub id: &'a str,
    /// What it can spend.
    pub available: i64,
    /// What is set aside.
    pub held: i64,
    /// What its movements sum to.
    pub entered: Entries,
    /// The credits that are counted as used.
    pub used: i64,
    /// The requests of its sandbox that are counted.
    pub sandbox_kept: i64,
}

/// An API key.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// Its public name.
    pub id: &'a str,
    /// Whose.
    pub account: &'a str,
    /// The live requests in flight that are counted.
    pub in_flight: i64,
    /// Its credit budget.
    pub budget: Option<Budget>,
}

/// The credit budget of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Credits a period.
    pub credits: i64,
    /// What the key has spent in the latest period in which it submitted.
    pub spent: i64,
    /// What is reserved or charged for its live requests that were submitted in that period and are still stored.
    pub stored: i64,
}

/// A movement for a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestMovement<'a> {
    /// Whose.
    pub account: &'a str,
    /// Its kind.
    pub kind: &'a str,
    /// What it enters in the account's held credits.
    pub held: i64,
    /// What it enters in the house's revenue.
    pub revenue: i64,
}

/// The attempts at a request that are stored, up to its latest claim.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attempts {
    /// How many have ended.
    pub ended: i64,
    /// How many of these were lost.
    pub lost: i64,
    /// How the latest claim ended, if it has.
    pub latest: Option<AttemptEnd>,
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Its id.
    pub id: RequestId,
    /// Whose.
    pub account: &'a str,
    /// Whether it is of the sandbox.
    pub sandbox: bool,
    /// Its phase.
    pub phase: Phase,
    /// Its latest claim.
    pub epoch: Epoch,
    /// How often its lease was lost and it was queued again.
    pub rescues: i64,
    /// The queue that it waits in.
    pub queue: &'a str,
    /// Its ticket there.
    pub ticket: Ticket,
    /// Its price.
    pub cost: i64,
    /// What was charged.
    pub charged: Option<i64>,
    /// Its reserve.
    pub reserve: Option<RequestMovement<'a>>,
    /// Its settlement.
    pub settlement: Option<RequestMovement<'a>>,
    /// Whether it has the place with its ticket in its queue: in the lane of requeued requests, in the lane of new ones.
    pub places: [bool; 2],
    /// Whether it has a lease.
    pub lease: bool,
    /// The attempts at it; nothing once they were let go.
    pub attempts: Option<Attempts>,
    /// Whether it has an end.
    pub completed_at: bool,
    /// Whether it has an output.
    pub output: bool,
    /// Whether it has an error.
    pub error: bool,
    /// Whether a delivery is wanted.
    pub webhook: bool,
    /// Whether it has a delivery.
    pub delivery: bool,
}

/// The log lines that are kept of an attempt.
#[derive(Clone, Copy, Debug)]
pub struct Log<'a> {
    /// The request.
    pub id: RequestId,
    /// Whose.
    pub account: &'a str,
    /// The attempt.
    pub epoch: Epoch,
    /// The request's latest claim.
    pub latest: Epoch,
    /// The latest attempt that logged lines, by the request.
    pub logged: Epoch,
    /// Whether the attempts at the request were let go.
    pub attempts_gone: bool,
    /// How many lines.
    pub lines: u64,
    /// How many bytes, with one for the end of each line.
    pub bytes: u64,
}

/// A place in a queue that is taken.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The queue.
    pub queue: &'a str,
    /// The latest ticket of that queue, if there is such a queue.
    pub tail: Option<Ticket>,
    /// The lane.
    pub lane: Lane,
    /// The ticket.
    pub ticket: Ticket,
    /// Whose place it is.
    pub id: RequestId,
    /// That request, if there is such a request.
    pub request: Option<Placed<'a>>,
}

/// A request that has a place in a queue.
#[derive(Clone, Copy, Debug)]
pub struct Placed<'a> {
    /// Whose.
    pub account: &'a str,
    /// Its phase.
    pub phase: Phase,
    /// Its latest claim.
    pub epoch: Epoch,
    /// The queue that it waits in.
    pub queue: &'a str,
    /// Its ticket there.
    pub ticket: Ticket,
}

/// An account in a queue.
#[derive(Clone, Copy, Debug)]
pub struct AccountInQueue<'a> {
    /// The queue.
    pub queue: &'a str,
    /// The account.
    pub account: &'a str,
    /// Its turn, if it has one.
    pub turn: Option<Turn>,
    /// Whether a request of it waits there that no worker had.
    pub waits: bool,
}

/// The record of an idempotency key.
#[derive(Clone, Copy, Debug)]
pub struct IdempotencyRecord<'a> {
    /// Whose.
    pub account: &'a str,
    /// Whether it is of the sandbox, where a record may outlive its request.
    pub sandbox: bool,
    /// Until when it is in force, by the steady clock.
    pub expires_at: Moment,
    /// The request that it names.
    pub id: RequestId,
    /// The account of that request and whether it is of the sandbox, if there is such a request.
    pub request: Option<(&'a str, bool)>,
}

/// What a worker on another machine has and had.
#[derive(Clone, Copy, Debug)]
pub struct WorkerAttempts<'a> {
    /// The name that leases and attempts have.
    pub worker: &'a str,
    /// Whether its token is in force; nothing where there is no such worker.
    pub in_force: Option<bool>,
    /// How many leases it has.
    pub leases: u64,
    /// How many of its attempts have ended.
    pub attempts: u64,
    /// One of the requests.
    pub id: RequestId,
}

/// The uploads that the input of a request names.
#[derive(Clone, Copy, Debug)]
pub struct InputUploads<'a> {
    /// The request.
    pub id: RequestId,
    /// Whose.
    pub account: &'a str,
    /// Its phase.
    pub phase: Phase,
    /// How many its input names.
    pub named: u64,
    /// How many of these are stored, and kept for it.
    pub kept: u64,
}
