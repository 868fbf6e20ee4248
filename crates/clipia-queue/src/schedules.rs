//! When a delivery is tried again.

use crate::Moment;
use std::time::Duration;

/// How often a delivery is tried in all (`contract.md`, "Webhooks").
pub const DELIVERY_ATTEMPTS: u32 = 6;

/// How long the receiver has for one attempt (`contract.md`, "Webhooks").
pub const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);

/// Pauses before the second and each later attempt: a receiver's restart, a deployment, an outage.
const DELIVERY_PAUSES: [Duration; 5] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 60 * 60),
];

/// How long a delivery may wait for a host that is down. Then it is given up: its client has asked for the result by then.
pub const DELIVERY_AGE_MAX: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// Up to how many pauses a `Retry-After` of the receiver is honoured.
const RETRY_AFTER_PAUSES: u32 = 2;

/// How far jitter moves a pause, so that the deliveries of one outage do not all come back at once.
const JITTER: f64 = 0.2;

/// How long to wait after `attempts` attempts have failed, or `None` where there are no more. `chance` is between 0
/// and 1; a `retry_after` of the receiver is honoured up to twice the pause.
pub fn delivery_pause(attempts: u32, chance: f64, retry_after: Option<Duration>) -> Option<Duration> {
    let index = usize::try_from(attempts.checked_sub(1)?).ok()?;
    let pause = *DELIVERY_PAUSES.get(index)?;
    let jittered = pause.mul_f64(1.0 + JITTER * (2.0 * chance.clamp(0.0, 1.0) - 1.0));
    Some(retry_after.map_or(jittered, |asked| asked.clamp(jittered, pause * RETRY_AFTER_PAUSES)))
}

/// When a delivery is due at the latest of which `attempts` attempts have failed, at `now`. A later moment was written by a clock
/// that was wrong.
pub fn due_at_latest(attempts: u32, now: Moment) -> Moment {
    let pause =
        usize::try_from(attempts).ok().and_then(|attempts| DELIVERY_PAUSES.get(attempts.checked_sub(1)?));
    now + pause.map_or(Duration::ZERO, |pause| *pause * RETRY_AFTER_PAUSES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_six_attempts_further_and_further_apart() {
        let pauses: Vec<u64> =
            (1..).map_while(|n| delivery_pause(n, 0.5, None)).map(|pause| pause.as_secs()).collect();
        assert_eq!(pauses, [5, 30, 300, 1_800, 7_200]);
        assert_eq!(pauses.len() + 1, DELIVERY_ATTEMPTS as usize);
        let now = Moment::from_micros(7);
        for attempts in 0..=DELIVERY_ATTEMPTS {
            let longest = delivery_pause(attempts, 1.0, Some(Duration::MAX)).unwrap_or_default();
            assert_eq!(due_at_latest(attempts, now), now + longest, "{attempts}");
        }
    }

    #[test]
    fn jitter_and_retry_after_stay_in_bounds() {
        assert_eq!(delivery_pause(1, 0.0, None), Some(Duration::from_secs(4)));
        assert_eq!(delivery_pause(1, 1.0, None), Some(Duration::from_secs(6)));
        assert_eq!(delivery_pause(1, 0.5, Some(Duration::from_secs(8))), Some(Duration::from_secs(8)));
        assert_eq!(delivery_pause(1, 0.5, Some(Duration::from_secs(9_999))), Some(Duration::from_secs(10)));
        assert_eq!(delivery_pause(1, 0.5, Some(Duration::ZERO)), Some(Duration::from_secs(5)));
    }
}
