//! Handles on generations, with a client of this process or from a pickle.

use crate::exceptions::raise;
use crate::live::Live;
use crate::{document, pickled_clients};
use clipia::{CallOptions, Error, RequestId, SavedGeneration, StatusResponse};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// The handle inside every Python class that stands for a generation.
#[derive(Clone)]
pub(crate) enum Handle {
    /// A handle with its client.
    Live(Live),
    /// A handle from a pickle. Its client is made when it is first needed.
    Pickled { saved: SavedGeneration, base_url: String },
}

impl Handle {
    pub(crate) fn id(&self) -> &RequestId {
        match self {
            Self::Live(generation) => generation.id(),
            Self::Pickled { saved, .. } => &saved.request_id,
        }
    }

    /// The handle of the SDK, for this process.
    pub(crate) fn generation(&self, py: Python<'_>) -> PyResult<Live> {
        match self {
            Self::Live(generation) => generation.in_this_process().map_err(|error| raise(py, error)),
            Self::Pickled { saved, base_url } => {
                let client = pickled_clients::client(py, base_url)?;
                let clipia = client.clipia().map_err(|error| raise(py, error))?;
                Ok(Live::new(client, clipia.resume(saved.clone())))
            }
        }
    }

    /// The status of a generation now.
    pub(crate) async fn status(generation: Live, options: CallOptions) -> Result<StatusResponse, Error> {
        generation.status_with(options).await
    }

    /// Whether the handle has connections of the calling process.
    pub(crate) fn is_of_this_process(&self) -> bool {
        match self {
            Self::Live(generation) => generation.is_of_this_process(),
            Self::Pickled { .. } => false,
        }
    }

    /// The data of a pickle: everything but the key.
    pub(crate) fn pickle<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let (saved, base_url) = match self {
            Self::Live(generation) => (generation.saved(), generation.client().base_url()),
            Self::Pickled { saved, base_url } => (saved.clone(), base_url.as_str()),
        };
        (pythonize::pythonize(py, &saved)?, base_url).into_pyobject(py)
    }

    /// The handle from the data of a pickle.
    pub(crate) fn unpickle(saved: &Bound<'_, PyAny>, base_url: String) -> PyResult<Self> {
        Ok(Self::Pickled { saved: document::read(saved, "Generation")?, base_url })
    }
}
