//! The task behind all waits of a client: sleeps and sends. It is started by the first wait and ends with the last.

use super::entry::Entry;
use super::table::{Ask, Start, Table, Ticket, Told, Turn};
use super::{Class, Event, Update};
use crate::client::{Clipia, Inner, check_id};
use crate::error::Error;
use crate::outcome::Outcome;
use crate::request::Operation;
use crate::retry::{CONCURRENCY_LIMIT, PAUSE_LONG, RATE_LIMIT};
use crate::spending::{Token, now};
use clipia_api::foreign::telling;
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

/// Calls of one task on the way at once. The budget is the real bound; this one holds where a key has none.
const CALLS_MAX: usize = 64;

/// As good as never, for a timer that always has a time.
const NEVER: Duration = Duration::from_secs(86_400);

#[derive(Debug, Default)]
pub(crate) struct Scheduler {
    table: Mutex<Table<Token>>,
    /// Calls in line for a token.
    in_line: AtomicUsize,
    /// Whether something waits for the budget alone, so that an answer's headers may end its waiting.
    starved: AtomicBool,
    /// Whether submits are held back, for too many are in flight.
    held: AtomicBool,
    /// Whether a long wait in line has been logged since the line was last empty.
    told: AtomicBool,
}

impl Scheduler {
    pub(super) fn enter(&self, entry: Entry) -> Ticket {
        self.table().enter(entry)
    }

    pub(super) fn leave(&self, ticket: Ticket) {
        let gone = self.table().leave(ticket);
        // Not under the lock: what it holds may own futures that leave, too.
        drop(gone);
    }

    /// How a generation ended, if a delivery has told so already.
    pub(super) fn delivered(&self, id: &RequestId) -> Option<ResultResponse> {
        self.table().delivered(now(), id).cloned()
    }

    /// Resolves the waits of a generation by what a delivery told, and returns how many there were. One whose end the
    /// result does not tell of is asked for.
    pub(crate) fn deliver(&self, clipia: &Clipia, result: ResultResponse) -> usize {
        let mut wakers = Vec::new();
        let resolved = match Outcome::of(clipia, result) {
            Ok(outcome) => self.table().deliver(now(), &outcome, &mut wakers),
            Err(running) => {
                self.table().suspect(now(), &running.request_id);
                0
            }
        };
        wakers.into_iter().for_each(Waker::wake);
        resolved
    }

    /// A receiver of webhooks is attached to the client from now on, or no longer.
    pub(crate) fn receivers(&self, attached: bool) {
        self.table().receivers(now(), attached);
    }

    /// A submit was accepted, or refused because too many are in flight.
    pub(crate) fn submitted(&self, error: Option<&Error>) {
        let refused = match error {
            None => None,
            Some(error @ Error::ConcurrencyLimitExceeded(_)) => Some(error.retry_after()),
            Some(_) => return,
        };
        if refused.is_some() || self.held.load(Ordering::Relaxed) {
            let mut table = self.table();
            table.submitted(now(), refused);
            self.held.store(table.holds_submits(), Ordering::Relaxed);
        }
    }

    /// An answer has changed the budget.
    pub(crate) fn budget_changed(&self) {
        if self.starved.load(Ordering::Relaxed) {
            self.table().notify();
        }
    }

