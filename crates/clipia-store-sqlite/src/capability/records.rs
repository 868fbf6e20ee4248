//! Lists and histories for an operator.

use crate::{SqliteStore, account_listing, accounts, audit, delivery_log, listing, outputs};
use async_trait::async_trait;
use clipia_queue::RequestId;
use clipia_store::{
    AccountListing, AuditEntry, DeliveryDetails, DeliveryFilter, DeliveryListing, KeyListing, Records,
    Refusals, RequestFilter, RequestHistory, RequestOutput, RequestPage, StoreError,
};
use std::sync::Arc;
use uuid::Uuid;

#[async_trait]
impl Records for SqliteStore {
    async fn accounts(&self) -> Result<Vec<AccountListing>, StoreError> {
        self.read(account_listing::list).await
    }

    async fn keys(&self) -> Result<Vec<KeyListing>, StoreError> {
        self.read(accounts::keys).await
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

    async fn request_history(&self, id: RequestId) -> Result<Option<RequestHistory>, StoreError> {
        let memory = Arc::clone(&self.memory);
        self.read(move |c| listing::history(c, &memory.positions, id)).await
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
