//! Workers on other machines.

use crate::{PostgresStore, worker_sessions, workers};
use async_trait::async_trait;
use clipia_queue::RequestId;
use clipia_queue::lifecycle::Epoch;
use clipia_store::{
    Claim, HeldAttempt, KeyHash, NewWorker, RemoteWorker, SessionSeen, StoreError, WorkerListing,
    WorkerRefused, WorkerSession, Workers,
};

#[async_trait]
impl Workers for PostgresStore {
    async fn create_worker(&self, worker: NewWorker) -> Result<(), WorkerRefused> {
        self.write(move |w| async move { workers::create(&w, worker).await }).await
    }

    async fn worker(&self, token: &KeyHash) -> Result<Option<RemoteWorker>, StoreError> {
        workers::find(&self.connection().await?, token).await
    }

    async fn has_workers(&self) -> Result<bool, StoreError> {
        workers::any(&self.connection().await?).await
    }

    async fn workers(&self) -> Result<Vec<WorkerListing>, StoreError> {
        workers::list(&self.connection().await?).await
    }

    async fn set_quiet(&self, name: &str, quiet: bool) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.write(move |w| async move { workers::set_quiet(&w, &name, quiet).await }).await
    }

    async fn revoke_worker(&self, name: &str) -> Result<Option<u64>, StoreError> {
        let name = name.to_owned();
        self.write(move |w| async move { workers::revoke(&w, &name).await }).await
    }

    async fn session_seen(&self, seen: SessionSeen) -> Result<(), StoreError> {
        self.write(move |w| async move { worker_sessions::seen(&w, &seen).await }).await
    }

    async fn claims_of(&self, session: &WorkerSession) -> Result<Vec<Claim>, StoreError> {
        worker_sessions::claims(&self.connection().await?, session).await
    }

    async fn attempt_of_session(
        &self,
        id: RequestId,
        epoch: Epoch,
    ) -> Result<Option<HeldAttempt>, StoreError> {
        worker_sessions::attempt(&self.connection().await?, id, epoch).await
    }
}
