//! The lists that one task serves, in the order of `policy`.

use super::Class;
use super::entry::Listed;
use super::policy::{LEVELS, ROUND, SURE, fullness};
use super::table::Ticket;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

type Dated = BTreeSet<(Instant, Ticket)>;

#[derive(Debug)]
pub(super) struct Lane {
    /// Tells this lane from an earlier one of a runtime with the same id.
    pub(super) epoch: u64,
    pub(super) wake: Arc<Notify>,
    begun: Instant,
    /// Entries and calls in line.
    members: usize,
    /// Calls in line, in the order they came.
    calls: BTreeSet<Ticket>,
    submits: BTreeSet<Ticket>,
    /// Entries by when they reach a higher level. Those being asked for are in none of these.
    rising: Dated,
    /// Entries at each level, in the order of [`Listed::order`].
    levels: [BTreeSet<(i64, Ticket)>; LEVELS.len()],
    overdue: Dated,
    pub(super) deadlines: Dated,
    /// Tokens handed out, but to calls of the user's own.
    handed_out: u32,
}

/// Who gets the next token.
#[derive(Clone, Copy, Debug)]
pub(super) enum Choice {
    Errand(Class, Ticket),
    /// An entry, if the bucket is so full.
    Ask(Ticket, f64),
}

impl Choice {
    pub(super) fn fullness(self) -> f64 {
        match self {
            Self::Errand(..) => 0.0,
            Self::Ask(_, fullness) => fullness,
        }
    }
}

impl Lane {
    pub(super) fn new(epoch: u64, wake: Arc<Notify>, begun: Instant) -> Self {
        Self {
            epoch,
            wake,
            begun,
            members: 0,
            calls: BTreeSet::new(),
            submits: BTreeSet::new(),
            rising: Dated::new(),
            levels: Default::default(),
            overdue: Dated::new(),
            deadlines: Dated::new(),
            handed_out: 0,
        }
    }

    pub(super) fn joined(&mut self) {
        self.members += 1;
        self.wake.notify_one();
    }

    pub(super) fn left(&mut self) {
        self.members -= 1;
        if self.members == 0 {
            self.wake.notify_one();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members == 0
    }

    pub(super) fn line_mut(&mut self, class: Class) -> &mut BTreeSet<Ticket> {
        match class {
            Class::Call => &mut self.calls,
            Class::Submit => &mut self.submits,
        }
    }

    /// What comes first among the entries of a level. Where nothing is known of the model yet, and where an ask is sure
    /// to find an end: what was unasked longest. What is as likely to run on is better asked for later: so of those, what
    /// takes longest to be overdue.
    pub(super) fn order(&self, level: Option<usize>, learned: bool, unasked_since: Instant) -> i64 {
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let since = micros(unasked_since.saturating_duration_since(self.begun));
        if learned && level != Some(SURE) { i64::MAX - since } else { since }
    }

    pub(super) fn list(&mut self, ticket: Ticket, listed: &Listed) {
        if let Some(level) = listed.level {
            self.levels[level].insert((listed.order, ticket));
        }
        self.rising.extend(listed.rises.map(|rises| (rises, ticket)));
        self.overdue.insert((listed.overdue, ticket));
    }

    pub(super) fn unlist(&mut self, ticket: Ticket, listed: &Listed) {
        if let Some(level) = listed.level {
            self.levels[level].remove(&(listed.order, ticket));
        }
        if let Some(rises) = listed.rises {
            self.rising.remove(&(rises, ticket));
        }
        self.overdue.remove(&(listed.overdue, ticket));
    }

    pub(super) fn past_deadline(&self, now: Instant) -> Option<Ticket> {
        due(&self.deadlines, now)
    }

    /// The entry that is overdue longest.
    pub(super) fn past_due(&self, now: Instant) -> Option<Ticket> {
        due(&self.overdue, now)
    }

    /// An entry that has reached a higher level.
    pub(super) fn risen(&self, now: Instant) -> Option<Ticket> {
        due(&self.rising, now)
    }

    /// Who gets the next token, if anybody wants one; of the entries only if there is room for more asks, of the submits
    /// only if they may go.
    pub(super) fn choose(&self, now: Instant, room: bool, submits: bool) -> Option<Choice> {
        if let Some(call) = self.calls.first() {
            return Some(Choice::Errand(Class::Call, *call));
        }
        let overdue = self.past_due(now).filter(|_| room).map(|ticket| Choice::Ask(ticket, 0.0));
        if overdue.is_some() && self.handed_out.is_multiple_of(ROUND) {
            return overdue;
        }
        let at = |level: usize| {
            let (_, ticket) = self.levels.get(level)?.first().filter(|_| room)?;
            Some(Choice::Ask(*ticket, fullness(level)))
        };
        let submit =
            || self.submits.first().filter(|_| submits).map(|submit| Choice::Errand(Class::Submit, *submit));
        let submits_first = self.handed_out % ROUND >= ROUND / 2;
        let surest = if submits_first { submit().or_else(|| at(SURE)) } else { at(SURE).or_else(submit) };
        surest.or(overdue).or_else(|| (0..SURE).rev().find_map(at))
    }

    /// Who was chosen got the token.
    pub(super) fn hand_out(&mut self, choice: Choice) {
        let counts = !matches!(choice, Choice::Errand(Class::Call, _));
        self.handed_out = self.handed_out.wrapping_add(u32::from(counts));
    }

    /// When to look again, if nothing happens before; `submits` is when submits may go that may not now.
    pub(super) fn next(&self, now: Instant, submits: Option<Instant>) -> Option<Instant> {
        let submits = submits.filter(|at| *at > now && !self.submits.is_empty());
        let overdue = self.overdue.range((now, Ticket(u64::MAX))..).next();
        [self.rising.first(), self.deadlines.first(), overdue]
            .into_iter()
            .flatten()
            .map(|(at, _)| *at)
            .chain(submits)
            .min()
    }
}

fn due(list: &Dated, now: Instant) -> Option<Ticket> {
    list.first().filter(|(at, _)| *at <= now).map(|(_, ticket)| *ticket)
}
