//! Deliveries as they are kept: whose they are, to whom they go, and where they stand.

use crate::shares::Share;
use crate::{AccountId, Moment};

/// Whose deliveries: those of an account, or those of its sandbox, which cost it nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeliveryOwner {
    /// The account.
    pub account: AccountId,
    /// Whether they are of its sandbox.
    pub sandbox: bool,
}

impl DeliveryOwner {
    /// How large a share of the attempts under way may be theirs.
    pub fn share(&self) -> Share {
        if self.sandbox { Share::Small } else { Share::Whole }
    }
}

/// Who is called on whose behalf: what one breaker watches. One account's dead receivers are no other's.
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

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It will be attempted, again or for the first time.
    Pending,
    /// It arrived.
    Delivered,
    /// It did not, and will only be attempted if an operator asks.
    Abandoned,
    /// It came with a backup that was restored, and waits until an operator says what becomes of all of these.
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
    /// Where it stands.
    pub state: DeliveryState,
    /// Attempts of the schedule made so far.
    pub attempts: u32,
    /// When the next attempt of the schedule is due, by the steady clock.
    pub due_at: Moment,
    /// When an operator asked for an attempt.
    pub replay_at: Option<Moment>,
    /// Until when its sender has it, while an attempt is under way.
    pub claimed_until: Option<Moment>,
    /// Whether its host or its owner has no room.
    pub postponed: bool,
    /// When it arrived or was given up, by the system's clock.
    pub settled_at: Option<Moment>,
}

impl StoredDelivery {
    /// When it is attempted next, if it is.
    pub fn next_at(&self) -> Option<Moment> {
        match self.state {
            DeliveryState::Pending => Some(self.replay_at.map_or(self.due_at, |at| at.min(self.due_at))),
            _ => self.replay_at,
        }
    }
}

/// Whether an attempt at `now` is one of the schedule. Otherwise an operator asked for it.
pub fn is_scheduled(state: DeliveryState, due_at: Moment, now: Moment) -> bool {
    state == DeliveryState::Pending && due_at <= now
}
