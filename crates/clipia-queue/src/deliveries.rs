//! Deliveries as they are stored: their owner, their host, and their state.

use crate::shares::{Party, Share};
use crate::{AccountId, Moment};

/// The owner of deliveries: an account, or its sandbox, whose deliveries cost it nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeliveryOwner {
    /// The account.
    pub account: AccountId,
    /// Whether they are of its sandbox.
    pub sandbox: bool,
}

impl Party for DeliveryOwner {
    /// The share that the owner may have of the attempts under way.
    fn share(&self) -> Share {
        if self.sandbox { Share::Small } else { Share::Whole }
    }
}

/// A host that is called for an owner. Each has its own breaker: a receiver that is down for one account is not for another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeliveryHost {
    /// Whose deliveries.
    pub owner: DeliveryOwner,
    /// Scheme, host and port.
    pub host: String,
}

/// How many more attempts may begin at a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRoom {
    /// Which.
    pub host: DeliveryHost,
    /// Attempts of the schedule.
    pub room: u32,
    /// Attempts that an operator asked for, instead of those.
    pub room_for_replays: u32,
    /// Whether deliveries were postponed because there was no room.
    pub waiting: bool,
}

/// The state of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It will be attempted.
    Pending,
    /// It arrived.
    Delivered,
    /// It was given up, and is attempted only if an operator replays it.
    Abandoned,
    /// It came with a backup that was restored, and waits until an operator resumes or abandons it.
    Held,
}

impl DeliveryState {
    /// Its name in the store and on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Abandoned => "abandoned",
            Self::Held => "held",
        }
    }

    /// The state of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Pending, Self::Delivered, Self::Abandoned, Self::Held]
            .into_iter()
            .find(|state| state.name() == name)
    }

    /// Whether nothing more is attempted, unless an operator asks.
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Delivered | Self::Abandoned)
    }
}

/// A delivery as it is stored, as far as commands read and change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredDelivery {
    /// Its state.
    pub state: DeliveryState,
    /// Attempts of the schedule made so far.
    pub attempts: u32,
    /// When the next attempt of the schedule is due, by the steady clock.
    pub due_at: Moment,
    /// When an operator asked for an attempt.
    pub replay_at: Option<Moment>,
    /// When the lease of its sender expires, while an attempt is under way.
    pub claimed_until: Option<Moment>,
    /// Whether its host or its owner has no room.
    pub postponed: bool,
    /// When it arrived or was given up, by the system's clock.
    pub settled_at: Option<Moment>,
}

impl StoredDelivery {
    /// A new delivery: pending, not attempted yet, due at `due_at`.
    pub const fn new(due_at: Moment) -> Self {
        Self {
            state: DeliveryState::Pending,
            attempts: 0,
            due_at,
            replay_at: None,
            claimed_until: None,
            postponed: false,
            settled_at: None,
        }
    }

    /// When the delivery is attempted next, if it is. A claim and a postponement leave this as it is.
    pub fn next_at(&self) -> Option<Moment> {
        match self.state {
            DeliveryState::Pending => Some(self.replay_at.map_or(self.due_at, |at| at.min(self.due_at))),
            _ => self.replay_at,
        }
    }

    /// Whether a sender may take the delivery at `now`, as far as it is not postponed.
    pub fn is_due(&self, now: Moment) -> bool {
        self.claimed_until.is_none() && self.next_at().is_some_and(|next| next <= now)
    }

    /// Whether an attempt at `now` is one of the schedule. Otherwise an operator asked for it.
    pub fn is_scheduled(&self, now: Moment) -> bool {
        self.state == DeliveryState::Pending && self.due_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Moment {
        Moment::from_micros(micros)
    }

    #[test]
    fn a_delivery_is_due_by_its_schedule_or_because_an_operator_asked() {
        use DeliveryState::{Abandoned, Delivered, Held, Pending};
        let new = StoredDelivery::new(at(10));
        for (state, replay_at, next_at, due, scheduled) in [
            (Pending, None, Some(10), [false, true, true], [false, true, true]),
            (Pending, Some(5), Some(5), [true, true, true], [false, true, true]),
            (Pending, Some(11), Some(10), [false, true, true], [false, true, true]),
            (Delivered, None, None, [false; 3], [false; 3]),
            (Abandoned, Some(11), Some(11), [false, false, true], [false; 3]),
            (Held, None, None, [false; 3], [false; 3]),
        ] {
            let delivery = StoredDelivery { state, replay_at: replay_at.map(at), ..new };
            assert_eq!(delivery.next_at(), next_at.map(at), "{delivery:?}");
            assert_eq!([9, 10, 11].map(|now| delivery.is_due(at(now))), due, "{delivery:?}");
            assert_eq!([9, 10, 11].map(|now| delivery.is_scheduled(at(now))), scheduled, "{delivery:?}");
            let claimed = StoredDelivery { claimed_until: Some(at(9)), ..delivery };
            assert!(!claimed.is_due(at(11)) && claimed.next_at() == delivery.next_at());
        }
    }
}
