//! The task behind all waits of a client: sleeps and sends. It is started by the first wait and ends with the last.

use super::table::{Ask, Entry, Start, Table, Ticket, Told, Turn};
use super::{Ending, Event, Update};
use crate::client::Clipia;
use crate::error::Error;
use crate::outcome::Outcome;
use crate::request::Operation;
use crate::spending::{Token, now};
use clipia_api::types::{RequestId, ResultResponse};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::runtime::{Handle, Id as RuntimeId};

/// Calls of one task on the way at once. The budget is the real bound; this one holds where a key has none.
const CALLS_MAX: usize = 64;

/// As good as never, for a timer that always has a time.
const NEVER: Duration = Duration::from_secs(86_400);

#[derive(Debug, Default)]
pub(crate) struct Scheduler(Mutex<Table>);

impl Scheduler {
    pub(super) fn enter(&self, clipia: &Clipia, entry: Entry) -> Ticket {
        let mut table = self.table();
        let ticket = table.enter(entry);
        table.recall(clipia, now(), ticket);
        ticket
    }

    /// A verified delivery told this result. Ends the waits of its generation with it, says how many, and keeps it
    /// for waits that begin later. A result that tells no end makes those that wait ask at once.
    pub(crate) fn deliver(&self, clipia: &Clipia, result: ResultResponse) -> usize {
        let mut wakers = Vec::new();
        let resolved = self.table().deliver(clipia, now(), result, &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
        resolved
    }

    pub(super) fn leave(&self, ticket: Ticket) {
        let gone = self.table().leave(ticket);
        // Not under the lock: what it holds may own futures that leave, too.
        drop(gone);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Polls an entry, and makes sure that a task of this very runtime serves it.
pub(super) fn poll(clipia: &Clipia, ticket: Ticket, context: &mut Context<'_>) -> Poll<Event> {
    let here = Handle::current();
    let (event, start) = clipia.0.scheduler.table().poll(ticket, here.id(), context);
    if let Some(start) = start {
        let lane = Lane { clipia: clipia.clone(), runtime: here.id(), epoch: start.epoch };
        here.spawn(serve(lane, start));
    }
    event
}

/// A running task's hold on its lane.
struct Lane {
    clipia: Clipia,
    runtime: RuntimeId,
    epoch: u64,
}

impl Drop for Lane {
    fn drop(&mut self) {
        let stranded = self.clipia.0.scheduler.table().abandon(self.runtime, self.epoch);
        stranded.into_iter().for_each(Waker::wake);
    }
}

async fn serve(lane: Lane, start: Start) {
    let (clipia, inner) = (&lane.clipia, &lane.clipia.0);
    let mut calls = FuturesUnordered::new();
    loop {
        let (now, mut wakers) = (now(), Vec::new());
        let room = CALLS_MAX - calls.len();
        let take = || inner.spending.try_take(now);
        let turn = inner.scheduler.table().turn(lane.runtime, now, room, take, &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
        let Turn::Ask(asks, next) = turn else { return };
        for (ticket, id, ask, token) in asks {
            calls.push(async move { (ticket, send(clipia, id, ask, token).await) });
        }
        tokio::select! {
            Some((ticket, told)) = calls.next(), if !calls.is_empty() => learn(clipia, ticket, told),
            () = start.wake.notified() => {}
            () = tokio::time::sleep_until(next.unwrap_or(now + NEVER).into()) => {}
        }
    }
}

fn learn(clipia: &Clipia, ticket: Ticket, told: Result<Told, Error>) {
    let waker = clipia.0.scheduler.table().told(ticket, now(), told);
    waker.into_iter().for_each(Waker::wake);
}

async fn send(clipia: &Clipia, id: RequestId, ask: Ask, token: Token) -> Result<Told, Error> {
    let (inner, api) = (&clipia.0, &clipia.0.api);
    match ask {
        Ask::Status => {
            let status = inner.attempt(token, Operation::about("status", id), api.get_status(&id)).await?;
            Ok(Told::State(Update::from(&status)))
        }
        Ask::Result => {
            let result = inner.attempt(token, Operation::about("result", id), api.get_result(&id)).await?;
            let update = Update::from(&result);
            Ok(match Outcome::of(clipia, result) {
                Ok(outcome) => Told::Ended(update, Ending::Outcome(Box::new(outcome))),
                Err(_) => Told::State(update),
            })
        }
    }
}
