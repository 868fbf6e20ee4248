//! A request is accepted, or the one that it repeats is found.
//!
//! ```text
//! check ─┬─▶ New ─┬─▶ accept     a live key: reserved credits, a ticket, a place in the queue
//!        │        └─▶ sample     a key of the sandbox: a sample at once, and no credits
//!        └─▶ Repeated ─▶ (its request is read; one of the sandbox may be forgotten ─▶ New)
//! ```

use super::delivery::{NewDelivery, Outcome, Subject, announce};
use super::sandbox::{self, Room};
use super::{Contradiction, Now};
use crate::idempotency::{self, Decision, Fingerprint, Record};
use crate::ledger::{self, Balance, Entry, Movement};
use crate::lifecycle::Lifecycle;
use crate::limits::{KeyLimits, KeyUse, OverBudget};
use crate::position::{Lane, Place, Ticket};
use crate::usage::Usage;
use crate::{Credits, Moment, RequestId};
use clipia_api::Progress;
use clipia_api::types::Output;

/// The facts that distinguish a new submit from a repeated one.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Whether the key is in force now. Its caller was admitted before the body came, which may have taken a minute.
    pub key_in_force: bool,
    /// Whether the key is one of the sandbox.
    pub sandbox: bool,
    /// The fingerprint of the submit, if it has an idempotency key.
    pub fingerprint: Option<Fingerprint>,
    /// The record of that key that is in force. A key of the sandbox and the same key outside are two.
    pub recorded: Option<Record>,
}

/// What a submit is.
#[derive(Debug)]
pub enum Checked {
    /// A new request.
    New(New),
    /// A repetition of the request, which is answered as it is now.
    Repeated(Repeated),
}

/// A submit that makes a new request, if there is room for it.
#[derive(Debug)]
pub struct New {
    record: Option<Fingerprint>,
}

/// A submit that repeats a request.
#[derive(Debug)]
pub struct Repeated {
    /// The request.
    pub id: RequestId,
    sandbox: bool,
}

/// Why a submit is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The idempotency key was used with other parameters.
    #[error("the idempotency key was used for another submit")]
    IdempotencyKeyReuse,
    /// The key was revoked since its caller was admitted.
    #[error("the key was revoked")]
    KeyRevoked,
    /// The key has as many generations in flight as it may have.
    #[error("{0} generations are in flight, as many as the key may have")]
    InFlight(u32),
    /// The key has less left of its credit budget.
    #[error(transparent)]
    Budget(#[from] OverBudget),
    /// There are not enough credits.
    #[error(transparent)]
    Credits(#[from] ledger::Refused),
    /// The facts contradict each other.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
}

/// Distinguishes a new submit from a repeated one.
///
/// # Errors
/// [`Refused`] where the key is not in force or the idempotency key was used for another submit.
pub fn check(asked: Asked) -> Result<Checked, Refused> {
    let Asked { key_in_force, sandbox, fingerprint, recorded } = asked;
    if !key_in_force {
        return Err(Refused::KeyRevoked);
    }
    let Some(fingerprint) = fingerprint else {
        return Ok(Checked::New(New { record: None }));
    };
    match idempotency::decide(recorded, fingerprint) {
        Decision::First => Ok(Checked::New(New { record: Some(fingerprint) })),
        Decision::Repeated(id) => Ok(Checked::Repeated(Repeated { id, sandbox })),
        Decision::Reused => Err(Refused::IdempotencyKeyReuse),
    }
}

impl Repeated {
    /// The request is not stored any more. The sandbox forgets a request before its idempotency key: the submit is a new one,
    /// and the record stays as it is. A live request must not be charged twice.
    ///
    /// # Errors
    /// [`Contradiction`] where the request is a live one.
    pub fn forgotten(self) -> Result<New, Contradiction> {
        if self.sandbox { Ok(New { record: None }) } else { Err(Contradiction::NoRequest(self.id)) }
    }
}

/// A submit that passed every check that needs no store.
#[derive(Clone, Copy, Debug)]
pub struct Submit<'a> {
    /// The id of the new request.
    pub id: RequestId,
    /// The model's slug.
    pub model: &'a str,
    /// The price.
    pub cost: Credits,
    /// How much the key may do.
    pub limits: KeyLimits,
    /// Where to post the outcome.
    pub webhook_url: Option<&'a str>,
    /// The address that the caller used.
    pub base_url: &'a str,
}

