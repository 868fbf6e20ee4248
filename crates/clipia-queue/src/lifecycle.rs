#![doc = include_str!("../lifecycle.md")]

use crate::leases::RESCUES_MAX;
use clipia_api::{Progress, Status};
use std::fmt;

/// The phase of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It waits in its queue.
    Queued,
    /// A worker has it.
    Running,
    /// It ended with an output.
    Completed,
    /// It ended without an output.
    Failed,
    /// An operator canceled it.
    Canceled,
}

impl Phase {
    /// The name in the store and in what an examination finds.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// The phase of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Queued, Self::Running, Self::Completed, Self::Failed, Self::Canceled]
            .into_iter()
            .find(|phase| phase.name() == name)
    }

    /// Whether the request has ended.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Canceled)
    }

    /// How far a request of this phase is, where `stored` is the progress of its latest attempt; nothing unless it runs.
    pub fn progress(self, stored: Progress) -> Option<Progress> {
        (self == Self::Running).then_some(stored)
    }

    /// Whether a request of this phase has made an output.
    pub const fn has_output(self) -> bool {
        matches!(self, Self::Completed)
    }

    /// The status on the wire.
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

/// The number of a claim of a request. Each claim has a greater one than those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub i64);

/// The state of a request, as far as it decides what may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifecycle {
    /// The phase.
    pub phase: Phase,
    /// The number of the latest claim.
    pub epoch: Epoch,
    /// How often it was queued again because a lease was lost.
    pub rescues: u32,
}

/// What can happen to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A worker claims it.
    Claim,
    /// The worker with this epoch still runs.
    Beat(Epoch),
    /// The worker with this epoch has the output.
    Complete(Epoch),
    /// The worker with this epoch has no output.
    Fail(Epoch),
    /// The worker with this epoch releases it, as when its server shuts down or has no room for the output.
    Release(Epoch),
    /// The lease of this epoch expired, or its worker lost the attempt.
    Lose(Epoch),
    /// An operator cancels it.
    Cancel,
}

impl fmt::Display for Event {
    /// The event in a sentence about a request.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Claim => "be claimed",
            Self::Beat(_) => "prolong its lease",
            Self::Complete(_) => "complete",
            Self::Fail(_) => "fail",
            Self::Release(_) => "be released",
            Self::Lose(_) => "lose its lease",
            Self::Cancel => "be canceled",
        })
    }
}

impl Event {
    /// The epoch that a worker's report carries, which must be in force.
    pub const fn epoch(self) -> Option<Epoch> {
        match self {
            Self::Claim | Self::Cancel => None,
            Self::Beat(epoch)
            | Self::Complete(epoch)
            | Self::Fail(epoch)
            | Self::Release(epoch)
            | Self::Lose(epoch) => Some(epoch),
        }
    }
}

/// What becomes of the reserved credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// They are charged.
    Capture,
    /// They are returned.
    Release,
}

/// The change of a request by an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state after the event.
    pub next: Lifecycle,
    /// What becomes of the reserved credits, if the request has ended.
    pub settlement: Option<Settlement>,
}

/// The event does not fit; nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The worker's claim is not in force: the request was given to another, or has ended.
    #[error("claim {} is no longer in force: the request is {}, its latest claim was {}", .reported.0, .phase.status(), .latest.0)]
    Stale {
        /// The epoch of the report.
        reported: Epoch,
        /// The latest epoch.
        latest: Epoch,
        /// The phase of the request.
        phase: Phase,
    },
    /// The event cannot happen in this phase.
    #[error("a request that is {} cannot {event}", .phase.status())]
    Phase {
        /// What happened.
        event: Event,
        /// The phase of the request.
        phase: Phase,
    },
}

impl Lifecycle {
    /// A request that was just accepted.
    pub const fn submitted() -> Self {
        Self { phase: Phase::Queued, epoch: Epoch(0), rescues: 0 }
    }

    /// A request of the sandbox, which has ended: it never waits, runs or costs anything.
    pub const fn sandbox() -> Self {
        Self { phase: Phase::Completed, epoch: Epoch(0), rescues: 0 }
    }

