//! The table of a client's waits, and of its calls that are queued for the request budget. Pure except for the wakers:
//! the time and the budget are arguments.
//!
//! Each Tokio runtime that polls waits of this client has its own queues and a task that serves them; nearly always
//! there is one. The task runs on the runtime that polls its waits, so that a wait never depends on a runtime that
//! nobody drives. `call_queue` has the queued calls, `learning` what the ends of generations teach.

use super::durations::Durations;
use super::entry::{Plan, QueuedCall, WaitEntry};
use super::runtime_queues::{RuntimeQueues, TokenUse};
use super::submit_gate::SubmitGate;
use super::{Goal, Priority, Update, WaitEnd, WaitEvent};
use crate::error::Error;
use crate::outcome::Outcome;
use crate::recent::Recent;
use crate::retry;
use clipia_api::types::{RequestId, ResultResponse};
use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::runtime::Id as RuntimeId;
use tokio::sync::Notify;

/// Delivered results that are kept for waits that begin later: a fleet of ten thousand, some 20 MB.
const DELIVERED_MAX: usize = 10_000;

/// How long delivered results are kept. The URLs of their files may expire.
const DELIVERED_FOR: Duration = Duration::from_secs(3_600);

/// After this many lost deliveries in a row, none are expected until one arrives. A delivery counts as lost when a poll
/// finds the end instead.
const DELIVERIES_MISSED_MAX: u32 = 3;

/// The id of a wait or of a queued call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EntryId(pub(super) u64);

/// `T` is the token for one call.
#[derive(Debug)]
pub(super) struct Table<T> {
    last_entry_id: u64,
    last_epoch: u64,
    pub(super) entries: HashMap<EntryId, WaitEntry>,
    pub(super) queued_calls: HashMap<EntryId, QueuedCall<T>>,
    pub(super) runtimes: HashMap<RuntimeId, RuntimeQueues>,
    /// The waits of each generation.
    of_request: HashMap<RequestId, Vec<EntryId>>,
    pub(super) durations: HashMap<Option<Arc<str>>, Durations>,
    /// Delivered results with the time of their arrival, for waits that begin later.
    delivered: Recent<(Instant, ResultResponse), DELIVERED_MAX>,
    pub(super) gate: SubmitGate,
    /// Receivers of webhooks that are attached to the client.
    receivers: u32,
    missed_deliveries: u32,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            last_entry_id: 0,
            last_epoch: 0,
            entries: HashMap::new(),
            queued_calls: HashMap::new(),
            runtimes: HashMap::new(),
            of_request: HashMap::new(),
            durations: HashMap::new(),
            delivered: Recent::default(),
            gate: SubmitGate::default(),
            receivers: 0,
            missed_deliveries: 0,
        }
    }
}

/// The call of a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PollKind {
    /// The status, for a watched generation that runs.
    Status,
    /// The result, which says both that the generation has ended and what its output is.
    Result,
}

/// The response to a poll.
#[derive(Debug)]
pub(super) enum PollResponse {
    /// The status of the generation.
    Status(Update),
    /// The result of a generation that has ended.
    Outcome(Update, Box<Outcome>),
}

/// The task that must be started for the queues of a runtime, and how it is woken.
#[derive(Debug)]
pub(super) struct TaskStart {
    pub(super) epoch: u64,
    pub(super) wake: Arc<Notify>,
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

impl<T> Table<T> {
    /// Adds a wait.
    pub(super) fn enter(&mut self, mut entry: WaitEntry) -> EntryId {
        let entry_id = self.new_entry_id();
        entry.state.expect_delivery(entry.webhook && self.expects_deliveries());
        entry.state.set_offset(entry_id.0);
        self.of_request.entry(entry.request_id.clone()).or_default().push(entry_id);
        self.entries.insert(entry_id, entry);
        entry_id
    }

    pub(super) fn new_entry_id(&mut self) -> EntryId {
        self.last_entry_id += 1;
        EntryId(self.last_entry_id)
    }

