//! The upload sweeper removes uploads that have expired and that no request needs, and files of uploads that were never
//! answered.

use super::{DoneBy, RoundError, Service};
use crate::media::MediaStore;
use crate::store::{Store, UploadsGone};
use clipia_queue::uploads::UploadId;
use std::sync::Arc;
use std::time::Duration;

/// The pause between two rounds.
const INTERVAL: Duration = Duration::from_secs(10 * 60);

/// The most uploads of one step, and so of one commit.
const STEP: usize = 256;

/// The pause between two steps. A sweep can wait, and other users of the store cannot.
const STEP_PAUSE: Duration = Duration::from_millis(20);

pub(crate) struct UploadSweeper {
    store: Arc<dyn Store>,
    media: MediaStore,
}

impl UploadSweeper {
    pub(crate) fn new(store: Arc<dyn Store>, media: MediaStore) -> Self {
        Self { store, media }
    }

    /// Removes uploads that have expired.
    async fn remove_expired(&self) -> Result<u64, RoundError> {
        let (mut removed, mut after) = (0, None);
        loop {
            let UploadsGone { gone, next } = self.store.let_go_uploads(after, STEP).await?;
            removed += gone.len() as u64;
            self.remove(gone).await?;
            if next.is_none() {
                return Ok(removed);
            }
            after = next;
            tokio::time::sleep(STEP_PAUSE).await;
        }
    }

    /// Removes files that the store does not know: the process ended before it stored their upload, or after it had let go of it
    /// and before it removed the file. One that is younger than an upload gets may be about to be stored.
    async fn remove_unknown(&self) -> Result<u64, RoundError> {
        let found = self.media.old_uploads().await?;
        let mut removed = 0;
        for ids in found.chunks(STEP) {
            let stored = self.store.stored_uploads(ids.to_vec()).await?;
            let unknown: Vec<UploadId> = ids.iter().filter(|id| !stored.contains(id)).copied().collect();
            removed += unknown.len() as u64;
            self.remove(unknown).await?;
            tokio::time::sleep(STEP_PAUSE).await;
        }
        Ok(removed)
    }

    async fn remove(&self, ids: Vec<UploadId>) -> Result<(), RoundError> {
        if !ids.is_empty() {
            self.media.remove_uploads(ids).await?;
        }
        Ok(())
    }
}

impl Service for UploadSweeper {
    const NAME: &'static str = "upload_sweeper";
    const DONE_BY: DoneBy = DoneBy::OneNode;

    fn pause(&self) -> Duration {
        INTERVAL
    }

    async fn round(&self, _paused: Duration) -> Result<u64, RoundError> {
        let removed = self.remove_expired().await? + self.remove_unknown().await?;
        if removed > 0 {
            tracing::info!(removed, "removed uploads that had expired");
        }
        Ok(removed)
    }
}
