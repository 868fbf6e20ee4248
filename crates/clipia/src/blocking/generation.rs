//! A handle on a generation.

use super::download::Download;
use super::outcome::Outcome;
use super::runtime::Runtime;
use super::wait::Wait;
use crate::error::Error;
use crate::saved::SavedGeneration;
use crate::update::Update;
use clipia_api::types::{RequestId, ResultResponse, StatusResponse};
use std::fmt;
use std::iter::FusedIterator;
use std::path::Path;

/// A handle on one generation. As the async [`Generation`](crate::Generation).
#[derive(Clone)]
pub struct Generation {
    pub(super) runtime: Runtime,
    pub(super) generation: crate::Generation,
}

impl Generation {
    /// As the async [`id`](crate::Generation::id).
    pub fn id(&self) -> &RequestId {
        self.generation.id()
    }

    /// As the async [`saved`](crate::Generation::saved).
    pub fn saved(&self) -> SavedGeneration {
        self.generation.saved()
    }

    /// As the async [`status`](crate::Generation::status).
    ///
    /// # Errors
    /// The same.
    #[track_caller]
    pub fn status(&self) -> Result<StatusResponse, Error> {
        self.runtime.block_on(self.generation.status())
    }

    /// As the async [`result`](crate::Generation::result).
    ///
    /// # Errors
    /// The same.
    #[track_caller]
    pub fn result(&self) -> Result<ResultResponse, Error> {
        self.runtime.block_on(self.generation.result())
    }

    /// As the async [`outcome`](crate::Generation::outcome).
    ///
    /// # Errors
    /// The same.
    #[track_caller]
    pub fn outcome(&self) -> Result<Outcome, Error> {
        Ok(Outcome::new(self.runtime.block_on(self.generation.outcome())?, self.runtime.clone()))
    }

    /// As the async [`wait`](crate::Generation::wait).
    pub fn wait(&self) -> Wait {
        Wait::new(&self.runtime, self.generation.wait())
    }

    /// As the async [`updates`](crate::Generation::updates), an iterator.
    pub fn updates(&self) -> Updates {
        Updates { runtime: self.runtime.clone(), updates: self.generation.updates() }
    }

    /// As the async [`download`](crate::Generation::download).
    pub fn download(&self, dir: impl AsRef<Path>) -> Download {
        Download::new(&self.runtime, self.generation.download(dir))
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.generation.fmt(f)
    }
}

/// The changes of one generation, in order. The thread sleeps between them. Made by [`Generation::updates`]. As
/// the async [`Updates`](crate::Updates).
#[must_use = "nothing is polled until it is read"]
pub struct Updates {
    runtime: Runtime,
    updates: crate::Updates,
}

impl Iterator for Updates {
    type Item = Result<Update, Error>;

    #[track_caller]
    fn next(&mut self) -> Option<Self::Item> {
        self.runtime.block_on(self.updates.next())
    }
}

impl FusedIterator for Updates {}

impl fmt::Debug for Updates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.updates.fmt(f)
    }
}
