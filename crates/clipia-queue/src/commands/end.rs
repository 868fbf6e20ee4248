//! The end of a request: complete, fail, cancel, and a lease that was lost too often.

use super::delivery::{NewDelivery, Outcome, Subject, announce};
use super::{Contradiction, Now, Refused, StoredRequest};
use crate::audit::Act;
use crate::leases::{AttemptEnd, LeaseEnd};
use crate::ledger::{Balance, Entry, Movement};
use crate::lifecycle::{self, Epoch, Event, Lifecycle, Settlement};
use crate::limits::KeyUse;
use crate::position::Place;
use crate::usage::Usage;
use crate::{Credits, Failure, Moment};
use clipia_api::types::Output;
use std::borrow::Cow;

/// A request that may end: the lifecycle allows it. Its books decide the rest ([`settle`](Self::settle)).
#[derive(Debug)]
pub struct Ending<'a> {
    request: &'a StoredRequest,
    next: Lifecycle,
    settlement: Option<Settlement>,
    output: Option<&'a Output>,
    failure: Option<Cow<'a, Failure>>,
    how: AttemptEnd,
    act: Option<Act>,
}

/// The facts that settle a request.
#[derive(Clone, Copy, Debug)]
pub struct Books {
    /// What the account has.
    pub balance: Balance,
    /// What the key has used of its limits, this request among it.
    pub used: KeyUse,
}

/// A request that ends.
#[derive(Debug)]
pub struct Ended<'a> {
    /// Its lifecycle.
    pub life: Lifecycle,
    /// The place in the queue that it leaves, if it waited.
    pub place: Option<Place>,
    /// What is charged.
    pub charged: Credits,
    /// How the reserved credits move.
    pub entry: Entry,
    /// What the account used.
    pub usage: Option<Usage>,
    /// What it made.
    pub output: Option<&'a Output>,
    /// Why it failed.
    pub failure: Option<Cow<'a, Failure>>,
    /// When it ended, by the system's clock, and not before it was accepted.
    pub completed_at: Moment,
    /// What the key has used of its limits once this request has ended: what is not charged goes back to its budget.
    pub used: KeyUse,
    /// How its attempt ended, if it has a lease.
    pub lease: LeaseEnd,
    /// The delivery to write.
    pub delivery: Option<NewDelivery<'a>>,
    /// The act for the audit log, where an operator did it.
    pub act: Option<Act>,
}

/// The worker of claim `epoch` has the output.
///
/// # Errors
/// [`lifecycle::Refused`] where that claim is not in force.
pub fn complete<'a>(
    request: &'a StoredRequest,
    epoch: Epoch,
    output: &'a Output,
) -> Result<Ending<'a>, lifecycle::Refused> {
    let ending = ending(request, Event::Complete(epoch), AttemptEnd::Completed)?;
    Ok(Ending { output: Some(output), ..ending })
}

/// The worker of claim `epoch` has no output.
///
/// # Errors
/// [`lifecycle::Refused`] where that claim is not in force.
pub fn fail<'a>(
    request: &'a StoredRequest,
    epoch: Epoch,
    why: &'a Failure,
) -> Result<Ending<'a>, lifecycle::Refused> {
    let ending = ending(request, Event::Fail(epoch), AttemptEnd::Failed)?;
    Ok(Ending { failure: Some(Cow::Borrowed(why)), ..ending })
}

/// An operator cancels the request.
///
/// # Errors
/// [`lifecycle::Refused`] where it has ended.
pub fn cancel(request: &StoredRequest) -> Result<Ending<'_>, lifecycle::Refused> {
    let ending = ending(request, Event::Cancel, AttemptEnd::Canceled)?;
    Ok(Ending { act: Some(Act::request_canceled(request.id)), ..ending })
}

fn ending(request: &StoredRequest, event: Event, how: AttemptEnd) -> Result<Ending<'_>, lifecycle::Refused> {
    let lifecycle::Transition { next, settlement } = request.life.apply(event)?;
    Ok(Ending { request, next, settlement, output: None, failure: None, how, act: None })
}

impl<'a> Ending<'a> {
    /// The last attempt was lost: the request was given to as many workers as it may be.
    pub(super) fn interrupted(
        request: &'a StoredRequest,
        transition: lifecycle::Transition,
        why: Cow<'a, Failure>,
    ) -> Self {
        Self {
            request,
            next: transition.next,
            settlement: transition.settlement,
            output: None,
            failure: Some(why),
            how: AttemptEnd::Lost,
            act: None,
        }
    }

    /// Settles the request: its credits, its lease and its delivery.
    ///
    /// # Errors
    /// [`Refused`] where the books do not bear it.
    pub fn settle(self, books: Books, now: Now) -> Result<Ended<'a>, Refused> {
        let Self { request, next, settlement, output, failure, how, act } = self;
        let cost = request.cost;
        let (movement, charged) = match settlement {
            Some(Settlement::Capture) => (Movement::Capture { reserved: cost, charged: cost }, cost),
            _ => (Movement::Release(cost), Credits::ZERO),
        };
        let entry = books.balance.enter(movement)?;
        let in_flight = books
            .used
            .in_flight
            .checked_sub(1)
            .ok_or_else(|| Contradiction::NothingInFlight(request.key_id.clone()))?;
        let returned = cost.checked_sub(charged).unwrap_or(Credits::ZERO);
        let spent = books.used.spent.refund(returned, request.created_at);
        let outcome = match (output, &failure) {
            (Some(output), _) => Outcome::Output(output),
            (None, Some(failure)) => Outcome::Failure(failure),
            (None, None) => Outcome::Canceled,
        };
        let subject = Subject {
            id: request.id,
            model: &request.model,
            base_url: &request.base_url,
            webhook_url: request.webhook_url.as_deref(),
        };
        let delivery = announce(subject, outcome, charged, now);
        Ok(Ended {
            life: next,
            place: request.place(),
            charged,
            entry,
            usage: Usage::charge(charged, now.wall),
            output,
            failure,
            completed_at: now.wall.max(request.created_at),
            used: KeyUse { in_flight, spent },
            lease: LeaseEnd { epoch: next.epoch, how, at: now.wall },
            delivery,
            act,
        })
    }
}
