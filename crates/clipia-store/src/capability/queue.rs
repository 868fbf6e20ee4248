//! Requests from their submit to their end.

use crate::{
    AccountId, Claim, ClaimPast, Failure, Request, Rescue, Rescued, Standing, StoreError, Submission,
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

    /// Gives the next request in line of `queue` to a worker.
    async fn claim(&self, queue: &str) -> Result<Option<Claim>, StoreError> {
        Ok(self.claim_past(queue, Vec::new()).await?.claim)
    }
    /// Gives the next request in line of `queue` to a worker, past those of the accounts in `full` that start from an
    /// image elsewhere: these are set aside, still in line, until they are put back. None stays aside when the store is
    /// opened.
    async fn claim_past(&self, queue: &str, full: Vec<AccountId>) -> Result<ClaimPast, StoreError>;
    /// Puts requests of an account that were set aside back where they stood, the first ones and `most` at most; says how
    /// many there were.
    async fn put_back(&self, queue: &str, account: &AccountId, most: u32) -> Result<u32, StoreError>;
    /// A worker has the request still and has not begun its attempt, whose time starts now.
    async fn hold(&self, id: RequestId, epoch: Epoch) -> Result<(), WorkRefused>;
    /// A worker still runs, and is this far.
    async fn beat(&self, id: RequestId, epoch: Epoch, progress: Progress) -> Result<(), WorkRefused>;
    /// A worker has the output: charges the credits and writes the delivery.
    async fn complete(&self, id: RequestId, epoch: Epoch, output: Output) -> Result<(), WorkRefused>;
    /// A worker says that there will be no output: returns the credits and writes the delivery.
    async fn fail(&self, id: RequestId, epoch: Epoch, why: Failure) -> Result<(), WorkRefused>;
    /// A worker gives the request back unharmed, ahead of those that never ran: no attempt and no rescue is spent.
    async fn release(&self, id: RequestId, epoch: Epoch) -> Result<(), WorkRefused>;
    /// Takes requests back from workers that are gone.
    async fn rescue(&self, from: Rescue) -> Result<Rescued, StoreError>;
    /// Calls a request off that has not ended: returns the credits and writes the delivery. Its worker, if it has one,
    /// is refused from then on.
    async fn cancel(&self, id: RequestId) -> Result<(), WorkRefused>;
}
