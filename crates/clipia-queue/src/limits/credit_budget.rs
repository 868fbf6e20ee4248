//! The credit budget of a key: how many credits it may spend in a day or a month of the calendar, by UTC.
//!
//! What was spent is kept with its period. The period never goes back: a clock that was set back goes on spending what is left of the
//! later period, so that nothing is spent twice. A period that is over is whole again without a write.

use crate::usage::day;
use crate::{Credits, Moment};
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use std::fmt;
use std::time::Duration;

/// How long a budget lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// A day of the calendar.
    Day,
    /// A month of the calendar.
    Month,
}

/// How many credits a key may spend in each period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreditBudget {
    /// Credits a period.
    pub credits: Credits,
    /// The period.
    pub per: Per,
}

/// A period of the calendar, in days counted from the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// Its first day.
    pub since: i64,
    /// The first day after it.
    pub until: i64,
}

/// The credits that a key has spent of its budget: reserved or charged for what it submitted in the period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpentCredits {
    /// The period; an empty one where the key has spent nothing yet.
    pub period: Period,
    /// Credits.
    pub credits: Credits,
}

/// A request that costs more than is left of its key's budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverBudget {
    /// The budget.
    pub budget: CreditBudget,
    /// What was spent of it, and in which period.
    pub spent: SpentCredits,
    /// What the request costs.
    pub cost: Credits,
}

impl Per {
    /// Each of them.
    pub const ALL: [Self; 2] = [Self::Day, Self::Month];

    /// Its name, as it is stored and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|per| per.name() == name)
    }

    /// The period that a moment is in, by the system's clock.
    ///
    /// ```
    /// use clipia_queue::Moment;
    /// use clipia_queue::limits::Per;
    ///
    /// let period = Per::Month.period(Moment::from_micros(1_700_000_000_000_000)); // 14 November 2023
    /// assert_eq!(period.end().as_micros(), 1_701_388_800_000_000); // 1 December
    /// ```
    pub fn period(self, wall: Moment) -> Period {
        let today = day(wall);
        let of_day = Period { since: today, until: today + 1 };
        match self {
            Self::Day => of_day,
            Self::Month => month(wall).unwrap_or(of_day),
        }
    }
}

/// The month of a moment; nothing where the calendar does not have it whole, some thousand years from here.
fn month(wall: Moment) -> Option<Period> {
    let now = Timestamp::from_microsecond(wall.as_micros()).ok()?;
    let first = TimeZone::UTC.to_datetime(now).date().first_of_month();
    let number = |date: Date| {
        let midnight = TimeZone::UTC.to_timestamp(date.to_datetime(Time::midnight())).ok()?;
        Some(day(Moment::from_micros(midnight.as_microsecond())))
    };
    Some(Period { since: number(first)?, until: number(first.checked_add(1.month()).ok()?)? })
}

impl Period {
    /// A day. UTC as computers count it has no leap seconds.
    pub const DAY: Duration = crate::usage::DAY;

    /// Whether a moment is in it, by the system's clock.
    pub fn contains(self, wall: Moment) -> bool {
        (self.since..self.until).contains(&day(wall))
    }

    /// Its first moment.
    pub fn start(self) -> Moment {
        first_moment(self.since)
    }

    /// The first moment after it: the budget is whole again.
    pub fn end(self) -> Moment {
        first_moment(self.until)
    }
}

/// The first moment of a day.
fn first_moment(day: i64) -> Moment {
    let micros = i64::try_from(Period::DAY.as_micros()).unwrap_or(i64::MAX);
    Moment::from_micros(day.saturating_mul(micros))
}

impl CreditBudget {
    /// What is spent of the budget at `wall`, by the system's clock: `spent`, or nothing where its period is over.
    pub fn current(self, spent: SpentCredits, wall: Moment) -> SpentCredits {
        match day(wall) < spent.period.until {
            true => spent,
            false => SpentCredits { period: self.per.period(wall), credits: Credits::ZERO },
        }
    }

    /// Spends what a request costs that is submitted at `wall`, by the system's clock.
    ///
    /// # Errors
    /// [`OverBudget`] where less is left.
    pub fn spend(self, spent: SpentCredits, cost: Credits, wall: Moment) -> Result<SpentCredits, OverBudget> {
        let spent = self.current(spent, wall);
        match spent.credits.checked_add(cost) {
            Some(credits) if credits <= self.credits => Ok(SpentCredits { credits, ..spent }),
            // What costs nothing takes nothing of a budget.
            _ if cost == Credits::ZERO => Ok(spent),
            _ => Err(OverBudget { budget: self, spent, cost }),
        }
    }
}

impl SpentCredits {
    /// Gives back what a request does not cost that was submitted at `submitted_at`, by the system's clock. One of an earlier period
    /// gives nothing back to this one.
    #[must_use]
    pub fn refund(self, returned: Credits, submitted_at: Moment) -> Self {
        match self.period.contains(submitted_at) {
            true => Self { credits: self.credits.checked_sub(returned).unwrap_or(Credits::ZERO), ..self },
            false => self,
        }
    }
}

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { budget: CreditBudget { credits, per }, spent, cost } = self;
        let (per, whole_at) = (per.name(), spent.period.end().as_micros());
        let whole_at = Timestamp::from_microsecond(whole_at).unwrap_or(Timestamp::MAX);
        write!(
            f,
            "this costs {cost} credits, and the key has spent {} of the {credits} that it may spend a {per}; the budget is whole \
             again at {whole_at}: ",
            spent.credits
        )?;
        match cost <= credits {
            true => f.write_str("submit it then, or with a key that may spend more"),
            false => {
                f.write_str("it is too small for this all the same, so submit with a key that may spend more")
            }
        }
    }
}

