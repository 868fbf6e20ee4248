//! How long a worker may be silent.

use crate::Moment;
use std::time::Duration;

/// How often a worker says that it still runs.
pub const HEARTBEAT: Duration = Duration::from_secs(5);

/// How long after its last word a worker is taken for dead: several heartbeats, so that a busy machine is not.
pub const SILENCE_MAX: Duration = Duration::from_secs(30);

/// How long one attempt may take in all, however lively the worker is.
pub const ATTEMPT_MAX: Duration = Duration::from_secs(30 * 60);

/// How often a request is given to another worker after one was lost. After that it fails: it may be what kills them.
pub const RESCUES_MAX: u32 = 4;

/// When the lease of a worker that speaks at `now` ends.
pub fn lease_until(claimed_at: Moment, now: Moment) -> Moment {
    (now + SILENCE_MAX).min(claimed_at + ATTEMPT_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_prolongs_a_lease_up_to_the_deadline() {
        let start = Moment::from_micros(0);
        assert_eq!(lease_until(start, start), start + SILENCE_MAX);
        let late = start + ATTEMPT_MAX - Duration::from_secs(1);
        assert_eq!(lease_until(start, late), start + ATTEMPT_MAX);
    }
}
