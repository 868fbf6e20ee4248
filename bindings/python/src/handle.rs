//! A handle on a generation, of a client in this process or out of a pickle.

use crate::exceptions::raise;
use crate::{document, environment};
use clipia::{Generation, RequestId, SavedGeneration};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// What every class that goes on with a generation has inside.
#[derive(Clone)]
pub(crate) enum Handle {
    /// Its client is known.
    Live(Generation),
    /// It came out of a pickle; its client is looked for when it is first needed.
    Pickled { saved: SavedGeneration, base_url: String },
}

impl Handle {
    pub(crate) fn id(&self) -> &RequestId {
        match self {
            Self::Live(generation) => generation.id(),
            Self::Pickled { saved, .. } => &saved.request_id,
        }
    }

    /// To go on with.
    pub(crate) fn generation(&self, py: Python<'_>) -> PyResult<Generation> {
        match self {
            Self::Live(generation) => generation.in_this_process().map_err(|error| raise(py, error)),
            Self::Pickled { saved, base_url } => Ok(environment::client(py, base_url)?.resume(saved.clone())),
        }
    }

    /// What a pickle holds of it: all but the key.
    pub(crate) fn pickle<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let (saved, base_url) = match self {
            Self::Live(generation) => (generation.saved(), generation.client().base_url()),
            Self::Pickled { saved, base_url } => (saved.clone(), base_url.as_str()),
        };
        (pythonize::pythonize(py, &saved)?, base_url).into_pyobject(py)
    }

    /// The same from there.
    pub(crate) fn unpickle(saved: &Bound<'_, PyAny>, base_url: String) -> PyResult<Self> {
        Ok(Self::Pickled { saved: document::read(saved, "Generation")?, base_url })
    }
}
