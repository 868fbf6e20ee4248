//! A waiter: what is known of one wait, and of the generation that it waits for.

use super::next_poll::GenerationState;
use super::runtime_queues::Plan;
use crate::error::Error;
use crate::update::Update;
use clipia_api::types::{RequestId, ResultResponse};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Instant;
use tokio::runtime::Id as RuntimeId;

/// The goal of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// The result.
    Result,
    /// Every update, up to the terminal one.
    Updates,
}

/// What a wait passes to its future.
#[derive(Debug)]
pub(crate) enum WaitEvent {
    Update(Update),
    Ended(WaitEnd),
}

/// How a wait ended.
#[derive(Debug)]
pub(crate) enum WaitEnd {
    /// With the result of a generation that has ended.
    Result(Box<ResultResponse>),
    /// With the terminal update.
    Updates,
    /// With an error.
    Error(Box<Error>),
}

/// The call of a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PollKind {
    /// The status, for a watched generation that runs.
    Status,
    /// The result, which says both that the generation has ended and what its output is.
    Result,
}

/// A waiter: one future that waits for a generation or follows it.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) request_id: RequestId,
    pub(super) model: Option<Arc<str>>,
    pub(super) goal: Goal,
    pub(super) watched: bool,
    /// Whether the submit of the generation named a webhook.
    pub(super) webhook: bool,
    pub(super) state: GenerationState,
    /// The age with which the generation counts as running in the durations of its model.
    pub(super) counted: Option<f64>,
    pub(super) entered: Instant,
    /// The time of the last poll, or of entering.
    pub(super) unpolled_since: Instant,
    /// Whether a poll is in flight, and when the latest was sent.
    pub(super) polling: bool,
    pub(super) sent: Instant,
    /// The runtime whose queues the wait is in.
    pub(super) runtime: Option<RuntimeId>,
    /// The places in these queues; none while a poll is in flight.
    pub(super) plan: Option<Plan>,
    pub(super) deadline: Option<Instant>,
    /// The latest update, and whether the future has still to see it.
    pub(super) latest: Option<Update>,
    pub(super) unseen: bool,
    /// The error of the latest poll, if it failed.
    pub(super) trouble: Option<Box<Error>>,
    pub(super) end: Option<WaitEnd>,
    pub(super) waker: Option<Waker>,
}

impl Waiter {
    pub(super) fn new(
        request_id: RequestId,
        goal: Goal,
        watched: bool,
        state: GenerationState,
        now: Instant,
    ) -> Self {
        Self {
            request_id,
            model: None,
            goal,
            watched,
            webhook: false,
            state,
            counted: None,
            entered: now,
            unpolled_since: now,
            polling: false,
            sent: now,
            runtime: None,
            plan: None,
            deadline: None,
            latest: None,
            unseen: false,
            trouble: None,
            end: None,
            waker: None,
        }
    }

    /// When the next poll is overdue, unless a poll is in flight.
    pub(super) fn overdue_at(&self) -> Option<Instant> {
        self.plan.as_ref().map(|plan| plan.overdue_at)
    }

    /// The call of the next poll.
    pub(super) fn poll_kind(&self) -> PollKind {
        let ended = self.latest.as_ref().is_some_and(|update| update.status.is_terminal());
        let trouble = self.trouble.as_deref();
        match self.goal {
            // If the status is unreadable, the result may be readable.
            _ if matches!(trouble, Some(Error::UnexpectedAnswer(_))) => PollKind::Result,
            Goal::Updates => PollKind::Status,
            Goal::Result if self.watched && !ended => PollKind::Status,
            Goal::Result => PollKind::Result,
        }
    }

    /// Takes the state of the generation as of `sent`. A change is kept for the future if the generation is watched.
    pub(super) fn learn(&mut self, sent: Instant, update: Update) {
        self.state.poll_answered(sent, &update.status, update.queue_position, update.progress);
        self.trouble = None;
        if self.latest.as_ref().is_none_or(|latest| update.is_change(latest)) {
            self.unseen = self.watched;
            self.latest = Some(update);
        }
    }

    /// How the wait ends with the result of the generation.
    pub(super) fn end_with(&self, result: &ResultResponse) -> WaitEnd {
        match self.goal {
            Goal::Result => WaitEnd::Result(Box::new(result.clone())),
            Goal::Updates => WaitEnd::Updates,
        }
    }

    pub(super) fn deadline_passed(&mut self, now: Instant) -> WaitEnd {
        let latest = self.latest.as_ref();
        WaitEnd::Error(Box::new(Error::Deadline {
            request_id: self.request_id.clone(),
            waited: now - self.entered,
            status: latest.map(|update| update.status.clone()),
            progress: latest.and_then(|update| update.progress),
            source: self.trouble.take(),
        }))
    }
}

/// Keeps the waker of a future that is polled.
pub(super) fn store(waker: &mut Option<Waker>, context: &Context<'_>) {
    match waker {
        Some(waker) => waker.clone_from(context.waker()),
        none => *none = Some(context.waker().clone()),
    }
}
