//! `Submitted`.

use crate::arguments::Seconds;
use crate::generation;
use crate::generation_result::GenerationResult;
use crate::submit_response::SubmitResponse;
use pyo3::prelude::*;
use std::path::PathBuf;

/// An accepted generation: what the API answered, and a handle on it. It outlives the client it came from.
#[pyclass(frozen, extends = SubmitResponse, module = "clipia_queue")]
pub(crate) struct Submitted(clipia::Generation);

impl Submitted {
    pub(crate) fn new(py: Python<'_>, submitted: clipia::Submitted) -> PyResult<Py<Self>> {
        let answer = SubmitResponse::new(submitted.response().clone());
        Py::new(py, PyClassInitializer::from(answer).add_subclass(Self(submitted.into_generation())))
    }
}

#[pymethods]
impl Submitted {
    /// Waits for its end, and returns the result, be it `COMPLETED`, `FAILED` or `CANCELED`.
    ///
    /// What fails for the moment never ends a wait. After `timeout` seconds it raises `ClipiaTimeoutError`; the
    /// generation goes on.
    #[pyo3(signature = (timeout = None))]
    fn wait(&self, py: Python<'_>, timeout: Option<Seconds>) -> PyResult<Py<GenerationResult>> {
        generation::wait(py, &self.0, timeout)
    }

    /// What came out of it; while it runs, its lifecycle fields alone.
    fn result(&self, py: Python<'_>) -> PyResult<Py<GenerationResult>> {
        generation::result(py, &self.0)
    }

    /// Saves every file of its result in the directory `dir`, which is made if need be, and returns their paths.
    ///
    /// Waits for nothing: raises `StillRunning` before its end, and `GenerationFailed` or `GenerationCanceled` where
    /// it made nothing.
    fn download(&self, py: Python<'_>, dir: PathBuf) -> PyResult<Vec<PathBuf>> {
        generation::download(py, &self.0, dir)
    }
}
