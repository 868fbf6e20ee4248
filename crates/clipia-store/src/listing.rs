//! Requests as an operator sees them.

pub use clipia_queue::leases::AttemptEnd;

use super::AccountId;
use clipia_api::Progress;
use clipia_queue::lifecycle::{Epoch, Phase};
use clipia_queue::{Credits, RequestId};
use serde_json::{Map, Value};

/// How many characters of a prompt a list shows.
pub const PROMPT_SHOWN: i32 = 200;

/// Which requests to list. A field that is left out matches every request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestFilter {
    /// Of this account.
    pub account: Option<AccountId>,
    /// In this phase.
    pub phase: Option<Phase>,
    /// Of which model.
    pub model: Option<String>,
    /// Submitted with the key of this public name.
    pub key: Option<String>,
    /// Accepted at this time or later. The list ends at the first request that is older, or passes over it: ids are nearly in the order in
    /// which requests were accepted.
    pub since: Option<jiff::Timestamp>,
}

/// Requests, the newest first.
#[derive(Clone, Debug, Default)]
pub struct RequestPage {
    /// The requests.
    pub requests: Vec<RequestListing>,
    /// Where the next page begins; nothing where this was the last. A page may have few requests, or none, and not be the last: a
    /// bounded number of requests is looked at for each page.
    pub next: Option<RequestId>,
}

/// A request in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestListing {
    /// Its id.
    pub id: RequestId,
    /// Whose it is.
    pub account: AccountId,
    /// The public name of the key that submitted it.
    pub key: String,
    /// Whether it is a sample that costs nothing.
    pub sandbox: bool,
    /// The model's slug.
    pub model: String,
    /// The queue that it waits or waited in.
    pub queue: String,
    /// Its phase.
    pub phase: Phase,
    /// How many requests are ahead of it, while it waits.
    pub position: Option<u64>,
    /// How far it is, while it runs.
    pub progress: Option<Progress>,
    /// Its latest claim: how often a worker took it.
    pub epoch: Epoch,
    /// Credits reserved while it has not ended, charged once it has.
    pub cost: Credits,
    /// Why it failed.
    pub error: Option<String>,
    /// When it was accepted.
    pub created_at: jiff::Timestamp,
    /// When it ended.
    pub completed_at: Option<jiff::Timestamp>,
}

/// A request and what happened to it.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestHistory {
    /// The request.
    pub request: RequestListing,
    /// Its input, checked and with defaults; nothing once it was let go.
    pub input: Option<Map<String, Value>>,
    /// What workers did, the first attempt first.
    pub attempts: Vec<Attempt>,
    /// How its credits moved, in order.
    pub movements: Vec<RequestMovement>,
}

/// An attempt of a worker at a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// The claim.
    pub epoch: Epoch,
    /// The name of the worker on another machine that claimed it; nothing where the server's own worker did.
    pub worker: Option<String>,
    /// When the worker took it.
    pub claimed_at: jiff::Timestamp,
    /// When and how it ended; nothing while it runs.
    pub ended: Option<(jiff::Timestamp, AttemptEnd)>,
}

/// A movement of a request's credits.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestMovement {
    /// `reserve`, `capture` or `release`.
    pub kind: String,
    /// What the account can spend since, compared with before: negative where it is less.
    pub available: i64,
    /// When.
    pub at: jiff::Timestamp,
}