/// Whether the input of a submit is kept: nothing is made of what the sandbox is given.
pub const fn keeps_input(sandbox: bool) -> bool {
    !sandbox
}

/// The facts that a live submit is accepted by.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    /// What the account has.
    pub balance: Balance,
    /// What the key has used of its limits.
    pub used: KeyUse,
    /// The latest ticket of the queue.
    pub tail: Ticket,
}

/// The row of a request that is accepted, beside what its submit says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewRequest {
    /// Its lifecycle.
    pub life: Lifecycle,
    /// Its ticket in the queue.
    pub ticket: Ticket,
    /// How far it is.
    pub progress: Progress,
    /// When it was accepted, by the system's clock.
    pub created_at: Moment,
    /// When it ended, by the system's clock, if it has.
    pub completed_at: Option<Moment>,
    /// What was charged for it, if it has ended.
    pub charged: Option<Credits>,
    /// Whether an idempotency record names it.
    pub named: bool,
}

/// A live request that is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its row.
    pub request: NewRequest,
    /// Its place in the queue. Its ticket is the queue's latest.
    pub place: Place,
    /// How its credits are reserved.
    pub entry: Entry,
    /// What the key has used of its limits with this one.
    pub used: KeyUse,
    /// What the account used.
    pub usage: Usage,
    /// What is recorded under the idempotency key.
    pub record: Option<NewRecord>,
}

/// A request of the sandbox that is accepted, and has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampled<'a> {
    /// Its row. No credits move for what it is said to cost.
    pub request: NewRequest,
    /// The room for it.
    pub room: Room,
    /// The delivery to write.
    pub delivery: Option<NewDelivery<'a>>,
    /// What is recorded under the idempotency key.
    pub record: Option<NewRecord>,
}

/// What is recorded under an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewRecord {
    /// The parameters and the request.
    pub record: Record,
    /// Until when it is kept, by the steady clock.
    pub expires_at: Moment,
}

impl New {
    /// Accepts a submit of a live key.
    ///
    /// # Errors
    /// [`Refused`] where the key has too many requests in flight or too little left of its budget, or the account too few credits.
    pub fn accept(self, submit: Submit<'_>, account: Account, now: Now) -> Result<Accepted, Refused> {
        let Account { balance, used, tail } = account;
        let in_flight = submit.limits.one_more(used.in_flight).map_err(Refused::InFlight)?;
        let spent = match submit.limits.credits {
            Some(budget) => budget.spend(used.spent, submit.cost, now.wall)?,
            None => used.spent,
        };
        let entry = balance.enter(Movement::Reserve(submit.cost))?;
        let (life, ticket, record) = (Lifecycle::submitted(), tail.next(), self.record(submit.id, now));
        Ok(Accepted {
            request: NewRequest {
                life,
                ticket,
                progress: Progress::new(0),
                created_at: now.wall,
                completed_at: None,
                charged: None,
                named: record.is_some(),
            },
            place: Place { lane: Lane::after(life.epoch), ticket },
            entry,
            used: KeyUse { in_flight, spent },
            usage: Usage::request(now.wall),
            record,
        })
    }

    /// Accepts a submit of the sandbox, of whose requests `kept` are kept of the account.
    pub fn sample<'a>(self, submit: Submit<'a>, output: &Output, kept: u32, now: Now) -> Sampled<'a> {
        let Submit { id, model, base_url, webhook_url, cost, .. } = submit;
        let subject = Subject { id, model, base_url, webhook_url };
        let record = self.record(id, now);
        Sampled {
            request: NewRequest {
                life: Lifecycle::sandbox(),
                ticket: Ticket(0),
                progress: Progress::new(0),
                created_at: now.wall,
                completed_at: Some(now.wall),
                charged: Some(cost),
                named: record.is_some(),
            },
            room: sandbox::room(kept),
            delivery: announce(subject, Outcome::Output(output), cost, now),
            record,
        }
    }

    fn record(&self, request_id: RequestId, now: Now) -> Option<NewRecord> {
        let record = |fingerprint| Record { fingerprint, request_id };
        let expires_at = idempotency::expires_at(now.steady);
        self.record.map(|fingerprint| NewRecord { record: record(fingerprint), expires_at })
    }
}
