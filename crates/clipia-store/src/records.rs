//! The records that a store takes and gives.

use clipia_api::Progress;
use clipia_api::types::{InputWarning, Output};
use clipia_queue::idempotency::Fingerprint;
use clipia_queue::lifecycle::{Epoch, Phase};
use clipia_queue::limits::{KeyLimits, SpentCredits};
use clipia_queue::logs::LogLines;
pub use clipia_queue::rotation::SigningTimes;
use clipia_queue::uploads::Named;
pub use clipia_queue::{AccountId, Failure};
use clipia_queue::{Credits, Moment, RequestId};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

/// A new account.
pub struct NewAccount {
    /// Its name.
    pub id: AccountId,
    /// What its deliveries are signed with.
    pub webhook_secret: String,
    /// Its first credits.
    pub grant: Credits,
}

/// The first account of a store, and its keys.
pub struct FirstAccount {
    /// The account.
    pub account: NewAccount,
    /// Its keys, in the order of their making.
    pub keys: Vec<NewKey>,
}

/// The result of a bootstrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bootstrapped {
    /// It created the account and its keys.
    Created,
    /// Nothing: the store has an account.
    Exists,
}

/// The balance and the usage of an account, for `GET /v1/account`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountSummary {
    /// Credits that can be spent.
    pub available: Credits,
    /// Generations submitted with live keys in the last 30 days.
    pub requests_30d: u64,
    /// Credits charged in the last 30 days.
    pub spent_30d: Credits,
}

/// The SHA-256 of an API key. The key itself is never stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHash(pub [u8; 32]);

/// What a key may do beside reading one's generations, the catalogue and the account, which every key may
/// (`contract.md`, "Authentication").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scopes {
    /// Submit generations.
    pub generate: bool,
}

/// A new key.
pub struct NewKey {
    /// Its public name.
    pub id: String,
    /// Whose it is.
    pub account: AccountId,
    /// What it is found by.
    pub hash: KeyHash,
    /// Enough of it to recognise it by.
    pub hint: String,
    /// Whether its generations are samples that cost nothing.
    pub sandbox: bool,
    /// What it may do.
    pub scopes: Scopes,
    /// How much it may do.
    pub limits: KeyLimits,
}

/// A key in force.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its public name.
    pub id: String,
    /// Whose it is.
    pub account: AccountId,
    /// Enough of it to recognise it by.
    pub hint: String,
    /// Whether its generations are samples that cost nothing.
    pub sandbox: bool,
    /// What it may do.
    pub scopes: Scopes,
    /// How much it may do.
    pub limits: KeyLimits,
}

/// A key as an operator sees it.
#[derive(Clone, Debug)]
pub struct KeyListing {
    /// Its public name.
    pub id: String,
    /// Whose it is.
    pub account: AccountId,
    /// Enough of it to recognise it by.
    pub hint: String,
    /// Whether its generations are samples that cost nothing.
    pub sandbox: bool,
    /// What it may do.
    pub scopes: Scopes,
    /// How much it may do.
    pub limits: KeyLimits,
    /// What it had spent of its credit budget when it last submitted or got credits back. The period may be over
    /// ([`CreditBudget::current`](clipia_queue::limits::CreditBudget::current)).
    pub spent: SpentCredits,
    /// When it was made.
    pub created_at: jiff::Timestamp,
    /// When it was taken out of force.
    pub revoked_at: Option<jiff::Timestamp>,
}

/// Keys, in the order of their making.
#[derive(Clone, Debug, Default)]
pub struct KeyPage {
    /// The keys.
    pub keys: Vec<KeyListing>,
    /// Where the next page begins; nothing where this was the last.
    pub next: Option<String>,
}

