//! What an account used, by day.

use crate::{Credits, Moment};
use std::time::Duration;

pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How many days `GET /v1/account` sums up, today among them.
pub const DAYS: i64 = 30;

/// What is added to the usage of one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The day, counted from the Unix epoch.
    pub day: i64,
    /// Requests accepted.
    pub requests: u32,
    /// Credits charged.
    pub credits: Credits,
}

impl Usage {
    /// A request accepted at `wall`, by the system's clock.
    pub fn request(wall: Moment) -> Self {
        Self { day: day(wall), requests: 1, credits: Credits::ZERO }
    }

    /// Credits charged at `wall`, by the system's clock; nothing where none were.
    pub fn charge(credits: Credits, wall: Moment) -> Option<Self> {
        (credits > Credits::ZERO).then(|| Self { day: day(wall), requests: 0, credits })
    }
}

/// The day of a moment, counted from the Unix epoch.
pub fn day(wall: Moment) -> i64 {
    wall.as_micros().div_euclid(i64::try_from(DAY.as_micros()).unwrap_or(i64::MAX))
}

/// The first day that is summed up at `wall`.
pub fn first_day(wall: Moment) -> i64 {
    day(wall) - DAYS + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight() {
        let micros = i64::try_from(DAY.as_micros()).unwrap();
        for (at, expected) in [(-1, -1), (0, 0), (micros - 1, 0), (micros, 1), (30 * micros, 30)] {
            assert_eq!(day(Moment::from_micros(at)), expected, "{at}");
        }
        assert_eq!(first_day(Moment::from_micros(30 * micros)), 1);
        assert_eq!(Usage::charge(Credits::ZERO, Moment::default()), None);
    }
}
