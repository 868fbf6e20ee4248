//! The search for requests by their text.

use crate::{RequestFilter, RequestPage, StoreError};
use async_trait::async_trait;
use clipia_queue::RequestId;

/// The search for requests by their text.
///
/// The text of a request is the words of its input, and those of its error message once it has failed. The index has it a little
/// later than the request: no submit waits for it. It goes with the input, in the same round of retention.
#[async_trait]
pub trait Search: Send + Sync {
    /// Requests of any account whose text has every word of `words`, the newest first, `limit` at most and starting after the request
    /// `after`. The last word may be the beginning of one. Case and accents do not matter. Where `words` has no word, nothing is found.
    async fn search(
        &self,
        words: &str,
        filter: RequestFilter,
        after: Option<RequestId>,
        limit: usize,
    ) -> Result<RequestPage, StoreError>;
    /// Takes texts into the index that it does not have yet, a bounded number. Returns whether there may be more.
    async fn index_texts(&self) -> Result<bool, StoreError>;
}
