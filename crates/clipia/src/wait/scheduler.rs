//! The scheduler of a client: sends the polls of its waiters and hands out tokens to its queued calls. The first wait or
//! queued call on a runtime starts a task there, which ends with the last.

use super::deliveries::Deliveries;
use super::runtime_queues::{EntryId, TaskStart};
use super::waiter::{PollKind, WaitEvent, Waiter};
use super::waiters::{PollResponse, Step, Waiters};
use crate::connection::Connection;
use crate::error::Error;
use crate::limits::Limit;
use crate::path_segment::check_id;
use crate::request::{Operation, Priority, WireResult};
use crate::retry::PAUSE_LONG;
use crate::shared_budget::{Token, now};
use crate::submit_gate::SubmitGate;
use crate::update::Update;
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

pub(crate) struct Scheduler {
    connection: Arc<Connection>,
    waiters: Mutex<Waiters<Token>>,
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
    pub(crate) fn new(connection: Arc<Connection>) -> Self {
        Self {
            connection,
            waiters: Mutex::default(),
            queued_calls: AtomicUsize::new(0),
            starved: AtomicBool::new(false),
            submits_held: AtomicBool::new(false),
            long_wait_logged: AtomicBool::new(false),
        }
    }

    /// The connection of the client.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn enter(&self, waiter: Waiter) -> EntryId {
        self.waiters().enter(waiter)
    }

    pub(super) fn leave(&self, id: EntryId) {
        let removed = self.waiters().leave(id);
        // Dropped without the lock, because a waiter may own futures that leave when they are dropped.
        drop(removed);
    }

    /// Polls the future of a wait, and makes sure that a task on the same runtime serves it.
    pub(super) fn poll_wait(self: &Arc<Self>, id: EntryId, context: &mut Context<'_>) -> Poll<WaitEvent> {
        let here = Handle::current();
        let (event, start) = self.waiters().poll_wait(id, here.id(), now(), context);
        self.launch(&here, start);
        event
    }

    /// The result of a generation, if a delivery has brought it already.
    pub(super) fn delivered(&self, id: &RequestId) -> Option<ResultResponse> {
        self.waiters().delivered(now(), id).cloned()
    }

    /// Ends the waits of a generation with the result of a delivery, and returns how many there were. If the result is
    /// not terminal, the generation is polled instead.
    pub(crate) fn deliver(&self, result: &ResultResponse) -> usize {
        self.connection.pending.seen(&result.request_id, &result.status);
        let (mut wakers, mut resolved) = (Vec::new(), 0);
        if result.status.is_terminal() {
            resolved = self.waiters().deliver(now(), result, &mut wakers);
        } else {
            self.waiters().mark_changed(now(), &result.request_id);
        }
        wakers.into_iter().for_each(Waker::wake);
        resolved
    }

    /// Counts a receiver of webhooks that was attached to the client.
    pub(crate) fn receiver_added(&self) {
        self.waiters().change_deliveries(now(), Deliveries::receiver_added);
    }

    /// Counts a receiver of webhooks that was detached.
    pub(crate) fn receiver_removed(&self) {
        self.waiters().change_deliveries(now(), Deliveries::receiver_removed);
    }

    /// Sends a call once, and records the response in the request budget, which may end the waiting of others.
    pub(crate) async fn attempt<T, F: Future<Output = WireResult<T>>>(
        &self,
        token: Token,
        operation: Operation<'_>,
        send: impl FnOnce() -> F,
    ) -> Result<T, Error> {
        let result = self.connection.attempt(token, operation, send).await;
        if self.starved.load(Ordering::Relaxed) {
            self.waiters().notify();
        }
        result
    }

    /// Records the response to a submit, for the concurrency limit.
    pub(crate) fn submitted(&self, error: Option<&Error>) {
        let closed = match error {
            None if self.submits_held.load(Ordering::Relaxed) => {
                self.waiters().change_gate(SubmitGate::accepted)
            }
            Some(error) if Limit::of(error) == Some(Limit::Concurrency) => {
                self.waiters().change_gate(|gate| gate.refused(now(), error.retry_after()))
            }
            _ => return,
        };
        self.submits_held.store(closed, Ordering::Relaxed);
    }

    fn launch(self: &Arc<Self>, here: &Handle, start: Option<TaskStart>) {
        if let Some(start) = start {
            let guard = TaskGuard { scheduler: Arc::clone(self), runtime: here.id(), epoch: start.epoch };
            here.spawn(serve(guard, start));
        }
    }

    fn take_response(&self, id: EntryId, response: Result<PollResponse, Error>) {
        let mut wakers = Vec::new();
        self.waiters().poll_finished(id, now(), response, &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn waiters(&self) -> MutexGuard<'_, Waiters<Token>> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A token for one call. The call waits until the request budget and its priority allow it.
///
/// Calls of the user do not wait until a server has sent a limit, because the budget is only a guess until then.
pub(crate) async fn token(scheduler: &Arc<Scheduler>, priority: Priority) -> Token {
    let budget = &scheduler.connection.budget;
    if priority == Priority::Call && !budget.is_limit_known() {
        return budget.spend();
    }
    let others = scheduler.queued_calls.load(Ordering::Relaxed) > 0;
    let held = |flag: &AtomicBool| priority == Priority::Submit && flag.load(Ordering::Relaxed);
    let others = others || held(&scheduler.starved) || held(&scheduler.submits_held);
    if !others && let Ok(token) = budget.take(now(), 0.0) {
        return token;
    }
    queued(QueuedToken::join(Arc::clone(scheduler), priority), priority, scheduler).await
}

/// Waits in the queue. Logs a long wait, once for all calls that are queued.
async fn queued(mut token: QueuedToken, priority: Priority, scheduler: &Scheduler) -> Token {
    if let Ok(token) = tokio::time::timeout(PAUSE_LONG, &mut token).await {
        return token;
    }
    if !scheduler.long_wait_logged.swap(true, Ordering::Relaxed) {
        let held = priority == Priority::Submit && scheduler.submits_held.load(Ordering::Relaxed);
        let waits_for = if held { Limit::Concurrency } else { Limit::Rate }.name();
        let (class, calls) = (priority.name(), scheduler.queued_calls.load(Ordering::Relaxed));
        let waited_ms = PAUSE_LONG.as_millis() as u64;
        tracing::info!(class, calls, waited_ms, waits_for, "still in queue for the request budget");
    }
    token.await
}

/// The token of a queued call. The call is in the queue until it has its token, or until this is dropped.
struct QueuedToken {
    scheduler: Arc<Scheduler>,
    id: EntryId,
}

impl QueuedToken {
    fn join(scheduler: Arc<Scheduler>, priority: Priority) -> Self {
        scheduler.queued_calls.fetch_add(1, Ordering::Relaxed);
        let id = scheduler.waiters().queue_call(priority);
        tracing::debug!(class = priority.name(), "in queue for the request budget");
        Self { scheduler, id }
    }
}

impl Future for QueuedToken {
    type Output = Token;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Token> {
        let here = Handle::current();
        let (token, start) = self.scheduler.waiters().poll_token(self.id, here.id(), now(), context);
        self.scheduler.launch(&here, start);
        token
    }
}

impl Drop for QueuedToken {
    fn drop(&mut self) {
        let scheduler = &self.scheduler;
        let token = scheduler.waiters().leave_queue(self.id);
        if scheduler.queued_calls.fetch_sub(1, Ordering::Relaxed) == 1 {
            scheduler.long_wait_logged.store(false, Ordering::Relaxed);
        }
        // A token that was granted and not taken returns to the budget, for the next call.
        if token.is_some() {
            drop(token);
            scheduler.waiters().notify();
        }
    }
}

/// Returns the waiters and calls of a task when the task is dropped.
struct TaskGuard {
    scheduler: Arc<Scheduler>,
    runtime: RuntimeId,
    epoch: u64,
}

impl Drop for TaskGuard {
    fn drop(&mut self) {
        let wakers = self.scheduler.waiters().runtime_ended(self.runtime, self.epoch);
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Serves the waiters and queued calls of a runtime until there are none.
async fn serve(guard: TaskGuard, start: TaskStart) {
    let scheduler = &guard.scheduler;
    let mut in_flight = FuturesUnordered::new();
    loop {
        let (now, mut wakers) = (now(), Vec::new());
        let polls_max = POLLS_MAX - in_flight.len();
        let take = |fullness| scheduler.connection.budget.take(now, fullness);
        let step = scheduler.waiters().step(guard.runtime, now, polls_max, take, &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
        let starved = matches!(step, Step::Poll { starved: true, .. });
        scheduler.starved.store(starved, Ordering::Relaxed);
        let Step::Poll { polls, next, .. } = step else { return };
        for (id, request_id, kind, token) in polls {
            in_flight.push(async move { (id, send(scheduler, request_id, kind, token).await) });
        }
        tokio::select! {
            Some((id, response)) = in_flight.next(), if !in_flight.is_empty() => {
                scheduler.take_response(id, response);
            }
            () = start.wake.notified() => {}
            () = tokio::time::sleep_until(next.unwrap_or(now + NEVER).into()) => {}
        }
    }
}

/// Sends a poll.
async fn send(
    scheduler: &Scheduler,
    request_id: RequestId,
    kind: PollKind,
    token: Token,
) -> Result<PollResponse, Error> {
    let (api, id) = (&scheduler.connection.api, check_id(&request_id)?);
    match kind {
        PollKind::Status => {
            let send = || require_status(api.get_status(id), |status| (&status.status, &status.extra));
            let status = scheduler.attempt(token, Operation::about("status", id), send).await?;
            scheduler.connection.pending.seen(id, &status.status);
            Ok(PollResponse::Status(Update { request_id, ..status.into() }))
        }
        PollKind::Result => {
            let send = || require_status(api.get_result(id), |result| (&result.status, &result.extra));
            let mut result = scheduler.attempt(token, Operation::about("result", id), send).await?;
            scheduler.connection.pending.seen(id, &result.status);
            result.request_id = request_id;
            Ok(if result.status.is_terminal() {
                PollResponse::Ended(Box::new(result))
            } else {
                PollResponse::Status(Update::from(&result))
            })
        }
    }
}