impl std::error::Error for OverBudget {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MONTHLY: CreditBudget = CreditBudget { credits: Credits::new(100), per: Per::Month };

    fn at(time: &str) -> Moment {
        Moment::from_micros(time.parse::<Timestamp>().unwrap().as_microsecond())
    }

    fn spent(period: Period, credits: u64) -> SpentCredits {
        SpentCredits { period, credits: Credits::new(credits) }
    }

    #[test]
    fn periods_are_those_of_the_calendar() {
        for (per, time, start, end) in [
            (Per::Day, "2026-02-28T23:59:59.999999Z", "2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z"),
            (Per::Day, "2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"),
            (Per::Month, "2024-02-29T12:00:00Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
            (Per::Month, "2025-12-31T23:59:59.999999Z", "2025-12-01T00:00:00Z", "2026-01-01T00:00:00Z"),
            (Per::Month, "1969-12-31T23:00:00Z", "1969-12-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        ] {
            let period = per.period(at(time));
            assert_eq!((period.start(), period.end()), (at(start), at(end)), "{per:?} of {time}");
        }
        assert_eq!(Per::ALL.map(|per| Per::named(per.name())), Per::ALL.map(Some));
        // The calendar ends in the year 9999.
        assert!(Per::Month.period(Moment::from_micros(i64::MAX)).until > 0);
    }

    #[test]
    fn a_refusal_says_what_was_wrong_and_what_to_do() {
        let now = at("2026-02-10T08:00:00Z");
        let full = MONTHLY.spend(SpentCredits::default(), Credits::new(96), now).unwrap();
        let said = |cost| MONTHLY.spend(full, Credits::new(cost), now).unwrap_err().to_string();
        assert_eq!(
            said(12),
            "this costs 12 credits, and the key has spent 96 of the 100 that it may spend a month; the budget is whole again at \
             2026-03-01T00:00:00Z: submit it then, or with a key that may spend more"
        );
        assert!(said(101).ends_with("submit with a key that may spend more"), "{}", said(101));
    }

    #[test]
    fn a_clock_that_is_set_back_spends_what_is_left_of_the_later_period() {
        let (january, february) = (at("2026-01-31T23:00:00Z"), at("2026-02-01T01:00:00Z"));
        let all = MONTHLY.spend(SpentCredits::default(), Credits::new(100), february).unwrap();
        assert_eq!(MONTHLY.current(all, january), all);
        let refused = MONTHLY.spend(all, Credits::new(1), january).unwrap_err();
        assert_eq!(refused.spent.period.end(), at("2026-03-01T00:00:00Z"));
        assert!(
            MONTHLY.spend(all, Credits::new(1), february).is_err(),
            "the later period is not whole again"
        );
        // What was submitted while it was set back gives nothing back.
        assert_eq!(all.refund(Credits::new(12), january), all);
    }

    #[test]
    fn what_costs_nothing_may_always_be_submitted() {
        let now = at("2026-02-10T08:00:00Z");
        let over = spent(Per::Month.period(now), 120);
        assert_eq!(MONTHLY.spend(over, Credits::ZERO, now), Ok(over));
    }

    proptest! {
        /// A key submits, and some of its requests are refunded, while time goes on and now and then back.
        #[test]
        fn no_period_gets_more_than_its_budget(
            per in prop_oneof![Just(Per::Day), Just(Per::Month)],
            steps in proptest::collection::vec((0u64..60, -40i64..200, any::<prop::sample::Index>(), any::<bool>()), 1..200),
        ) {
            let budget = CreditBudget { credits: Credits::new(100), per };
            let (mut now, mut book) = (at("2026-01-30T00:00:00Z"), SpentCredits::default());
            // What each request costs still, and when it was submitted.
            let mut requests: Vec<(u64, Moment)> = Vec::new();
            for (cost, hours, refunded, is_refund) in steps {
                now = Moment::from_micros(now.as_micros() + hours * 3_600_000_000);
                let before = book.period;
                if is_refund && !requests.is_empty() {
                    let (cost, submitted_at) = std::mem::take(refunded.get_mut(&mut requests));
                    let left = book.refund(Credits::new(cost), submitted_at);
                    prop_assert!(left.credits <= book.credits && left.period == book.period);
                    book = left;
                } else {
                    let is_new = now >= book.period.end();
                    match budget.spend(book, Credits::new(cost), now) {
                        Ok(after) => {
                            prop_assert!(!is_new || after.credits == Credits::new(cost), "a new period is whole");
                            book = after;
                            requests.push((cost, now));
                        }
                        Err(over) => prop_assert!(over.spent.credits.get() + cost > 100),
                    }
                }
                prop_assert!(book.period.since >= before.since && book.period.until >= before.until);
                prop_assert!(book.credits <= budget.credits);
                let of_period = requests.iter().filter(|(_, at)| book.period.contains(*at));
                prop_assert!(of_period.map(|(cost, _)| cost).sum::<u64>() <= book.credits.get(), "what counts is counted");
            }
        }
    }
}
