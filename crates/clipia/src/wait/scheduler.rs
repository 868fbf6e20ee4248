//! The scheduler of a client: sends the polls of its waits and hands out tokens to its queued calls. The first wait or
//! queued call on a runtime starts a task there, which ends with the last.

use super::entry::WaitEntry;
use super::table::{EntryId, PollKind, PollResponse, Step, Table, TaskStart};
use super::{Priority, Update, WaitEvent};
use crate::client::{Clipia, Inner, check_id};
use crate::error::Error;
use crate::outcome::Outcome;
use crate::request::Operation;
use crate::retry::{CONCURRENCY_LIMIT, PAUSE_LONG, RATE_LIMIT};
use crate::shared_budget::{Token, now};
use clipia_api::foreign::require_status;
use clipia_api::types::{RequestId, ResultResponse};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::runtime::{Handle, Id as RuntimeId};

/// Polls of one task in flight at once. The request budget bounds them; this bound holds for a key without a limit.
const POLLS_MAX: usize = 64;

/// The sleep of a task that has nothing to wait for.
const NEVER: Duration = Duration::from_secs(86_400);

#[derive(Debug, Default)]
pub(crate) struct Scheduler {
    table: Mutex<Table<Token>>,
    /// The number of calls that are queued for a token.
    queued_calls: AtomicUsize,
    /// Whether a call or a poll waits for the budget alone, so that the headers of a response may end its waiting.
    starved: AtomicBool,
    /// Whether submits are held back by the concurrency limit.
    submits_held: AtomicBool,
    /// Whether a long wait in the queue has been logged since the queue was last empty.
    long_wait_logged: AtomicBool,
}

impl Scheduler {
    pub(super) fn enter(&self, entry: WaitEntry) -> EntryId {
        self.table().enter(entry)
    }

    pub(super) fn leave(&self, entry_id: EntryId) {
        let removed = self.table().leave(entry_id);
        // Dropped without the lock, because an entry may own futures that leave the table when they are dropped.
        drop(removed);
    }

    /// The result of a generation, if a delivery has brought it already.
    pub(super) fn delivered(&self, id: &RequestId) -> Option<ResultResponse> {
        self.table().delivered(now(), id).cloned()
    }

    /// Ends the waits of a generation with the result of a delivery, and returns how many there were. If the result is
    /// not terminal, the generation is polled instead.
    pub(crate) fn deliver(&self, clipia: &Clipia, result: ResultResponse) -> usize {
        let mut wakers = Vec::new();
        let resolved = match Outcome::of(clipia, result) {
            Ok(outcome) => self.table().deliver(now(), &outcome, &mut wakers),
            Err(running) => {
                self.table().mark_changed(now(), &running.request_id);
                0
            }
        };
        wakers.into_iter().for_each(Waker::wake);
        resolved
    }

    /// Counts a receiver of webhooks that was attached to the client.
    pub(crate) fn receiver_added(&self) {
        self.table().receiver_added(now());
    }

    /// Counts a receiver of webhooks that was detached.
    pub(crate) fn receiver_removed(&self) {
        self.table().receiver_removed(now());
    }

    /// Records the response to a submit, for the concurrency limit.
    pub(crate) fn submitted(&self, error: Option<&Error>) {
        let retry_after = match error {
            None if self.submits_held.load(Ordering::Relaxed) => None,
            Some(error @ Error::ConcurrencyLimitExceeded(_)) => Some(error.retry_after()),
            _ => return,
        };
        let mut table = self.table();
        match retry_after {
            None => table.submit_accepted(),
            Some(retry_after) => table.submit_refused(now(), retry_after),
        }
        self.submits_held.store(table.is_submit_gate_closed(), Ordering::Relaxed);
    }

    /// Wakes the tasks after a response has changed the budget.
    pub(crate) fn budget_changed(&self) {
        if self.starved.load(Ordering::Relaxed) {
            self.table().notify();
        }
    }

