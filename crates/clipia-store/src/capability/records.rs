//! Lists and histories for an operator.

use crate::{
    AccountId, AccountPage, AuditEntry, DeliveryDetails, DeliveryFilter, DeliveryListing, KeyPage, LogPage,
    Refusals, RequestFilter, RequestHistory, RequestOutput, RequestPage, StoreError,
};
use async_trait::async_trait;
use clipia_queue::RequestId;
use clipia_queue::lifecycle::Epoch;
use clipia_queue::logs::LogPosition;
use uuid::Uuid;

/// Lists and histories for an operator, of every account.
#[async_trait]
pub trait Records: Send + Sync {
    /// Accounts by their ids, which rise with time: `limit` at most, starting after the account `after`.
    async fn accounts(&self, after: Option<AccountId>, limit: usize) -> Result<AccountPage, StoreError>;
    /// Keys, revoked ones too, in the order of their making: `limit` at most, starting after the key of the public name
    /// `after`.
    async fn keys(&self, after: Option<String>, limit: usize) -> Result<KeyPage, StoreError>;

    /// Requests of any account, the newest first, `limit` at most and starting after the request `after`.
    async fn list_requests(
        &self,
        filter: RequestFilter,
        after: Option<RequestId>,
        limit: usize,
    ) -> Result<RequestPage, StoreError>;
    /// The phases and the outputs of those requests of `ids` that are stored. Every file that an output names must be kept.
    async fn outputs(&self, ids: Vec<RequestId>) -> Result<Vec<RequestOutput>, StoreError>;
    /// The beginnings of the prompts of those requests of `ids` that have one, up to [`PROMPT_SHOWN`](crate::PROMPT_SHOWN)
    /// characters.
    async fn prompts(&self, ids: Vec<RequestId>) -> Result<Vec<(RequestId, String)>, StoreError>;
    /// A request of any account and what happened to it.
    async fn request_history(&self, id: RequestId) -> Result<Option<RequestHistory>, StoreError>;
    /// What the attempts at a request of any account logged, `limit` lines at most: those after the position `after`, and only of
    /// `attempt` where one is named. Nothing where there is no such request.
    async fn logs(
        &self,
        id: RequestId,
        attempt: Option<Epoch>,
        after: LogPosition,
        limit: usize,
    ) -> Result<Option<LogPage>, StoreError>;

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
