//! The queues that one task serves: the waits and calls of one Tokio runtime. `next_poll` explains their order.

use super::next_poll::{LEVELS, ROUND, SURE, fullness};
use crate::request::Priority;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Id as RuntimeId;
use tokio::sync::Notify;

type ByTime = BTreeSet<(Instant, EntryId)>;

/// The id of a waiter or of a queued call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct EntryId(pub(super) u64);

/// When a wait is to be polled.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) level: Option<usize>,
    pub(super) next_level_at: Option<Instant>,
    pub(super) overdue_at: Instant,
    /// The place among the waits of its level, the lowest first.
    pub(super) order: i64,
}

/// The queues of every runtime that polls a wait or a queued call of the client; nearly always one.
#[derive(Debug, Default)]
pub(super) struct Runtimes {
    last_epoch: u64,
    queues: HashMap<RuntimeId, RuntimeQueues>,
}

/// The task that must be started for the queues of a runtime, and how it is woken.
#[derive(Debug)]
pub(super) struct TaskStart {
    pub(super) epoch: u64,
    pub(super) wake: Arc<Notify>,
}

impl Runtimes {
    /// The queues of a runtime, with one more member; and the task that must be started for them if they are new.
    pub(super) fn join(&mut self, here: RuntimeId, now: Instant) -> (&mut RuntimeQueues, Option<TaskStart>) {
        let (last_epoch, mut start) = (&mut self.last_epoch, None);
        let queues = self.queues.entry(here).or_insert_with(|| {
            *last_epoch += 1;
            let wake = Arc::new(Notify::new());
            start = Some(TaskStart { epoch: *last_epoch, wake: Arc::clone(&wake) });
            RuntimeQueues::new(*last_epoch, wake, now)
        });
        queues.joined();
        (queues, start)
    }

    pub(super) fn get(&self, runtime: RuntimeId) -> Option<&RuntimeQueues> {
        self.queues.get(&runtime)
    }

    /// The queues of a member's runtime.
    pub(super) fn of(&mut self, runtime: Option<RuntimeId>) -> Option<&mut RuntimeQueues> {
        self.queues.get_mut(&runtime?)
    }

    pub(super) fn remove(&mut self, runtime: RuntimeId) {
        self.queues.remove(&runtime);
    }

    /// Removes the queues of a task that was dropped. Returns whether they were still its own.
    pub(super) fn ended(&mut self, runtime: RuntimeId, epoch: u64) -> bool {
        let own = self.queues.get(&runtime).is_some_and(|queues| queues.epoch == epoch);
        if own {
            self.queues.remove(&runtime);
        }
        own
    }

    /// Wakes the task of every runtime, because its plans have changed.
    pub(super) fn notify(&self) {
        self.queues.values().for_each(|queues| queues.wake.notify_one());
    }
}

#[derive(Debug)]
pub(super) struct RuntimeQueues {
    /// Distinguishes these queues from those of an earlier runtime with the same id.
    epoch: u64,
    wake: Arc<Notify>,
    begun: Instant,
    /// The number of waits and queued calls.
    members: usize,
    /// Queued calls, in the order of their arrival.
    calls: BTreeSet<EntryId>,
    submits: BTreeSet<EntryId>,
    /// Waits by the time of their next level. A wait that is being polled is in none of the following queues.
    rising: ByTime,
    /// Waits at each level, in the order of [`Plan::order`].
    levels: [BTreeSet<(i64, EntryId)>; LEVELS.len()],
    overdue: ByTime,
    pub(super) deadlines: ByTime,
    /// Tokens handed out, except to calls of the user.
    handed_out: u32,
}

/// What the next token is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum TokenUse {
    Call(Priority, EntryId),
    /// A poll, if the bucket is at least this full.
    Poll(EntryId, f64),
}

impl TokenUse {
    pub(super) fn fullness(self) -> f64 {
        match self {
            Self::Call(..) => 0.0,
            Self::Poll(_, fullness) => fullness,
        }
    }
}

impl RuntimeQueues {
    fn new(epoch: u64, wake: Arc<Notify>, begun: Instant) -> Self {
        Self {
            epoch,
            wake,
            begun,
            members: 0,
            calls: BTreeSet::new(),
            submits: BTreeSet::new(),
            rising: ByTime::new(),
            levels: Default::default(),
            overdue: ByTime::new(),
            deadlines: ByTime::new(),
            handed_out: 0,
        }
    }

