//! `AsyncSubmitted`.

use crate::arguments::Seconds;
use crate::async_generation;
use crate::submit_response::SubmitResponse;
use pyo3::prelude::*;
use std::path::PathBuf;

/// An accepted generation: what the API answered, and a handle on it. It outlives the client it came from.
#[pyclass(frozen, extends = SubmitResponse, module = "clipia_queue")]
pub(crate) struct AsyncSubmitted(clipia::Generation);

impl AsyncSubmitted {
    pub(crate) fn new(py: Python<'_>, submitted: clipia::Submitted) -> PyResult<Py<Self>> {
        let answer = SubmitResponse::new(submitted.response().clone());
        Py::new(py, PyClassInitializer::from(answer).add_subclass(Self(submitted.into_generation())))
    }
}

#[pymethods]
impl AsyncSubmitted {
    /// Waits for its end, and returns the result, be it `COMPLETED`, `FAILED` or `CANCELED`.
    ///
    /// What fails for the moment never ends a wait. After `timeout` seconds it raises `ClipiaTimeoutError`; the
    /// generation goes on.
    #[pyo3(signature = (timeout = None))]
    fn wait<'py>(&self, py: Python<'py>, timeout: Option<Seconds>) -> PyResult<Bound<'py, PyAny>> {
        async_generation::wait(py, &self.0, timeout)
    }

    /// What came out of it; while it runs, its lifecycle fields alone.
    fn result<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        async_generation::result(py, &self.0)
    }

    /// Saves every file of its result in the directory `dir`, which is made if need be, and returns their paths.
    ///
    /// Waits for nothing: raises `StillRunning` before its end, and `GenerationFailed` or `GenerationCanceled` where
    /// it made nothing.
    fn download<'py>(&self, py: Python<'py>, dir: PathBuf) -> PyResult<Bound<'py, PyAny>> {
        async_generation::download(py, &self.0, dir)
    }
}
