//! The entries of a client's waits. Pure but for the wakers it hands out: the time is an argument.
//!
//! Entries are served by lanes, one for each Tokio runtime that polls waits of this client: nearly always one. A lane's
//! task runs exactly where its waits are polled, so that a wait never depends on a runtime that nobody drives.

use super::policy::{Known, Verdict};
use super::{Ending, Event, Goal, Update};
use crate::client::Clipia;
use crate::error::Error;
use crate::outcome::Outcome;
use crate::recent::Recent;
use clipia_api::types::{RequestId, ResultResponse};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::runtime::Id as RuntimeId;
use tokio::sync::Notify;

/// How many delivered results are kept for waits that begin later: a fleet of ten thousand, some 20 MB.
const DELIVERED_MAX: usize = 10_000;

/// How long they are kept: the addresses of files in them may expire.
const DELIVERED_FOR: Duration = Duration::from_secs(3_600);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ticket(u64);

#[derive(Debug, Default)]
pub(super) struct Table {
    tickets: u64,
    epochs: u64,
    entries: HashMap<Ticket, Entry>,
    lanes: HashMap<RuntimeId, Lane>,
    /// What deliveries told, and when, for waits that begin later.
    delivered: Recent<(Instant, ResultResponse), DELIVERED_MAX>,
}

/// What one task serves.
#[derive(Debug)]
struct Lane {
    /// Tells this lane from an earlier one of a runtime with the same id.
    epoch: u64,
    /// Entries by when to ask for them; those being asked for are not in it.
    asks: BTreeSet<(Instant, Ticket)>,
    deadlines: BTreeSet<(Instant, Ticket)>,
    entries: usize,
    wake: Arc<Notify>,
}

#[derive(Debug)]
pub(crate) struct Entry {
    request_id: RequestId,
    goal: Goal,
    known: Known,
    watched: bool,
    entered: Instant,
    lane: Option<RuntimeId>,
    /// When to ask next; `None` while being asked for.
    ask_at: Option<Instant>,
    deadline: Option<Instant>,
    /// The latest state, and whether its future has still to see it.
    latest: Option<Update>,
    unseen: bool,
    trouble: Option<Box<Error>>,
    ending: Option<Ending>,
    waker: Option<Waker>,
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
    Ended(Update, Ending),
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
    /// These calls; then come back at that time or when woken.
    Ask(Vec<(Ticket, RequestId, Ask, T)>, Option<Instant>),
}

impl Entry {
    pub(super) fn new(
        request_id: RequestId,
        goal: Goal,
        watched: bool,
        since: Instant,
        now: Instant,
        first_ask: Instant,
        deadline: Option<Instant>,
    ) -> Self {
        Self {
            request_id,
            goal,
            known: Known::new(since, watched),
            watched,
            entered: now,
            lane: None,
            ask_at: Some(first_ask),
            deadline,
            latest: None,
            unseen: false,
            trouble: None,
            ending: None,
            waker: None,
        }
    }

    fn ask(&self) -> Ask {
        let ended = self.latest.as_ref().is_some_and(|update| update.status.is_terminal());
        match self.goal {
            Goal::Updates => Ask::Status,
            Goal::Outcome if self.watched && !ended => Ask::Status,
            Goal::Outcome => Ask::Result,
        }
    }

    /// Takes a new state, and keeps it for the future if it is a change and somebody watches.
    fn learn(&mut self, now: Instant, update: Update) {
        self.known.answered(now, &update.status, update.queue_position, update.progress);
        self.trouble = None;
        if self.latest.as_ref() != Some(&update) {
            self.unseen = self.watched;
            self.latest = Some(update);
        }
    }

    fn delivered(&mut self, now: Instant, outcome: &Outcome) -> Ending {
        self.learn(now, Update::from(outcome.response()));
        match self.goal {
            Goal::Updates => Ending::Watched,
            Goal::Outcome => Ending::Outcome(Box::new(outcome.clone())),
        }
    }

    fn deadline_passed(&mut self, now: Instant) -> Ending {
        let latest = self.latest.as_ref();
        Ending::Error(Box::new(Error::Deadline {
            request_id: self.request_id,
            waited: now - self.entered,
            status: latest.map(|update| update.status.clone()),
            progress: latest.and_then(|update| update.progress),
            source: self.trouble.take(),
        }))
    }
}

