//! What the queue keeps.
//!
//! [`Store`] speaks in commands of the domain. Each command is one transaction: what it returns is durable, and what it
//! refuses has changed nothing. The rules are `clipia-queue`'s; a store only persists what they decide.

mod records;
pub mod sqlite;

pub use records::*;

use async_trait::async_trait;
use clipia_api::Progress;
use clipia_api::types::{Output, RequestId};
use clipia_queue::lifecycle::{self, Epoch};
use clipia_queue::{Moment, ledger};
use std::sync::Arc;

/// Why the store itself failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database said so.
    #[error("the store failed: {0}")]
    Database(Arc<rusqlite::Error>),
    /// What is stored cannot be read back.
    #[error("the store holds something unreadable: {0}")]
    Unreadable(String),
    /// It is being shut down.
    #[error("the store is closed")]
    Closed,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

/// Why a submit was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum SubmitRefused {
    /// The idempotency key was used with other parameters.
    #[error("the idempotency key was used for another submit")]
    IdempotencyKeyReuse,
    /// The key has as many generations in flight as it may have.
    #[error("{0} generations are in flight, as many as the key may have")]
    InFlight(u32),
    /// There are not enough credits.
    #[error(transparent)]
    Credits(#[from] ledger::Refused),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a worker's word was not taken.
#[derive(Debug, thiserror::Error)]
pub enum WorkRefused {
    /// The lifecycle does not allow it: most often the lease was lost.
    #[error(transparent)]
    Lifecycle(#[from] lifecycle::Refused),
    /// There is no such request.
    #[error("there is no such request")]
    Unknown,
    /// The books do not bear the settlement.
    #[error(transparent)]
    Ledger(#[from] ledger::Refused),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for SubmitRefused {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<rusqlite::Error> for WorkRefused {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Where accounts, keys, requests, credits and deliveries are kept.
#[async_trait]
pub trait Store: Send + Sync {
    /// Creates an account with its webhook secret and its first credits, unless the id is taken.
    async fn create_account(&self, account: NewAccount, now: Moment) -> Result<bool, StoreError>;
    /// Whether there is any account.
    async fn is_empty(&self) -> Result<bool, StoreError>;
    /// The account's balance and usage.
    async fn account(&self, account: &AccountId, now: Moment) -> Result<Option<AccountSummary>, StoreError>;

    /// Creates a key, unless there is no such account.
    async fn create_key(&self, key: NewKey, now: Moment) -> Result<bool, StoreError>;
    /// The key in force with this hash.
    async fn key(&self, hash: KeyHash) -> Result<Option<Key>, StoreError>;
    /// Every key, revoked ones too.
    async fn keys(&self) -> Result<Vec<KeyListing>, StoreError>;
    /// Takes a key out of force at once. False where there is none of this id in force.
    async fn revoke_key(&self, id: &str, now: Moment) -> Result<bool, StoreError>;

    /// Accepts a submit: idempotency record, reserved credits, request and place in line together.
    async fn submit(&self, submission: Submission, now: Moment) -> Result<Submitted, SubmitRefused>;
    /// A request of this account.
    async fn request(&self, account: &AccountId, id: RequestId) -> Result<Option<Request>, StoreError>;

    /// Gives the next request in line of `queue` to a worker.
    async fn claim(&self, queue: &str, now: Moment) -> Result<Option<Claim>, StoreError>;
    /// A worker still runs, and is this far.
    async fn beat(
        &self,
        id: RequestId,
        epoch: Epoch,
        progress: Progress,
        now: Moment,
    ) -> Result<(), WorkRefused>;
    /// A worker has the output: charges the credits and writes the delivery.
    async fn complete(
        &self,
        id: RequestId,
        epoch: Epoch,
        output: Output,
        now: Moment,
    ) -> Result<(), WorkRefused>;
    /// A worker says that there will be no output: returns the credits and writes the delivery.
    async fn fail(&self, id: RequestId, epoch: Epoch, why: Failure, now: Moment) -> Result<(), WorkRefused>;
    /// A worker gives the request back unharmed, ahead of those that never ran.
    async fn release(&self, id: RequestId, epoch: Epoch) -> Result<(), WorkRefused>;
    /// Takes back every request whose lease ended before `now`; all of them where `orphaned`, as after a crash.
    async fn rescue(&self, orphaned: bool, now: Moment) -> Result<Rescued, StoreError>;

    /// Deliveries that are due, taken for `lease` so that nobody else sends them.
    async fn claim_deliveries(
        &self,
        most: usize,
        lease: std::time::Duration,
        now: Moment,
    ) -> Result<Vec<DueDelivery>, StoreError>;
    /// When the next delivery is due, if any waits.
    async fn next_delivery(&self) -> Result<Option<Moment>, StoreError>;
    /// Records an attempt at a delivery and what comes of it.
    async fn record_attempt(&self, attempt: DeliveryAttempt, now: Moment) -> Result<(), StoreError>;

    /// Writes something that changes nothing: whether it can.
    async fn probe(&self) -> Result<(), StoreError>;

    /// Writes everything down and closes. Later calls fail with [`StoreError::Closed`].
    async fn close(&self);
}

/// What a rescue did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rescued {
    /// Requests that are in line again.
    pub requeued: u64,
    /// Requests that were lost too often, and failed.
    pub failed: u64,
}
