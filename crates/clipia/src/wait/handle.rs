//! The future's side of a wait, and what is known of its generation without a call.

use super::next_poll::GenerationState;
use super::runtime_queues::EntryId;
use super::scheduler::Scheduler;
use super::waiter::{Goal, WaitEvent, Waiter};
use crate::shared_budget::now;
use crate::update::Update;
use clipia_api::Status;
use clipia_api::types::{RequestId, SubmitResponse};
use jiff::Timestamp;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

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

/// The future's side of a wait. The waiter exists from the first poll to the end, or until this is dropped.
pub(crate) struct WaitHandle {
    scheduler: Arc<Scheduler>,
    request_id: RequestId,
    hint: Hint,
    goal: Goal,
    watched: bool,
    timeout: Option<Duration>,
    min_interval: Duration,
    entry_id: Option<EntryId>,
}

impl WaitHandle {
    pub(crate) fn new(scheduler: Arc<Scheduler>, request_id: RequestId, hint: Hint, goal: Goal) -> Self {
        let watched = goal == Goal::Updates;
        let (timeout, min_interval) = (None, Duration::ZERO);
        Self { scheduler, request_id, hint, goal, watched, timeout, min_interval, entry_id: None }
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
            None => *self.entry_id.insert(self.scheduler.enter(self.waiter(now()))),
        };
        self.scheduler.poll_wait(entry_id, context)
    }

    fn waiter(&self, now: Instant) -> Waiter {
        let state = self.hint.state(now, self.watched).with_min_interval(self.min_interval);
        let mut waiter = Waiter::new(self.request_id.clone(), self.goal, self.watched, state, now);
        waiter.model = self.hint.model.clone();
        waiter.webhook = self.hint.webhook;
        waiter.deadline = self.timeout.and_then(|timeout| now.checked_add(timeout));
        if let Some(result) = self.scheduler.delivered(&self.request_id) {
            waiter.learn(now, Update::from(&result));
            waiter.end = result.status.is_terminal().then(|| waiter.end_with(&result));
        }
        waiter
    }
}

impl Drop for WaitHandle {
    fn drop(&mut self) {
        if let Some(entry_id) = self.entry_id {
            self.scheduler.leave(entry_id);
        }
    }
}
