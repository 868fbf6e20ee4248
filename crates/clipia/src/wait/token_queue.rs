//! The calls that are queued for a token of the request budget: submits and other calls of the user.

use super::runtime_queues::{EntryId, RuntimeQueues, Runtimes, TaskStart};
use super::waiter::store;
use crate::request::Priority;
use crate::submit_gate::SubmitGate;
use std::collections::HashMap;
use std::task::{Context, Poll, Waker};
use std::time::Instant;
use tokio::runtime::Id as RuntimeId;

/// `T` is the token for one call.
#[derive(Debug)]
pub(super) struct TokenQueue<T> {
    calls: HashMap<EntryId, QueuedCall<T>>,
    /// Holds submits back while the concurrency limit is reached.
    pub(super) gate: SubmitGate,
}

/// A call that is queued for a token.
#[derive(Debug)]
struct QueuedCall<T> {
    priority: Priority,
    /// The runtime whose queues the call is in.
    runtime: Option<RuntimeId>,
    waker: Option<Waker>,
    granted: Option<T>,
}

impl<T> Default for TokenQueue<T> {
    fn default() -> Self {
        Self { calls: HashMap::new(), gate: SubmitGate::default() }
    }
}

impl<T> TokenQueue<T> {
    /// Adds a call.
    pub(super) fn join(&mut self, id: EntryId, priority: Priority) {
        self.calls.insert(id, QueuedCall { priority, runtime: None, waker: None, granted: None });
    }

    /// Removes a call. Returns its token if one was granted and not taken.
    pub(super) fn leave(&mut self, id: EntryId, runtimes: &mut Runtimes) -> Option<T> {
        let call = self.calls.remove(&id)?;
        if let Some(queues) = runtimes.of(call.runtime) {
            queues.calls_mut(call.priority).remove(&id);
            queues.left();
        }
        call.granted
    }

    /// The token of a call, once it has one. Its future is polled on the runtime `here`. Also the task that must be
    /// started on this runtime, if any.
    pub(super) fn poll(
        &mut self,
        id: EntryId,
        runtimes: &mut Runtimes,
        here: RuntimeId,
        now: Instant,
        context: &mut Context<'_>,
    ) -> (Poll<T>, Option<TaskStart>) {
        let Some(call) = self.calls.get_mut(&id) else { return (Poll::Pending, None) };
        if let Some(token) = call.granted.take() {
            self.leave(id, runtimes);
            return (Poll::Ready(token), None);
        }
        store(&mut call.waker, context);
        let (priority, before) = (call.priority, call.runtime.replace(here));
        if before == Some(here) {
            return (Poll::Pending, None);
        }
        if let Some(queues) = runtimes.of(before) {
            queues.calls_mut(priority).remove(&id);
            queues.left();
        }
        let (queues, start) = runtimes.join(here, now);
        queues.calls_mut(priority).insert(id);
        (Poll::Pending, start)
    }

    /// Grants a token to a call of these queues.
    pub(super) fn grant(
        &mut self,
        (priority, id): (Priority, EntryId),
        token: T,
        queues: &mut RuntimeQueues,
        now: Instant,
        wakers: &mut Vec<Waker>,
    ) {
        if priority == Priority::Submit {
            self.gate.passed(now);
        }
        queues.calls_mut(priority).remove(&id);
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.granted = Some(token);
        wakers.extend(call.waker.take());
    }

    /// Takes back the calls of a runtime that was shut down. They join another runtime when they are polled.
    pub(super) fn runtime_ended(&mut self, runtime: RuntimeId, wakers: &mut Vec<Waker>) {
        for call in self.calls.values_mut().filter(|call| call.runtime == Some(runtime)) {
            call.runtime = None;
            wakers.extend(call.waker.take());
        }
    }

    /// The number of queued calls.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }
}
