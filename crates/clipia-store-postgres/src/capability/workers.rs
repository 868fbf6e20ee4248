//! Workers on other machines, in PostgreSQL.

use crate::PostgresStore;
use async_trait::async_trait;
use clipia_queue::RequestId;
use clipia_queue::lifecycle::Epoch;
use clipia_store::{
    Claim, HeldAttempt, KeyHash, NewWorker, RemoteWorker, SessionSeen, StoreError, WorkerListing,
    WorkerRefused, WorkerSession, Workers,
};

#[async_trait]
impl Workers for PostgresStore {
    async fn create_worker(&self, _worker: NewWorker) -> Result<(), WorkerRefused> {
        Err(StoreError::Closed.into())
    }

    async fn worker(&self, _token: &KeyHash) -> Result<Option<RemoteWorker>, StoreError> {
        Ok(None)
    }

    async fn has_workers(&self) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn workers(&self) -> Result<Vec<WorkerListing>, StoreError> {
        Ok(Vec::new())
    }

    async fn set_quiet(&self, _name: &str, _quiet: bool) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn revoke_worker(&self, _name: &str) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }

    async fn session_seen(&self, _seen: SessionSeen) -> Result<(), StoreError> {
        Ok(())
    }

    async fn claims_of(&self, _session: &WorkerSession) -> Result<Vec<Claim>, StoreError> {
        Ok(Vec::new())
    }

    async fn attempt_of_session(
        &self,
        _id: RequestId,
        _epoch: Epoch,
    ) -> Result<Option<HeldAttempt>, StoreError> {
        Ok(None)
    }
}
