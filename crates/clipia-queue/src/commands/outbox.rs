//! Deliveries beside the schedule: an operator replays, resumes or abandons them, a restored store holds them, their sender is gone,
//! their host stays down.

use super::Now;
use crate::Moment;
use crate::deliveries::{DeliveryState, StoredDelivery};
use crate::schedules::due_at_latest;

/// What is known of the sender that has a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// It is gone: it was one of a process that ended.
    Gone,
    /// Nothing but how long its claim holds.
    Unknown,
    /// It lives, in a process that may have been suspended.
    Living,
}

/// Frees a delivery whose sender is gone and has recorded no attempt. Nothing where no sender has the delivery, or the
/// sender keeps it.
pub fn free(delivery: StoredDelivery, sender: Sender, now: Moment) -> Option<StoredDelivery> {
    let until = delivery.claimed_until?;
    let is_gone = match sender {
        Sender::Gone => true,
        Sender::Unknown => until <= now,
        Sender::Living => false,
    };
    is_gone.then_some(StoredDelivery { claimed_until: None, ..delivery })
}

/// An operator replays a delivery. The schedule goes on as it was unless that attempt arrives. The delivery is postponed no more:
/// its host may have room for replays, though not for the schedule.
pub fn replay(delivery: StoredDelivery, now: Now) -> StoredDelivery {
    StoredDelivery { replay_at: Some(now.steady), postponed: false, ..delivery }
}

/// Whether a replay of what was given up from `since` on, by the system's clock, takes this delivery.
pub fn is_replayed(delivery: &StoredDelivery, since: Moment) -> bool {
    delivery.state == DeliveryState::Abandoned
        && delivery.settled_at.is_some_and(|at| at >= since)
        && delivery.replay_at.is_none()
        && delivery.claimed_until.is_none()
}

/// A delivery of a store that comes from a backup: a pending one is held, since its receiver may have had it long ago, or something
/// later. A replay that was asked for is dropped.
pub fn hold(delivery: StoredDelivery) -> StoredDelivery {
    StoredDelivery {
        state: held(delivery.state),
        replay_at: None,
        claimed_until: None,
        postponed: false,
        ..delivery
    }
}

/// The state of a delivery in a store that comes from a backup.
pub const fn held(state: DeliveryState) -> DeliveryState {
    match state {
        DeliveryState::Pending => DeliveryState::Held,
        state => state,
    }
}

/// An operator resumes a held delivery; nothing where it is not held. The attempt counts as a replay, which is not given up for its
/// age.
pub fn resume(delivery: StoredDelivery, now: Now) -> Option<StoredDelivery> {
    (delivery.state == DeliveryState::Held).then_some(StoredDelivery {
        state: DeliveryState::Pending,
        due_at: now.steady,
        replay_at: Some(now.steady),
        ..delivery
    })
}

/// An operator abandons a held delivery; nothing where it is not held.
pub fn abandon(delivery: StoredDelivery, now: Now) -> Option<StoredDelivery> {
    (delivery.state == DeliveryState::Held).then_some(StoredDelivery {
        state: DeliveryState::Abandoned,
        settled_at: Some(now.wall),
        ..delivery
    })
}

/// Gives up a delivery that was postponed and has been due since before `since`; nothing where it is not one of these. One
/// that has settled keeps its state, and is attempted no more.
pub fn give_up(delivery: StoredDelivery, since: Moment, now: Now) -> Option<StoredDelivery> {
    let is_old = delivery.due_at < since && delivery.replay_at.is_none_or(|at| at < since);
    if !delivery.postponed || !is_old {
        return None;
    }
    let given_up = StoredDelivery { postponed: false, replay_at: None, ..delivery };
    Some(match delivery.state {
        DeliveryState::Pending => StoredDelivery {
            state: DeliveryState::Abandoned,
            settled_at: Some(delivery.settled_at.unwrap_or(now.wall)),
            ..given_up
        },
        _ => given_up,
    })
}

/// A delivery that is due further ahead of `now` than any schedule says, because a clock was wrong: it is due as usual.
pub fn mend(delivery: StoredDelivery, now: Moment) -> StoredDelivery {
    StoredDelivery {
        due_at: delivery.due_at.min(due_at_latest(delivery.attempts, now)),
        replay_at: delivery.replay_at.map(|at| at.min(now)),
        ..delivery
    }
}
