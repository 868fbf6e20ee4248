//! The commands as tables: facts, and what is decided by them.

#![allow(clippy::unwrap_used, clippy::expect_used)] // test code: a failed expectation stops the test

mod attempt;
mod claim;
mod end;
mod lease;
mod outbox;
mod requeue;
mod submit;
mod take;

use clipia_api::Progress;
use clipia_queue::commands::{Now, StoredRequest};
use clipia_queue::lifecycle::{Epoch, Lifecycle, Phase};
use clipia_queue::position::Ticket;
use clipia_queue::{AccountId, Credits, Moment, RequestId, ids};
use std::time::Duration;

/// How long an attempt may take.
const ATTEMPT_MAX: Duration = Duration::from_secs(600);

/// So many seconds after the request was accepted, by the steady clock. The system's clock is an hour ahead.
fn now(seconds: u64) -> Now {
    let steady = at(seconds);
    Now { steady, wall: wall(steady) }
}

fn wall(steady: Moment) -> Moment {
    steady + Duration::from_secs(3_600)
}

fn at(seconds: u64) -> Moment {
    Moment::from_micros(1_700_000_000_000_000) + Duration::from_secs(seconds)
}

fn account() -> AccountId {
    AccountId("acct".to_owned())
}

fn life(phase: Phase, epoch: i64, rescues: u32) -> Lifecycle {
    Lifecycle { phase, epoch: Epoch(epoch), rescues }
}

/// A request of 12 credits in this phase, with the ticket 7.
fn request(life: Lifecycle) -> StoredRequest {
    StoredRequest {
        id: RequestId(ids::new(at(0))),
        account: account(),
        key_id: "key".to_owned(),
        sandbox: false,
        model: "model".to_owned(),
        life,
        queue: "render".to_owned(),
        ticket: Ticket(7),
        attempt_max: ATTEMPT_MAX,
        elsewhere: false,
        progress: Progress::new(40),
        cost: Credits::new(12),
        webhook_url: Some("https://receiver.example/hook?key=1".to_owned()),
        base_url: "https://queue.example".to_owned(),
        created_at: wall(at(0)),
    }
}