    fn table(&self) -> MutexGuard<'_, Table<Token>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A token for one call. The call waits until the request budget and its priority allow it.
///
/// Calls of the user do not wait until a server has sent a limit, because the budget is only a guess until then.
pub(crate) async fn token(inner: &Inner, priority: Priority) -> Token {
    let scheduler = &inner.scheduler;
    if priority == Priority::Call && !inner.budget.is_limit_known() {
        return inner.budget.spend();
    }
    let others = scheduler.queued_calls.load(Ordering::Relaxed) > 0;
    let held = |flag: &AtomicBool| priority == Priority::Submit && flag.load(Ordering::Relaxed);
    let others = others || held(&scheduler.starved) || held(&scheduler.submits_held);
    if !others && let Ok(token) = inner.budget.take(now(), 0.0) {
        return token;
    }
    match inner.clipia() {
        Some(clipia) => queued(QueuedToken::join(clipia, priority), priority, scheduler).await,
        None => inner.budget.spend(),
    }
}

/// Waits in the queue. Logs a long wait, once for all calls that are queued.
async fn queued(mut token: QueuedToken, priority: Priority, scheduler: &Scheduler) -> Token {
    if let Ok(token) = tokio::time::timeout(PAUSE_LONG, &mut token).await {
        return token;
    }
    if !scheduler.long_wait_logged.swap(true, Ordering::Relaxed) {
        let held = priority == Priority::Submit && scheduler.submits_held.load(Ordering::Relaxed);
        let waits_for = if held { CONCURRENCY_LIMIT } else { RATE_LIMIT };
        let (class, calls) = (priority.name(), scheduler.queued_calls.load(Ordering::Relaxed));
        let waited_ms = PAUSE_LONG.as_millis() as u64;
        tracing::info!(class, calls, waited_ms, waits_for, "still in queue for the request budget");
    }
    token.await
}

/// The token of a queued call. The call is in the queue until it has its token, or until this is dropped.
struct QueuedToken {
    clipia: Clipia,
    entry_id: EntryId,
}

impl QueuedToken {
    fn join(clipia: Clipia, priority: Priority) -> Self {
        let scheduler = &clipia.0.scheduler;
        scheduler.queued_calls.fetch_add(1, Ordering::Relaxed);
        let entry_id = scheduler.table().queue_call(priority);
        tracing::debug!(class = priority.name(), "in queue for the request budget");
        Self { clipia, entry_id }
    }
}

impl Future for QueuedToken {
    type Output = Token;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Token> {
        let here = Handle::current();
        let (token, start) =
            self.clipia.0.scheduler.table().poll_token(self.entry_id, here.id(), now(), context);
        launch(&self.clipia, &here, start);
        token
    }
}

impl Drop for QueuedToken {
    fn drop(&mut self) {
        let scheduler = &self.clipia.0.scheduler;
        let token = scheduler.table().leave_queue(self.entry_id);
        if scheduler.queued_calls.fetch_sub(1, Ordering::Relaxed) == 1 {
            scheduler.long_wait_logged.store(false, Ordering::Relaxed);
        }
        // A token that was granted and not taken returns to the budget, for the next call.
        if token.is_some() {
            drop(token);
            scheduler.table().notify();
        }
    }
}

/// Polls the future of a wait, and makes sure that a task on the same runtime serves it.
pub(super) fn poll_wait(clipia: &Clipia, entry_id: EntryId, context: &mut Context<'_>) -> Poll<WaitEvent> {
    let here = Handle::current();
    let (event, start) = clipia.0.scheduler.table().poll_wait(entry_id, here.id(), now(), context);
    launch(clipia, &here, start);
    event
}

fn launch(clipia: &Clipia, here: &Handle, start: Option<TaskStart>) {
    if let Some(start) = start {
        let guard = TaskGuard { clipia: clipia.clone(), runtime: here.id(), epoch: start.epoch };
        here.spawn(serve(guard, start));
    }
}

/// Returns the waits and calls of a task to the table when the task is dropped.
struct TaskGuard {
    clipia: Clipia,
    runtime: RuntimeId,
    epoch: u64,
}

impl Drop for TaskGuard {
    fn drop(&mut self) {
        let wakers = self.clipia.0.scheduler.table().runtime_ended(self.runtime, self.epoch);
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Serves the waits and queued calls of a runtime until there are none.
async fn serve(guard: TaskGuard, start: TaskStart) {
    let (clipia, inner) = (&guard.clipia, &guard.clipia.0);
    let mut in_flight = FuturesUnordered::new();
    loop {
        let (now, mut wakers) = (now(), Vec::new());
        let polls_max = POLLS_MAX - in_flight.len();
        let take = |fullness| inner.budget.take(now, fullness);
        let step = inner.scheduler.table().step(guard.runtime, now, polls_max, take, &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
        let starved = matches!(step, Step::Poll { starved: true, .. });
        inner.scheduler.starved.store(starved, Ordering::Relaxed);
        let Step::Poll { polls, next, .. } = step else { return };
        for (entry_id, id, kind, token) in polls {
            in_flight.push(async move { (entry_id, send(clipia, id, kind, token).await) });
        }
        tokio::select! {
            Some((entry_id, response)) = in_flight.next(), if !in_flight.is_empty() => {
                learn(inner, entry_id, response);
            }
            () = start.wake.notified() => {}
            () = tokio::time::sleep_until(next.unwrap_or(now + NEVER).into()) => {}
        }
    }
}

fn learn(inner: &Arc<Inner>, entry_id: EntryId, response: Result<PollResponse, Error>) {
    let mut wakers = Vec::new();
    inner.scheduler.table().poll_finished(entry_id, now(), response, &mut wakers);
    wakers.into_iter().for_each(Waker::wake);
}

async fn send(
    clipia: &Clipia,
    request_id: RequestId,
    kind: PollKind,
    token: Token,
) -> Result<PollResponse, Error> {
    let (inner, api, id) = (&clipia.0, &clipia.0.api, check_id(&request_id)?);
    match kind {
        PollKind::Status => {
            let send = || require_status(api.get_status(id), |status| (&status.status, &status.extra));
            let status = inner.attempt(token, Operation::about("status", id), send).await?;
            Ok(PollResponse::Status(Update { request_id, ..status.into() }))
        }
        PollKind::Result => {
            let send = || require_status(api.get_result(id), |result| (&result.status, &result.extra));
            let result = inner.attempt(token, Operation::about("result", id), send).await?;
            let result = ResultResponse { request_id, ..result };
            let update = Update::from(&result);
            Ok(match Outcome::of(clipia, result) {
                Ok(outcome) => PollResponse::Outcome(update, Box::new(outcome)),
                Err(_) => PollResponse::Status(update),
            })
        }
    }
}
