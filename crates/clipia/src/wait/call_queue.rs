//! The calls that are queued for the request budget: submits and other calls of the user, served together with the
//! polls.

use super::Priority;
use super::entry::QueuedCall;
use super::table::{EntryId, Table, TaskStart, store};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::runtime::Id as RuntimeId;

impl<T> Table<T> {
    /// Adds a call.
    pub(super) fn queue_call(&mut self, priority: Priority) -> EntryId {
        let entry_id = self.new_entry_id();
        let call = QueuedCall { priority, runtime: None, waker: None, granted: None };
        self.queued_calls.insert(entry_id, call);
        entry_id
    }

    /// Removes a call. Returns its token if one was granted and not taken.
    pub(super) fn leave_queue(&mut self, entry_id: EntryId) -> Option<T> {
        let call = self.queued_calls.remove(&entry_id)?;
        if let Some(queues) = call.runtime.and_then(|runtime| self.runtimes.get_mut(&runtime)) {
            queues.calls_mut(call.priority).remove(&entry_id);
            queues.left();
        }
        call.granted
    }

    /// The token of a call, once it has one. Its future is polled on the runtime `here`. Also the task that must be
    /// started on this runtime, if any.
    pub(super) fn poll_token(
        &mut self,
        entry_id: EntryId,
        here: RuntimeId,
        now: Instant,
        context: &mut Context<'_>,
    ) -> (Poll<T>, Option<TaskStart>) {
        let Some(call) = self.queued_calls.get_mut(&entry_id) else { return (Poll::Pending, None) };
        if let Some(token) = call.granted.take() {
            self.leave_queue(entry_id);
            return (Poll::Ready(token), None);
        }
        store(&mut call.waker, context);
        let (priority, before) = (call.priority, call.runtime.replace(here));
        if before == Some(here) {
            return (Poll::Pending, None);
        }
        if let Some(queues) = before.and_then(|runtime| self.runtimes.get_mut(&runtime)) {
            queues.calls_mut(priority).remove(&entry_id);
            queues.left();
        }
        let (queues, start) = self.queues_of(here, now);
        queues.calls_mut(priority).insert(entry_id);
        (Poll::Pending, start)
    }

    /// Records that a submit was accepted.
    pub(super) fn submit_accepted(&mut self) {
        self.gate.accepted();
        self.notify();
    }

    /// Records that a submit was refused for the concurrency limit; `retry_after` is from the response.
    pub(super) fn submit_refused(&mut self, now: Instant, retry_after: Option<Duration>) {
        self.gate.refused(now, retry_after);
        self.notify();
    }

    /// Whether submits are held back.
    pub(super) fn is_submit_gate_closed(&self) -> bool {
        self.gate.is_closed()
    }
}
