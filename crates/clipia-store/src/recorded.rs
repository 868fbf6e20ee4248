//! Whether the store has what it answered before its commit.

use crate::StoreError;
use tokio::sync::oneshot;

/// Whether the store has what it answered ahead of its commit. The commit follows within one flush of the disk, and can fail.
#[derive(Debug, Default)]
pub struct Recorded(Option<oneshot::Receiver<Result<(), StoreError>>>);

impl Recorded {
    /// The store has it already.
    pub fn already() -> Self {
        Self(None)
    }

    /// The receiver gets the result of the commit.
    pub fn soon(commit: oneshot::Receiver<Result<(), StoreError>>) -> Self {
        Self(Some(commit))
    }

    /// Waits for the commit.
    ///
    /// # Errors
    /// If the commit failed: the store has nothing of what it answered.
    pub async fn wait(self) -> Result<(), StoreError> {
        match self.0 {
            None => Ok(()),
            Some(commit) => commit.await.map_err(|_| StoreError::Closed)?,
        }
    }
}