    /// The transition by `event`.
    ///
    /// # Errors
    /// [`Refused`] where the event does not fit; then nothing may change.
    pub fn apply(self, event: Event) -> Result<Transition, Refused> {
        if let Some(reported) = event.epoch()
            && (self.phase != Phase::Running || reported != self.epoch)
        {
            return Err(Refused::Stale { reported, latest: self.epoch, phase: self.phase });
        }
        let (next, settlement) = match (self.phase, event) {
            (Phase::Queued, Event::Claim) => {
                (Self { phase: Phase::Running, epoch: Epoch(self.epoch.0.saturating_add(1)), ..self }, None)
            }
            (Phase::Running, Event::Beat(_)) => (self, None),
            (Phase::Running, Event::Release(_)) => (Self { phase: Phase::Queued, ..self }, None),
            (Phase::Running, Event::Lose(_)) if self.rescues < RESCUES_MAX => {
                (Self { phase: Phase::Queued, rescues: self.rescues + 1, ..self }, None)
            }
            (Phase::Running, Event::Complete(_)) => {
                (Self { phase: Phase::Completed, ..self }, Some(Settlement::Capture))
            }
            (Phase::Running, Event::Fail(_) | Event::Lose(_)) => {
                (Self { phase: Phase::Failed, ..self }, Some(Settlement::Release))
            }
            (Phase::Queued | Phase::Running, Event::Cancel) => {
                (Self { phase: Phase::Canceled, ..self }, Some(Settlement::Release))
            }
            (phase, event) => return Err(Refused::Phase { event, phase }),
        };
        Ok(Transition { next, settlement })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn event() -> impl Strategy<Value = Event> {
        (0..KINDS, 0..4i64).prop_map(|(kind, epoch)| event_of(kind, Epoch(epoch)))
    }

    const KINDS: usize = 7;

    fn event_of(kind: usize, epoch: Epoch) -> Event {
        match kind {
            0 => Event::Claim,
            1 => Event::Beat(epoch),
            2 => Event::Complete(epoch),
            3 => Event::Fail(epoch),
            4 => Event::Release(epoch),
            5 => Event::Lose(epoch),
            _ => Event::Cancel,
        }
    }

    /// The rows of the documentation's table, without their guards.
    fn documented() -> BTreeSet<String> {
        let rows = include_str!("../lifecycle.md").lines().filter(|line| line.starts_with("| "));
        rows.skip(1)
            .map(|row| {
                let cells: Vec<&str> = row.split('|').map(str::trim).collect();
                [cells[1], cells[2], cells[4], cells[5]].join(" | ")
            })
            .collect()
    }

    #[test]
    fn the_documented_transitions_are_those_there_are() {
        let mut allowed = BTreeSet::new();
        for phase in [Phase::Queued, Phase::Running, Phase::Completed, Phase::Failed, Phase::Canceled] {
            for rescues in 0..=RESCUES_MAX {
                let life = Lifecycle { phase, epoch: Epoch(2), rescues };
                for kind in 0..KINDS {
                    let event = event_of(kind, life.epoch);
                    if event.epoch().is_some() {
                        let stale = life.apply(event_of(kind, Epoch(1)));
                        assert!(matches!(
                            stale,
                            Err(Refused::Stale { reported: Epoch(1), latest: Epoch(2), .. })
                        ));
                    }
                    match life.apply(event) {
                        Ok(Transition { next, settlement }) => {
                            let name = format!("{event:?}");
                            let credits = settlement.map(|kind| format!("{kind:?}")).unwrap_or_default();
                            let name = name.split('(').next().unwrap();
                            allowed.insert(format!("{phase:?} | {name} | {:?} | {credits}", next.phase));
                        }
                        Err(Refused::Phase { phase: found, .. } | Refused::Stale { phase: found, .. }) => {
                            assert_eq!(found, phase);
                        }
                    }
                }
            }
        }
        assert_eq!(allowed, documented());
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
        let ended = second.apply(Event::Cancel).unwrap().next;
        for kind in 0..KINDS {
            let (event, late) = (event_of(kind, first.epoch), event_of(kind, second.epoch));
            if event.epoch().is_some() {
                assert!(matches!(second.apply(event), Err(Refused::Stale { .. })));
                assert!(matches!(ended.apply(late), Err(Refused::Stale { .. })));
            }
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
