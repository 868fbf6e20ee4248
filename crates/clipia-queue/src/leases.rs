//! How long a worker may be silent.

use crate::Moment;
use crate::lifecycle::Epoch;
use std::time::Duration;

/// How often a worker says that it still runs.
pub const HEARTBEAT: Duration = Duration::from_secs(5);

/// How long after its last word a worker is taken for dead: several heartbeats, so that a busy machine is not.
pub const SILENCE_MAX: Duration = Duration::from_secs(30);

/// How long one attempt may take in all, however lively the worker is, of a model that the catalogue says nothing else
/// of.
pub const ATTEMPT_MAX: Duration = Duration::from_secs(30 * 60);

/// How often a request is given to another worker after one was lost. After that it fails: it may be what kills them.
pub const RESCUES_MAX: u32 = 4;

/// A worker's hold on a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// When the worker took the request.
    pub claimed_at: Moment,
    /// When it must have ended, whatever the worker says.
    pub deadline_at: Moment,
    /// When it ends unless the worker speaks.
    pub until: Moment,
}

impl Lease {
    /// The lease of a worker that takes a request at `now`, for an attempt of `attempt_max` at most.
    pub fn claimed(now: Moment, attempt_max: Duration) -> Self {
        let deadline_at = now + attempt_max;
        Self { claimed_at: now, deadline_at, until: deadline_at.min(now + SILENCE_MAX) }
    }

    /// The lease of a worker that says at `now` that it still runs; none where its time is over.
    pub fn prolonged(self, now: Moment) -> Option<Self> {
        let until = self.deadline_at.min(now + SILENCE_MAX);
        (now < self.deadline_at).then_some(Self { until, ..self })
    }

    /// The lease of a worker that has the request but has not begun its attempt at `now`: the attempt's time starts then.
    pub fn held(self, now: Moment, attempt_max: Duration) -> Self {
        Self { claimed_at: self.claimed_at, ..Self::claimed(now, attempt_max) }
    }

    /// Whether the request may be taken away from the worker.
    pub fn is_over(self, now: Moment) -> bool {
        self.until <= now
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptEnd {
    /// With an output.
    Completed,
    /// The worker said that there would be none.
    Failed,
    /// The worker gave it back unharmed.
    Released,
    /// The worker fell silent, or took too long.
    Lost,
    /// The request was called off.
    Canceled,
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
    fn a_short_attempt_has_a_short_lease() {
        let start = Moment::from_micros(0);
        assert_eq!(Lease::claimed(start, HEARTBEAT).until, start + HEARTBEAT);
    }
}
