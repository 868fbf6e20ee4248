//! Waiting: every `wait`, `updates` and `subscribe` of a client is an entry in one schedule.
//!
//! `policy` says when to ask for whom, `table` holds the entries, `scheduler` sleeps and sends.

mod policy;
mod scheduler;
#[cfg(test)]
mod simulation;
mod table;

use crate::client::Clipia;
use crate::error::Error;
use crate::outcome::Outcome;
use crate::spending::now;
use clipia_api::types::{RequestId, ResultResponse, StatusResponse};
use clipia_api::{Progress, Status};
use jiff::Timestamp;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

pub(crate) use scheduler::Scheduler;
use table::{Entry, Ticket};

/// One change of a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Update {
    /// Of the generation.
    pub request_id: RequestId,
    /// Where it stands.
    pub status: Status,
    /// How many requests are ahead of it in the queue; 0 is next.
    pub queue_position: Option<u64>,
    /// Percent done.
    pub progress: Option<Progress>,
}

impl From<&StatusResponse> for Update {
    fn from(response: &StatusResponse) -> Self {
        Self {
            request_id: response.request_id,
            status: response.status.clone(),
            queue_position: response.queue_position,
            progress: response.progress,
        }
    }
}

impl From<&ResultResponse> for Update {
    fn from(response: &ResultResponse) -> Self {
        Self {
            request_id: response.request_id,
            status: response.status.clone(),
            queue_position: response.queue_position,
            progress: response.progress,
        }
    }
}

/// What a handle knows about its generation without asking.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hint {
    /// The slug of its model.
    pub(crate) model: Option<Arc<str>>,
    /// When it was submitted, by the clock on the wall: what outlives a process.
    pub(crate) submitted_at: Option<Timestamp>,
    /// The same by our own clock.
    submitted: Option<Instant>,
    /// Whether it had ended by then, as in the sandbox.
    ended: bool,
}

impl Hint {
    pub(crate) fn submitted(status: &Status, model: &str) -> Self {
        Self {
            model: Some(model.into()),
            submitted_at: Some(Timestamp::now()),
            submitted: Some(now()),
            ended: status.is_terminal(),
        }
    }

    /// Of a handle that was saved.
    pub(crate) fn saved(model: Option<String>, submitted_at: Option<Timestamp>) -> Self {
        // A clock that was set back, or an age beyond our clock's beginning, tells nothing.
        let age = submitted_at.and_then(|at| Duration::try_from(Timestamp::now().duration_since(at)).ok());
        let submitted = age.and_then(|age| now().checked_sub(age));
        Self { model: model.map(Into::into), submitted_at, submitted, ended: false }
    }

    /// When to ask first. Of an id from elsewhere nobody knows: it may have ended long ago.
    fn first_ask(&self, now: Instant) -> Instant {
        match self.submitted {
            Some(submitted) if !self.ended => (submitted + policy::INTERVAL_MIN).max(now),
            _ => now,
        }
    }
}

/// What an entry is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// How it ended.
    Outcome,
    /// Its changes, up to the terminal one.
    Updates,
}

/// What an entry hands to its future.
#[derive(Debug)]
pub(crate) enum Event {
    Update(Update),
    Ended(Ending),
}

/// How an entry ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// With what was waited for.
    Outcome(Box<Outcome>),
    /// With the terminal update.
    Watched,
    /// Without it.
    Error(Box<Error>),
}

/// One future's side of its entry. The entry exists from the first poll to the end, or until this is dropped.
pub(crate) struct Watch {
    clipia: Clipia,
    request_id: RequestId,
    hint: Hint,
    goal: Goal,
    watched: bool,
    timeout: Option<Duration>,
    ticket: Option<Ticket>,
}

impl Watch {
    pub(crate) fn new(clipia: Clipia, request_id: RequestId, hint: Hint, goal: Goal) -> Self {
        let watched = goal == Goal::Updates;
        Self { clipia, request_id, hint, goal, watched, timeout: None, ticket: None }
    }

    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    pub(crate) fn watched(mut self) -> Self {
        self.watched = true;
        self
    }

    pub(crate) fn request_id(&self) -> RequestId {
        self.request_id
    }

    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        let ticket = match self.ticket {
            Some(ticket) => ticket,
            None => *self.ticket.insert(self.clipia.0.scheduler.enter(self.entry(now()))),
        };
        scheduler::poll(&self.clipia, ticket, context)
    }

    fn entry(&self, now: Instant) -> Entry {
        let since = self.hint.submitted.unwrap_or(now);
        let deadline = self.timeout.and_then(|timeout| now.checked_add(timeout));
        Entry::new(self.request_id, self.goal, self.watched, since, now, self.hint.first_ask(now), deadline)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.clipia.0.scheduler.leave(ticket);
        }
    }
}
