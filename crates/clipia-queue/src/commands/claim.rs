//! A worker takes the next request of a queue.

use super::{Now, StoredRequest};
use crate::AccountId;
use crate::leases::Lease;
use crate::lifecycle::{self, Epoch, Event, Lifecycle};
use clipia_api::Progress;
use std::time::Duration;

/// What becomes of the first request of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// It is set aside, and keeps its place: its account fetches as many images as it may.
    Aside,
    /// A worker has it.
    Claimed(Claimed),
}

/// A request that a worker takes. It leaves its place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Its lifecycle.
    pub life: Lifecycle,
    /// How far its attempt is: not begun.
    pub progress: Progress,
    /// The worker's lease; its `claimed_at` is by the system's clock.
    pub lease: Lease,
    /// How long it waited, if this is its first attempt.
    pub waited: Option<Duration>,
}

/// Decides on the first request of a queue. `full` are the accounts that fetch as many images as they may.
///
/// # Errors
/// [`lifecycle::Refused`] where the request does not wait: a fault in what is stored.
pub fn first(request: &StoredRequest, full: &[AccountId], now: Now) -> Result<First, lifecycle::Refused> {
    if request.elsewhere && full.contains(&request.account) {
        return Ok(First::Aside);
    }
    let life = request.life.apply(Event::Claim)?.next;
    let lease = Lease { claimed_at: now.wall, ..Lease::claimed(now.steady, request.attempt_max) };
    // By the steady clock, which the id was made by: `created_at` is by one that may be set.
    let waited = (request.life.epoch == Epoch::default())
        .then(|| request.id.made_at().map_or(Duration::ZERO, |submitted| now.steady.since(submitted)));
    Ok(First::Claimed(Claimed { life, progress: Progress::new(0), lease, waited }))
}
