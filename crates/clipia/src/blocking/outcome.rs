//! The end of a generation.

use super::download::Download;
use super::media_file::MediaFile;
use super::runtime::Runtime;
use crate::error::Error;
use crate::failed::{Canceled, Failed};
use clipia_api::types::{RequestId, ResultResponse};
use std::fmt;
use std::ops::Deref;
use std::path::Path;

/// The end of a generation. As the async [`Outcome`](crate::Outcome).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// It has an output.
    Completed(Completed),
    /// It has no output. Its credits were returned.
    Failed(Failed),
    /// An operator ended it. Its credits were returned.
    Canceled(Canceled),
}

impl Outcome {
    pub(super) fn new(outcome: crate::Outcome, runtime: Runtime) -> Self {
        match outcome {
            crate::Outcome::Completed(completed) => Self::Completed(Completed { runtime, completed }),
            crate::Outcome::Failed(failed) => Self::Failed(failed),
            crate::Outcome::Canceled(canceled) => Self::Canceled(canceled),
        }
    }

    /// The completed generation, for a caller that accepts nothing else.
    ///
    /// # Errors
    /// [`Error::Failed`] and [`Error::Canceled`].
    pub fn completed(self) -> Result<Completed, Error> {
        match self {
            Self::Completed(completed) => Ok(completed),
            Self::Failed(failed) => Err(Error::Failed(Box::new(failed))),
            Self::Canceled(canceled) => Err(Error::Canceled(Box::new(canceled))),
        }
    }

    /// The API's response.
    pub fn response(&self) -> &ResultResponse {
        match self {
            Self::Completed(completed) => completed.response(),
            Self::Failed(failed) => failed.response(),
            Self::Canceled(canceled) => canceled.response(),
        }
    }

    /// The id of the generation.
    pub fn request_id(&self) -> &RequestId {
        &self.response().request_id
    }
}

/// A generation with an output. It has every getter of the async [`Completed`](crate::Completed).
#[derive(Clone)]
pub struct Completed {
    runtime: Runtime,
    completed: crate::Completed,
}

impl Completed {
    /// As the async [`download`](crate::Completed::download).
    pub fn download(&self, dir: impl AsRef<Path>) -> Download {
        Download::new(&self.runtime, self.completed.download(dir))
    }

    /// As the async [`files`](crate::Completed::files).
    pub fn files(&self) -> Vec<MediaFile> {
        self.media_files(self.completed.files())
    }

    /// As the async [`renditions`](crate::Completed::renditions).
    pub fn renditions(&self) -> Vec<MediaFile> {
        self.media_files(self.completed.renditions())
    }

    fn media_files(&self, files: Vec<crate::MediaFile>) -> Vec<MediaFile> {
        let runtime = &self.runtime;
        files.into_iter().map(|file| MediaFile { runtime: runtime.clone(), file }).collect()
    }
}

impl Deref for Completed {
    type Target = crate::Completed;

    fn deref(&self) -> &crate::Completed {
        &self.completed
    }
}

impl fmt::Debug for Completed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.completed.fmt(f)
    }
}
