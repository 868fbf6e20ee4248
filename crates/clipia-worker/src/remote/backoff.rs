//! The pause before a failed call is repeated.

use std::time::Duration;

/// The longest pause after the first failure.
const FIRST: Duration = Duration::from_millis(200);

/// The longest pause after many failures.
const LAST: Duration = Duration::from_secs(10);

/// The longest pause after so many failures in a row.
fn pause_max(failures: u32) -> Duration {
    // More doublings would all be above `LAST`.
    FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LAST)
}

/// The pause after so many failures in a row: random from zero to a bound that doubles, so that the workers of a server that was
/// away do not come back at one moment. `random` is from 0 to 1.
pub(super) fn pause(failures: u32, random: f64) -> Duration {
    pause_max(failures).mul_f64(random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_up_to_ten_seconds() {
        let bounds: Vec<u128> = (1..=8).map(|failures| pause(failures, 1.0).as_millis()).collect();
        assert_eq!(bounds, [200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
        assert_eq!(pause(u32::MAX, 1.0), LAST);
        assert_eq!(pause(3, 0.0), Duration::ZERO);
    }
}
