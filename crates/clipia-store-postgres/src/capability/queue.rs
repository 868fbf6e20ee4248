//! Requests from their submit to their end.

use crate::ends::End;
use crate::work::Taken;
use crate::{PostgresStore, pausing, requests, set_aside, work};
use async_trait::async_trait;
use clipia_api::types::Output;
use clipia_queue::RequestId;
use clipia_queue::lifecycle::Epoch;
use clipia_queue::logs::LogLines;
use clipia_queue::position::Order;
use clipia_store::living::LivingAttempts;
use clipia_store::{
    AccountId, Beat, ClaimPast, Failure, Holder, Queue, Request, RequestStatus, Rescued, StoreError,
    Submission, SubmitRefused, Submitted, WorkRefused,
};

#[async_trait]
impl Queue for PostgresStore {
    async fn submit(&self, submission: Submission) -> Result<Submitted, SubmitRefused> {
        self.submits.submit(submission).await
    }

    async fn request(&self, account: &AccountId, id: RequestId) -> Result<Option<Request>, StoreError> {
        requests::read(&self.database, account, id).await
    }

    async fn status(&self, account: &AccountId, id: RequestId) -> Result<Option<RequestStatus>, StoreError> {
        requests::status(&self.database, account, id).await
    }

    async fn claim_past(
        &self,
        queue: &str,
        holder: Holder,
        limit: usize,
        full: Vec<AccountId>,
    ) -> Result<ClaimPast, StoreError> {
        self.claims.claim(&self.database, queue, holder, limit, full).await
    }

    async fn put_back(&self, queue: &str, account: &AccountId, most: u32) -> Result<u32, StoreError> {
        let (queue, account) = (queue.to_owned(), account.clone());
        self.write(move |w| async move { set_aside::put_back(&w, &queue, &account, most).await }).await
    }

    async fn set_order(&self, queue: &str, order: Order) -> Result<(), StoreError> {
        self.database.memory.positions.set_order(queue, order);
        Ok(())
    }

    async fn pause_queue(&self, queue: &str) -> Result<bool, StoreError> {
        let queue = queue.to_owned();
        self.write(move |w| async move { pausing::pause(&w, &queue).await }).await
    }

    async fn resume_queue(&self, queue: &str) -> Result<bool, StoreError> {
        let queue = queue.to_owned();
        self.write(move |w| async move { pausing::resume(&w, &queue).await }).await
    }

    async fn paused_queues(&self) -> Result<Vec<String>, StoreError> {
        pausing::list(&self.connection().await?).await
    }

    async fn hold(&self, id: RequestId, epoch: Epoch) -> Result<(), WorkRefused> {
        self.count_stale(self.write(move |w| async move { work::hold(&w, id, epoch).await }).await)
    }

    async fn beat_many(&self, beats: Vec<Beat>) -> Result<Vec<Result<(), WorkRefused>>, StoreError> {
        let answers = self.write(move |w| async move { work::beat_many(&w, beats).await }).await?;
        Ok(answers.into_iter().map(|answer| self.count_stale(answer)).collect())
    }

    async fn log(&self, id: RequestId, epoch: Epoch, logs: LogLines) -> Result<(), WorkRefused> {
        self.count_stale(self.write(move |w| async move { work::log(&w, id, epoch, logs).await }).await)
    }

    async fn complete(&self, id: RequestId, epoch: Epoch, output: Output) -> Result<(), WorkRefused> {
        self.count_stale(self.ends.report(id, epoch, End::Completed(output.into())).await)
    }

    async fn fail(&self, id: RequestId, epoch: Epoch, why: Failure) -> Result<(), WorkRefused> {
        self.count_stale(self.ends.report(id, epoch, End::Failed(why)).await)
    }

    async fn release(&self, id: RequestId, epoch: Epoch) -> Result<(), WorkRefused> {
        self.count_stale(self.write(move |w| async move { work::release(&w, id, epoch).await }).await)
    }

    async fn lose(&self, id: RequestId, epoch: Epoch, why: Failure) -> Result<(), WorkRefused> {
        self.count_stale(self.write(move |w| async move { work::lose(&w, id, epoch, &why).await }).await)
    }

    async fn rescue(&self, living: &LivingAttempts) -> Result<Rescued, StoreError> {
        let mut rescued = Rescued::default();
        loop {
            let of = living.clone();
            let expired = self.write(move |w| async move { work::expired(&w, &of).await }).await?;
            let all = expired.len() < work::RESCUED_AT_ONCE;
            // Each in a transaction of its own: the books of several accounts are not locked together.
            for id in expired {
                let of = living.clone();
                match self.write(move |w| async move { work::rescue(&w, id, &of).await }).await {
                    Ok(Some(Taken::Requeued)) => rescued.requeued += 1,
                    Ok(Some(Taken::Ended(_))) => rescued.failed += 1,
                    Ok(None) => {}
                    Err(WorkRefused::Store(error)) => return Err(error),
                    Err(other) => {
                        return Err(StoreError::Unreadable(format!("request {id} with a lease: {other}")));
                    }
                }
            }
            if all {
                return Ok(rescued);
            }
        }
    }

    async fn cancel(&self, id: RequestId) -> Result<(), WorkRefused> {
        self.write(move |w| async move { work::cancel(&w, id).await }).await
    }
}
