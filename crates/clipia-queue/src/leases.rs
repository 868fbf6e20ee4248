//! Leases: for how long a worker holds a request.

use crate::Moment;
use crate::lifecycle::Epoch;
use std::time::Duration;

/// How often a worker prolongs its lease.
pub const HEARTBEAT: Duration = Duration::from_secs(5);

/// How long after its last beat a worker's lease expires: several heartbeats, so that a busy machine does not lose it.
pub const SILENCE_MAX: Duration = Duration::from_secs(30);

/// How long one attempt may take in all, however often its worker beats, unless the catalogue has another time for the model.
pub const ATTEMPT_MAX: Duration = Duration::from_secs(30 * 60);

/// How often a request is queued again after its lease was lost. After that it fails: it may be what kills the workers.
pub const RESCUES_MAX: u32 = 4;

/// A worker's hold on a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// When the worker claimed the request.
    pub claimed_at: Moment,
    /// When the attempt must have ended, however often the worker beats.
    pub deadline_at: Moment,
    /// When the lease expires unless the worker beats.
    pub until: Moment,
}

impl Lease {
    /// The lease of a worker that claims a request at `now`, for an attempt of `attempt_max` at most.
    pub fn claimed(now: Moment, attempt_max: Duration) -> Self {
        let deadline_at = now + attempt_max;
        Self { claimed_at: now, deadline_at, until: deadline_at.min(now + SILENCE_MAX) }
    }

    /// The lease after a beat at `now`; none where the attempt has had all its time.
    pub fn prolonged(self, now: Moment) -> Option<Self> {
        let until = self.deadline_at.min(now + SILENCE_MAX);
        (now < self.deadline_at).then_some(Self { until, ..self })
    }

    /// The lease of a worker that has the request but has not begun its attempt at `now`: the attempt's time starts then.
    pub fn held(self, now: Moment, attempt_max: Duration) -> Self {
        Self { claimed_at: self.claimed_at, ..Self::claimed(now, attempt_max) }
    }

    /// The lease of a worker on another machine, once the store is opened at `now`: the worker could not beat meanwhile, so it has as
    /// long as after a beat. An attempt of `attempt_max` at most cannot end later than that from now: a later deadline was set by a
    /// clock that was wrong.
    pub fn reopened(self, now: Moment, attempt_max: Duration) -> Self {
        let deadline_at = self.deadline_at.min(now + attempt_max);
        Self { deadline_at, until: deadline_at.min(now + SILENCE_MAX), ..self }
    }

    /// Whether the lease has expired at `now`.
    pub fn is_over(self, now: Moment) -> bool {
        self.until <= now
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptEnd {
    /// With an output.
    Completed,
    /// Without one.
    Failed,
    /// The worker released the request.
    Released,
    /// The lease expired, the attempt took too long, or its worker reported it lost.
    Lost,
    /// The request was canceled.
    Canceled,
}

impl AttemptEnd {
    /// Whether a worker that reports `reported` of its attempt only repeats what is recorded already: its report arrived, and the
    /// response was lost. Nobody reports a cancel but the operator who made it, and so it is no repeat of anything.
    pub const fn is_repeated_by(self, reported: Self) -> bool {
        matches!(
            (self, reported),
            (Self::Completed, Self::Completed)
                | (Self::Failed, Self::Failed)
                | (Self::Released, Self::Released)
                | (Self::Lost, Self::Lost)
        )
    }
}

/// The end of a request's lease, and of the attempt under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseEnd {
    /// The claim.
    pub epoch: Epoch,
    /// How it ended.
    pub how: AttemptEnd,
    /// When, by the system's clock.
    pub at: Moment,
}

impl LeaseEnd {
    /// When the attempt ended that began at `claimed_at`, both by the system's clock: never before it began, though the clock
    /// was set back.
    pub fn ended_at(&self, claimed_at: Moment) -> Moment {
        self.at.max(claimed_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_prolongs_a_lease_up_to_the_deadline() {
        let start = Moment::from_micros(0);
        let lease = Lease::claimed(start, ATTEMPT_MAX);
        assert_eq!(lease.until, start + SILENCE_MAX);
        let late = start + ATTEMPT_MAX - Duration::from_secs(1);
        let prolonged = lease.prolonged(late).unwrap();
        assert_eq!(prolonged.until, start + ATTEMPT_MAX);
        assert!(!prolonged.is_over(late) && prolonged.is_over(lease.deadline_at));
        assert_eq!(prolonged.prolonged(lease.deadline_at), None);
    }

    #[test]
    fn a_worker_elsewhere_has_as_long_after_an_opening_as_after_a_beat() {
        let start = Moment::from_micros(0);
        let lease = Lease::claimed(start, ATTEMPT_MAX);
        let late = start + 10 * SILENCE_MAX;
        let reopened = lease.reopened(late, ATTEMPT_MAX);
        assert_eq!(reopened, Lease { until: late + SILENCE_MAX, ..lease });
        // The deadline stays, and an attempt that has passed it is over.
        let at_the_end = lease.reopened(start + ATTEMPT_MAX - HEARTBEAT, ATTEMPT_MAX);
        assert_eq!(at_the_end.until, lease.deadline_at);
        assert!(lease.reopened(start + 2 * ATTEMPT_MAX, ATTEMPT_MAX).is_over(start + 2 * ATTEMPT_MAX));
        // The clock was a year ahead when the request was claimed.
        let ahead =
            Lease::claimed(start + 365 * 24 * 120 * SILENCE_MAX, ATTEMPT_MAX).reopened(start, ATTEMPT_MAX);
        assert_eq!((ahead.until, ahead.deadline_at), (start + SILENCE_MAX, start + ATTEMPT_MAX));
    }

    #[test]
    fn an_end_is_repeated_by_the_same_report_alone() {
        use AttemptEnd::{Canceled, Completed, Failed, Lost, Released};
        for recorded in [Completed, Failed, Released, Lost, Canceled] {
            for reported in [Completed, Failed, Released, Lost, Canceled] {
                let same = recorded == reported && reported != Canceled;
                assert_eq!(recorded.is_repeated_by(reported), same, "{recorded:?} {reported:?}");
            }
        }
    }

    #[test]
    fn a_short_attempt_has_a_short_lease() {
        let start = Moment::from_micros(0);
        assert_eq!(Lease::claimed(start, HEARTBEAT).until, start + HEARTBEAT);
    }
}
