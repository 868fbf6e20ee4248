//! Requests from their submit to their end.
//!
//! A lease belongs to a node, as it says when it claims. A store that knows at its opening that every other node is gone frees
//! their leases then: each counts as lost.

use crate::living::LivingAttempts;
use crate::{
    AccountId, Beat, Claim, ClaimPast, Failure, NodeId, Request, Rescued, Standing, StoreError, Submission,
    SubmitRefused, Submitted, WorkRefused,
};
use async_trait::async_trait;
use clipia_api::Progress;
use clipia_api::types::Output;
use clipia_queue::RequestId;
use clipia_queue::lifecycle::Epoch;

/// Requests from their submit to their end.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Accepts a submit: idempotency record, reserved credits, request and place in line together.
    async fn submit(&self, submission: Submission) -> Result<Submitted, SubmitRefused>;
    /// A request of this account.
    async fn request(&self, account: &AccountId, id: RequestId) -> Result<Option<Request>, StoreError>;
    /// Where a request of this account stands: no more than a poll needs.
    async fn standing(&self, account: &AccountId, id: RequestId) -> Result<Option<Standing>, StoreError>;

    /// Gives the next requests in line of `queue` to workers of `node`, `limit` at most. A lease holds each of them.
    async fn claim(&self, queue: &str, node: NodeId, limit: usize) -> Result<Vec<Claim>, StoreError> {
        Ok(self.claim_past(queue, node, limit, Vec::new()).await?.claims)
    }
    /// Gives the next requests in line of `queue` to workers of `node`, `limit` at most, past those of the accounts in
    /// `full` that start from an image elsewhere: these are set aside, still in line, until they are put back. None stays
    /// aside when the store is opened.
    async fn claim_past(
        &self,
        queue: &str,
        node: NodeId,
        limit: usize,
        full: Vec<AccountId>,
    ) -> Result<ClaimPast, StoreError>;
    /// Puts requests of an account that were set aside back where they stood, the first ones and `most` at most; says how
    /// many there were.
    async fn put_back(&self, queue: &str, account: &AccountId, most: u32) -> Result<u32, StoreError>;
    /// A worker has the request still and has not begun its attempt, whose time starts now.
    async fn hold(&self, id: RequestId, epoch: Epoch) -> Result<(), WorkRefused>;
    /// Workers still run, and are this far: prolongs their leases. Each beat is accepted or refused by itself; an error of
    /// the store refuses all.
    async fn beat_many(&self, beats: Vec<Beat>) -> Result<Vec<Result<(), WorkRefused>>, StoreError>;
    /// A worker still runs, and is this far: prolongs its lease.
    async fn beat(&self, id: RequestId, epoch: Epoch, progress: Progress) -> Result<(), WorkRefused> {
        let beat = Beat { id, epoch, progress };
        self.beat_many(vec![beat]).await?.pop().unwrap_or(Err(WorkRefused::Unknown))
    }
    /// A worker has the output: charges the credits and writes the delivery.
    async fn complete(&self, id: RequestId, epoch: Epoch, output: Output) -> Result<(), WorkRefused>;
    /// A worker says that there will be no output: returns the credits and writes the delivery.
    async fn fail(&self, id: RequestId, epoch: Epoch, why: Failure) -> Result<(), WorkRefused>;
    /// A worker gives the request back unharmed, ahead of those that never ran: no attempt and no rescue is spent.
    async fn release(&self, id: RequestId, epoch: Epoch) -> Result<(), WorkRefused>;
    /// Takes requests back whose lease has expired, whichever node has them. The attempts in `living` are those of the
    /// caller's process, which may have stood still: from these only where the attempt has had all the time that it may
    /// take.
    async fn rescue(&self, living: &LivingAttempts) -> Result<Rescued, StoreError>;
    /// Calls a request off that has not ended: returns the credits and writes the delivery. Its worker, if it has one,
    /// is refused from then on.
    async fn cancel(&self, id: RequestId) -> Result<(), WorkRefused>;
}
