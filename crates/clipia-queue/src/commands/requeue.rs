//! A request that waits again: a worker releases it, or its lease was lost.

use super::end::Ending;
use super::{Now, StoredRequest};
use crate::Failure;
use crate::leases::{AttemptEnd, Lease, LeaseEnd};
use crate::lifecycle::{self, Epoch, Event, Lifecycle, Phase};
use crate::position::{Lane, Place};
use clipia_api::Progress;
use std::borrow::Cow;

/// A request that waits again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requeued {
    /// Its lifecycle.
    pub life: Lifecycle,
    /// How far its next attempt is: not begun.
    pub progress: Progress,
    /// Its place in the queue: by its old ticket, ahead of those that never ran.
    pub place: Place,
    /// How its attempt ended.
    pub lease: LeaseEnd,
}

/// What becomes of a request whose lease or attempt was lost.
#[derive(Debug)]
pub enum Lost<'a> {
    /// It waits for another worker.
    Requeued(Requeued),
    /// It was lost too often, and fails.
    Ends(Ending<'a>),
}

/// What is known of the worker that has a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worker {
    /// It is gone: it was one of a process that ended.
    Gone,
    /// Nothing but its lease.
    Unknown,
    /// It lives, in a process that may have been suspended.
    Living,
}

/// Whether the request is taken away from its worker. A worker that lives keeps it up to the deadline of its attempt.
pub fn is_lost(lease: &Lease, worker: Worker, now: Now) -> bool {
    match worker {
        Worker::Gone => true,
        Worker::Unknown => lease.is_over(now.steady),
        Worker::Living => lease.is_over(now.steady) && lease.deadline_at <= now.steady,
    }
}

/// The worker of claim `epoch` releases the request.
///
/// # Errors
/// [`lifecycle::Refused`] where that claim is not in force.
pub fn release(request: &StoredRequest, epoch: Epoch, now: Now) -> Result<Requeued, lifecycle::Refused> {
    let next = request.life.apply(Event::Release(epoch))?.next;
    Ok(requeued(request, next, AttemptEnd::Released, now))
}

/// The lease of the request was lost ([`is_lost`]).
///
/// # Errors
/// [`lifecycle::Refused`] where no worker has the request.
pub fn lose(request: &StoredRequest, now: Now) -> Result<Lost<'_>, lifecycle::Refused> {
    lost(request, request.life.epoch, Cow::Owned(Failure::interrupted()), now)
}

/// The worker of claim `epoch` lost its attempt, as by a crash of its program. An attempt is spent as if its lease had expired;
/// after the last one the request fails because of `why`.
///
/// # Errors
/// [`lifecycle::Refused`] where that claim is not in force.
pub fn report_lost<'a>(
    request: &'a StoredRequest,
    epoch: Epoch,
    why: &'a Failure,
    now: Now,
) -> Result<Lost<'a>, lifecycle::Refused> {
    lost(request, epoch, Cow::Borrowed(why), now)
}

fn lost<'a>(
    request: &'a StoredRequest,
    epoch: Epoch,
    why: Cow<'a, Failure>,
    now: Now,
) -> Result<Lost<'a>, lifecycle::Refused> {
    let transition = request.life.apply(Event::Lose(epoch))?;
    Ok(match transition.next.phase {
        Phase::Queued => Lost::Requeued(requeued(request, transition.next, AttemptEnd::Lost, now)),
        _ => Lost::Ends(Ending::interrupted(request, transition, why)),
    })
}

fn requeued(request: &StoredRequest, life: Lifecycle, how: AttemptEnd, now: Now) -> Requeued {
    let place = Place { lane: Lane::after(life.epoch), ticket: request.ticket };
    Requeued {
        life,
        progress: Progress::new(0),
        place,
        lease: LeaseEnd { epoch: life.epoch, how, at: now.wall },
    }
}
