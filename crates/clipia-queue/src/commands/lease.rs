//! A worker prolongs its lease, and logs.

use super::{Contradiction, Now, Refused, StoredRequest};
use crate::leases::Lease;
use crate::lifecycle::{self, Epoch, Event};
use clipia_api::Progress;

/// A worker that still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Its lease.
    pub lease: Lease,
    /// How far its attempt is: never less than before.
    pub progress: Progress,
}

/// A beat of the worker of claim `epoch`, with its progress. `lease` is the request's, if it has one.
///
/// # Errors
/// [`Refused`] where that claim is not in force, or the attempt has taken all its time.
pub fn beat(
    request: &StoredRequest,
    lease: Option<Lease>,
    epoch: Epoch,
    progress: Progress,
    now: Now,
) -> Result<Beat, Refused> {
    let lease = in_force(request, lease, epoch)?;
    let lease = lease.prolonged(now.steady).ok_or(Refused::Overdue)?;
    Ok(Beat { lease, progress: progress.max(request.progress) })
}

/// The worker of claim `epoch` has the request and has not begun its attempt, whose time starts now.
///
/// # Errors
/// [`Refused`] where that claim is not in force.
pub fn hold(request: &StoredRequest, lease: Option<Lease>, epoch: Epoch, now: Now) -> Result<Lease, Refused> {
    Ok(in_force(request, lease, epoch)?.held(now.steady, request.attempt_max))
}

/// The worker of claim `epoch` reports lines of its log, even where the attempt has taken all its time: they tell why.
/// [`append`](crate::logs::append) decides what is kept.
///
/// # Errors
/// [`lifecycle::Refused`] where that claim is not in force.
pub fn log(request: &StoredRequest, epoch: Epoch) -> Result<(), lifecycle::Refused> {
    request.life.apply(Event::Beat(epoch)).map(drop)
}

fn in_force(request: &StoredRequest, lease: Option<Lease>, epoch: Epoch) -> Result<Lease, Refused> {
    request.life.apply(Event::Beat(epoch))?;
    Ok(lease.ok_or(Contradiction::NoLease(request.id))?)
}
