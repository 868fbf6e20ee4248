//! The records of workers on other machines.

use crate::{Claim, KeyHash, NodeId, StoreError};
use clipia_queue::leases::AttemptEnd;
use uuid::Uuid;

/// Who claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The server's process.
    pub node: NodeId,
    /// The session on another machine that the process claims for; none where its own workers claim.
    pub session: Option<WorkerSession>,
}

impl From<NodeId> for Holder {
    fn from(node: NodeId) -> Self {
        Self { node, session: None }
    }
}

/// A process that works with a worker's token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WorkerSession {
    /// The name of the worker.
    pub worker: String,
    /// What the process has chosen when it started.
    pub session: Uuid,
}

/// A new worker.
pub struct NewWorker {
    /// Its name, which the operator chose.
    pub name: String,
    /// What its token is found by.
    pub hash: KeyHash,
    /// Enough of the token to recognise it by.
    pub hint: String,
    /// The executors that it may be.
    pub executors: Vec<String>,
}

/// A worker whose token is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteWorker {
    /// Its name.
    pub name: String,
    /// The executors that it may be.
    pub executors: Vec<String>,
    /// Whether it claims nothing more.
    pub quiet: bool,
}

/// What a session says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AboutSession {
    /// The executor that it is.
    pub executor: String,
    /// The name of its machine.
    pub host: String,
    /// The names of its GPUs, as far as it knows them.
    pub gpu: Option<String>,
    /// Its version of `clipia`.
    pub version: String,
    /// How many jobs it runs at once.
    pub slots: u32,
}

/// A session was heard of.
pub struct SessionSeen {
    /// The session.
    pub session: WorkerSession,
    /// What it says of itself.
    pub about: AboutSession,
}

/// A session, as an operator sees it.
#[derive(Clone, Debug)]
pub struct SessionListing {
    /// What it chose when it started.
    pub session: Uuid,
    /// What it says of itself.
    pub about: AboutSession,
    /// When it was first heard of.
    pub since: jiff::Timestamp,
    /// When it was last heard of.
    pub seen_at: jiff::Timestamp,
    /// How many leases it has.
    pub running: u64,
}

/// A worker, as an operator sees it.
#[derive(Clone, Debug)]
pub struct WorkerListing {
    /// Its name.
    pub name: String,
    /// Enough of the token to recognise it by.
    pub hint: String,
    /// The executors that it may be.
    pub executors: Vec<String>,
    /// Whether it claims nothing more.
    pub quiet: bool,
    /// When it was made.
    pub created_at: jiff::Timestamp,
    /// When its token was taken out of force.
    pub revoked_at: Option<jiff::Timestamp>,
    /// Its sessions, the latest first.
    pub sessions: Vec<SessionListing>,
}

/// An attempt of a session.
#[derive(Clone, Debug)]
pub struct HeldAttempt {
    /// The session.
    pub session: WorkerSession,
    /// How it ended; none while its lease is in force.
    pub ended: Option<AttemptEnd>,
    /// The claim, while its lease is in force.
    pub claim: Option<Claim>,
}

/// Why a worker was not created.
#[derive(Debug, thiserror::Error)]
pub enum WorkerRefused {
    /// There is a worker of this name, or was one: its attempts are told by it.
    #[error("there is a worker `{0}` already, or was one: choose another name")]
    NameTaken(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
