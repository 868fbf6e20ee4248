//! Requests from their submit to their end.
//!
//! A lease belongs to a node, as it says when it claims. A store that knows at its opening that every other node is gone frees
//! their leases then: each counts as lost. A lease that a node has for a session on another machine is kept, since the session may be
//! alive: it expires if the session is not heard of for as long as a worker may be silent.

use crate::living::LivingAttempts;
use crate::{
    AccountId, Beat, Claim, ClaimPast, Failure, Holder, NodeId, Recorded, Request, RequestStatus, Rescued,
    StoreError, Submission, SubmitRefused, Submitted, WorkRefused,
};
use async_trait::async_trait;
use clipia_api::Progress;
use clipia_api::types::Output;
use clipia_queue::RequestId;
use clipia_queue::lifecycle::Epoch;
use clipia_queue::logs::LogLines;
use clipia_queue::position::Order;

/// Requests from their submit to their end.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Accepts a submit: idempotency record, reserved credits, request and place in the queue together.
    async fn submit(&self, submission: Submission) -> Result<Submitted, SubmitRefused>;
    /// A request of this account.
    async fn request(&self, account: &AccountId, id: RequestId) -> Result<Option<Request>, StoreError>;
    /// The status of a request of this account: no more than a poll needs.
    async fn status(&self, account: &AccountId, id: RequestId) -> Result<Option<RequestStatus>, StoreError>;

    /// Claims the first requests of `queue` for workers of `node`, `limit` at most, in the order that
    /// [`QueuePlaces`](clipia_queue::position::QueuePlaces) describes. Each gets a lease.
    async fn claim(&self, queue: &str, node: NodeId, limit: usize) -> Result<Vec<Claim>, StoreError> {
        Ok(self.claim_past(queue, node.into(), limit, Vec::new()).await?.claims)
    }
    /// Claims the first requests of `queue` for `holder`, `limit` at most. Requests of the accounts in `full` that name
    /// a file elsewhere are passed over: they are set aside, and keep their places, until they are put back. A store
    /// that is opened puts all of them back. A session gets nothing whose worker is quiet or revoked.
    async fn claim_past(
        &self,
        queue: &str,
        holder: Holder,
        limit: usize,
        full: Vec<AccountId>,
    ) -> Result<ClaimPast, StoreError>;
    /// The same for workers of the store's own process, which end with it: a store may answer ahead of its commit, so that the work
    /// begins while the disk is flushed. A claim whose commit fails never was: the next claim of the request has the same epoch. So
    /// its attempt ends at once and nothing of it is reported. A store whose last commit failed answers after the commit.
    async fn claim_ahead(
        &self,
        queue: &str,
        holder: Holder,
        limit: usize,
        full: Vec<AccountId>,
    ) -> Result<(ClaimPast, Recorded), StoreError> {
        Ok((self.claim_past(queue, holder, limit, full).await?, Recorded::already()))
    }
    /// Puts the first requests of an account back that were set aside, `most` at most. Returns how many there were.
    async fn put_back(&self, queue: &str, account: &AccountId, most: u32) -> Result<u32, StoreError>;
    /// Sets the order in which the new requests of a queue are claimed. It holds until the store is closed, since it is the
    /// server's configuration. At first turns go round the accounts.
    async fn set_order(&self, queue: &str, order: Order) -> Result<(), StoreError>;
    /// Pauses a queue, also one that nothing was submitted to: nothing of it is claimed until it is resumed. It takes submits,
    /// and what runs goes on. False where it is paused already.
    async fn pause_queue(&self, queue: &str) -> Result<bool, StoreError>;
    /// Resumes a queue. False where it is not paused.
    async fn resume_queue(&self, queue: &str) -> Result<bool, StoreError>;
    /// The names of the queues that are paused, in their order. Cheap enough for every call of a health check.
    async fn paused_queues(&self) -> Result<Vec<String>, StoreError>;
    /// A worker still has the request and has not begun its attempt, whose time starts now.
    async fn hold(&self, id: RequestId, epoch: Epoch) -> Result<(), WorkRefused>;
    /// Prolongs the leases of workers that still run, records their progress, and keeps what they logged. Each beat is accepted or
    /// refused by itself; an error of the store refuses all.
    async fn beat_many(&self, beats: Vec<Beat>) -> Result<Vec<Result<(), WorkRefused>>, StoreError>;
    /// Prolongs the lease of a worker that still runs, and records its progress.
    async fn beat(&self, id: RequestId, epoch: Epoch, progress: Progress) -> Result<(), WorkRefused> {
        self.beat_one(Beat { id, epoch, progress, logs: LogLines::default() }).await
    }
    /// Prolongs the lease of a worker that still runs, records its progress, and keeps what it logged.
    async fn beat_one(&self, beat: Beat) -> Result<(), WorkRefused> {
        self.beat_many(vec![beat]).await?.pop().unwrap_or(Err(WorkRefused::Unknown))
    }
    /// Keeps the last lines that a worker logged, before it reports the end of its attempt. Unlike a beat it prolongs nothing, and
    /// comes even when the attempt has taken all its time.
    async fn log(&self, id: RequestId, epoch: Epoch, logs: LogLines) -> Result<(), WorkRefused>;
    /// A worker has the output: charges the credits and writes the delivery.
    async fn complete(&self, id: RequestId, epoch: Epoch, output: Output) -> Result<(), WorkRefused>;
    /// A worker has no output: returns the credits and writes the delivery.
    async fn fail(&self, id: RequestId, epoch: Epoch, why: Failure) -> Result<(), WorkRefused>;
    /// A worker gives the request back unharmed, ahead of those that never ran: no attempt and no rescue is spent.
    async fn release(&self, id: RequestId, epoch: Epoch) -> Result<(), WorkRefused>;
    /// A worker lost its attempt, as by a crash of its program: an attempt is spent as if its lease had expired. The request is
    /// queued again; after the last attempt it fails because of `why`, and its credits are returned.
    async fn lose(&self, id: RequestId, epoch: Epoch, why: Failure) -> Result<(), WorkRefused>;
    /// Queues requests again whose lease has expired, whichever node has them. The attempts in `living` are those of the caller's
    /// process, which may have been suspended: they lose their requests only once they have had all their time.
    async fn rescue(&self, living: &LivingAttempts) -> Result<Rescued, StoreError>;
    /// Cancels a request that has not ended: returns the credits and writes the delivery. Reports of its worker, if it has one,
    /// are refused from then on.
    async fn cancel(&self, id: RequestId) -> Result<(), WorkRefused>;
}