    /// The result of a generation, if a delivery has brought it already.
    pub(super) fn delivered(&self, now: Instant, id: &RequestId) -> Option<&ResultResponse> {
        let (at, result) = self.delivered.get(id)?;
        (now.saturating_duration_since(*at) <= DELIVERED_FOR).then_some(result)
    }

    /// Removes a wait.
    pub(super) fn leave(&mut self, entry_id: EntryId) -> Option<WaitEntry> {
        self.leave_runtime(entry_id);
        self.uncount_running(entry_id);
        let entry = self.entries.remove(&entry_id)?;
        if let Some(ids) = self.of_request.get_mut(&entry.request_id) {
            ids.retain(|other| *other != entry_id);
            if ids.is_empty() {
                self.of_request.remove(&entry.request_id);
            }
        }
        Some(entry)
    }

    /// The next event of a wait for its future, which is polled on the runtime `here`; and the task that must be
    /// started on this runtime, if any.
    pub(super) fn poll_wait(
        &mut self,
        entry_id: EntryId,
        here: RuntimeId,
        now: Instant,
        context: &mut Context<'_>,
    ) -> (Poll<WaitEvent>, Option<TaskStart>) {
        let Some(entry) = self.entries.get_mut(&entry_id) else { return (Poll::Pending, None) };
        if entry.unseen {
            entry.unseen = false;
            if let Some(update) = entry.latest.clone() {
                return (Poll::Ready(WaitEvent::Update(update)), None);
            }
        }
        if let Some(ending) = entry.end.take() {
            self.leave(entry_id);
            return (Poll::Ready(WaitEvent::Ended(ending)), None);
        }
        store(&mut entry.waker, context);
        let start =
            if entry.runtime == Some(here) { None } else { self.move_to_runtime(entry_id, here, now) };
        (Poll::Pending, start)
    }

    /// The queues of a runtime, with one more member; and the task that must be started for them if they are new.
    pub(super) fn queues_of(
        &mut self,
        here: RuntimeId,
        now: Instant,
    ) -> (&mut RuntimeQueues, Option<TaskStart>) {
        let (last_epoch, mut start) = (&mut self.last_epoch, None);
        let queues = self.runtimes.entry(here).or_insert_with(|| {
            *last_epoch += 1;
            let wake = Arc::new(Notify::new());
            start = Some(TaskStart { epoch: *last_epoch, wake: Arc::clone(&wake) });
            RuntimeQueues::new(*last_epoch, wake, now)
        });
        queues.joined();
        (queues, start)
    }

    /// Moves a wait to the queues of the runtime that polls it.
    fn move_to_runtime(&mut self, entry_id: EntryId, here: RuntimeId, now: Instant) -> Option<TaskStart> {
        // The task of the other runtime may never finish the poll that is in flight.
        self.leave_runtime(entry_id);
        let entry = self.entries.get_mut(&entry_id)?;
        (entry.runtime, entry.polling) = (Some(here), false);
        let deadline = entry.deadline.map(|deadline| (deadline, entry_id));
        let (queues, start) = self.queues_of(here, now);
        queues.deadlines.extend(deadline);
        self.plan(entry_id, now);
        start
    }

    /// Decides when a wait is polled, from all that is known now, and queues it.
    fn plan(&mut self, entry_id: EntryId, now: Instant) {
        let Some(entry) = self.entries.get_mut(&entry_id).filter(|entry| !entry.polling) else { return };
        let Some(queues) = entry.runtime.and_then(|runtime| self.runtimes.get_mut(&runtime)) else { return };
        if let Some(plan) = entry.plan.take() {
            queues.remove(entry_id, &plan);
        }
        let unknown = Durations::default();
        let durations = self.durations.get(&entry.model).unwrap_or(&unknown);
        let level = entry.state.level(durations, now);
        let plan = Plan {
            level,
            next_level_at: entry.state.next_level_at(durations, now, level),
            overdue_at: entry.state.overdue_at(durations),
            order: queues.order(level, durations.len() > 0, entry.unpolled_since),
        };
        queues.insert(entry_id, &plan);
        entry.plan = Some(plan);
    }

