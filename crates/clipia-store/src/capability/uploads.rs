//! Uploads: files of callers, which the store counts and the server keeps.

use crate::{AccountId, KeepRefused, NewUpload, StoreError, UploadsGone};
use async_trait::async_trait;
use clipia_queue::Moment;
use clipia_queue::uploads::{UploadId, Usage};

/// Uploads: files of callers, which the store counts and the server keeps. A [submit](crate::Queue::submit) names those that its
/// request needs, and they stay until it has ended.
#[async_trait]
pub trait Uploads: Send + Sync {
    /// What an account keeps now.
    async fn upload_usage(&self, account: &AccountId) -> Result<Usage, StoreError>;
    /// Keeps an upload whose file is on the disk. Returns until when new requests may name it.
    async fn keep_upload(&self, upload: NewUpload) -> Result<Moment, KeepRefused>;
    /// Those of `ids` that are stored. Their files must be kept.
    async fn stored_uploads(&self, ids: Vec<UploadId>) -> Result<Vec<UploadId>, StoreError>;
    /// Lets go of uploads that have expired and that no request needs, among the first `limit` after `after`. The caller removes
    /// their files.
    async fn let_go_uploads(&self, after: Option<UploadId>, limit: usize) -> Result<UploadsGone, StoreError>;
}
