//! What a request may become.
//!
//! ```text
//!             claim              complete
//!   Queued ─────────▶ Running ─────────────▶ Completed   capture
//!     │  ▲               │ │
//!     │  │ release, lose │ │ fail, lose once too often
//!     │  └───────────────┘ └───────────────▶ Failed      release of the credits
//!     │                    │
//!     └────────────────────┴───────────────▶ Canceled    release of the credits
//!              cancel
//! ```
//!
//! Everything else is [`Refused`]. What a worker says carries the [`Epoch`] that its claim gave it: a worker whose
//! lease was lost says it with an old epoch, and changes nothing.

use crate::leases::RESCUES_MAX;
use clipia_api::Status;
use serde::{Deserialize, Serialize};

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Waits in line.
    Queued,
    /// A worker has it.
    Running,
    /// Ended well.
    Completed,
    /// Ended without an output.
    Failed,
    /// Was called off.
    Canceled,
}

impl Phase {
    /// Whether nothing can change it any more.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Canceled)
    }

    /// As the wire says it.
    pub const fn status(self) -> Status {
        match self {
            Self::Queued => Status::InQueue,
            Self::Running => Status::InProgress,
            Self::Completed => Status::Completed,
            Self::Failed => Status::Failed,
            Self::Canceled => Status::Canceled,
        }
    }
}

/// Counts the claims of one request. Each claim gets a number that none before it had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub i64);

/// What decides the future of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// Where it stands.
    pub phase: Phase,
    /// Its latest claim.
    pub epoch: Epoch,
    /// How often a worker lost it.
    pub rescues: u32,
}

/// What can happen to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A worker takes it.
    Claim,
    /// The worker with this epoch has its output.
    Complete(Epoch),
    /// The worker with this epoch says that there will be none.
    Fail(Epoch),
    /// The worker with this epoch gives it back unharmed, as a server does that shuts down.
    Release(Epoch),
    /// The lease of this epoch ran out.
    Lose(Epoch),
    /// An operator calls it off.
    Cancel,
}

/// What becomes of the credits that were reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// They are charged.
    Capture,
    /// They are returned.
    Release,
}

/// What an event makes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Where it stands now.
    pub next: Lifecycle,
    /// What becomes of its credits, if it has ended.
    pub settlement: Option<Settlement>,
}

/// The event does not fit; nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The worker's claim is not the latest.
    #[error("the claim {said:?} is no longer in force: the latest is {latest:?}")]
    Stale {
        /// The epoch the worker said.
        said: Epoch,
        /// The epoch in force.
        latest: Epoch,
    },
    /// It cannot happen in this phase.
    #[error("{event:?} cannot happen to a request that is {phase:?}")]
    Phase {
        /// What happened.
        event: Event,
        /// Where the request stands.
        phase: Phase,
    },
}

impl Lifecycle {
    /// A request that was just accepted.
    pub const fn submitted() -> Self {
        Self { phase: Phase::Queued, epoch: Epoch(0), rescues: 0 }
    }

    /// A request of the sandbox: it never waits, runs or costs anything.
    pub const fn sandbox() -> Self {
        Self { phase: Phase::Completed, epoch: Epoch(0), rescues: 0 }
    }

    /// What `event` makes of it.
    ///
    /// # Errors
    /// [`Refused`] where the event does not fit; then nothing may change.
    pub fn apply(self, event: Event) -> Result<Transition, Refused> {
        let to = |phase, settlement| Ok(Transition { next: Self { phase, ..self }, settlement });
        match (self.phase, event) {
            (Phase::Queued, Event::Claim) => Ok(Transition {
                next: Self { phase: Phase::Running, epoch: Epoch(self.epoch.0 + 1), ..self },
                settlement: None,
            }),
            (
                Phase::Running,
                Event::Complete(epoch) | Event::Fail(epoch) | Event::Release(epoch) | Event::Lose(epoch),
            ) if epoch != self.epoch => Err(Refused::Stale { said: epoch, latest: self.epoch }),
            (Phase::Running, Event::Complete(_)) => to(Phase::Completed, Some(Settlement::Capture)),
            (Phase::Running, Event::Fail(_)) => to(Phase::Failed, Some(Settlement::Release)),
            (Phase::Running, Event::Release(_)) => to(Phase::Queued, None),
            (Phase::Running, Event::Lose(_)) if self.rescues >= RESCUES_MAX => {
                to(Phase::Failed, Some(Settlement::Release))
            }
            (Phase::Running, Event::Lose(_)) => Ok(Transition {
                next: Self { phase: Phase::Queued, rescues: self.rescues + 1, ..self },
                settlement: None,
            }),
            (Phase::Queued | Phase::Running, Event::Cancel) => to(Phase::Canceled, Some(Settlement::Release)),
            (phase, event) => Err(Refused::Phase { event, phase }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event() -> impl Strategy<Value = Event> {
        (0..6, 0..4i64).prop_map(|(kind, epoch)| match kind {
            0 => Event::Claim,
            1 => Event::Complete(Epoch(epoch)),
            2 => Event::Fail(Epoch(epoch)),
            3 => Event::Release(Epoch(epoch)),
            4 => Event::Lose(Epoch(epoch)),
            _ => Event::Cancel,
        })
    }

    proptest! {
        #[test]
        fn credits_are_settled_exactly_once_when_it_ends(events in proptest::collection::vec(event(), 0..60)) {
            let mut life = Lifecycle::submitted();
            let mut settled = 0;
            for event in events {
                let Ok(transition) = life.apply(event) else { continue };
                prop_assert!(!life.phase.is_terminal(), "{life:?} changed by {event:?}");
                prop_assert_eq!(transition.settlement.is_some(), transition.next.phase.is_terminal());
                prop_assert!(transition.next.epoch >= life.epoch);
                prop_assert!(transition.next.rescues <= RESCUES_MAX);
                settled += u32::from(transition.settlement.is_some());
                life = transition.next;
            }
            prop_assert_eq!(settled, u32::from(life.phase.is_terminal()));
        }
    }

    #[test]
    fn a_worker_that_lost_its_lease_changes_nothing() {
        let first = Lifecycle::submitted().apply(Event::Claim).unwrap().next;
        let second = first.apply(Event::Lose(first.epoch)).unwrap().next.apply(Event::Claim).unwrap().next;
        for event in [Event::Complete(first.epoch), Event::Fail(first.epoch), Event::Release(first.epoch)] {
            assert!(matches!(second.apply(event), Err(Refused::Stale { .. })));
        }
    }

    #[test]
    fn one_that_is_lost_too_often_fails_and_is_refunded() {
        let mut life = Lifecycle::submitted();
        for _ in 0..RESCUES_MAX {
            let running = life.apply(Event::Claim).unwrap().next;
            life = running.apply(Event::Lose(running.epoch)).unwrap().next;
            assert_eq!(life.phase, Phase::Queued);
        }
        let running = life.apply(Event::Claim).unwrap().next;
        let end = running.apply(Event::Lose(running.epoch)).unwrap();
        assert_eq!((end.next.phase, end.settlement), (Phase::Failed, Some(Settlement::Release)));
    }
}
