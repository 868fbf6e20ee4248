//! What the queue keeps.
//!
//! [`Store`] speaks in commands of the domain. Each command is one transaction: what it returns is durable, and what it
//! refuses has changed nothing. The rules are `clipia-queue`'s; a store only persists what they decide.

mod account_listing;
mod audit;
mod decided;
mod deliveries;
mod findings;
mod listing;
mod outputs;
mod records;
pub mod sqlite;
mod statistics;

pub use account_listing::*;
pub use audit::*;
pub use deliveries::*;
pub use findings::*;
pub use listing::*;
pub use outputs::*;
pub use records::*;
pub use statistics::*;

use crate::blocking::Lost;
use crate::living::LivingAttempts;
use async_trait::async_trait;
use clipia_api::Progress;
use clipia_api::types::Output;
use clipia_queue::lifecycle::{self, Epoch};
use clipia_queue::rotation::Rotation;
use clipia_queue::{Credits, Moment, RequestId, ledger};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use uuid::Uuid;

/// Why the store itself failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// What keeps it said so.
    #[error("{fault}: {source}")]
    Backend {
        /// What kind of trouble it is.
        fault: Fault,
        /// What was said.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// What is stored cannot be read back.
    #[error("the store holds something unreadable: {0}")]
    Unreadable(String),
    /// A command panicked. Nothing of its commit was kept.
    #[error("a fault of this program ended a command of the store; nothing of its commit was kept")]
    Panicked,
    /// It is being shut down.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether the same command may succeed later without a change of its own: nothing was wrong with it, and nothing was
    /// changed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Backend { fault, .. } => fault.is_transient(),
            Self::Unreadable(_) | Self::Panicked | Self::Closed => false,
        }
    }
}

impl From<Lost> for StoreError {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Ending => Self::Closed,
            Lost::Panicked => Self::Panicked,
            Lost::NoThread => Self::Backend { fault: Fault::Other, source: Arc::new(lost) },
        }
    }
}

/// What kind of trouble a store is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Another program holds it.
    #[error("the store is busy")]
    Busy,
    /// There is no room for what is to be written.
    #[error("the store has no room on its disk")]
    Full,
    /// It may not be written to.
    #[error("the store is read-only")]
    ReadOnly,
    /// The disk fails, or the system refuses a file.
    #[error("the store's disk fails")]
    Disk,
    /// What is kept is broken.
    #[error("the store is damaged")]
    Damaged,
    /// Something else.
    #[error("the store failed")]
    Other,
}

impl Fault {
    /// Whether it passes by itself, or by what an operator does while the server runs.
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Busy | Self::Full | Self::ReadOnly | Self::Disk)
    }
}

/// Why a submit was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum SubmitRefused {
    /// The idempotency key was used with other parameters.
    #[error("the idempotency key was used for another submit")]
    IdempotencyKeyReuse,
    /// The key was revoked since its caller was let in.
    #[error("the key was revoked")]
    KeyRevoked,
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

