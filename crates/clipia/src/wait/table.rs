//! The entries of a client's waits, and the line of its other calls. Pure but for the wakers it hands out: the time is
//! an argument, and so is the budget.
//!
//! Entries are served by lanes, one for each Tokio runtime that polls waits of this client: nearly always one. A lane's
//! task runs exactly where its waits are polled, so that a wait never depends on a runtime that nobody drives.

use super::durations::Durations;
use super::entry::{Entry, Errand, Listed};
use super::lane::{Choice, Lane};
use super::policy::Verdict;
use super::room::Room;
use super::{Class, Ending, Event, Goal, Update};
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

/// Models whose durations are remembered apart; further ones are thrown together.
const MODELS_MAX: usize = 256;

/// How many delivered results are kept for waits that begin later: a fleet of ten thousand, some 20 MB.
const DELIVERED_MAX: usize = 10_000;

/// How long they are kept: the addresses of files in them may expire.
const DELIVERED_FOR: Duration = Duration::from_secs(3_600);

/// So many ends in a row that were found by asking, when a delivery should have told of them, and no more deliveries
/// are counted on until one arrives.
const DELIVERIES_MISSED_MAX: u32 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ticket(pub(super) u64);

/// `T` is the right to make one call.
#[derive(Debug)]
pub(super) struct Table<T> {
    tickets: u64,
    epochs: u64,
    entries: HashMap<Ticket, Entry>,
    errands: HashMap<Ticket, Errand<T>>,
    lanes: HashMap<RuntimeId, Lane>,
    /// The entries of each generation.
    of_request: HashMap<RequestId, Vec<Ticket>>,
    durations: HashMap<Option<Arc<str>>, Durations>,
    /// What deliveries told, and when, for waits that begin later.
    delivered: Recent<(Instant, ResultResponse), DELIVERED_MAX>,
    room: Room,
    /// Receivers of webhooks that are attached to the client.
    receivers: u32,
    missed: u32,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            tickets: 0,
            epochs: 0,
            entries: HashMap::new(),
            errands: HashMap::new(),
            lanes: HashMap::new(),
            of_request: HashMap::new(),
            durations: HashMap::new(),
            delivered: Recent::default(),
            room: Room::default(),
            receivers: 0,
            missed: 0,
        }
    }
}

/// The call to make for an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// The status: somebody watches and it runs.
    Status,
    /// The result, which tells both that it has ended and what came out.
    Result,
}

/// What a call told.
#[derive(Debug)]
pub(super) enum Told {
    State(Update),
    Ended(Update, Box<Outcome>),
}

/// A lane that must be started, and where to wake it.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) epoch: u64,
    pub(super) wake: Arc<Notify>,
}

/// What a lane has to do now.
#[derive(Debug)]
pub(super) enum Turn<T> {
    /// Nothing, for ever: it has no entries left and was removed.
    Stop,
    /// These calls; then come back at `next` or when woken.
    Ask {
        asks: Vec<(Ticket, RequestId, Ask, T)>,
        next: Option<Instant>,
        /// Whether something waits for the budget alone.
        starved: bool,
    },
}

impl<T> Table<T> {
    pub(super) fn enter(&mut self, mut entry: Entry) -> Ticket {
        let ticket = self.ticket();
        entry.known.expects(entry.webhook && self.counts_on_deliveries());
        entry.known.numbered(ticket.0);
        self.of_request.entry(entry.request_id.clone()).or_default().push(ticket);
        self.entries.insert(ticket, entry);
        ticket
    }

