//! The waiters of a client, and what a response changes for them. Pure except for the wakers: the time and the budget are arguments.
//!
//! Each Tokio runtime that polls waits of this client has its own queues and a task that serves them; nearly always
//! there is one. The task runs on the runtime that polls its waits, so that a wait never depends on a runtime that
//! nobody drives.

use super::deliveries::Deliveries;
use super::model_durations::{ModelDurations, ModelName};
use super::runtime_queues::{EntryId, Plan, Runtimes, TaskStart, TokenUse};
use super::token_queue::TokenQueue;
use super::waiter::{Goal, PollKind, WaitEnd, WaitEvent, Waiter, store};
use crate::error::Error;
use crate::request::Priority;
use crate::retry;
use crate::submit_gate::SubmitGate;
use crate::update::Update;
use clipia_api::types::{RequestId, ResultResponse};
use std::collections::HashMap;
use std::task::{Context, Poll, Waker};
use std::time::Instant;
use tokio::runtime::Id as RuntimeId;

/// `T` is the token for one call.
#[derive(Debug)]
pub(super) struct Waiters<T> {
    last_id: u64,
    waiters: HashMap<EntryId, Waiter>,
    /// The waiters of each generation.
    of_request: HashMap<RequestId, Vec<EntryId>>,
    token_queue: TokenQueue<T>,
    runtimes: Runtimes,
    durations: ModelDurations,
    deliveries: Deliveries,
}

impl<T> Default for Waiters<T> {
    fn default() -> Self {
        Self {
            last_id: 0,
            waiters: HashMap::new(),
            of_request: HashMap::new(),
            token_queue: TokenQueue::default(),
            runtimes: Runtimes::default(),
            durations: ModelDurations::default(),
            deliveries: Deliveries::default(),
        }
    }
}

/// The response to a poll.
#[derive(Debug)]
pub(super) enum PollResponse {
    /// The status of the generation.
    Status(Update),
    /// The result of a generation that has ended.
    Ended(Box<ResultResponse>),
}

/// The next step of the task of a runtime.
#[derive(Debug)]
pub(super) enum Step<T> {
    /// End: the queues are empty and were removed.
    Stop,
    /// Send these polls; then come back at `next`, or when woken.
    Poll {
        polls: Vec<(EntryId, RequestId, PollKind, T)>,
        next: Option<Instant>,
        /// Whether a call or a poll waits for the budget alone.
        starved: bool,
    },
}

impl<T> Waiters<T> {
    /// Adds a waiter.
    pub(super) fn enter(&mut self, mut waiter: Waiter) -> EntryId {
        let id = self.new_id();
        waiter.state.expect_delivery(waiter.webhook && self.deliveries.are_expected());
        waiter.state.set_offset(id.0);
        self.of_request.entry(waiter.request_id.clone()).or_default().push(id);
        self.waiters.insert(id, waiter);
        id
    }

    fn new_id(&mut self) -> EntryId {
        self.last_id += 1;
        EntryId(self.last_id)
    }

