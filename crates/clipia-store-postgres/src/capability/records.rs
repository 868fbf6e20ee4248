//! Lists and histories for an operator.

use crate::{PostgresStore, account_listing, audit, delivery_log, keys, listing, logs, outputs};
use async_trait::async_trait;
use clipia_queue::RequestId;
use clipia_queue::lifecycle::Epoch;
use clipia_queue::logs::LogPosition;
use clipia_store::{
    AccountId, AccountPage, AuditEntry, DeliveryDetails, DeliveryFilter, DeliveryListing, KeyPage, LogPage,
    Records, Refusals, RequestFilter, RequestHistory, RequestOutput, RequestPage, StoreError,
};
use uuid::Uuid;

#[async_trait]
impl Records for PostgresStore {
    async fn accounts(&self, after: Option<AccountId>, limit: usize) -> Result<AccountPage, StoreError> {
        account_listing::list(&self.connection().await?, after, limit).await
    }

    async fn keys(&self, after: Option<String>, limit: usize) -> Result<KeyPage, StoreError> {
        keys::list(&self.connection().await?, after, limit).await
    }

    async fn list_requests(
        &self,
        filter: RequestFilter,
        after: Option<RequestId>,
        limit: usize,
    ) -> Result<RequestPage, StoreError> {
        listing::list(&self.database, &filter, after, limit).await
    }

    async fn outputs(&self, ids: Vec<RequestId>) -> Result<Vec<RequestOutput>, StoreError> {
        outputs::of(&self.connection().await?, ids).await
    }

    async fn prompts(&self, ids: Vec<RequestId>) -> Result<Vec<(RequestId, String)>, StoreError> {
        outputs::prompts(&self.connection().await?, ids).await
    }

    async fn request_history(&self, id: RequestId) -> Result<Option<RequestHistory>, StoreError> {
        listing::history(&self.database, id).await
    }

    async fn logs(
        &self,
        id: RequestId,
        attempt: Option<Epoch>,
        after: LogPosition,
        limit: usize,
    ) -> Result<Option<LogPage>, StoreError> {
        logs::page(&self.connection().await?, id, attempt, after, limit).await
    }

    async fn list_deliveries(
        &self,
        filter: DeliveryFilter,
        before: Option<Uuid>,
        most: u32,
    ) -> Result<Vec<DeliveryListing>, StoreError> {
        delivery_log::list(&self.connection().await?, &filter, before, most).await
    }

    async fn delivery(&self, id: Uuid) -> Result<Option<DeliveryDetails>, StoreError> {
        delivery_log::details(&self.connection().await?, id).await
    }

    async fn audit(&self, before: Option<i64>, most: u32) -> Result<Vec<AuditEntry>, StoreError> {
        audit::list(&self.connection().await?, before, most).await
    }

    async fn record_refusals(&self, refused: Refusals) -> Result<(), StoreError> {
        self.write(move |w| async move { audit::record_refusals(&w, refused).await }).await
    }
}
