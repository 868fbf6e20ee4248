//! An attempt at a delivery was made: what comes next.

use super::Now;
use crate::Moment;
use crate::deliveries::{DeliveryState, StoredDelivery};
use crate::schedules::delivery_pause;
use std::time::Duration;

/// What comes after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterAttempt {
    /// Nothing: it arrived.
    Delivered,
    /// Another attempt, then.
    Retry(Moment),
    /// Nothing: it was the last.
    GiveUp,
    /// What the schedule says: the attempt was not one of it.
    AsScheduled,
}

/// The receiver's reply to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It took the delivery.
    Accepted,
    /// The receiver is gone for good (410).
    Gone,
    /// Any other reply, or none.
    Other {
        /// The reply's `Retry-After`.
        retry_after: Option<Duration>,
    },
}

impl AfterAttempt {
    /// What comes after an attempt that ended at `now`. `of_schedule` is its number in the schedule, from 1, and nothing where
    /// an operator asked for it; `chance` is between 0 and 1.
    pub fn decide(of_schedule: Option<u32>, reply: Reply, chance: f64, now: Moment) -> Self {
        match (reply, of_schedule) {
            (Reply::Accepted, _) => Self::Delivered,
            (_, None) => Self::AsScheduled,
            (Reply::Gone, Some(_)) => Self::GiveUp,
            (Reply::Other { retry_after }, Some(attempts)) => delivery_pause(attempts, chance, retry_after)
                .map_or(Self::GiveUp, |pause| Self::Retry(now + pause)),
        }
    }

    /// Its name, in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retry(_) => "retry",
            Self::GiveUp => "give_up",
            Self::AsScheduled => "as_scheduled",
        }
    }

    /// When the next attempt comes, if this says so.
    pub const fn at(self) -> Option<Moment> {
        match self {
            Self::Retry(at) => Some(at),
            Self::Delivered | Self::GiveUp | Self::AsScheduled => None,
        }
    }
}

/// The number of the attempt after number `last` of a delivery's log, which is 0 where the log is empty.
pub const fn number_after(last: u32) -> u32 {
    last.saturating_add(1)
}

/// An attempt that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its number in the schedule, from 1; nothing where an operator asked for it.
    pub of_schedule: Option<u32>,
    /// When it began, by the steady clock.
    pub started: Moment,
    /// What comes next.
    pub next: AfterAttempt,
}

/// An attempt that is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Whether the attempt enters the log.
    pub logs: bool,
    /// The delivery.
    pub delivery: StoredDelivery,
}

/// Records an attempt at `delivery`. `is_logged` says whether the log has an attempt of this number: a sender that was
/// overtaken reports an attempt a second time. The first report counts, unless by the second one the delivery arrived.
/// Nothing where nothing changes.
pub fn record(delivery: StoredDelivery, is_logged: bool, made: Made, now: Now) -> Option<Recorded> {
    if is_logged && made.next != AfterAttempt::Delivered {
        return None;
    }
    let mut after = StoredDelivery {
        claimed_until: None,
        attempts: delivery.attempts.max(made.of_schedule.unwrap_or(0)),
        // A replay that was asked for before the attempt began has had it. One that was asked for since still comes.
        replay_at: delivery.replay_at.filter(|at| *at > made.started),
        ..delivery
    };
    let settled = |state| StoredDelivery { state, settled_at: Some(now.wall), postponed: false, ..after };
    match made.next {
        AfterAttempt::Delivered if after.state != DeliveryState::Delivered => {
            after = settled(DeliveryState::Delivered);
        }
        AfterAttempt::GiveUp if after.state == DeliveryState::Pending => {
            after = settled(DeliveryState::Abandoned);
        }
        AfterAttempt::Retry(at) if after.state == DeliveryState::Pending => after.due_at = at,
        _ => {}
    }
    Some(Recorded { logs: !is_logged, delivery: after })
}