impl Table {
    pub(super) fn enter(&mut self, entry: Entry) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.entries.insert(ticket, entry);
        ticket
    }

    pub(super) fn leave(&mut self, ticket: Ticket) -> Option<Entry> {
        self.unlist(ticket);
        self.entries.remove(&ticket)
    }

    /// What an entry has for its future, which is polled on the runtime `here`; the lane that must be started there
    /// for it, if any.
    pub(super) fn poll(
        &mut self,
        ticket: Ticket,
        here: RuntimeId,
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
        match &mut entry.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        let start = if entry.lane == Some(here) { None } else { self.settle(ticket, here) };
        (Poll::Pending, start)
    }

    /// Gives an entry to the lane of the runtime that polls it.
    fn settle(&mut self, ticket: Ticket, here: RuntimeId) -> Option<Start> {
        self.unlist(ticket);
        let entry = self.entries.get_mut(&ticket)?;
        let mut start = None;
        let lane = self.lanes.entry(here).or_insert_with(|| {
            self.epochs += 1;
            let (epoch, wake) = (self.epochs, Arc::new(Notify::new()));
            start = Some(Start { epoch, wake: Arc::clone(&wake) });
            Lane { epoch, asks: BTreeSet::new(), deadlines: BTreeSet::new(), entries: 0, wake }
        });
        // Whoever was asking for it elsewhere may never get to tell.
        let ask_at = *entry.ask_at.get_or_insert(entry.entered);
        entry.lane = Some(here);
        lane.entries += 1;
        lane.asks.insert((ask_at, ticket));
        lane.deadlines.extend(entry.deadline.map(|deadline| (deadline, ticket)));
        lane.wake.notify_one();
        start
    }

    /// Takes an entry out of its lane's lists.
    fn unlist(&mut self, ticket: Ticket) {
        let Some(entry) = self.entries.get_mut(&ticket) else { return };
        let Some(lane) = entry.lane.take().and_then(|lane| self.lanes.get_mut(&lane)) else { return };
        lane.entries -= 1;
        if let Some(at) = entry.ask_at {
            lane.asks.remove(&(at, ticket));
        }
        if let Some(deadline) = entry.deadline {
            lane.deadlines.remove(&(deadline, ticket));
        }
        if lane.entries == 0 {
            lane.wake.notify_one();
        }
    }

    /// Ends what is past its deadline, and hands out the calls that are due, oldest first, at most `room` and as many
    /// as `take` gives tokens for.
    pub(super) fn turn<T>(
        &mut self,
        here: RuntimeId,
        now: Instant,
        room: usize,
        mut take: impl FnMut() -> Result<T, Instant>,
        wakers: &mut Vec<Waker>,
    ) -> Turn<T> {
        while let Some(ticket) = self.lanes.get(&here).and_then(|lane| due(&lane.deadlines, now)) {
            self.end(ticket, |entry| entry.deadline_passed(now), wakers);
        }
        let Some(lane) = self.lanes.get_mut(&here) else { return Turn::Stop };
        if lane.entries == 0 {
            self.lanes.remove(&here);
            return Turn::Stop;
        }
        let (mut asks, mut not_before) = (Vec::new(), None);
        while asks.len() < room
            && let Some(ticket) = due(&lane.asks, now)
        {
            let token = match take() {
                Ok(token) => token,
                Err(later) => {
                    not_before = Some(later);
                    break;
                }
            };
            lane.asks.pop_first();
            if let Some(entry) = self.entries.get_mut(&ticket) {
                entry.ask_at = None;
                asks.push((ticket, entry.request_id, entry.ask(), token));
            }
        }
        let first_ask = lane.asks.first().map(|(at, _)| not_before.map_or(*at, |later| later.max(*at)));
        let first_ask = if asks.len() < room { first_ask } else { None };
        let first_deadline = lane.deadlines.first().map(|(at, _)| *at);
        Turn::Ask(asks, [first_ask, first_deadline].into_iter().flatten().min())
    }

    /// What a call told about an entry.
    pub(super) fn told(&mut self, ticket: Ticket, now: Instant, told: Result<Told, Error>) -> Option<Waker> {
        // A call that was on the way when a delivery or the deadline ended its wait has nothing to add.
        let entry = self.entries.get_mut(&ticket).filter(|entry| entry.ending.is_none())?;
        let interval = match told {
            Ok(Told::State(update)) => {
                let watched_to_its_end = entry.goal == Goal::Updates && update.status.is_terminal();
                let ended = update.status.is_terminal();
                entry.learn(now, update);
                if watched_to_its_end {
                    return self.ended(ticket, Ending::Watched);
                }
                // The next ask is for the result, which is there.
                if ended { Duration::ZERO } else { entry.known.interval(now) }
            }
            Ok(Told::Ended(update, ending)) => {
                entry.learn(now, update);
                return self.ended(ticket, ending);
            }
            Err(error) => {
                if entry.known.failed(&error) == Verdict::GiveUp {
                    return self.ended(ticket, Ending::Error(Box::new(error)));
                }
                tracing::debug!(request_id = %entry.request_id, %error, "asking again");
                let interval = entry.known.interval_after_failure(now, error.retry_after());
                entry.trouble = Some(Box::new(error));
                interval
            }
        };
        self.ask_again(ticket, now + interval);
        self.entries.get_mut(&ticket).filter(|entry| entry.unseen)?.waker.take()
    }

    fn ask_again(&mut self, ticket: Ticket, at: Instant) {
        let Some(entry) = self.entries.get_mut(&ticket) else { return };
        let Some(lane) = entry.lane.and_then(|lane| self.lanes.get_mut(&lane)) else { return };
        if let Some(listed) = entry.ask_at.replace(at) {
            lane.asks.remove(&(listed, ticket));
        }
        lane.asks.insert((at, ticket));
    }

    fn ended(&mut self, ticket: Ticket, ending: Ending) -> Option<Waker> {
        let mut wakers = Vec::with_capacity(1);
        self.end(ticket, |_| ending, &mut wakers);
        wakers.pop()
    }

    fn end(&mut self, ticket: Ticket, ending: impl FnOnce(&mut Entry) -> Ending, wakers: &mut Vec<Waker>) {
        self.unlist(ticket);
        if let Some(entry) = self.entries.get_mut(&ticket) {
            entry.ending = Some(ending(entry));
            wakers.extend(entry.waker.take());
        }
    }

    /// See [`Scheduler::deliver`](super::Scheduler::deliver).
    pub(super) fn deliver(
        &mut self,
        clipia: &Clipia,
        now: Instant,
        result: ResultResponse,
        wakers: &mut Vec<Waker>,
    ) -> usize {
        let id = result.request_id;
        let waits = |(_, entry): &(&Ticket, &Entry)| entry.request_id == id && entry.ending.is_none();
        let waiting: Vec<Ticket> = self.entries.iter().filter(waits).map(|(ticket, _)| *ticket).collect();
        let Ok(outcome) = Outcome::of(clipia, result.clone()) else {
            waiting.into_iter().for_each(|ticket| self.ask_again(ticket, now));
            self.lanes.values().for_each(|lane| lane.wake.notify_one());
            return 0;
        };
        for ticket in &waiting {
            self.end(*ticket, |entry| entry.delivered(now, &outcome), wakers);
        }
        self.delivered.insert(id, (now, result));
        waiting.len()
    }

    /// Ends an entry that came after its delivery.
    pub(super) fn recall(&mut self, clipia: &Clipia, now: Instant, ticket: Ticket) {
        let Some(id) = self.entries.get(&ticket).map(|entry| entry.request_id) else { return };
        if let Some((at, result)) = self.delivered.get(&id)
            && now.saturating_duration_since(*at) <= DELIVERED_FOR
            && let Ok(outcome) = Outcome::of(clipia, result.clone())
        {
            self.end(ticket, |entry| entry.delivered(now, &outcome), &mut Vec::new());
        }
    }

    /// A lane's task is gone before its time: its runtime was shut down. Its entries find another when polled.
    pub(super) fn abandon(&mut self, lane: RuntimeId, epoch: u64) -> Vec<Waker> {
        if self.lanes.get(&lane).is_none_or(|found| found.epoch != epoch) {
            return Vec::new();
        }
        self.lanes.remove(&lane);
        let stranded = self.entries.values_mut().filter(|entry| entry.lane == Some(lane));
        stranded
            .filter_map(|entry| {
                entry.lane = None;
                entry.waker.take()
            })
            .collect()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

fn due(list: &BTreeSet<(Instant, Ticket)>, now: Instant) -> Option<Ticket> {
    list.first().filter(|(at, _)| *at <= now).map(|(_, ticket)| *ticket)
}