    fn table(&self) -> MutexGuard<'_, Table<Token>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A token for one call, in its turn.
///
/// Until a server has said anything of a limit, calls of the user's own are not held back by a guess.
pub(crate) async fn token(inner: &Inner, class: Class) -> Token {
    let scheduler = &inner.scheduler;
    if class == Class::Call && !inner.spending.is_told() {
        return inner.spending.spend();
    }
    let others = scheduler.in_line.load(Ordering::Relaxed) > 0;
    let kept_back = |flag: &AtomicBool| class == Class::Submit && flag.load(Ordering::Relaxed);
    let others = others || kept_back(&scheduler.starved) || kept_back(&scheduler.held);
    if !others && let Ok(token) = inner.spending.take(now(), 0.0) {
        return token;
    }
    match inner.clipia() {
        Some(clipia) => in_line(InLine::join(clipia, class), class, scheduler).await,
        None => inner.spending.spend(),
    }
}

/// Waits in line, and logs it where that takes long: once for all calls that are in line.
async fn in_line(mut line: InLine, class: Class, scheduler: &Scheduler) -> Token {
    if let Ok(token) = tokio::time::timeout(PAUSE_LONG, &mut line).await {
        return token;
    }
    if !scheduler.told.swap(true, Ordering::Relaxed) {
        let held = class == Class::Submit && scheduler.held.load(Ordering::Relaxed);
        let waits_for = if held { CONCURRENCY_LIMIT } else { RATE_LIMIT };
        let calls = scheduler.in_line.load(Ordering::Relaxed);
        let waited_ms = PAUSE_LONG.as_millis() as u64;
        tracing::info!(class = class.name(), calls, waited_ms, waits_for, "still in line for the budget");
    }
    line.await
}

/// A call's place in line. It exists until its turn, or until this is dropped.
struct InLine {
    clipia: Clipia,
    ticket: Ticket,
}

impl InLine {
    fn join(clipia: Clipia, class: Class) -> Self {
        let scheduler = &clipia.0.scheduler;
        scheduler.in_line.fetch_add(1, Ordering::Relaxed);
        let ticket = scheduler.table().queue(class);
        tracing::debug!(class = class.name(), "in line for the budget");
        Self { clipia, ticket }
    }
}

impl Future for InLine {
    type Output = Token;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Token> {
        let here = Handle::current();
        let (token, start) =
            self.clipia.0.scheduler.table().poll_token(self.ticket, here.id(), now(), context);
        launch(&self.clipia, &here, start);
        token
    }
}

impl Drop for InLine {
    fn drop(&mut self) {
        let scheduler = &self.clipia.0.scheduler;
        let token = scheduler.table().give_up(self.ticket);
        if scheduler.in_line.fetch_sub(1, Ordering::Relaxed) == 1 {
            scheduler.told.store(false, Ordering::Relaxed);
        }
        // Granted and never used: it goes back, for whoever is next.
        if token.is_some() {
            drop(token);
            scheduler.table().notify();
        }
    }
}

/// Polls an entry, and makes sure that a task of this very runtime serves it.
pub(super) fn poll(clipia: &Clipia, ticket: Ticket, context: &mut Context<'_>) -> Poll<Event> {
    let here = Handle::current();
    let (event, start) = clipia.0.scheduler.table().poll(ticket, here.id(), now(), context);
    launch(clipia, &here, start);
    event
}

fn launch(clipia: &Clipia, here: &Handle, start: Option<Start>) {
    if let Some(start) = start {
        let lane = Hold { clipia: clipia.clone(), runtime: here.id(), epoch: start.epoch };
        here.spawn(serve(lane, start));
    }
}

/// A running task's hold on its lane.
struct Hold {
    clipia: Clipia,
    runtime: RuntimeId,
    epoch: u64,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let stranded = self.clipia.0.scheduler.table().abandon(self.runtime, self.epoch);
        stranded.into_iter().for_each(Waker::wake);
    }
}

async fn serve(lane: Hold, start: Start) {
    let (clipia, inner) = (&lane.clipia, &lane.clipia.0);
    let mut calls = FuturesUnordered::new();
    loop {
        let (now, mut wakers) = (now(), Vec::new());
        let room = CALLS_MAX - calls.len();
        let take = |fullness| inner.spending.take(now, fullness);
        let turn = inner.scheduler.table().turn(lane.runtime, now, room, take, &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
        let starved = matches!(turn, Turn::Ask { starved: true, .. });
        inner.scheduler.starved.store(starved, Ordering::Relaxed);
        let Turn::Ask { asks, next, .. } = turn else { return };
        for (ticket, id, ask, token) in asks {
            calls.push(async move { (ticket, send(clipia, id, ask, token).await) });
        }
        tokio::select! {
            Some((ticket, told)) = calls.next(), if !calls.is_empty() => learn(inner, ticket, told),
            () = start.wake.notified() => {}
            () = tokio::time::sleep_until(next.unwrap_or(now + NEVER).into()) => {}
        }
    }
}

fn learn(inner: &Arc<Inner>, ticket: Ticket, told: Result<Told, Error>) {
    let mut wakers = Vec::new();
    inner.scheduler.table().told(ticket, now(), told, &mut wakers);
    wakers.into_iter().for_each(Waker::wake);
}

async fn send(clipia: &Clipia, request_id: RequestId, ask: Ask, token: Token) -> Result<Told, Error> {
    let (inner, api, id) = (&clipia.0, &clipia.0.api, check_id(&request_id)?);
    match ask {
        Ask::Status => {
            let send = || telling(api.get_status(id), |told| (&told.status, &told.extra));
            let status = inner.attempt(token, Operation::about("status", id), send).await?;
            Ok(Told::State(Update { request_id, ..status.into() }))
        }
        Ask::Result => {
            let send = || telling(api.get_result(id), |told| (&told.status, &told.extra));
            let result = inner.attempt(token, Operation::about("result", id), send).await?;
            let result = ResultResponse { request_id, ..result };
            let update = Update::from(&result);
            Ok(match Outcome::of(clipia, result) {
                Ok(outcome) => Told::Ended(update, Box::new(outcome)),
                Err(_) => Told::State(update),
            })
        }
    }
}