    /// Takes a wait out of the queues of its runtime.
    fn leave_runtime(&mut self, entry_id: EntryId) {
        let Some(entry) = self.entries.get_mut(&entry_id) else { return };
        let plan = entry.plan.take();
        let Some(queues) = entry.runtime.take().and_then(|runtime| self.runtimes.get_mut(&runtime)) else {
            return;
        };
        if let Some(plan) = plan {
            queues.remove(entry_id, &plan);
        }
        if let Some(deadline) = entry.deadline {
            queues.deadlines.remove(&(deadline, entry_id));
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
        while let Some(entry_id) = self.runtimes.get(&here).and_then(|queues| queues.past_deadline(now)) {
            self.end(entry_id, |entry| entry.deadline_passed(now), wakers);
        }
        let Some(queues) = self.runtimes.get(&here) else { return Step::Stop };
        if queues.is_empty() {
            self.runtimes.remove(&here);
            return Step::Stop;
        }
        while let Some(entry_id) = self.runtimes.get(&here).and_then(|queues| queues.risen(now)) {
            self.plan(entry_id, now);
        }
        self.replan_overdue(here, now);
        let (mut polls, mut later) = (Vec::new(), None);
        let Some(queues) = self.runtimes.get_mut(&here) else { return Step::Stop };
        while let Some(token_use) = queues.choose(now, polls.len() < polls_max, self.gate.may_pass(now)) {
            let token = match take(token_use.fullness()) {
                Ok(token) => token,
                Err(when) => {
                    later = Some(when);
                    break;
                }
            };
            queues.hand_out(token_use);
            match token_use {
                TokenUse::Call(priority, entry_id) => {
                    if priority == Priority::Submit {
                        self.gate.passed(now);
                    }
                    queues.calls_mut(priority).remove(&entry_id);
                    let Some(call) = self.queued_calls.get_mut(&entry_id) else { continue };
                    call.granted = Some(token);
                    wakers.extend(call.waker.take());
                }
                TokenUse::Poll(entry_id, _) => {
                    let Some(entry) = self.entries.get_mut(&entry_id) else { continue };
                    if let Some(plan) = entry.plan.take() {
                        queues.remove(entry_id, &plan);
                    }
                    (entry.polling, entry.sent, entry.unpolled_since) = (true, now, now);
                    polls.push((entry_id, entry.request_id.clone(), entry.poll_kind(), token));
                }
            }
        }
        let next = [queues.next(now, self.gate.probe_at()), later].into_iter().flatten().min();
        Step::Poll { polls, next, starved: later.is_some() }
    }

    /// Plans overdue waits again, because their model may have turned out slower since.
    fn replan_overdue(&mut self, here: RuntimeId, now: Instant) {
        while let Some(entry_id) = self.runtimes.get(&here).and_then(|queues| queues.longest_overdue(now)) {
            let overdue = |table: &Self| table.entries.get(&entry_id).and_then(WaitEntry::overdue_at);
            let before = overdue(self);
            self.plan(entry_id, now);
            if overdue(self) <= before {
                return;
            }
        }
    }

    /// Takes the response to a poll for all waits of the generation.
    pub(super) fn poll_finished(
        &mut self,
        entry_id: EntryId,
        now: Instant,
        response: Result<PollResponse, Error>,
        wakers: &mut Vec<Waker>,
    ) {
        // The wait may have ended by a delivery or a deadline while the poll was in flight.
        let Some(entry) = self.entries.get_mut(&entry_id).filter(|entry| entry.end.is_none()) else {
            return;
        };
        let (id, sent) = (entry.request_id.clone(), entry.sent);
        entry.polling = false;
        let delivery_is_late = entry.state.awaits_delivery();
        match response {
            Ok(PollResponse::Status(update)) => {
                if delivery_is_late && !update.status.is_terminal() {
                    let (age, model) = (entry.state.age(sent).as_secs_f64(), entry.model.clone());
                    self.durations_of(&model).declared_lost_too_early(age);
                }
                for entry_id in self.entries_of(&id) {
                    self.take_update(entry_id, sent, now, &update, wakers);
                }
            }
            Ok(PollResponse::Outcome(update, outcome)) => {
                if delivery_is_late {
                    self.missed_deliveries = self.missed_deliveries.saturating_add(1);
                    if self.missed_deliveries == DELIVERIES_MISSED_MAX {
                        self.expectation_changed(now);
                    }
                }
                self.learn_duration(entry_id, outcome.response(), now);
                self.end_waits(&id, sent, &update, &outcome, wakers);
            }
            Err(error) => {
                if entry.state.poll_failed(now, &error) {
                    self.end(entry_id, |_| WaitEnd::Error(Box::new(error)), wakers);
                    return;
                }
                let (pause, waits_for) = (entry.state.pause(now), retry::waits_for(&error));
                let pause_ms = pause.as_millis() as u64;
                if pause > retry::PAUSE_LONG {
                    tracing::info!(request_id = %id, %error, pause_ms, waits_for, "asking again");
                } else {
                    tracing::debug!(request_id = %id, %error, pause_ms, waits_for, "asking again");
                }
                entry.trouble = Some(Box::new(error));
                self.plan(entry_id, now);
            }
        }
    }

    /// Takes the state of the generation as of `sent`.
    fn take_update(
        &mut self,
        entry_id: EntryId,
        sent: Instant,
        now: Instant,
        update: &Update,
        wakers: &mut Vec<Waker>,
    ) {
        let Some(entry) = self.entries.get_mut(&entry_id).filter(|entry| entry.end.is_none()) else {
            return;
        };
        entry.learn(sent, update.clone());
        if entry.goal == Goal::Updates && update.status.is_terminal() {
            self.learn_duration_by_age(entry_id, now);
            self.end(entry_id, |_| WaitEnd::Updates, wakers);
            return;
        }
        if entry.unseen {
            wakers.extend(entry.waker.take());
        }
        self.count_running(entry_id, now);
        self.plan(entry_id, now);
    }

    /// Ends all waits of a generation. Returns how many there were.
    fn end_waits(
        &mut self,
        id: &RequestId,
        sent: Instant,
        update: &Update,
        outcome: &Outcome,
        wakers: &mut Vec<Waker>,
    ) -> usize {
        let mut ended = 0;
        for entry_id in self.entries_of(id) {
            if let Some(entry) = self.entries.get_mut(&entry_id).filter(|entry| entry.end.is_none()) {
                ended += 1;
                if ended == 1 {
                    self.gate.ended();
                }
                entry.learn(sent, update.clone());
                let ending = match entry.goal {
                    Goal::Outcome => WaitEnd::Outcome(Box::new(outcome.clone())),
                    Goal::Updates => WaitEnd::Updates,
                };
                self.end(entry_id, |_| ending, wakers);
            }
        }
        ended
    }

    /// Takes the outcome of a generation from a delivery. Returns how many waits ended with it.
    pub(super) fn deliver(&mut self, now: Instant, outcome: &Outcome, wakers: &mut Vec<Waker>) -> usize {
        let response = outcome.response();
        let update = Update::from(response);
        self.delivered.insert(response.request_id.clone(), (now, response.clone()));
        if std::mem::take(&mut self.missed_deliveries) >= DELIVERIES_MISSED_MAX {
            self.expectation_changed(now);
        }
        if let Some(entry_id) = self.entries_of(&response.request_id).first() {
            self.learn_duration_by_age(*entry_id, now);
        }
        self.end_waits(&response.request_id, now, &update, outcome, wakers)
    }

    /// Makes the next poll of a generation due, because it is known to have changed.
    pub(super) fn mark_changed(&mut self, now: Instant, id: &RequestId) {
        for entry_id in self.entries_of(id) {
            if let Some(entry) = self.entries.get_mut(&entry_id) {
                entry.state.mark_changed();
                self.plan(entry_id, now);
            }
        }
        self.notify();
    }

    /// Counts a receiver of webhooks that was attached to the client.
    pub(super) fn receiver_added(&mut self, now: Instant) {
        self.set_receivers(now, self.receivers.saturating_add(1));
    }

    /// Counts a receiver of webhooks that was detached.
    pub(super) fn receiver_removed(&mut self, now: Instant) {
        self.set_receivers(now, self.receivers.saturating_sub(1));
    }

    fn set_receivers(&mut self, now: Instant, receivers: u32) {
        let before = self.expects_deliveries();
        self.receivers = receivers;
        if self.expects_deliveries() != before {
            self.expectation_changed(now);
        }
    }

    fn expects_deliveries(&self) -> bool {
        self.receivers > 0 && self.missed_deliveries < DELIVERIES_MISSED_MAX
    }

    /// Tells every wait whether a delivery is expected, after this has changed.
    fn expectation_changed(&mut self, now: Instant) {
        let expects = self.expects_deliveries();
        self.replan(now, |entry| {
            entry.state.expect_delivery(expects && entry.webhook);
            entry.webhook
        });
    }

    /// Plans the `concerned` waits again.
    pub(super) fn replan(&mut self, now: Instant, mut concerned: impl FnMut(&mut WaitEntry) -> bool) {
        let ids: Vec<EntryId> = self
            .entries
            .iter_mut()
            .filter_map(|(entry_id, entry)| (concerned(entry) && entry.plan.is_some()).then_some(*entry_id))
            .collect();
        for entry_id in ids {
            self.plan(entry_id, now);
        }
        self.notify();
    }

    /// Wakes the task of every runtime, because its plans have changed.
    pub(super) fn notify(&self) {
        self.runtimes.values().for_each(|queues| queues.wake.notify_one());
    }

    fn entries_of(&self, id: &RequestId) -> Vec<EntryId> {
        self.of_request.get(id).cloned().unwrap_or_default()
    }

    fn end(
        &mut self,
        entry_id: EntryId,
        ending: impl FnOnce(&mut WaitEntry) -> WaitEnd,
        wakers: &mut Vec<Waker>,
    ) {
        self.leave_runtime(entry_id);
        self.uncount_running(entry_id);
        if let Some(entry) = self.entries.get_mut(&entry_id) {
            entry.end = Some(ending(entry));
            wakers.extend(entry.waker.take());
        }
    }

    /// Takes back the waits and calls of a task that was dropped, because its runtime was shut down. They join another
    /// runtime when they are polled: wake the returned wakers.
    pub(super) fn runtime_ended(&mut self, runtime: RuntimeId, epoch: u64) -> Vec<Waker> {
        if self.runtimes.get(&runtime).is_none_or(|found| found.epoch != epoch) {
            return Vec::new();
        }
        self.runtimes.remove(&runtime);
        let mut wakers = Vec::new();
        for entry in self.entries.values_mut().filter(|entry| entry.runtime == Some(runtime)) {
            (entry.runtime, entry.plan) = (None, None);
            wakers.extend(entry.waker.take());
        }
        for call in self.queued_calls.values_mut().filter(|call| call.runtime == Some(runtime)) {
            call.runtime = None;
            wakers.extend(call.waker.take());
        }
        wakers
    }

    /// The number of waits and queued calls.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len() + self.queued_calls.len()
    }
}

/// Keeps the waker of a future that is polled.
pub(super) fn store(waker: &mut Option<Waker>, context: &Context<'_>) {
    match waker {
        Some(waker) => waker.clone_from(context.waker()),
        none => *none = Some(context.waker().clone()),
    }
}
