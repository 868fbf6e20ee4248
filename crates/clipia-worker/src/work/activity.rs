//! What workers are doing, and how many more requests they may claim.

use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{Semaphore, SemaphorePermit, watch};

/// What the workers of an executor are doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// The requests that they have claimed since they started.
    pub claimed: u64,
    /// The attempts that have not ended, whether they are prepared, wait for a slot or run.
    pub under_way: usize,
}

/// An attempt under way. Dropping this ends the count.
pub(super) struct UnderWay(watch::Sender<Activity>);

impl UnderWay {
    /// Counts an attempt at a request that was just claimed.
    pub(super) fn begin(activity: &watch::Sender<Activity>) -> Self {
        activity.send_modify(|activity| {
            activity.claimed += 1;
            activity.under_way += 1;
        });
        Self(activity.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|activity| activity.under_way -= 1);
    }
}

/// How many more requests may be claimed.
pub(super) struct ClaimsLeft {
    /// One permit for each claim that may be tried now. Closed once none is left.
    permits: Semaphore,
    left: AtomicUsize,
}

/// The right to one claim. A claim that finds nothing gives it back.
pub(super) struct ClaimRight<'c> {
    permit: SemaphorePermit<'c>,
    left: &'c ClaimsLeft,
}

impl ClaimsLeft {
    /// `most` claims.
    pub(super) fn new(most: usize) -> Self {
        let most = most.min(Semaphore::MAX_PERMITS);
        let claims = Self { permits: Semaphore::new(most), left: most.into() };
        if most == 0 {
            claims.permits.close();
        }
        claims
    }

    /// Waits for the right to a claim. None once all claims have been made.
    pub(super) async fn right(&self) -> Option<ClaimRight<'_>> {
        let permit = self.permits.acquire().await.ok()?;
        Some(ClaimRight { permit, left: self })
    }
}

impl Default for ClaimsLeft {
    /// More than can ever be made.
    fn default() -> Self {
        Self::new(Semaphore::MAX_PERMITS)
    }
}

impl ClaimRight<'_> {
    /// A request was claimed: the right is used up.
    pub(super) fn use_up(self) {
        self.permit.forget();
        if self.left.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.left.permits.close();
        }
    }
}
