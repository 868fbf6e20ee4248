//! An accepted generation.

use super::download::Download;
use super::generation::{Generation, Updates};
use super::runtime::Runtime;
use super::wait::Wait;
use crate::error::Error;
use crate::saved::SavedGeneration;
use clipia_api::Credits;
use clipia_api::types::{InputWarning, RequestId, ResultResponse, StatusResponse, SubmitResponse};
use std::path::Path;

/// An accepted generation: its handle, and the API's response. As the async
/// [`Submitted`](crate::Submitted).
#[derive(Clone, Debug)]
pub struct Submitted {
    generation: Generation,
    submitted: crate::Submitted,
}

impl Submitted {
    pub(super) fn new(submitted: crate::Submitted, runtime: Runtime) -> Self {
        let generation = Generation { runtime, generation: submitted.generation().clone() };
        Self { generation, submitted }
    }

    /// As the async [`response`](crate::Submitted::response).
    pub fn response(&self) -> &SubmitResponse {
        self.submitted.response()
    }

    /// As the async [`cost`](crate::Submitted::cost).
    pub fn cost(&self) -> Option<Credits> {
        self.submitted.cost()
    }

    /// As the async [`warnings`](crate::Submitted::warnings).
    pub fn warnings(&self) -> &[InputWarning] {
        self.submitted.warnings()
    }

    /// The handle on the generation.
    pub fn generation(&self) -> &Generation {
        &self.generation
    }

    /// As [`Generation::id`].
    pub fn id(&self) -> &RequestId {
        self.generation.id()
    }

    /// As [`Generation::saved`].
    pub fn saved(&self) -> SavedGeneration {
        self.generation.saved()
    }

    /// As [`Generation::status`].
    ///
    /// # Errors
    /// The same.
    #[track_caller]
    pub fn status(&self) -> Result<StatusResponse, Error> {
        self.generation.status()
    }

    /// As [`Generation::result`].
    ///
    /// # Errors
    /// The same.
    #[track_caller]
    pub fn result(&self) -> Result<ResultResponse, Error> {
        self.generation.result()
    }

    /// As [`Generation::download`].
    pub fn download(&self, dir: impl AsRef<Path>) -> Download {
        self.generation.download(dir)
    }

    /// As [`Generation::wait`].
    pub fn wait(&self) -> Wait {
        self.generation.wait()
    }

    /// As [`Generation::updates`].
    pub fn updates(&self) -> Updates {
        self.generation.updates()
    }

    /// The handle alone.
    pub fn into_generation(self) -> Generation {
        self.generation
    }
}
