//! Inputs that are files.

use crate::executor::JobError;
use crate::job::Job;
use async_trait::async_trait;
use std::path::Path;

/// Fetches the inputs that are files: pictures, clips and sounds that a parameter names by URL.
#[async_trait]
pub trait Inputs: Send + Sync {
    /// Whether `url` names a file on another host. If not, no other host can delay it: it is a `data:` URL, an upload, or media
    /// of this server.
    fn is_elsewhere(&self, job: &Job, url: &str) -> bool;

    /// Writes what `url` names to the new file `to`, piece by piece, and at most `bytes_max` bytes. `parameter` is its name in the
    /// input, for messages. Returns the media type that its host or its first bytes tell.
    ///
    /// # Errors
    /// [`JobError::Failed`] tells the caller what is wrong with the URL. [`JobError::Unavailable`] if this machine has no open
    /// file, memory or room left.
    async fn fetch(
        &self,
        job: &Job,
        parameter: &str,
        url: &str,
        to: &Path,
        bytes_max: u64,
    ) -> Result<Option<String>, JobError>;
}