    /// Removes a waiter.
    pub(super) fn leave(&mut self, id: EntryId) -> Option<Waiter> {
        self.leave_runtime(id);
        let mut waiter = self.waiters.remove(&id)?;
        self.durations.uncount_running(&mut waiter);
        if let Some(ids) = self.of_request.get_mut(&waiter.request_id) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.of_request.remove(&waiter.request_id);
            }
        }
        Some(waiter)
    }

    /// The next event of a wait for its future, which is polled on the runtime `here`; and the task that must be
    /// started on this runtime, if any.
    pub(super) fn poll_wait(
        &mut self,
        id: EntryId,
        here: RuntimeId,
        now: Instant,
        context: &mut Context<'_>,
    ) -> (Poll<WaitEvent>, Option<TaskStart>) {
        let Some(waiter) = self.waiters.get_mut(&id) else { return (Poll::Pending, None) };
        if waiter.unseen {
            waiter.unseen = false;
            if let Some(update) = waiter.latest.clone() {
                return (Poll::Ready(WaitEvent::Update(update)), None);
            }
        }
        if let Some(end) = waiter.end.take() {
            self.leave(id);
            return (Poll::Ready(WaitEvent::Ended(end)), None);
        }
        store(&mut waiter.waker, context);
        let start = if waiter.runtime == Some(here) { None } else { self.move_to_runtime(id, here, now) };
        (Poll::Pending, start)
    }

    /// Moves a waiter to the queues of the runtime that polls it.
    fn move_to_runtime(&mut self, id: EntryId, here: RuntimeId, now: Instant) -> Option<TaskStart> {
        // The task of the other runtime may never finish the poll that is in flight.
        self.leave_runtime(id);
        let waiter = self.waiters.get_mut(&id)?;
        (waiter.runtime, waiter.polling) = (Some(here), false);
        let (queues, start) = self.runtimes.join(here, now);
        queues.deadlines.extend(waiter.deadline.map(|deadline| (deadline, id)));
        self.plan(id, now);
        start
    }

    /// Decides when a generation is polled, from all that is known now, and queues its waiter.
    fn plan(&mut self, id: EntryId, now: Instant) {
        let Some(waiter) = self.waiters.get_mut(&id).filter(|waiter| !waiter.polling) else { return };
        let Some(queues) = self.runtimes.of(waiter.runtime) else { return };
        if let Some(plan) = waiter.plan.take() {
            queues.remove(id, &plan);
        }
        let durations = self.durations.get(&waiter.model);
        let level = waiter.state.level(durations, now);
        let plan = Plan {
            level,
            next_level_at: waiter.state.next_level_at(durations, now, level),
            overdue_at: waiter.state.overdue_at(durations),
            order: queues.order(level, durations.len() > 0, waiter.unpolled_since),
        };
        queues.insert(id, &plan);
        waiter.plan = Some(plan);
    }

    /// Takes a waiter out of the queues of its runtime.
    fn leave_runtime(&mut self, id: EntryId) {
        let Some(waiter) = self.waiters.get_mut(&id) else { return };
        let plan = waiter.plan.take();
        let Some(queues) = self.runtimes.of(waiter.runtime.take()) else { return };
        if let Some(plan) = plan {
            queues.remove(id, &plan);
        }
        if let Some(deadline) = waiter.deadline {
            queues.deadlines.remove(&(deadline, id));
        }
        queues.left();
    }

    /// Ends the waits whose deadline has passed, and hands out tokens to queued calls and to polls that are due: to at
    /// most `polls_max` polls, and as many as `take` gives. `take` gets the fullness that the bucket must have, from 0
    /// to 1.
    pub(super) fn step(
        &mut self,
        here: RuntimeId,
        now: Instant,
        polls_max: usize,
        mut take: impl FnMut(f64) -> Result<T, Instant>,
        wakers: &mut Vec<Waker>,
    ) -> Step<T> {
        while let Some(id) = self.runtimes.get(here).and_then(|queues| queues.past_deadline(now)) {
            self.end(id, |waiter| waiter.deadline_passed(now), wakers);
        }
        let Some(queues) = self.runtimes.get(here) else { return Step::Stop };
        if queues.is_empty() {
            self.runtimes.remove(here);
            return Step::Stop;
        }
        while let Some(id) = self.runtimes.get(here).and_then(|queues| queues.risen(now)) {
            self.plan(id, now);
        }
        self.replan_overdue(here, now);
        let (mut polls, mut later) = (Vec::new(), None);
        let Some(queues) = self.runtimes.of(Some(here)) else { return Step::Stop };
        let calls = &mut self.token_queue;
        while let Some(token_use) = queues.choose(now, polls.len() < polls_max, calls.gate.may_pass(now)) {
            let token = match take(token_use.fullness()) {
                Ok(token) => token,
                Err(when) => {
                    later = Some(when);
                    break;
                }
            };
            queues.hand_out(token_use);
            match token_use {
                TokenUse::Call(priority, id) => calls.grant((priority, id), token, queues, now, wakers),
                TokenUse::Poll(id, _) => {
                    let Some(waiter) = self.waiters.get_mut(&id) else { continue };
                    if let Some(plan) = waiter.plan.take() {
                        queues.remove(id, &plan);
                    }
                    (waiter.polling, waiter.sent, waiter.unpolled_since) = (true, now, now);
                    polls.push((id, waiter.request_id.clone(), waiter.poll_kind(), token));
                }
            }
        }
        let next = [queues.next(now, calls.gate.probe_at()), later].into_iter().flatten().min();
        Step::Poll { polls, next, starved: later.is_some() }
    }

    /// Plans overdue waiters again, because their model may have turned out slower since.
    fn replan_overdue(&mut self, here: RuntimeId, now: Instant) {
        while let Some(id) = self.runtimes.get(here).and_then(|queues| queues.longest_overdue(now)) {
            let overdue = |waiters: &Self| waiters.waiters.get(&id).and_then(Waiter::overdue_at);
            let before = overdue(self);
            self.plan(id, now);
            if overdue(self) <= before {
                return;
            }
        }
    }

    /// Takes the response to a poll for all waiters of the generation.
    pub(super) fn poll_finished(
        &mut self,
        id: EntryId,
        now: Instant,
        response: Result<PollResponse, Error>,
        wakers: &mut Vec<Waker>,
    ) {
        // The wait may have ended by a delivery or a deadline while the poll was in flight.
        let Some(waiter) = self.waiters.get_mut(&id).filter(|waiter| waiter.end.is_none()) else {
            return;
        };
        let (request_id, sent) = (waiter.request_id.clone(), waiter.sent);
        waiter.polling = false;
        let delivery_is_late = waiter.state.awaits_delivery();
        match response {
            Ok(PollResponse::Status(update)) => {
                if delivery_is_late && !update.status.is_terminal() {
                    let age = waiter.state.age(sent).as_secs_f64();
                    self.durations.get_mut(&waiter.model).declared_lost_too_early(age);
                }
                for id in self.ids_of(&request_id) {
                    self.take_update(id, sent, now, &update, wakers);
                }
            }
            Ok(PollResponse::Ended(result)) => {
                let learned = self.durations.learn(waiter, &result, now);
                if delivery_is_late {
                    self.change_deliveries(now, Deliveries::missed);
                }
                self.durations_changed(learned, now);
                self.end_waits(sent, &result, wakers);
            }
            Err(error) => {
                if waiter.state.poll_failed(now, &error) {
                    self.end(id, |_| WaitEnd::Error(Box::new(error)), wakers);
                    return;
                }
                let (pause, waits_for) = (waiter.state.pause(now), retry::waits_for(&error));
                let pause_ms = pause.as_millis() as u64;
                if pause > retry::PAUSE_LONG {
                    tracing::info!(%request_id, %error, pause_ms, waits_for, "asking again");
                } else {
                    tracing::debug!(%request_id, %error, pause_ms, waits_for, "asking again");
                }
                waiter.trouble = Some(Box::new(error));
                self.plan(id, now);
            }
        }
    }

    /// Takes the state of the generation as of `sent`.
    fn take_update(
        &mut self,
        id: EntryId,
        sent: Instant,
        now: Instant,
        update: &Update,
        wakers: &mut Vec<Waker>,
    ) {
        let Some(waiter) = self.waiters.get_mut(&id).filter(|waiter| waiter.end.is_none()) else {
            return;
        };
        waiter.learn(sent, update.clone());
        if waiter.goal == Goal::Updates && update.status.is_terminal() {
            let learned = self.durations.learn_by_age(waiter, now);
            self.durations_changed(learned, now);
            self.end(id, |_| WaitEnd::Updates, wakers);
            return;
        }
        if waiter.unseen {
            wakers.extend(waiter.waker.take());
        }
        let learned = self.durations.count_running(waiter);
        self.durations_changed(learned, now);
        self.plan(id, now);
    }

    /// Ends all waits of a generation. Returns how many there were.
    fn end_waits(&mut self, sent: Instant, result: &ResultResponse, wakers: &mut Vec<Waker>) -> usize {
        let (update, mut ended) = (Update::from(result), 0);
        for id in self.ids_of(&result.request_id) {
            if let Some(waiter) = self.waiters.get_mut(&id).filter(|waiter| waiter.end.is_none()) {
                ended += 1;
                if ended == 1 {
                    self.token_queue.gate.ended();
                }
                waiter.learn(sent, update.clone());
                let end = waiter.end_with(result);
                self.end(id, |_| end, wakers);
            }
        }
        ended
    }

    fn end(&mut self, id: EntryId, end: impl FnOnce(&mut Waiter) -> WaitEnd, wakers: &mut Vec<Waker>) {
        self.leave_runtime(id);
        if let Some(waiter) = self.waiters.get_mut(&id) {
            self.durations.uncount_running(waiter);
            waiter.end = Some(end(waiter));
            wakers.extend(waiter.waker.take());
        }
    }

    /// The result of a generation, if a delivery has brought it already.
    pub(super) fn delivered(&self, now: Instant, id: &RequestId) -> Option<&ResultResponse> {
        self.deliveries.get(now, id)
    }

    /// Takes the result of a generation that has ended from a delivery. Returns how many waits ended with it.
    pub(super) fn deliver(
        &mut self,
        now: Instant,
        result: &ResultResponse,
        wakers: &mut Vec<Waker>,
    ) -> usize {
        self.change_deliveries(now, |deliveries| deliveries.arrived(now, result.clone()));
        let first = self.ids_of(&result.request_id).first().copied();
        if let Some(waiter) = first.and_then(|id| self.waiters.get(&id)) {
            let learned = self.durations.learn_by_age(waiter, now);
            self.durations_changed(learned, now);
        }
        self.end_waits(now, result, wakers)
    }

    /// Makes the next poll of a generation due, because it is known to have changed.
    pub(super) fn mark_changed(&mut self, now: Instant, request_id: &RequestId) {
        for id in self.ids_of(request_id) {
            if let Some(waiter) = self.waiters.get_mut(&id) {
                waiter.state.mark_changed();
                self.plan(id, now);
            }
        }
        self.notify();
    }

    /// Changes what is known of deliveries, and tells every waiter if one is now expected and was not, or the reverse.
    pub(super) fn change_deliveries(&mut self, now: Instant, change: impl FnOnce(&mut Deliveries)) {
        let before = self.deliveries.are_expected();
        change(&mut self.deliveries);
        let expected = self.deliveries.are_expected();
        if expected != before {
            self.replan(now, |waiter| {
                waiter.state.expect_delivery(expected && waiter.webhook);
                waiter.webhook
            });
        }
    }

    /// Plans the waiters of a model again, after its durations have changed.
    fn durations_changed(&mut self, model: Option<ModelName>, now: Instant) {
        if let Some(model) = model {
            self.replan(now, |waiter| waiter.model == model);
        }
    }

    /// Plans the `concerned` waiters again.
    fn replan(&mut self, now: Instant, mut concerned: impl FnMut(&mut Waiter) -> bool) {
        let ids: Vec<EntryId> = self
            .waiters
            .iter_mut()
            .filter_map(|(id, waiter)| (concerned(waiter) && waiter.plan.is_some()).then_some(*id))
            .collect();
        for id in ids {
            self.plan(id, now);
        }
        self.notify();
    }

    fn ids_of(&self, request_id: &RequestId) -> Vec<EntryId> {
        self.of_request.get(request_id).cloned().unwrap_or_default()
    }

    /// Adds a call that waits for a token.
    pub(super) fn queue_call(&mut self, priority: Priority) -> EntryId {
        let id = self.new_id();
        self.token_queue.join(id, priority);
        id
    }

    /// Removes a call that waits for a token. Returns its token if one was granted and not taken.
    pub(super) fn leave_queue(&mut self, id: EntryId) -> Option<T> {
        self.token_queue.leave(id, &mut self.runtimes)
    }

    /// The token of a queued call, as [`TokenQueue::poll`].
    pub(super) fn poll_token(
        &mut self,
        id: EntryId,
        here: RuntimeId,
        now: Instant,
        context: &mut Context<'_>,
    ) -> (Poll<T>, Option<TaskStart>) {
        self.token_queue.poll(id, &mut self.runtimes, here, now, context)
    }

    /// Changes the gate for submits. Returns whether it is closed now.
    pub(super) fn change_gate(&mut self, change: impl FnOnce(&mut SubmitGate)) -> bool {
        change(&mut self.token_queue.gate);
        self.notify();
        self.token_queue.gate.is_closed()
    }

    /// Wakes the task of every runtime, because its plans have changed.
    pub(super) fn notify(&self) {
        self.runtimes.notify();
    }

    /// Takes back the waiters and calls of a task that was dropped, because its runtime was shut down. They join another
    /// runtime when they are polled: wake the returned wakers.
    pub(super) fn runtime_ended(&mut self, runtime: RuntimeId, epoch: u64) -> Vec<Waker> {
        let mut wakers = Vec::new();
        if self.runtimes.ended(runtime, epoch) {
            for waiter in self.waiters.values_mut().filter(|waiter| waiter.runtime == Some(runtime)) {
                (waiter.runtime, waiter.plan) = (None, None);
                wakers.extend(waiter.waker.take());
            }
            self.token_queue.runtime_ended(runtime, &mut wakers);
        }
        wakers
    }

    /// The number of waiters and queued calls.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiters.len() + self.token_queue.len()
    }
}
