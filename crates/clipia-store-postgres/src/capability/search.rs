//! The search for requests by their text.

use crate::{PostgresStore, texts};
use async_trait::async_trait;
use clipia_queue::RequestId;
use clipia_store::texts::Asked;
use clipia_store::{RequestFilter, RequestPage, Search, StoreError};

#[async_trait]
impl Search for PostgresStore {
    async fn search(
        &self,
        words: &str,
        filter: RequestFilter,
        after: Option<RequestId>,
        limit: usize,
    ) -> Result<RequestPage, StoreError> {
        match Asked::of(words) {
            Some(asked) => texts::search(&self.database, &asked, &filter, after, limit).await,
            None => Ok(RequestPage::default()),
        }
    }

    async fn index_texts(&self) -> Result<bool, StoreError> {
        self.write(|w| async move { texts::index(&w).await }).await
    }
}
