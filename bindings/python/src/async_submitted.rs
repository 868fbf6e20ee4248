//! `AsyncSubmitted`.

use crate::arguments::Seconds;
use crate::async_generation;
use crate::document::{self, Pickled};
use crate::files::{Download, Files};
use crate::handle::Handle;
use crate::submit_response::SubmitResponse;
use crate::updates::AsyncUpdates;
use pyo3::prelude::*;
use std::path::PathBuf;

/// An accepted generation: what the API answered, and a handle on it. It outlives the client it came from, and can be
/// pickled.
///
/// The key is not in a pickle: a handle out of one asks the server that it came from with the key in `CLIPIA_KEY`.
#[pyclass(frozen, extends = SubmitResponse, module = "clipia_queue")]
pub(crate) struct AsyncSubmitted(Handle);

impl AsyncSubmitted {
    pub(crate) fn new(py: Python<'_>, submitted: clipia::Submitted) -> PyResult<Py<Self>> {
        let answer = submitted.response().clone();
        Self::of(py, answer, Handle::Live(submitted.into_generation()))
    }

    fn of(py: Python<'_>, answer: clipia::SubmitResponse, handle: Handle) -> PyResult<Py<Self>> {
        let answer = SubmitResponse::new(answer);
        Py::new(py, PyClassInitializer::from(answer).add_subclass(Self(handle)))
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.0
    }
}

#[pymethods]
impl AsyncSubmitted {
    /// Waits for its end, and returns the result, be it `COMPLETED`, `FAILED` or `CANCELED`.
    ///
    /// What fails for the moment never ends a wait. After `timeout` seconds it raises `ClipiaTimeoutError`; the
    /// generation goes on. `progress` shows a bar on stderr, of tqdm or rich if one of them is installed.
    #[pyo3(signature = (timeout = None, *, progress = false))]
    fn wait<'py>(
        &self,
        py: Python<'py>,
        timeout: Option<Seconds>,
        progress: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        async_generation::wait(py, &self.0, timeout, progress)
    }

    /// Follows it: iterates over a `StatusResponse` for each change of position, progress or status, the last one
    /// terminal. One who reads slowly gets the latest, not every one in between.
    fn updates(&self, py: Python<'_>) -> PyResult<AsyncUpdates> {
        AsyncUpdates::of(py, &self.0)
    }

    /// What came out of it; while it runs, its lifecycle fields alone.
    fn result<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        async_generation::result(py, &self.0)
    }

    /// Saves every file of its result in the directory `dir`, as the `download` of a result does.
    ///
    /// Waits for nothing: raises `StillRunning` before its end, and `GenerationFailed` or `GenerationCanceled` where
    /// it made nothing.
    #[pyo3(signature = (dir, *, renditions = false, overwrite = false, on_progress = None))]
    fn download<'py>(
        &self,
        py: Python<'py>,
        dir: PathBuf,
        renditions: bool,
        overwrite: bool,
        on_progress: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Download { dir, renditions, overwrite, on_progress }.coroutine(py, &Files::asked(self.0.clone()))
    }

    #[staticmethod]
    fn _restore(
        py: Python<'_>,
        data: &Bound<'_, PyAny>,
        saved: &Bound<'_, PyAny>,
        base_url: String,
    ) -> PyResult<Py<Self>> {
        Self::of(py, document::read(data, "SubmitResponse")?, Handle::unpickle(saved, base_url)?)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Pickled<'py>> {
        document::pickle_with(slf, &slf.get().0)
    }
}
