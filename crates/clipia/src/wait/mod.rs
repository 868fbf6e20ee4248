//! Waiting: every `wait`, `updates` and `subscribe` of a client is an entry in one table, and one schedule polls for
//! all.
//!
//! `policy` decides when each generation is polled, by the `durations` of its model. `table` holds the waits, and
//! `scheduler` sleeps and sends.

mod call_queue;
mod durations;
mod entry;
mod learning;
mod policy;
mod runtime_queues;
mod scheduler;
#[cfg(test)]
mod simulation;
mod submit_gate;
mod table;

use crate::client::Clipia;
use crate::error::Error;
use crate::outcome::Outcome;
use crate::shared_budget::now;
use clipia_api::types::{RequestId, ResultResponse, StatusResponse, SubmitResponse};
use clipia_api::{Progress, Status};
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use entry::WaitEntry;
use policy::GenerationState;
pub(crate) use scheduler::{Scheduler, token};
use table::EntryId;

/// One change of a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Update {
    /// The id of the generation.
    pub request_id: RequestId,
    /// The status of the generation.
    pub status: Status,
    /// The number of requests ahead in the queue; 0 is next.
    pub queue_position: Option<u64>,
    /// Percent done.
    pub progress: Option<Progress>,
    /// The last lines or records that the model has logged, if any. A self-hosted server gives strings, 50 at most.
    pub logs: Vec<Value>,
    /// Fields that this version does not know.
    pub extra: Map<String, Value>,
}

impl Update {
    /// Whether the update differs from the one before. The end of a generation is one change, even if it is reported
    /// twice.
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
    /// The response that brought the update.
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

/// What a handle knows of its generation without a call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hint {
    /// The slug of the model, whose durations are known.
    pub(crate) model: Option<Arc<str>>,
    /// When the generation was submitted, by the wall clock, which outlives a process.
    pub(crate) submitted_at: Option<Timestamp>,
    /// The age of the generation at a time of the monotonic clock.
    age_at: Option<(Instant, Duration)>,
    /// The status and the queue position in the response to the submit.
    submit_response: Option<(Status, Option<u64>)>,
    /// Whether the submit named a webhook.
    webhook: bool,
}

impl Hint {
    /// For a generation that was just submitted.
    pub(crate) fn submitted(response: &SubmitResponse, model: &str, webhook: bool) -> Self {
        Self {
            model: Some(model.into()),
            submitted_at: Some(Timestamp::now()),
            age_at: Some((now(), Duration::ZERO)),
            submit_response: Some((response.status.clone(), response.queue_position)),
            webhook,
        }
    }

    /// For a saved handle. If the clock was set back since, the age is unknown.
    pub(crate) fn saved(model: Option<String>, submitted_at: Option<Timestamp>) -> Self {
        let age = submitted_at.and_then(|at| Duration::try_from(Timestamp::now().duration_since(at)).ok());
        let age_at = age.map(|age| (now(), age));
        Self { model: model.map(Into::into), submitted_at, age_at, ..Self::default() }
    }

    fn state(&self, now: Instant, watched: bool) -> GenerationState {
        let (since, age) = self.age_at.map_or((now, None), |(at, age)| (at, Some(age)));
        let state = GenerationState::new(since, age, watched);
        match &self.submit_response {
            Some((status, position)) => state.submitted(status, *position),
            None => state,
        }
    }
}

/// The priority of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Priority {
    /// A call of the user. It goes first.
    Call,
    /// A submit.
    Submit,
}

impl Priority {
    /// The name in logs.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Submit => "submit",
        }
    }
}

/// The goal of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// The outcome.
    Outcome,
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
    /// With the outcome.
    Outcome(Box<Outcome>),
    /// With the terminal update.
    Updates,
    /// With an error.
    Error(Box<Error>),
}

/// The future's side of a wait. The entry in the table exists from the first poll to the end, or until this is dropped.
pub(crate) struct WaitHandle {
    clipia: Clipia,
    request_id: RequestId,
    hint: Hint,
    goal: Goal,
    watched: bool,
    timeout: Option<Duration>,
    min_interval: Duration,
    entry_id: Option<EntryId>,
}

impl WaitHandle {
    pub(crate) fn new(clipia: Clipia, request_id: RequestId, hint: Hint, goal: Goal) -> Self {
        let watched = goal == Goal::Updates;
        let (timeout, min_interval) = (None, Duration::ZERO);
        Self { clipia, request_id, hint, goal, watched, timeout, min_interval, entry_id: None }
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

    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<WaitEvent> {
        let entry_id = match self.entry_id {
            Some(entry_id) => entry_id,
            None => *self.entry_id.insert(self.clipia.0.scheduler.enter(self.entry(now()))),
        };
        scheduler::poll_wait(&self.clipia, entry_id, context)
    }

    fn entry(&self, now: Instant) -> WaitEntry {
        let state = self.hint.state(now, self.watched).with_min_interval(self.min_interval);
        let mut entry = WaitEntry::new(self.request_id.clone(), self.goal, self.watched, state, now);
        entry.model = self.hint.model.clone();
        entry.webhook = self.hint.webhook;
        entry.deadline = self.timeout.and_then(|timeout| now.checked_add(timeout));
        if let Some(result) = self.clipia.0.scheduler.delivered(&self.request_id) {
            entry.learn(now, Update::from(&result));
            entry.end = match (self.goal, Outcome::of(&self.clipia, result)) {
                (Goal::Outcome, Ok(outcome)) => Some(WaitEnd::Outcome(Box::new(outcome))),
                (Goal::Updates, Ok(_)) => Some(WaitEnd::Updates),
                (_, Err(_)) => None,
            };
        }
        entry
    }
}

impl Drop for WaitHandle {
    fn drop(&mut self) {
        if let Some(entry_id) = self.entry_id {
            self.clipia.0.scheduler.leave(entry_id);
        }
    }
}