/// A submit that passed every check that needs no store.
pub struct Submission {
    /// The id it will have if it is new.
    pub id: RequestId,
    /// Who submits.
    pub key: Arc<Key>,
    /// The key of the submit and what it was used for.
    pub idempotency: Option<(String, Fingerprint)>,
    /// The model's slug.
    pub model: String,
    /// The queue that it waits in.
    pub queue: String,
    /// How long one attempt may take.
    pub attempt_max: Duration,
    /// The input, checked and with defaults.
    pub input: Map<String, Value>,
    /// Whether the input names a file on another host, which has to be fetched before an attempt.
    pub elsewhere: bool,
    /// The uploads that the input names. They stay until the request has ended.
    pub uploads: Vec<Named>,
    /// Input keys that will not be applied.
    pub warnings: Vec<InputWarning>,
    /// The price.
    pub cost: Credits,
    /// Where to post the outcome.
    pub webhook_url: Option<String>,
    /// The address that the caller used. A delivery names media under it.
    pub base_url: String,
    /// The sample that a sandbox key gets.
    pub sample: Option<Output>,
}

/// An accepted submit, or the one that it repeats.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// Its id.
    pub id: RequestId,
    /// Its phase.
    pub phase: Phase,
    /// How many requests are ahead of it.
    pub position: u64,
    /// Credits reserved or charged; for a sandbox key what a live one would have paid.
    pub cost: Credits,
    /// Input keys that will not be applied.
    pub warnings: Vec<InputWarning>,
}

/// The status of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestStatus {
    /// Its id.
    pub id: RequestId,
    /// Whether it is of the sandbox.
    pub sandbox: bool,
    /// Its phase.
    pub phase: Phase,
    /// How many requests are ahead of it, while it waits.
    pub position: u64,
    /// How far it is, while it runs.
    pub progress: Progress,
    /// The last lines that its latest attempt logged ([`clipia_queue::logs`]).
    pub logs: Vec<String>,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// Whether it is of the sandbox.
    pub sandbox: bool,
    /// The model's slug.
    pub model: String,
    /// Its phase.
    pub phase: Phase,
    /// How many requests are ahead of it, while it waits.
    pub position: u64,
    /// How far it is, while it runs.
    pub progress: Progress,
    /// Credits reserved while it has not ended, charged once it has.
    pub cost: Credits,
    /// When it was accepted.
    pub created_at: Moment,
    /// When it ended.
    pub completed_at: Option<Moment>,
    /// When its media were let go, if they were.
    pub expired_at: Option<Moment>,
    /// What it made.
    pub output: Option<Output>,
    /// Why it failed.
    pub failure: Option<Failure>,
}

impl Request {
    /// Its status, without log lines.
    pub fn status(&self) -> RequestStatus {
        let Self { id, sandbox, phase, position, progress, .. } = *self;
        RequestStatus { id, sandbox, phase, position, progress, logs: Vec::new() }
    }
}

/// The result of a claim that passes over some accounts.
#[derive(Clone, Debug, Default)]
pub struct ClaimPast {
    /// The requests that are claimed, the first one first.
    pub claims: Vec<Claim>,
    /// The accounts of which requests were set aside.
    pub aside: Vec<AccountId>,
    /// Whether more may wait: so many were set aside that the rest is left to another claim.
    pub more: bool,
}

/// How far a worker is with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// The request.
    pub id: RequestId,
    /// The claim of the worker.
    pub epoch: Epoch,
    /// How far it is. Progress never falls within an attempt.
    pub progress: Progress,
    /// The lines that its attempt has logged since the last report that arrived. Lines that arrived before may be among them.
    pub logs: LogLines,
}

/// A request that a worker may run.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The request.
    pub id: RequestId,
    /// Whose it is.
    pub account: AccountId,
    /// The public name of the key that submitted it.
    pub key_id: String,
    /// The number of the claim, which every report of the worker must carry.
    pub epoch: Epoch,
    /// The model's slug.
    pub model: String,
    /// The input, checked and with defaults.
    pub input: Map<String, Value>,
    /// The address that the submit was made under.
    pub base_url: String,
}
