//! What is done to a queue, as pure functions: facts in, a decision out.
//!
//! The facts are what a command must know: rows, counts, the time. A store gathers them in its own way, one by one or for a
//! whole batch. The decision lists every change that the command makes. The store writes it in one transaction, and adds no
//! rule of its own. A command that is refused changes nothing.
//!
//! | command | functions |
//! |---|---|
//! | submit | [`submit::check`], then [`Named::check`](crate::uploads::Named::check) for each upload that its input names, then [`submit::New::accept`] or [`submit::New::sample`] |
//! | claim | [`QueuePlaces::first`](crate::position::QueuePlaces::first), then [`claim::first`] |
//! | hold, beat | [`lease::hold`], [`lease::beat`] |
//! | log, beat with log lines | [`lease::log`], [`lease::beat`], then [`logs::append`](crate::logs::append) |
//! | complete, fail, cancel | [`end::complete`], [`end::fail`], [`end::cancel`], then [`end::Ending::settle`] |
//! | release, lose, rescue | [`requeue::release`], [`requeue::report_lost`], [`requeue::is_lost`], [`requeue::lose`] |
//! | pause a queue, resume it | [`pause::pause`], [`pause::resume`] |
//! | create an account, grant | [`grant::open`], [`grant::grant`] |
//! | claim deliveries | [`take::Taking`] |
//! | record an attempt | [`attempt::AfterAttempt::decide`], [`attempt::record`] |
//! | replay, hold, resume, abandon, give up, free deliveries | [`outbox`] |
//! | rotate a webhook secret, replan the rotation | [`rotation::rotate`](crate::rotation::rotate), [`rotation::replan`](crate::rotation::replan) |
//! | keep an upload, let go of uploads | [`uploads::keep`](crate::uploads::keep), [`StoredUpload::is_due`](crate::uploads::StoredUpload::is_due) |
//! | let a part of a request go | [`retention::look`](crate::retention::look), [`retention::carry_forward`](crate::retention::carry_forward), [`sandbox::without_one`] |
//! | create a worker | [`workers::check_name`](crate::workers::check_name), [`workers::check_executors`](crate::workers::check_executors) |
//! | make a worker quiet, resume it | [`workers::set_quiet`](crate::workers::set_quiet) |
//! | revoke a worker | [`requeue::lose`] for each of its leases |
//! | repeat the report of an end | [`AttemptEnd::is_repeated_by`](crate::leases::AttemptEnd::is_repeated_by) |
//! | examine | [`Examination`](crate::examination::Examination) |
//!
//! A store that is opened, and knows that every other node is gone, takes back what they had: [`requeue::lose`] for each lease,
//! [`outbox::free`] for each delivery. A lease of a worker on another machine is prolonged instead:
//! [`Lease::reopened`](crate::leases::Lease::reopened). One that comes from a backup holds its deliveries first: [`outbox::hold`].
//!
//! Some commands have two steps. The first step decides by few facts whether the second one's are needed at all.
//!
//! Places in queues change by [`QueuePlaces::apply`](crate::position::QueuePlaces::apply): a submit takes one, a claim ends its
//! account's turn, an end leaves one, a requeue takes one again.
//!
//! A decision holds no new ids: nothing depends on them. The store makes an id where it writes the row.

pub mod attempt;
pub mod claim;
pub mod delivery;
pub mod end;
pub mod grant;
pub mod lease;
pub mod outbox;
pub mod pause;
pub mod requeue;
pub mod sandbox;
pub mod submit;
pub mod take;

use crate::ledger;
use crate::lifecycle::{self, Lifecycle};
use crate::position::{Place, Ticket};
use crate::{AccountId, Credits, Moment, RequestId};
use clipia_api::Progress;
use std::time::Duration;

/// The present, by the two clocks of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// By the steady clock, which decides every duration: leases, schedules, limits.
    pub steady: Moment,
    /// By the system's clock, which may be set: what is stored to be shown.
    pub wall: Moment,
}

/// A request as it is stored, as far as a command on it needs.
#[derive(Clone, Debug)]
pub struct StoredRequest {
    /// Its id.
    pub id: RequestId,
    /// Whose it is.
    pub account: AccountId,
    /// The public name of the key that submitted it.
    pub key_id: String,
    /// Whether it is of the sandbox.
    pub sandbox: bool,
    /// The model's slug.
    pub model: String,
    /// Its lifecycle.
    pub life: Lifecycle,
    /// The queue it waits in.
    pub queue: String,
    /// Its ticket in that queue.
    pub ticket: Ticket,
    /// How long one attempt may take.
    pub attempt_max: Duration,
    /// Whether it starts from an image that has to be fetched.
    pub elsewhere: bool,
    /// How far its attempt is.
    pub progress: Progress,
    /// What is reserved for it.
    pub cost: Credits,
    /// Where to post the outcome.
    pub webhook_url: Option<String>,
    /// The address that the submit was made under.
    pub base_url: String,
    /// When it was accepted, by the system's clock.
    pub created_at: Moment,
}

impl StoredRequest {
    /// Its place in the queue, while it waits.
    pub fn place(&self) -> Option<Place> {
        Place::of(self.life, self.ticket)
    }
}

/// Why a request is not changed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The lifecycle does not allow it: most often the lease was lost.
    #[error(transparent)]
    Lifecycle(#[from] lifecycle::Refused),
    /// The attempt has taken all the time that it may.
    #[error("the attempt has taken all the time that it may")]
    Overdue,
    /// The books do not bear the settlement.
    #[error(transparent)]
    Ledger(#[from] ledger::Refused),
    /// The facts contradict each other.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
}

/// Facts that contradict each other: a fault in what is stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// A request of the key has not ended, and none is counted.
    #[error("nothing is in flight for {0}")]
    NothingInFlight(String),
    /// A request runs without a lease.
    #[error("request {0} runs without a lease")]
    NoLease(RequestId),
    /// A request of the account's sandbox is kept, and none is counted.
    #[error("no request of the sandbox is counted for account `{0}`")]
    NothingKept(AccountId),
    /// An idempotency key of a live submit names a request that is not there.
    #[error("no request {0}")]
    NoRequest(RequestId),
}
