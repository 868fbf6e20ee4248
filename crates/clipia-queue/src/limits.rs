//! What a key may do: requests a minute, generations in flight, and credits a day or a month.
//!
//! The rate is held by the generic cell rate algorithm (ITU-T I.371): one number for each key, the theoretical
//! arrival time of the next request. It acts as a bucket that refills evenly and holds [`RateLimit::burst`].

mod credit_budget;
mod spending;

pub use credit_budget::{CreditBudget, OverBudget, Per, Period, SpentCredits};
pub use spending::{Spending, Spent, TOLD_EVERY};

use crate::Moment;
use std::time::Duration;

/// Requests a minute of a key without a limit of its own (`contract.md`, "Limits").
pub const REQUESTS_PER_MINUTE: u32 = 120;

/// Generations in flight of a key without a limit of its own.
pub const IN_FLIGHT_MAX: u32 = 1_000;

/// Requests of the sandbox that are kept of one account: the oldest make room. A busy day of tests is a fraction of it, and
/// with their deliveries they take some 200 MB at most.
pub const SANDBOX_KEPT: u32 = 20_000;

/// `RateLimit-Limit` of a key that is not limited.
pub const UNLIMITED: u32 = u32::MAX;

/// The limits of one key. The server's defaults hold where it has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyLimits {
    /// Requests a minute; 0 lifts the limit.
    pub requests_per_minute: Option<u32>,
    /// Generations waiting or running; 0 lifts the limit.
    pub in_flight_max: Option<u32>,
    /// Credits a day or a month; without a limit where there is none.
    pub credits: Option<CreditBudget>,
}

/// What a key has used of its limits, as its row says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyUse {
    /// How many of its live requests have not ended.
    pub in_flight: u32,
    /// What it has spent of its credit budget; nothing where it has none.
    pub spent: SpentCredits,
}

impl KeyLimits {
    /// How many requests the key may make.
    pub fn rate(self, default: RateLimit) -> RateLimit {
        self.requests_per_minute.map_or(default, RateLimit::per_minute)
    }

    /// How many generations it may have in flight, if that is limited.
    ///
    /// ```
    /// use clipia_queue::limits::{IN_FLIGHT_MAX, KeyLimits};
    ///
    /// assert_eq!(KeyLimits::default().in_flight_max(), Some(IN_FLIGHT_MAX));
    /// let lifted = KeyLimits { in_flight_max: Some(0), ..KeyLimits::default() };
    /// assert_eq!(lifted.in_flight_max(), None);
    /// ```
    pub fn in_flight_max(self) -> Option<u32> {
        Some(self.in_flight_max.unwrap_or(IN_FLIGHT_MAX)).filter(|max| *max > 0)
    }

    /// How many generations the key has in flight with one more, where it has `in_flight`.
    ///
    /// # Errors
    /// The limit, where the key has as many as it may have.
    pub fn one_more(self, in_flight: u32) -> Result<u32, u32> {
        match self.in_flight_max() {
            Some(most) if in_flight >= most => Err(most),
            _ => Ok(in_flight.saturating_add(1)),
        }
    }
}

/// How many requests a key may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    per_minute: u32,
}

/// A key's budget after a request, as in the `RateLimit-*` headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Requests a minute.
    pub limit: u32,
    /// Requests that may be made at once, now.
    pub remaining: u32,
    /// How long until `remaining` is whole again.
    pub reset: Duration,
}

/// The decision on a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The arrival time to keep for the next decision.
    pub arrival: Moment,
    /// The budget that is left.
    pub budget: Budget,
    /// How long to wait, if the request is refused.
    pub refused_for: Option<Duration>,
}

impl RateLimit {
    /// So many requests a minute; 0 lifts the limit.
    pub const fn per_minute(requests: u32) -> Self {
        Self { per_minute: requests }
    }

    /// How many requests may come at once after a pause: a quarter of a minute's, and ten where a minute has so many.
    pub fn burst(self) -> u32 {
        (self.per_minute / 4).max(self.per_minute.min(10))
    }

    /// Whether there is none.
    pub const fn is_lifted(self) -> bool {
        self.per_minute == 0
    }

    /// The budget of a key that has made no request.
    pub fn whole(self) -> Budget {
        if self.is_lifted() {
            return Budget { limit: UNLIMITED, remaining: UNLIMITED, reset: Duration::ZERO };
        }
        Budget { limit: self.per_minute, remaining: self.burst(), reset: Duration::ZERO }
    }

    /// Decides one request at `now`; `arrival` is what the last decision left, or any moment before.
    pub fn decide(self, arrival: Moment, now: Moment) -> Decision {
        if self.is_lifted() {
            return Decision { arrival, budget: self.whole(), refused_for: None };
        }
        let interval = Duration::from_secs(60) / self.per_minute;
        let capacity = interval * self.burst();
        let arrival = arrival.max(now);
        let used = arrival.since(now);
        let (arrival, used, refused_for) = if used + interval > capacity {
            (arrival, used, Some(used + interval - capacity))
        } else {
            (arrival + interval, used + interval, None)
        };
        let free = capacity.saturating_sub(used);
        let remaining = u32::try_from(free.as_micros() / interval.as_micros().max(1)).unwrap_or(u32::MAX);
        Decision { arrival, budget: Budget { limit: self.per_minute, remaining, reset: used }, refused_for }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_default_key_has_a_burst_and_then_two_a_second() {
        let limit = RateLimit::per_minute(REQUESTS_PER_MINUTE);
        let now = Moment::from_micros(1_000_000_000);
        let mut arrival = Moment::default();
        for left in (0..30).rev() {
            let decision = limit.decide(arrival, now);
            assert_eq!((decision.refused_for, decision.budget.remaining), (None, left));
            arrival = decision.arrival;
        }
        let refused = limit.decide(arrival, now);
        assert_eq!(refused.refused_for, Some(Duration::from_millis(500)));
        assert_eq!(refused.budget, Budget { limit: 120, remaining: 0, reset: Duration::from_secs(15) });
        assert_eq!(limit.decide(refused.arrival, now + Duration::from_millis(500)).refused_for, None);
    }

    #[test]
    fn a_lifted_limit_refuses_nothing() {
        let decision = RateLimit::per_minute(0).decide(Moment::default(), Moment::default());
        assert_eq!((decision.refused_for, decision.budget.remaining), (None, UNLIMITED));
    }

    proptest! {
        #[test]
        fn no_window_gets_more_than_its_share(
            per_minute in 1u32..2_000,
            gaps in proptest::collection::vec(0u64..2_000_000, 1..400),
        ) {
            let limit = RateLimit::per_minute(per_minute);
            let (start, mut arrival) = (Moment::from_micros(1), Moment::default());
            let (mut now, mut allowed) = (start, 0u64);
            for gap in gaps {
                now = now + Duration::from_micros(gap);
                let decision = limit.decide(arrival, now);
                arrival = decision.arrival;
                allowed += u64::from(decision.refused_for.is_none());
                let share = now.since(start).as_secs_f64() * f64::from(per_minute) / 60.0 + f64::from(limit.burst());
                prop_assert!(allowed as f64 <= share + 1.0, "{allowed} of {share}");
                if let Some(wait) = decision.refused_for {
                    let retry = limit.decide(arrival, now + wait + Duration::from_micros(1));
                    prop_assert!(retry.refused_for.is_none(), "waited {wait:?} in vain");
                }
            }
        }
    }
}
