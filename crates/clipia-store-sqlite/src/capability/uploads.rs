//! Uploads: files of callers, which the store counts and the server keeps.

use crate::{SqliteStore, uploads};
use async_trait::async_trait;
use clipia_queue::Moment;
use clipia_queue::uploads::{UploadId, Usage};
use clipia_store::{AccountId, KeepRefused, NewUpload, StoreError, Uploads, UploadsGone};

#[async_trait]
impl Uploads for SqliteStore {
    async fn upload_usage(&self, account: &AccountId) -> Result<Usage, StoreError> {
        let account = account.clone();
        self.read(move |c| uploads::usage(c, &account)).await
    }

    async fn keep_upload(&self, upload: NewUpload) -> Result<Moment, KeepRefused> {
        let now = self.clock.now();
        self.writer.write(move |c| uploads::keep(c, &upload, now)).await
    }

    async fn stored_uploads(&self, ids: Vec<UploadId>) -> Result<Vec<UploadId>, StoreError> {
        self.read(move |c| uploads::stored(c, &ids)).await
    }

    async fn let_go_uploads(&self, after: Option<UploadId>, limit: usize) -> Result<UploadsGone, StoreError> {
        let now = self.clock.now();
        self.writer.write(move |c| uploads::let_go(c, after, limit, now)).await
    }
}
