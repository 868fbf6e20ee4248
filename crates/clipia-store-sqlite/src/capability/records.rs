//! Lists and histories for an operator.

use crate::{SqliteStore, account_listing, accounts, audit, delivery_log, listing, logs, outputs};
use async_trait::async_trait;
use clipia_queue::RequestId;
use clipia_queue::lifecycle::Epoch;
use clipia_queue::logs::LogPosition;
use clipia_store::{
    AccountId, AccountPage, AuditEntry, DeliveryDetails, DeliveryFilter, DeliveryListing, KeyPage, LogPage,
    Records, Refusals, RequestFilter, RequestHistory, RequestOutput, RequestPage, StoreError,
};
use std::sync::Arc;
use uuid::Uuid;

#[async_trait]
impl Records for SqliteStore {
    async fn accounts(&self, after: Option<AccountId>, limit: usize) -> Result<AccountPage, StoreError> {
        self.read(move |c| account_listing::list(c, after, limit)).await
    }

    async fn keys(&self, after: Option<String>, limit: usize) -> Result<KeyPage, StoreError> {
        self.read(move |c| accounts::keys(c, after, limit)).await
    }

    async fn list_requests(
        &self,
        filter: RequestFilter,
        after: Option<RequestId>,
        limit: usize,
    ) -> Result<RequestPage, StoreError> {
        let memory = Arc::clone(&self.memory);
        self.read(move |c| listing::list(c, &memory.positions, &filter, after, limit)).await
    }

    async fn outputs(&self, ids: Vec<RequestId>) -> Result<Vec<RequestOutput>, StoreError> {
        self.read(move |c| outputs::of(c, ids)).await
    }

    async fn prompts(&self, ids: Vec<RequestId>) -> Result<Vec<(RequestId, String)>, StoreError> {
        self.read(move |c| outputs::prompts(c, ids)).await
    }

    async fn request_history(&self, id: RequestId) -> Result<Option<RequestHistory>, StoreError> {
        let memory = Arc::clone(&self.memory);
        self.read(move |c| listing::history(c, &memory.positions, id)).await
    }

    async fn logs(
        &self,
        id: RequestId,
        attempt: Option<Epoch>,
        after: LogPosition,
        limit: usize,
    ) -> Result<Option<LogPage>, StoreError> {
        self.read(move |c| logs::page(c, id, attempt, after, limit)).await
    }

    async fn list_deliveries(
        &self,
        filter: DeliveryFilter,
        before: Option<Uuid>,
        most: u32,
    ) -> Result<Vec<DeliveryListing>, StoreError> {
        self.read(move |c| delivery_log::list(c, &filter, before, most)).await
    }

    async fn delivery(&self, id: Uuid) -> Result<Option<DeliveryDetails>, StoreError> {
        self.read(move |c| delivery_log::details(c, id)).await
    }

    async fn audit(&self, before: Option<i64>, most: u32) -> Result<Vec<AuditEntry>, StoreError> {
        self.read(move |c| audit::list(c, before, most)).await
    }

    async fn record_refusals(&self, refused: Refusals) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.writer.write(move |c| audit::record_refusals(c, refused, now)).await
    }
}