/// Why a request was not changed: most often, a worker's word was not taken.
#[derive(Debug, thiserror::Error)]
pub enum WorkRefused {
    /// The lifecycle does not allow it: most often the lease was lost.
    #[error(transparent)]
    Lifecycle(#[from] lifecycle::Refused),
    /// The attempt has taken all the time that it may.
    #[error("the attempt has taken all the time that it may")]
    Overdue,
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

/// Why credits were not granted.
#[derive(Debug, thiserror::Error)]
pub enum GrantRefused {
    /// There is no such account.
    #[error("there is no account `{0}`")]
    NoAccount(AccountId),
    /// The books do not bear it.
    #[error(transparent)]
    Ledger(#[from] ledger::Refused),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is a file of that name, which stays as it is.
    #[error("`{}` exists already: name a file that does not", .0.display())]
    Exists(PathBuf),
    /// The file cannot be written.
    #[error("cannot write `{}`: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where accounts, keys, requests, credits and deliveries are kept.
#[async_trait]
pub trait Store: Send + Sync {
    /// Creates an account with its webhook secret and its first credits, unless the id is taken.
    async fn create_account(&self, account: NewAccount, now: Moment) -> Result<bool, StoreError>;
    /// Whether there is any account.
    async fn is_empty(&self) -> Result<bool, StoreError>;
    /// Every account, the oldest first.
    async fn accounts(&self) -> Result<Vec<AccountListing>, StoreError>;
    /// The account's balance and usage.
    async fn account(&self, account: &AccountId, now: Moment) -> Result<Option<AccountSummary>, StoreError>;
    /// Gives an account credits; answers its balance then.
    async fn grant(
        &self,
        account: &AccountId,
        credits: Credits,
        now: Moment,
    ) -> Result<ledger::Balance, GrantRefused>;

    /// Creates a key, unless there is no such account.
    async fn create_key(&self, key: NewKey, now: Moment) -> Result<bool, StoreError>;
    /// The key in force with this hash.
    async fn key(&self, hash: KeyHash) -> Result<Option<Arc<Key>>, StoreError>;
    /// Every key, revoked ones too, in the order of their making.
    async fn keys(&self) -> Result<Vec<KeyListing>, StoreError>;
    /// Takes a key out of force at once. False where there is none of this id in force.
    async fn revoke_key(&self, id: &str, now: Moment) -> Result<bool, StoreError>;

    /// Accepts a submit: idempotency record, reserved credits, request and place in line together.
    async fn submit(&self, submission: Submission, now: Moment) -> Result<Submitted, SubmitRefused>;
    /// A request of this account.
    async fn request(&self, account: &AccountId, id: RequestId) -> Result<Option<Request>, StoreError>;
    /// Where a request of this account stands: no more than a poll needs.
    async fn standing(&self, account: &AccountId, id: RequestId) -> Result<Option<Standing>, StoreError>;

    /// Gives the next request in line of `queue` to a worker.
    async fn claim(&self, queue: &str, now: Moment) -> Result<Option<Claim>, StoreError> {
        Ok(self.claim_past(queue, Vec::new(), now).await?.claim)
    }
    /// Gives the next request in line of `queue` to a worker, past those of the accounts in `full` that start from an
    /// image elsewhere: these are set aside, still in line, until they are put back. None stays aside when the store is
    /// opened.
    async fn claim_past(
        &self,
        queue: &str,
        full: Vec<AccountId>,
        now: Moment,
    ) -> Result<ClaimPast, StoreError>;
    /// Puts requests of an account that were set aside back where they stood, the first ones and `most` at most; says how
    /// many there were.
    async fn put_back(&self, queue: &str, account: &AccountId, most: u32) -> Result<u32, StoreError>;
    /// A worker has the request still and has not begun its attempt, whose time starts now.
    async fn hold(&self, id: RequestId, epoch: Epoch, now: Moment) -> Result<(), WorkRefused>;
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
    /// A worker gives the request back unharmed, ahead of those that never ran: no attempt and no rescue is spent.
    async fn release(&self, id: RequestId, epoch: Epoch, now: Moment) -> Result<(), WorkRefused>;
    /// Takes requests back from workers that are gone.
    async fn rescue(&self, from: Rescue, now: Moment) -> Result<Rescued, StoreError>;
    /// Calls a request off that has not ended: returns the credits and writes the delivery. Its worker, if it has one,
    /// is refused from then on.
    async fn cancel(&self, id: RequestId, now: Moment) -> Result<(), WorkRefused>;

    /// Requests of any account, the newest first, `limit` at most and starting after the request `after`.
    async fn list_requests(
        &self,
        filter: RequestFilter,
        after: Option<RequestId>,
        limit: usize,
    ) -> Result<RequestPage, StoreError>;
    /// Where requests stand and what they made, of those of `ids` that there are: whatever an output names must be kept.
    async fn outputs(&self, ids: Vec<RequestId>) -> Result<Vec<RequestOutput>, StoreError>;
    /// A request of any account and what happened to it.
    async fn request_history(&self, id: RequestId) -> Result<Option<RequestHistory>, StoreError>;

    /// Frees the deliveries that a process had taken that is gone; tells the hosts of which some are postponed.
    async fn recover_deliveries(&self) -> Result<Vec<DeliveryHost>, StoreError>;
    /// Takes deliveries that are due, as far as their hosts and their owners' shares have room, so that nobody else sends
    /// them. The others are postponed: they come up again when a claim says that there is room.
    async fn claim_deliveries(
        &self,
        claim: DeliveryClaim,
        now: Moment,
    ) -> Result<ClaimedDeliveries, StoreError>;
    /// When the next delivery is due that is not postponed, if there is one.
    async fn next_delivery(&self) -> Result<Option<Moment>, StoreError>;
    /// Records an attempt at a delivery and what comes of it.
    async fn record_attempt(&self, attempt: DeliveryAttempt, now: Moment) -> Result<(), StoreError>;
    /// Gives up deliveries that were postponed and have been due since before `since`; tells how many.
    async fn give_up_deliveries(&self, since: Moment, now: Moment) -> Result<u64, StoreError>;

    /// Deliveries, the newest first: those older than `before`, at most `most` and [`DELIVERIES_MAX`].
    async fn list_deliveries(
        &self,
        filter: DeliveryFilter,
        before: Option<Uuid>,
        most: u32,
    ) -> Result<Vec<DeliveryListing>, StoreError>;
    /// A delivery and its attempts.
    async fn delivery(&self, id: Uuid) -> Result<Option<DeliveryDetails>, StoreError>;
    /// Has a delivery attempted once at `now`, whatever its schedule says; that goes on as it was unless the attempt
    /// arrives. False where there is none of this id.
    async fn replay(&self, id: Uuid, now: Moment) -> Result<bool, StoreError>;
    /// Does so for those that were given up since `since`, the oldest first, at most `most` and [`DELIVERIES_MAX`].
    async fn replay_failed(&self, since: Moment, now: Moment, most: u32) -> Result<Replayed, StoreError>;
    /// Has deliveries attempted that are [held](DeliveryState::Held), the oldest first, at most `most`; tells how many.
    async fn resume_deliveries(&self, now: Moment, most: u32) -> Result<u64, StoreError>;
    /// Gives deliveries up that are held, the oldest first, at most `most`; tells how many.
    async fn abandon_deliveries(&self, now: Moment, most: u32) -> Result<u64, StoreError>;
    /// Gives an account another secret to sign deliveries with. The old ones sign too for as long as `rotation` says.
    /// False where there is no such account.
    async fn rotate_webhook_secret(
        &self,
        account: &AccountId,
        new: String,
        rotation: Rotation,
        now: Moment,
    ) -> Result<bool, StoreError>;
    /// Gives the rotation under way other times. False where no old secret signs at `now`.
    async fn replan_rotation(
        &self,
        account: &AccountId,
        rotation: Rotation,
        now: Moment,
    ) -> Result<bool, StoreError>;
    /// When each secret of an account signs that does at `now`, the newest first; nothing where there is no such account.
    async fn webhook_secrets(
        &self,
        account: &AccountId,
        now: Moment,
    ) -> Result<Vec<SecretListing>, StoreError>;

    /// What operators did and how often tokens were refused, the newest first: entries before the number `before`, at most
    /// `most`. Each act is noted in the transaction that does it.
    async fn audit(&self, before: Option<i64>, most: u32) -> Result<Vec<AuditEntry>, StoreError>;
    /// Notes how often tokens were refused lately.
    async fn record_refusals(&self, refused: Refusals, now: Moment) -> Result<(), StoreError>;

    /// Looks for anything that must not be, in one snapshot, while the store is in use.
    async fn examine(&self) -> Result<Findings, StoreError>;
    /// Copies the store to a new file, as it stands at one moment, while it is in use. Deliveries that are pending in the
    /// copy are held once a server runs on it.
    async fn backup(&self, path: &Path, now: Moment) -> Result<(), BackupError>;
    /// What the store did since it was opened, and how much waits.
    async fn statistics(&self) -> Result<Statistics, StoreError>;

    /// Writes something that changes nothing: whether it can.
    async fn probe(&self) -> Result<(), StoreError>;

    /// Writes everything down and closes. Later calls fail with [`StoreError::Closed`].
    async fn close(&self);
}

/// Whom requests are taken back from.
#[derive(Clone, Debug)]
pub enum Rescue {
    /// Every worker: they were those of a process that is gone.
    All,
    /// Those that have been silent for too long, but not the living ones of this process, which may have stood still: from
    /// these only where their attempt has had all the time that it may take.
    Silent(LivingAttempts),
}

/// What a rescue did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rescued {
    /// Requests that are in line again.
    pub requeued: u64,
    /// Requests that were lost too often, and failed.
    pub failed: u64,
}
