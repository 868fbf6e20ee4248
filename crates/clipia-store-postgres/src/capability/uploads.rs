//! Uploads: files of callers, which the store counts and the server keeps.

use crate::{PostgresStore, uploads};
use async_trait::async_trait;
use clipia_queue::Moment;
use clipia_queue::uploads::{UploadId, Usage};
use clipia_store::{AccountId, KeepRefused, NewUpload, StoreError, Uploads, UploadsGone};

#[async_trait]
impl Uploads for PostgresStore {
    async fn upload_usage(&self, account: &AccountId) -> Result<Usage, StoreError> {
        uploads::usage(&self.connection().await?, account).await
    }

    async fn keep_upload(&self, upload: NewUpload) -> Result<Moment, KeepRefused> {
        self.write(move |w| async move { uploads::keep(&w, &upload).await }).await
    }

    async fn stored_uploads(&self, ids: Vec<UploadId>) -> Result<Vec<UploadId>, StoreError> {
        uploads::stored(&self.connection().await?, &ids).await
    }

    async fn let_go_uploads(&self, after: Option<UploadId>, limit: usize) -> Result<UploadsGone, StoreError> {
        self.write(move |w| async move { uploads::let_go(&w, after, limit).await }).await
    }
}
