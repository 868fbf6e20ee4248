//! Workers on other machines.

use crate::{SqliteStore, worker_sessions, workers};
use async_trait::async_trait;
use clipia_queue::RequestId;
use clipia_queue::lifecycle::Epoch;
use clipia_store::{
    Claim, HeldAttempt, KeyHash, NewWorker, RemoteWorker, SessionSeen, StoreError, WorkerListing,
    WorkerRefused, WorkerSession, Workers,
};

#[async_trait]
impl Workers for SqliteStore {
    async fn create_worker(&self, worker: NewWorker) -> Result<(), WorkerRefused> {
        let now = self.clock.now();
        self.writer.write(move |w| workers::create(w, worker, now)).await
    }

    async fn worker(&self, token: &KeyHash) -> Result<Option<RemoteWorker>, StoreError> {
        Ok(self.memory.workers.find(token))
    }

    async fn has_workers(&self) -> Result<bool, StoreError> {
        Ok(self.memory.workers.any())
    }

    async fn workers(&self) -> Result<Vec<WorkerListing>, StoreError> {
        self.read(workers::list).await
    }

    async fn set_quiet(&self, name: &str, quiet: bool) -> Result<bool, StoreError> {
        let (name, now) = (name.to_owned(), self.clock.now());
        self.writer.write(move |w| workers::set_quiet(w, &name, quiet, now)).await
    }

    async fn revoke_worker(&self, name: &str) -> Result<Option<u64>, StoreError> {
        let (name, now) = (name.to_owned(), self.clock.now());
        self.writer.write(move |w| workers::revoke(w, &name, now)).await
    }

    async fn session_seen(&self, seen: SessionSeen) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.writer.write(move |w| worker_sessions::seen(w, &seen, now)).await
    }

    async fn claims_of(&self, session: &WorkerSession) -> Result<Vec<Claim>, StoreError> {
        let session = session.clone();
        self.read(move |c| worker_sessions::claims(c, &session)).await
    }

    async fn attempt_of_session(
        &self,
        id: RequestId,
        epoch: Epoch,
    ) -> Result<Option<HeldAttempt>, StoreError> {
        self.read(move |c| worker_sessions::attempt(c, id, epoch)).await
    }
}