    /// Joins the line of calls.
    pub(super) fn queue(&mut self, class: Class) -> Ticket {
        let ticket = self.ticket();
        self.errands.insert(ticket, Errand { class, lane: None, waker: None, granted: None });
        ticket
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    /// What an early delivery told of a generation.
    pub(super) fn delivered(&self, now: Instant, id: &RequestId) -> Option<&ResultResponse> {
        let (at, result) = self.delivered.get(id)?;
        (now.saturating_duration_since(*at) <= DELIVERED_FOR).then_some(result)
    }

    pub(super) fn leave(&mut self, ticket: Ticket) -> Option<Entry> {
        self.unlist(ticket);
        self.uncount(ticket);
        let entry = self.entries.remove(&ticket)?;
        if let Some(tickets) = self.of_request.get_mut(&entry.request_id) {
            tickets.retain(|other| *other != ticket);
            if tickets.is_empty() {
                self.of_request.remove(&entry.request_id);
            }
        }
        Some(entry)
    }

    /// Leaves the line. What was granted goes back to where it came from when it is dropped.
    pub(super) fn give_up(&mut self, ticket: Ticket) -> Option<T> {
        let errand = self.errands.remove(&ticket)?;
        if let Some(lane) = errand.lane.and_then(|lane| self.lanes.get_mut(&lane)) {
            lane.line_mut(errand.class).remove(&ticket);
            lane.left();
        }
        errand.granted
    }

    /// What an entry has for its future, which is polled on the runtime `here`; the lane that must be started there
    /// for it, if any.
    pub(super) fn poll(
        &mut self,
        ticket: Ticket,
        here: RuntimeId,
        now: Instant,
        context: &mut Context<'_>,
    ) -> (Poll<Event>, Option<Start>) {
        let Some(entry) = self.entries.get_mut(&ticket) else { return (Poll::Pending, None) };
        if entry.unseen {
            entry.unseen = false;
            if let Some(update) = entry.latest.clone() {
                return (Poll::Ready(Event::Update(update)), None);
            }
        }
        if let Some(ending) = entry.ending.take() {
            self.leave(ticket);
            return (Poll::Ready(Event::Ended(ending)), None);
        }
        store(&mut entry.waker, context);
        let start = if entry.lane == Some(here) { None } else { self.settle(ticket, here, now) };
        (Poll::Pending, start)
    }

    /// The token of a call in line, once it has one.
    pub(super) fn poll_token(
        &mut self,
        ticket: Ticket,
        here: RuntimeId,
        now: Instant,
        context: &mut Context<'_>,
    ) -> (Poll<T>, Option<Start>) {
        let Some(errand) = self.errands.get_mut(&ticket) else { return (Poll::Pending, None) };
        if let Some(token) = errand.granted.take() {
            self.give_up(ticket);
            return (Poll::Ready(token), None);
        }
        store(&mut errand.waker, context);
        let (class, before) = (errand.class, errand.lane.replace(here));
        if before == Some(here) {
            return (Poll::Pending, None);
        }
        if let Some(lane) = before.and_then(|lane| self.lanes.get_mut(&lane)) {
            lane.line_mut(class).remove(&ticket);
            lane.left();
        }
        let (lane, start) = self.lane(here, now);
        lane.line_mut(class).insert(ticket);
        (Poll::Pending, start)
    }

    /// The lane of a runtime with one more entry; how to start it, if it is new.
    fn lane(&mut self, here: RuntimeId, now: Instant) -> (&mut Lane, Option<Start>) {
        let (epochs, mut start) = (&mut self.epochs, None);
        let lane = self.lanes.entry(here).or_insert_with(|| {
            *epochs += 1;
            let wake = Arc::new(Notify::new());
            start = Some(Start { epoch: *epochs, wake: Arc::clone(&wake) });
            Lane::new(*epochs, wake, now)
        });
        lane.joined();
        (lane, start)
    }

    /// Gives an entry to the lane of the runtime that polls it.
    fn settle(&mut self, ticket: Ticket, here: RuntimeId, now: Instant) -> Option<Start> {
        // Whoever was asking for it elsewhere may never get to tell.
        self.unlist(ticket);
        let entry = self.entries.get_mut(&ticket)?;
        (entry.lane, entry.asking) = (Some(here), false);
        let deadline = entry.deadline.map(|deadline| (deadline, ticket));
        let (lane, start) = self.lane(here, now);
        lane.deadlines.extend(deadline);
        self.plan(ticket, now);
        start
    }

    /// Lists an entry by when to ask for it, by all that is known now.
    fn plan(&mut self, ticket: Ticket, now: Instant) {
        let Some(entry) = self.entries.get_mut(&ticket).filter(|entry| !entry.asking) else { return };
        let Some(lane) = entry.lane.and_then(|lane| self.lanes.get_mut(&lane)) else { return };
        if let Some(listed) = entry.listed.take() {
            lane.unlist(ticket, &listed);
        }
        let nothing = Durations::default();
        let durations = self.durations.get(&entry.model).unwrap_or(&nothing);
        let level = entry.known.level(durations, now);
        let listed = Listed {
            level,
            rises: entry.known.rises_at(durations, now, level),
            overdue: entry.known.overdue_at(durations),
            order: lane.order(level, durations.len() > 0, entry.unasked_since),
        };
        lane.list(ticket, &listed);
        entry.listed = Some(listed);
    }

    /// Takes an entry out of its lane.
    fn unlist(&mut self, ticket: Ticket) {
        let Some(entry) = self.entries.get_mut(&ticket) else { return };
        let listed = entry.listed.take();
        let Some(lane) = entry.lane.take().and_then(|lane| self.lanes.get_mut(&lane)) else { return };
        if let Some(listed) = listed {
            lane.unlist(ticket, &listed);
        }
        if let Some(deadline) = entry.deadline {
            lane.deadlines.remove(&(deadline, ticket));
        }
        lane.left();
    }

    /// Ends what is past its deadline, and hands out the calls that are due: at most `room` of them, and as many as
    /// `take` gives tokens for. `take` gets how full the bucket must be, from 0 to 1.
    pub(super) fn turn(
        &mut self,
        here: RuntimeId,
        now: Instant,
        room: usize,
        mut take: impl FnMut(f64) -> Result<T, Instant>,
        wakers: &mut Vec<Waker>,
    ) -> Turn<T> {
        while let Some(ticket) = self.lanes.get(&here).and_then(|lane| lane.past_deadline(now)) {
            self.end(ticket, |entry| entry.deadline_passed(now), wakers);
        }
        let Some(lane) = self.lanes.get(&here) else { return Turn::Stop };
        if lane.is_empty() {
            self.lanes.remove(&here);
            return Turn::Stop;
        }
        while let Some(ticket) = self.lanes.get(&here).and_then(|lane| lane.risen(now)) {
            self.plan(ticket, now);
        }
        self.review(here, now);
        let (mut asks, mut later) = (Vec::new(), None);
        let Some(lane) = self.lanes.get_mut(&here) else { return Turn::Stop };
        while let Some(choice) = lane.choose(now, asks.len() < room, self.room.may_go(now)) {
            let token = match take(choice.fullness()) {
                Ok(token) => token,
                Err(when) => {
                    later = Some(when);
                    break;
                }
            };
            lane.hand_out(choice);
            match choice {
                Choice::Errand(class, ticket) => {
                    if class == Class::Submit {
                        self.room.goes(now);
                    }
                    lane.line_mut(class).remove(&ticket);
                    let Some(errand) = self.errands.get_mut(&ticket) else { continue };
                    errand.granted = Some(token);
                    wakers.extend(errand.waker.take());
                }
                Choice::Ask(ticket, _) => {
                    let Some(entry) = self.entries.get_mut(&ticket) else { continue };
                    if let Some(listed) = entry.listed.take() {
                        lane.unlist(ticket, &listed);
                    }
                    (entry.asking, entry.sent, entry.unasked_since) = (true, now, now);
                    asks.push((ticket, entry.request_id.clone(), entry.ask(), token));
                }
            }
        }
        let next = [lane.next(now, self.room.until()), later].into_iter().flatten().min();
        Turn::Ask { asks, next, starved: later.is_some() }
    }

    /// Plans what seems overdue anew, as long as what was learned since gives it longer.
    fn review(&mut self, here: RuntimeId, now: Instant) {
        while let Some(ticket) = self.lanes.get(&here).and_then(|lane| lane.past_due(now)) {
            let overdue = |table: &Self| table.entries.get(&ticket).and_then(Entry::overdue);
            let before = overdue(self);
            self.plan(ticket, now);
            if overdue(self) <= before {
                return;
            }
        }
    }

    /// What a call told about an entry, and so about all entries of its generation.
    pub(super) fn told(
        &mut self,
        ticket: Ticket,
        now: Instant,
        told: Result<Told, Error>,
        wakers: &mut Vec<Waker>,
    ) {
        // A call that was on the way when a delivery or the deadline ended its wait has nothing to add.
        let Some(entry) = self.entries.get_mut(&ticket).filter(|entry| entry.ending.is_none()) else {
            return;
        };
        let (id, sent) = (entry.request_id.clone(), entry.sent);
        entry.asking = false;
        let given_up = entry.known.awaits_delivery();
        match told {
            Ok(Told::State(update)) => {
                if given_up && !update.status.is_terminal() {
                    let (age, model) = (entry.known.age(sent).as_secs_f64(), entry.model.clone());
                    self.durations_of(&model).too_soon(age);
                }
                for ticket in self.entries_of(&id) {
                    self.state(ticket, sent, now, &update, wakers);
                }
            }
            Ok(Told::Ended(update, outcome)) => {
                if given_up {
                    self.missed = self.missed.saturating_add(1);
                    if self.missed == DELIVERIES_MISSED_MAX {
                        self.expect_anew(now);
                    }
                }
                self.learn_exactly(ticket, outcome.response(), now);
                self.conclude(&id, sent, &update, &outcome, wakers);
            }
            Err(error) => {
                if entry.known.failed(now, &error) == Verdict::GiveUp {
                    self.end(ticket, |_| Ending::Error(Box::new(error)), wakers);
                    return;
                }
                let (pause, waits_for) = (entry.known.pause(now), retry::waits_for(&error));
                let pause_ms = pause.as_millis() as u64;
                if pause > retry::PAUSE_LONG {
                    tracing::info!(request_id = %id, %error, pause_ms, waits_for, "asking again");
                } else {
                    tracing::debug!(request_id = %id, %error, pause_ms, waits_for, "asking again");
                }
                entry.trouble = Some(Box::new(error));
                self.plan(ticket, now);
            }
        }
    }

    /// An entry's generation stood there when it was asked for at `sent`.
    fn state(
        &mut self,
        ticket: Ticket,
        sent: Instant,
        now: Instant,
        update: &Update,
        wakers: &mut Vec<Waker>,
    ) {
        let Some(entry) = self.entries.get_mut(&ticket).filter(|entry| entry.ending.is_none()) else {
            return;
        };
        entry.learn(sent, update.clone());
        if entry.goal == Goal::Updates && update.status.is_terminal() {
            self.learn_roughly(ticket, now);
            self.end(ticket, |_| Ending::Watched, wakers);
            return;
        }
        if entry.unseen {
            wakers.extend(entry.waker.take());
        }
        self.count(ticket, now);
        self.plan(ticket, now);
    }

    /// Lets the durations of its model know that an entry's generation still runs.
    fn count(&mut self, ticket: Ticket, now: Instant) {
        let Some(entry) = self.entries.get_mut(&ticket) else { return };
        let Some(age) = entry.known.outlived() else { return };
        let (model, before) = (entry.model.clone(), entry.counted.replace(age));
        if self.durations_of(&model).outlived(before, age) {
            self.replan(now, |entry| entry.model == model);
        }
    }

    /// And that it does no more, or is no more followed.
    fn uncount(&mut self, ticket: Ticket) {
        let Some(entry) = self.entries.get_mut(&ticket) else { return };
        if let Some(age) = entry.counted.take() {
            let model = entry.model.clone();
            self.durations_of(&model).forget(Some(age));
        }
    }

    /// A generation has ended: so do all its entries.
    fn conclude(
        &mut self,
        id: &RequestId,
        sent: Instant,
        update: &Update,
        outcome: &Outcome,
        wakers: &mut Vec<Waker>,
    ) -> usize {
        let mut ended = 0;
        for ticket in self.entries_of(id) {
            if let Some(entry) = self.entries.get_mut(&ticket).filter(|entry| entry.ending.is_none()) {
                ended += 1;
                if ended == 1 {
                    self.room.ended();
                }
                entry.learn(sent, update.clone());
                let ending = match entry.goal {
                    Goal::Outcome => Ending::Outcome(Box::new(outcome.clone())),
                    Goal::Updates => Ending::Watched,
                };
                self.end(ticket, |_| ending, wakers);
            }
        }
        ended
    }

    /// A delivery told how a generation ended. Returns how many waits that ended.
    pub(super) fn deliver(&mut self, now: Instant, outcome: &Outcome, wakers: &mut Vec<Waker>) -> usize {
        let response = outcome.response();
        let update = Update::from(response);
        self.delivered.insert(response.request_id.clone(), (now, response.clone()));
        if std::mem::take(&mut self.missed) >= DELIVERIES_MISSED_MAX {
            self.expect_anew(now);
        }
        if let Some(ticket) = self.entries_of(&response.request_id).first() {
            self.learn_roughly(*ticket, now);
        }
        self.conclude(&response.request_id, now, &update, outcome, wakers)
    }

    /// A submit was accepted, or refused because too many are in flight; for so long if the server told.
    pub(super) fn submitted(&mut self, now: Instant, refused: Option<Option<Duration>>) {
        match refused {
            None => self.room.accepted(),
            Some(told) => self.room.refused(now, told),
        }
        self.notify();
    }

    /// Whether submits are held back.
    pub(super) fn holds_submits(&self) -> bool {
        self.room.is_held()
    }

    /// Something has become of a generation, and asking will tell what.
    pub(super) fn suspect(&mut self, now: Instant, id: &RequestId) {
        for ticket in self.entries_of(id) {
            if let Some(entry) = self.entries.get_mut(&ticket) {
                entry.known.suspect();
                self.plan(ticket, now);
            }
        }
        self.notify();
    }

    /// A receiver of webhooks was attached to the client, or detached.
    pub(super) fn receivers(&mut self, now: Instant, attached: bool) {
        let before = self.counts_on_deliveries();
        self.receivers =
            if attached { self.receivers.saturating_add(1) } else { self.receivers.saturating_sub(1) };
        if self.counts_on_deliveries() != before {
            self.expect_anew(now);
        }
    }

    fn counts_on_deliveries(&self) -> bool {
        self.receivers > 0 && self.missed < DELIVERIES_MISSED_MAX
    }

    /// Whether deliveries are counted on has changed.
    fn expect_anew(&mut self, now: Instant) {
        let expects = self.counts_on_deliveries();
        self.replan(now, |entry| {
            entry.known.expects(expects && entry.webhook);
            entry.webhook
        });
    }

    /// Plans those entries anew.
    fn replan(&mut self, now: Instant, mut concerned: impl FnMut(&mut Entry) -> bool) {
        let tickets: Vec<Ticket> = self
            .entries
            .iter_mut()
            .filter_map(|(ticket, entry)| (concerned(entry) && entry.listed.is_some()).then_some(*ticket))
            .collect();
        for ticket in tickets {
            self.plan(ticket, now);
        }
        self.notify();
    }

    /// Wakes every lane, for what it planned by is no more.
    pub(super) fn notify(&self) {
        self.lanes.values().for_each(|lane| lane.wake.notify_one());
    }

    /// Learns from a result how long its model takes.
    fn learn_exactly(&mut self, ticket: Ticket, response: &ResultResponse, now: Instant) {
        let (Some(created), Some(completed)) = (response.created_at, response.completed_at) else {
            return self.learn_roughly(ticket, now);
        };
        let Ok(duration) = Duration::try_from(completed.duration_since(created)) else { return };
        let Some(entry) = self.entries.get(&ticket) else { return };
        let model = entry.model.clone().or_else(|| response.model.as_deref().map(Arc::from));
        self.learn(model, duration, now);
    }

    /// The same from when its end became known, where nothing tells better.
    fn learn_roughly(&mut self, ticket: Ticket, now: Instant) {
        let Some(entry) = self.entries.get(&ticket) else { return };
        if let Some(duration) = entry.known.exact_age(now) {
            self.learn(entry.model.clone(), duration, now);
        }
    }

    fn learn(&mut self, model: Option<Arc<str>>, duration: Duration, now: Instant) {
        if self.durations_of(&model).learn(duration) {
            self.replan(now, |entry| entry.model == model);
        }
    }

    fn durations_of(&mut self, model: &Option<Arc<str>>) -> &mut Durations {
        let known = self.durations.len() < MODELS_MAX || self.durations.contains_key(model);
        self.durations.entry(model.clone().filter(|_| known)).or_default()
    }

    fn entries_of(&self, id: &RequestId) -> Vec<Ticket> {
        self.of_request.get(id).cloned().unwrap_or_default()
    }

    fn end(&mut self, ticket: Ticket, ending: impl FnOnce(&mut Entry) -> Ending, wakers: &mut Vec<Waker>) {
        self.unlist(ticket);
        self.uncount(ticket);
        if let Some(entry) = self.entries.get_mut(&ticket) {
            entry.ending = Some(ending(entry));
            wakers.extend(entry.waker.take());
        }
    }

    /// A lane's task is gone before its time: its runtime was shut down. Its entries find another when polled.
    pub(super) fn abandon(&mut self, lane: RuntimeId, epoch: u64) -> Vec<Waker> {
        if self.lanes.get(&lane).is_none_or(|found| found.epoch != epoch) {
            return Vec::new();
        }
        self.lanes.remove(&lane);
        let mut wakers = Vec::new();
        for entry in self.entries.values_mut().filter(|entry| entry.lane == Some(lane)) {
            (entry.lane, entry.listed) = (None, None);
            wakers.extend(entry.waker.take());
        }
        for errand in self.errands.values_mut().filter(|errand| errand.lane == Some(lane)) {
            errand.lane = None;
            wakers.extend(errand.waker.take());
        }
        wakers
    }

    /// How many entries and calls in line there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len() + self.errands.len()
    }
}

fn store(waker: &mut Option<Waker>, context: &Context<'_>) {
    match waker {
        Some(waker) => waker.clone_from(context.waker()),
        none => *none = Some(context.waker().clone()),
    }
}
