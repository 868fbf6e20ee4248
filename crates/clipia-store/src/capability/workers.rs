//! Workers on other machines.
//!
//! A worker has a name and a token, of which the store keeps the hash. Each process that works with the token is a session. A claim
//! of a session leaves its name in the lease, and in the record of the attempt after the lease has ended. The session of an attempt
//! never changes, so whoever has read it knows it for good; the epoch fences everything else.

use crate::{
    Claim, HeldAttempt, KeyHash, NewWorker, RemoteWorker, SessionSeen, StoreError, WorkerListing,
    WorkerRefused, WorkerSession,
};
use async_trait::async_trait;
use clipia_queue::RequestId;
use clipia_queue::lifecycle::Epoch;

/// Workers on other machines.
#[async_trait]
pub trait Workers: Send + Sync {
    /// Creates a worker.
    async fn create_worker(&self, worker: NewWorker) -> Result<(), WorkerRefused>;
    /// The worker of a token in force. A store answers this from memory: each call of a worker asks it.
    async fn worker(&self, token: &KeyHash) -> Result<Option<RemoteWorker>, StoreError>;
    /// Whether there is or was any worker. Answered from memory.
    async fn has_workers(&self) -> Result<bool, StoreError>;
    /// Every worker with its sessions, in the order of their names, revoked ones included.
    async fn workers(&self) -> Result<Vec<WorkerListing>, StoreError>;
    /// Says whether a worker is quiet: whether it claims nothing more. False where there is no such worker in force.
    async fn set_quiet(&self, name: &str, quiet: bool) -> Result<bool, StoreError>;
    /// Takes a worker's token out of force. The leases of its sessions end: each attempt counts as lost, and its request is queued
    /// again or fails. Returns how many leases it had; nothing where there is no such worker in force.
    async fn revoke_worker(&self, name: &str) -> Result<Option<u64>, StoreError>;
    /// A session of a worker was heard of; nothing is noted where the worker is not in force. It forgets sessions without a lease that
    /// were not heard of for a day ([`SESSION_KEPT`](clipia_queue::workers::SESSION_KEPT)), and of the worker those beyond the latest
    /// hundred ([`SESSIONS_MAX`](clipia_queue::workers::SESSIONS_MAX)).
    async fn session_seen(&self, seen: SessionSeen) -> Result<(), StoreError>;
    /// The claims of the leases of a session, in the order of their requests.
    async fn claims_of(&self, session: &WorkerSession) -> Result<Vec<Claim>, StoreError>;
    /// An attempt of a session on another machine, whether its lease is in force or has ended; nothing for an attempt of the server's
    /// own process, and for one that never was.
    async fn attempt_of_session(
        &self,
        id: RequestId,
        epoch: Epoch,
    ) -> Result<Option<HeldAttempt>, StoreError>;
}
