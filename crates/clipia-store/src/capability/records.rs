//! Lists and histories for an operator.

use crate::{
    AccountListing, AuditEntry, DeliveryDetails, DeliveryFilter, DeliveryListing, KeyListing, Refusals,
    RequestFilter, RequestHistory, RequestOutput, RequestPage, StoreError,
};
use async_trait::async_trait;
use clipia_queue::RequestId;
use uuid::Uuid;

/// Lists and histories for an operator, of every account.
#[async_trait]
pub trait Records: Send + Sync {
    /// Every account, the oldest first.
    async fn accounts(&self) -> Result<Vec<AccountListing>, StoreError>;
    /// Every key, revoked ones too, in the order of their making.
    async fn keys(&self) -> Result<Vec<KeyListing>, StoreError>;

    /// Requests of any account, the newest first, `limit` at most and starting after the request `after`.
    async fn list_requests(
        &self,
        filter: RequestFilter,
        after: Option<RequestId>,
        limit: usize,
    ) -> Result<RequestPage, StoreError>;
    /// Where requests stand and what they made, of those of `ids` that there are: whatever an output names must be kept.
    async fn outputs(&self, ids: Vec<RequestId>) -> Result<Vec<RequestOutput>, StoreError>;
    /// A request of any account and what happened to it.
    async fn request_history(&self, id: RequestId) -> Result<Option<RequestHistory>, StoreError>;

    /// Deliveries, the newest first: those older than `before`, at most `most` and
    /// [`DELIVERIES_MAX`](crate::DELIVERIES_MAX).
    async fn list_deliveries(
        &self,
        filter: DeliveryFilter,
        before: Option<Uuid>,
        most: u32,
    ) -> Result<Vec<DeliveryListing>, StoreError>;
    /// A delivery and its attempts.
    async fn delivery(&self, id: Uuid) -> Result<Option<DeliveryDetails>, StoreError>;

    /// What operators did and how often tokens were refused, the newest first: entries before the number `before`, at most
    /// `most`. Each act is noted in the transaction that does it.
    async fn audit(&self, before: Option<i64>, most: u32) -> Result<Vec<AuditEntry>, StoreError>;
    /// Notes how often tokens were refused lately.
    async fn record_refusals(&self, refused: Refusals) -> Result<(), StoreError>;
}
