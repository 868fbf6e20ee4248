//! Waiting: every `wait`, `updates` and `subscribe` of a client is an entry in one schedule.
//!
//! `policy` says when to ask for whom, by what `durations` has learned; `table` holds the entries, `scheduler` sleeps
//! and sends.

mod durations;
mod entry;
mod lane;
mod policy;
mod room;
mod scheduler;
#[cfg(test)]
mod simulation;
mod table;

use crate::client::Clipia;
use crate::error::Error;
use crate::outcome::Outcome;
use crate::spending::now;
use clipia_api::types::{RequestId, ResultResponse, StatusResponse, SubmitResponse};
use clipia_api::{Progress, Status};
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use entry::Entry;
use policy::Known;
pub(crate) use scheduler::{Scheduler, token};
use table::Ticket;

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
    /// Lines or records that the model wrote so far, if it writes any.
    pub logs: Vec<Value>,
    /// Fields that this version does not know.
    pub extra: Map<String, Value>,
}

impl Update {
    /// Whether it tells of something that `before` did not. How a generation ended is told once, whoever tells it.
    fn is_change(&self, before: &Self) -> bool {
        self != before && !(self.status.is_terminal() && self.status == before.status)
    }
}

impl From<StatusResponse> for Update {
    fn from(response: StatusResponse) -> Self {
        let StatusResponse { request_id, status, queue_position, progress, logs, extra } = response;
        Self { request_id, status, queue_position, progress, logs, extra }
    }
}

impl From<Update> for StatusResponse {
    /// The answer that told of it.
    fn from(update: Update) -> Self {
        let Update { request_id, status, queue_position, progress, logs, extra } = update;
        Self { request_id, status, queue_position, progress, logs, extra }
    }
}

impl From<&ResultResponse> for Update {
    fn from(response: &ResultResponse) -> Self {
        Self {
            request_id: response.request_id.clone(),
            status: response.status.clone(),
            queue_position: response.queue_position,
            progress: response.progress,
            logs: Vec::new(),
            extra: Map::new(),
        }
    }
}

/// What a handle knows about its generation without asking.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hint {
    /// The slug of the model, for how long that takes.
    pub(crate) model: Option<Arc<str>>,
    /// When it was submitted, by the clock on the wall: what outlives a process.
    pub(crate) submitted_at: Option<Timestamp>,
    /// When by our own clock its age was this.
    aged: Option<(Instant, Duration)>,
    /// What the answer to its submit said.
    answered: Option<(Status, Option<u64>)>,
    /// Whether a webhook is to tell of its end.
    webhook: bool,
}

impl Hint {
    /// Of what was just submitted.
    pub(crate) fn submitted(response: &SubmitResponse, model: &str, webhook: bool) -> Self {
        Self {
            model: Some(model.into()),
            submitted_at: Some(Timestamp::now()),
            aged: Some((now(), Duration::ZERO)),
            answered: Some((response.status.clone(), response.queue_position)),
            webhook,
        }
    }

    /// Of a handle that was saved. A clock that was set back tells nothing.
    pub(crate) fn saved(model: Option<String>, submitted_at: Option<Timestamp>) -> Self {
        let age = submitted_at.and_then(|at| Duration::try_from(Timestamp::now().duration_since(at)).ok());
        let aged = age.map(|age| (now(), age));
        Self { model: model.map(Into::into), submitted_at, aged, ..Self::default() }
    }

    fn known(&self, now: Instant, watched: bool) -> Known {
        let (since, age) = self.aged.map_or((now, None), |(at, age)| (at, Some(age)));
        let known = Known::new(since, age, watched);
        match &self.answered {
            Some((status, position)) => known.submitted(status, *position),
            None => known,
        }
    }
}

/// Whose turn a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Of the user's own: first.
    Call,
    /// A submit.
    Submit,
}

impl Class {
    /// Its name, in logs.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Submit => "submit",
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
    min_interval: Duration,
    ticket: Option<Ticket>,
}

impl Watch {
    pub(crate) fn new(clipia: Clipia, request_id: RequestId, hint: Hint, goal: Goal) -> Self {
        let watched = goal == Goal::Updates;
        let (timeout, min_interval) = (None, Duration::ZERO);
        Self { clipia, request_id, hint, goal, watched, timeout, min_interval, ticket: None }
    }

    pub(crate) fn timeout(&mut self, timeout: Duration) {
        self.timeout = Some(timeout);
    }

    pub(crate) fn min_interval(&mut self, interval: Duration) {
        self.min_interval = interval;
    }

    pub(crate) fn watched(&mut self) {
        self.watched = true;
    }

    pub(crate) fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        let ticket = match self.ticket {
            Some(ticket) => ticket,
            None => *self.ticket.insert(self.clipia.0.scheduler.enter(self.entry(now()))),
        };
        scheduler::poll(&self.clipia, ticket, context)
    }

    fn entry(&self, now: Instant) -> Entry {
        let known = self.hint.known(now, self.watched).rests(self.min_interval);
        let mut entry = Entry::new(self.request_id.clone(), self.goal, self.watched, known, now);
        entry.model = self.hint.model.clone();
        entry.webhook = self.hint.webhook;
        entry.deadline = self.timeout.and_then(|timeout| now.checked_add(timeout));
        if let Some(result) = self.clipia.0.scheduler.delivered(&self.request_id) {
            entry.learn(now, Update::from(&result));
            entry.ending = match (self.goal, Outcome::of(&self.clipia, result)) {
                (Goal::Outcome, Ok(outcome)) => Some(Ending::Outcome(Box::new(outcome))),
                (Goal::Updates, Ok(_)) => Some(Ending::Watched),
                (_, Err(_)) => None,
            };
        }
        entry
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.clipia.0.scheduler.leave(ticket);
        }
    }
}
