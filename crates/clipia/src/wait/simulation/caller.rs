//! One client of a simulated fleet: its waiters and its budget.

use super::report::Fate;
use crate::budget::Budget;
use crate::request::Priority;
use crate::update::Update;
use crate::wait::next_poll::GenerationState;
use crate::wait::runtime_queues::EntryId;
use crate::wait::waiter::{Goal, PollKind, WaitEnd, WaitEvent, Waiter};
use crate::wait::waiters::{PollResponse, Waiters};
use clipia_api::Status;
use clipia_api::types::{RequestId, ResultResponse, StatusResponse};
use jiff::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Id};

/// One client of the fleet.
pub(super) struct Caller {
    pub(super) here: Id,
    start: Instant,
    pub(super) waiters: Waiters<u64>,
    pub(super) budget: Budget,
    /// Queued submits.
    pub(super) queued: VecDeque<(EntryId, usize)>,
    pub(super) in_flight: usize,
    /// The generation of each wait.
    pub(super) entries: HashMap<EntryId, usize>,
    pub(super) dead: bool,
}

impl Caller {
    pub(super) fn new(start: Instant, seed: u64, ignores_others: bool) -> Self {
        let Ok(runtime) = Builder::new_current_thread().build() else { panic!("it asks for no driver") };
        let budget = Budget::new(start, seed);
        Self {
            here: runtime.handle().id(),
            start,
            waiters: Waiters::default(),
            budget: if ignores_others { budget.ignoring_others() } else { budget },
            queued: VecDeque::new(),
            in_flight: 0,
            entries: HashMap::new(),
            dead: false,
        }
    }

    /// Queues a submit.
    pub(super) fn submit(&mut self, number: usize) {
        let entry_id = self.waiters.queue_call(Priority::Submit);
        let mut context = Context::from_waker(Waker::noop());
        assert!(self.waiters.poll_token(entry_id, self.here, self.start, &mut context).0.is_pending());
        self.queued.push_back((entry_id, number));
    }

    /// The submits that got a token, each with the number of the token.
    pub(super) fn granted(&mut self) -> Vec<(usize, u64)> {
        let mut granted = Vec::new();
        let mut context = Context::from_waker(Waker::noop());
        while let Some(&(entry_id, number)) = self.queued.front() {
            let Poll::Ready(token) = self.waiters.poll_token(entry_id, self.here, self.start, &mut context).0
            else {
                break;
            };
            self.queued.pop_front();
            granted.push((number, token));
        }
        granted
    }

    /// Waits for a generation that was submitted just now.
    pub(super) fn enter(&mut self, id: RequestId, now: Duration, watched: bool, webhook: bool) -> EntryId {
        let goal = if watched { Goal::Updates } else { Goal::Result };
        let now = self.start + now;
        let state = GenerationState::new(now, Some(Duration::ZERO), watched);
        let state = state.submitted(&Status::InQueue, Some(0));
        let mut waiter = Waiter::new(id, goal, watched, state, now);
        (waiter.model, waiter.webhook) = (Some(Arc::from("m")), webhook);
        let entry_id = self.waiters.enter(waiter);
        assert!(self.poll(entry_id, now).is_none());
        entry_id
    }

    /// The end of a wait, if it has ended.
    pub(super) fn poll(&mut self, entry_id: EntryId, now: Instant) -> Option<WaitEnd> {
        loop {
            let mut context = Context::from_waker(Waker::noop());
            match self.waiters.poll_wait(entry_id, self.here, now, &mut context).0 {
                Poll::Ready(WaitEvent::Ended(ending)) => return Some(ending),
                Poll::Ready(WaitEvent::Update(_)) => {}
                Poll::Pending => return None,
            }
        }
    }

    /// The result of a generation.
    pub(super) fn result(&self, id: RequestId, begun: Duration, ended: Duration) -> ResultResponse {
        let at = |time: Duration| Timestamp::UNIX_EPOCH.checked_add(time).ok();
        let mut result = ResultResponse::new(id, Status::Completed);
        (result.created_at, result.completed_at) = (at(begun), at(ended));
        result
    }

    /// The response to a poll that the server gets now.
    pub(super) fn poll_response(
        &self,
        kind: PollKind,
        id: RequestId,
        now: Duration,
        fate: &Fate,
    ) -> PollResponse {
        let ended = now >= fate.ended;
        let status = if ended { Status::Completed } else { Status::InProgress };
        match kind {
            PollKind::Result if ended => {
                PollResponse::Ended(Box::new(self.result(id, fate.begun, fate.ended)))
            }
            _ => PollResponse::Status(Update::from(StatusResponse::new(id, status))),
        }
    }
}
