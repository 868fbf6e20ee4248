//! The search for requests by their text.

use crate::SqliteStore;
use crate::overview::search;
use async_trait::async_trait;
use clipia_queue::RequestId;
use clipia_store::texts::Asked;
use clipia_store::{RequestFilter, RequestPage, Search, StoreError, blocking};
use std::sync::Arc;

#[async_trait]
impl Search for SqliteStore {
    async fn search(
        &self,
        words: &str,
        filter: RequestFilter,
        after: Option<RequestId>,
        limit: usize,
    ) -> Result<RequestPage, StoreError> {
        let Some(asked) = Asked::of(words) else { return Ok(RequestPage::default()) };
        let search = search::Search { asked, filter, after, limit };
        let (overview, memory) = (Arc::clone(&self.overview), Arc::clone(&self.memory));
        self.read(move |c| overview.search(c, &memory.positions, &search)).await
    }

    async fn index_texts(&self) -> Result<bool, StoreError> {
        let (overview, memory) = (Arc::clone(&self.overview), Arc::clone(&self.memory));
        self.read(move |c| overview.index(c, &memory.noted)).await
    }
}

impl SqliteStore {
    /// Removes the texts of requests that were let go. Where that fails now, the next step of the index does it: the requests
    /// themselves are gone, and the caller cannot ask again.
    pub(crate) async fn forget_texts(&self, gone: &[RequestId]) {
        if gone.is_empty() {
            return;
        }
        let (overview, ids) = (Arc::clone(&self.overview), gone.to_vec());
        let forgotten =
            blocking::run(move || overview.forget(&ids)).await.unwrap_or_else(|lost| Err(lost.into()));
        if let Err(error) = forgotten {
            tracing::warn!(%error, "texts of requests that were let go are not removed yet");
            self.memory.noted.note(gone);
        }
    }
}
