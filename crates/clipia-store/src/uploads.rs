//! Records of uploads.

use crate::{AccountId, StoreError};
use clipia_queue::uploads::{Refused, UploadId};

/// A new upload.
#[derive(Clone, Debug)]
pub struct NewUpload {
    /// Its id.
    pub id: UploadId,
    /// Whose it is.
    pub account: AccountId,
    /// The length of its file.
    pub bytes: u64,
}

/// Why an upload is not kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepRefused {
    /// It exceeds a bound.
    #[error(transparent)]
    Bound(#[from] Refused),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Uploads that were let go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UploadsGone {
    /// Which.
    pub gone: Vec<UploadId>,
    /// Where the next step begins; nothing where there are no more uploads.
    pub next: Option<UploadId>,
}
