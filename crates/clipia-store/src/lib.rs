//! What a store of the queue keeps, as traits by capability.
//!
//! The methods of [`Store`] are commands of the domain, sorted by [capability]. Each command is one transaction: what it returns
//! is durable, and a command that is refused has changed nothing. The rules are those of `clipia-queue`. A store gathers facts
//! and writes what is decided.
//!
//! What must never be here: HTTP, and a database of a store's own.

mod account_listing;
mod audit;
pub mod blocking;
pub mod capability;
pub mod clock;
pub mod columns;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod counters;
pub mod data_lock;
mod decided;
mod deliveries;
mod events;
pub mod failpoints;
mod findings;
mod listing;
pub mod living;
mod logs;
mod minutes;
mod node;
mod outputs;
pub mod private;
mod recorded;
mod records;
mod retention;
#[cfg(feature = "rusqlite")]
pub mod sqlite_faults;
mod statistics;
pub mod texts;
pub mod transfer;
mod uploads;
mod workers;

pub use account_listing::*;
pub use audit::*;
pub use capability::{Accounts, Outbox, Queue, Records, Search, Store, Upkeep, Uploads, Workers};
pub use deliveries::*;
pub use events::*;
pub use findings::*;
pub use listing::*;
pub use logs::*;
pub use minutes::*;
pub use node::NodeId;
pub use outputs::*;
pub use recorded::Recorded;
pub use records::*;
pub use retention::*;
pub use statistics::*;
pub use uploads::*;
pub use workers::*;

use blocking::Lost;
use clipia_queue::limits::OverBudget;
use clipia_queue::uploads::Gone;
use clipia_queue::{ledger, lifecycle};
use std::path::PathBuf;
use std::sync::Arc;

/// Why the store itself failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The backend failed.
    #[error("{fault}: {source}")]
    Backend {
        /// The kind of failure.
        fault: Fault,
        /// The backend's own error.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// What is stored cannot be read, or contradicts itself.
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

/// The kind of a store's failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Another program locks it.
    #[error("the store is busy")]
    Busy,
    /// The disk is full.
    #[error("the store has no room on its disk")]
    Full,
    /// It may not be written to.
    #[error("the store is read-only")]
    ReadOnly,
    /// The disk fails, or the system refuses a file.
    #[error("the store's disk fails")]
    Disk,
    /// The file is broken.
    #[error("the store is damaged")]
    Damaged,
    /// Something else.
    #[error("the store failed")]
    Other,
}

impl Fault {
    /// Whether the failure passes by itself, or an operator can end it while the server runs.
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
    /// The key was revoked since its caller was admitted.
    #[error("the key was revoked")]
    KeyRevoked,
    /// The key has as many generations in flight as it may have.
    #[error("{0} generations are in flight, as many as the key may have")]
    InFlight(u32),
    /// The key has less left of its credit budget.
    #[error(transparent)]
    Budget(#[from] OverBudget),
    /// There are not enough credits.
    #[error(transparent)]
    Credits(#[from] ledger::Refused),
    /// The input names an upload that is not kept any more.
    #[error(transparent)]
    Upload(#[from] Gone),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a request was not changed: most often the report of a worker was refused.
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

impl WorkRefused {
    /// Whether a worker's report was refused because its claim is no longer in force.
    pub const fn is_stale(&self) -> bool {
        matches!(self, Self::Lifecycle(lifecycle::Refused::Stale { .. }))
    }
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

/// The result of a rescue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rescued {
    /// Requests that are queued again.
    pub requeued: u64,
    /// Requests that were lost too often, and failed.
    pub failed: u64,
}
