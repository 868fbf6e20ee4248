//! `AsyncDelivery`.

use crate::async_generation_result::AsyncGenerationResult;
use crate::delivery::repr;
use crate::exceptions::raise;
use crate::files;
use crate::handle::Handle;
use crate::live::Live;
use clipia::Received;
use pyo3::prelude::*;

/// A genuine delivery of a webhook, and its effect.
#[pyclass(frozen, module = "clipia_queue")]
pub(crate) struct AsyncDelivery {
    received: Received,
    generation: Live,
}

impl AsyncDelivery {
    pub(crate) fn new((received, generation): (Received, Live)) -> Self {
        Self { received, generation }
    }
}

#[pymethods]
impl AsyncDelivery {
    /// The id of the generation.
    #[getter]
    fn request_id(&self) -> String {
        self.received.request_id().to_string()
    }

    /// The id of the delivery, the same for each attempt. Use it for logs only, because it is not signed.
    #[getter]
    fn delivery_id(&self) -> Option<String> {
        self.received.delivery_id().map(|id| id.to_string())
    }

    /// Whether this client has received the end of this generation before. A duplicate may still need your work: if
    /// your work on the first delivery failed, the repeat is the second chance.
    #[getter]
    fn is_duplicate(&self) -> bool {
        self.received.is_duplicate()
    }

    /// The number of waits that the delivery ended.
    #[getter]
    fn resolved(&self) -> usize {
        self.received.resolved()
    }

    /// The result of the generation: `COMPLETED` or `FAILED`. The server is not called. Raises `ClipiaError` if a
    /// newer server sends a status that this version does not know; ask for the result then.
    #[getter]
    fn result(&self, py: Python<'_>) -> PyResult<Py<AsyncGenerationResult>> {
        let outcome = self.received.outcome().map_err(|error| raise(py, error))?;
        AsyncGenerationResult::new(py, files::of_outcome(Handle::Live(self.generation.clone()), outcome))
    }

    /// The whole delivery, including fields that this version does not know.
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(pythonize::pythonize(py, self.received.delivery())?)
    }

    fn __repr__(&self) -> String {
        repr("AsyncDelivery", &self.received)
    }
}