    fn joined(&mut self) {
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

    pub(super) fn calls_mut(&mut self, priority: Priority) -> &mut BTreeSet<EntryId> {
        match priority {
            Priority::Call => &mut self.calls,
            Priority::Submit => &mut self.submits,
        }
    }

    /// The place of a wait among those of its level, the lowest first. Waits polled longest ago come first if the model
    /// is unknown or a poll is almost sure to find an end. Otherwise waits polled latest come first, because a poll of
    /// the others becomes surer the longer it is left.
    pub(super) fn order(&self, level: Option<usize>, learned: bool, unpolled_since: Instant) -> i64 {
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let since = micros(unpolled_since.saturating_duration_since(self.begun));
        if learned && level != Some(SURE) { i64::MAX - since } else { since }
    }

    pub(super) fn insert(&mut self, id: EntryId, plan: &Plan) {
        if let Some(level) = plan.level {
            self.levels[level].insert((plan.order, id));
        }
        self.rising.extend(plan.next_level_at.map(|at| (at, id)));
        self.overdue.insert((plan.overdue_at, id));
    }

    pub(super) fn remove(&mut self, id: EntryId, plan: &Plan) {
        if let Some(level) = plan.level {
            self.levels[level].remove(&(plan.order, id));
        }
        if let Some(at) = plan.next_level_at {
            self.rising.remove(&(at, id));
        }
        self.overdue.remove(&(plan.overdue_at, id));
    }

    pub(super) fn past_deadline(&self, now: Instant) -> Option<EntryId> {
        due(&self.deadlines, now)
    }

    /// The wait that has been overdue longest.
    pub(super) fn longest_overdue(&self, now: Instant) -> Option<EntryId> {
        due(&self.overdue, now)
    }

    /// A wait that has reached a higher level.
    pub(super) fn risen(&self, now: Instant) -> Option<EntryId> {
        due(&self.rising, now)
    }

    /// What the next token is for, if anything needs one. `polls` and `submits` say whether it may be a poll or a
    /// submit.
    pub(super) fn choose(&self, now: Instant, polls: bool, submits: bool) -> Option<TokenUse> {
        if let Some(call) = self.calls.first() {
            return Some(TokenUse::Call(Priority::Call, *call));
        }
        let overdue = self.longest_overdue(now).filter(|_| polls).map(|id| TokenUse::Poll(id, 0.0));
        if overdue.is_some() && self.handed_out.is_multiple_of(ROUND) {
            return overdue;
        }
        let at = |level: usize| {
            let (_, id) = self.levels.get(level)?.first().filter(|_| polls)?;
            Some(TokenUse::Poll(*id, fullness(level)))
        };
        let submit = || {
            self.submits.first().filter(|_| submits).map(|submit| TokenUse::Call(Priority::Submit, *submit))
        };
        let submits_first = self.handed_out % ROUND >= ROUND / 2;
        let surest = if submits_first { submit().or_else(|| at(SURE)) } else { at(SURE).or_else(submit) };
        surest.or(overdue).or_else(|| (0..SURE).rev().find_map(at))
    }

    /// Counts a token that was handed out.
    pub(super) fn hand_out(&mut self, token_use: TokenUse) {
        let counts = !matches!(token_use, TokenUse::Call(Priority::Call, _));
        self.handed_out = self.handed_out.wrapping_add(u32::from(counts));
    }

    /// When a token may next be needed, if nothing happens before. `submits` is when a submit may pass that may not
    /// now.
    pub(super) fn next(&self, now: Instant, submits: Option<Instant>) -> Option<Instant> {
        let submits = submits.filter(|at| *at > now && !self.submits.is_empty());
        let overdue = self.overdue.range((now, EntryId(u64::MAX))..).next();
        [self.rising.first(), self.deadlines.first(), overdue]
            .into_iter()
            .flatten()
            .map(|(at, _)| *at)
            .chain(submits)
            .min()
    }
}

fn due(queue: &ByTime, now: Instant) -> Option<EntryId> {
    queue.first().filter(|(at, _)| *at <= now).map(|(_, id)| *id)
}
