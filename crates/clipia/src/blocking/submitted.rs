//! An accepted generation.

use super::generation::Generation;
use super::runtime::Runtime;
use clipia_api::Credits;
use clipia_api::types::{InputWarning, SubmitResponse};
use std::ops::Deref;

/// An accepted generation: its handle, and the API's response. As the async
/// [`Submitted`](crate::Submitted).
#[derive(Clone, Debug)]
pub struct Submitted {
    generation: Generation,
    submitted: crate::Submitted,
}

impl Submitted {
    pub(super) fn new(submitted: crate::Submitted, runtime: Runtime) -> Self {
        let generation = Generation { runtime, generation: crate::Generation::clone(&submitted) };
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

    /// The handle alone.
    pub fn into_generation(self) -> Generation {
        self.generation
    }
}

impl Deref for Submitted {
    type Target = Generation;

    fn deref(&self) -> &Generation {
        &self.generation
    }
}
