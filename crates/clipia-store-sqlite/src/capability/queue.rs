//! Requests from their submit to their end.

use crate::cache::CachedStatus;
use crate::work::Leases;
use crate::writing::Writing;
use crate::{SqliteStore, logs, pausing, requests, set_aside, work};
use async_trait::async_trait;
use clipia_api::types::Output;
use clipia_queue::RequestId;
use clipia_queue::lifecycle::Epoch;
use clipia_queue::logs::LogLines;
use clipia_queue::position::Order;
use clipia_store::living::LivingAttempts;
use clipia_store::{
    AccountId, Beat, ClaimPast, Failure, Holder, Queue, Recorded, Request, RequestStatus, Rescued,
    StoreError, StoreEvent, Submission, SubmitRefused, Submitted, WorkRefused, blocking,
};
use std::sync::Arc;

#[async_trait]
impl Queue for SqliteStore {
    async fn submit(&self, submission: Submission) -> Result<Submitted, SubmitRefused> {
        let now = self.clock.now();
        let prepared = match requests::is_large(&submission) {
            true => blocking::compute(|| requests::prepare(submission)).await.map_err(StoreError::from)??,
            false => requests::prepare(submission)?,
        };
        let bytes = prepared.bytes();
        let submit = move |w: &Writing<'_>| {
            let accepted = requests::submit(w, prepared, now)?;
            accepted.place.iter().for_each(|at| w.work_submitted(&at.queue));
            Ok::<_, SubmitRefused>(accepted)
        };
        let accepted = self.writer.write_decided(bytes, submit).await?;
        Ok(self.submitted(accepted))
    }

    async fn request(&self, account: &AccountId, id: RequestId) -> Result<Option<Request>, StoreError> {
        self.read_pool.read(|c| requests::read(c, &self.memory.positions, account, id))
    }

    async fn status(&self, account: &AccountId, id: RequestId) -> Result<Option<RequestStatus>, StoreError> {
        let stood = match self.memory.statuses.find(&id) {
            Ok(stood) => stood,
            Err(as_of) => {
                let Some(stood) = self.read_pool.read(|c| requests::cached_status(c, id))?.map(Arc::new)
                else {
                    return Ok(None);
                };
                self.memory.statuses.insert(id, Arc::clone(&stood), as_of);
                stood
            }
        };
        let CachedStatus { sandbox, phase, progress, at, .. } = &*stood;
        if stood.account != *account {
            return Ok(None);
        }
        let position = at.as_ref().map_or(0, |at| self.memory.positions.ahead(at));
        let logs = match stood.logs_of {
            Some(epoch) => self.read_pool.read(|c| logs::shown(c, id, epoch))?,
            None => Vec::new(),
        };
        Ok(Some(RequestStatus { id, sandbox: *sandbox, phase: *phase, position, progress: *progress, logs }))
    }

    async fn claim_past(
        &self,
        queue: &str,
        holder: Holder,
        limit: usize,
        full: Vec<AccountId>,
    ) -> Result<ClaimPast, StoreError> {
        let (past, recorded) = self.claim_ahead(queue, holder, limit, full).await?;
        recorded.wait().await?;
        Ok(past)
    }

    async fn claim_ahead(
        &self,
        queue: &str,
        holder: Holder,
        limit: usize,
        full: Vec<AccountId>,
    ) -> Result<(ClaimPast, Recorded), StoreError> {
        let now = self.clock.now();
        let queue = queue.to_owned();
        let claim = move |w: &Writing<'_>| work::claim(w, &queue, &holder, limit, &full, now);
        let (past, commit) = self.writer.write_ahead(claim).await?;
        Ok((past, Recorded::soon(commit)))
    }

    async fn put_back(&self, queue: &str, account: &AccountId, most: u32) -> Result<u32, StoreError> {
        let (queue, account) = (queue.to_owned(), account.clone());
        self.writer.write(move |w| set_aside::put_back(w, &queue, &account, most)).await
    }

    async fn set_order(&self, queue: &str, order: Order) -> Result<(), StoreError> {
        let queue = queue.to_owned();
        let set = move |w: &Writing<'_>| {
            w.set_order(&queue, order);
            Ok(())
        };
        self.writer.write(set).await
    }

    async fn pause_queue(&self, queue: &str) -> Result<bool, StoreError> {
        let (queue, now) = (queue.to_owned(), self.clock.now());
        self.writer.write(move |w| pausing::pause(w, &queue, now)).await
    }

    async fn resume_queue(&self, queue: &str) -> Result<bool, StoreError> {
        let (queue, now) = (queue.to_owned(), self.clock.now());
        self.writer.write(move |w| pausing::resume(w, &queue, now)).await
    }

    async fn paused_queues(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.memory.positions.paused())
    }

    async fn hold(&self, id: RequestId, epoch: Epoch) -> Result<(), WorkRefused> {
        let now = self.clock.now();
        self.count_stale(self.writer.write(move |w| work::hold(w, id, epoch, now)).await)
    }

    async fn beat_many(&self, beats: Vec<Beat>) -> Result<Vec<Result<(), WorkRefused>>, StoreError> {
        let now = self.clock.now();
        let answers = self.writer.write(move |w| work::beat_many(w, beats, now)).await?;
        Ok(answers.into_iter().map(|answer| self.count_stale(answer)).collect())
    }

    async fn log(&self, id: RequestId, epoch: Epoch, logs: LogLines) -> Result<(), WorkRefused> {
        let now = self.clock.now();
        self.count_stale(self.writer.write(move |w| work::log(w, id, epoch, logs, now)).await)
    }

    async fn complete(&self, id: RequestId, epoch: Epoch, output: Output) -> Result<(), WorkRefused> {
        let now = self.clock.now();
        self.count_stale(self.writer.write(move |w| work::complete(w, id, epoch, &output, now)).await)
    }

    async fn fail(&self, id: RequestId, epoch: Epoch, why: Failure) -> Result<(), WorkRefused> {
        let now = self.clock.now();
        self.count_stale(self.writer.write(move |w| work::fail(w, id, epoch, &why, now)).await)
    }

    async fn release(&self, id: RequestId, epoch: Epoch) -> Result<(), WorkRefused> {
        let now = self.clock.now();
        self.count_stale(self.writer.write(move |w| work::release(w, id, epoch, now)).await)
    }

    async fn lose(&self, id: RequestId, epoch: Epoch, why: Failure) -> Result<(), WorkRefused> {
        let now = self.clock.now();
        self.count_stale(self.writer.write(move |w| work::lose(w, id, epoch, &why, now)).await)
    }

    async fn rescue(&self, living: &LivingAttempts) -> Result<Rescued, StoreError> {
        let now = self.clock.now();
        let mut rescued = Rescued::default();
        loop {
            let living = living.clone();
            let some = self.writer.write(move |w| work::rescue(w, Leases::Expired(&living), now)).await?;
            rescued.requeued += some.requeued;
            rescued.failed += some.failed;
            if some.requeued + some.failed < work::RESCUED_AT_ONCE as u64 {
                return Ok(rescued);
            }
        }
    }

    async fn cancel(&self, id: RequestId) -> Result<(), WorkRefused> {
        let now = self.clock.now();
        let cancel = move |w: &Writing<'_>| {
            work::cancel(w, id, now)?;
            w.send(StoreEvent::RequestCanceled { id });
            Ok::<_, WorkRefused>(())
        };
        self.writer.write(cancel).await
    }
}
