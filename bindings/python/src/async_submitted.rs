//! `AsyncSubmitted`.

use crate::arguments::Seconds;
use crate::async_generation;
use crate::document::{self, Pickled};
use crate::files::{Download, Files};
use crate::handle::Handle;
use crate::live::Live;
use crate::process_client::ProcessClient;
use crate::submit_response::SubmitResponse;
use crate::updates::AsyncUpdates;
use pyo3::prelude::*;
use std::path::PathBuf;
use std::sync::Arc;

/// An accepted generation: the API's response, and a handle. It outlives its client, and can be pickled.
///
/// A pickle does not contain the key: a handle from a pickle calls the same server with the key in `CLIPIA_KEY`.
#[pyclass(frozen, extends = SubmitResponse, module = "clipia_queue")]
pub(crate) struct AsyncSubmitted(Handle);

impl AsyncSubmitted {
    pub(crate) fn new(
        py: Python<'_>,
        client: Arc<ProcessClient>,
        submitted: clipia::Submitted,
    ) -> PyResult<Py<Self>> {
        let response = submitted.response().clone();
        Self::of(py, response, Handle::Live(Live::new(client, submitted.into_generation())))
    }

    fn of(py: Python<'_>, response: clipia::SubmitResponse, handle: Handle) -> PyResult<Py<Self>> {
        let response = SubmitResponse::new(response);
        Py::new(py, PyClassInitializer::from(response).add_subclass(Self(handle)))
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.0
    }
}

#[pymethods]
impl AsyncSubmitted {
    /// Waits for the end of the generation, and returns the result, which is `COMPLETED`, `FAILED` or `CANCELED`.
    ///
    /// A transient error never ends a wait. After `timeout` seconds it raises `ClipiaTimeoutError`; the
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

    /// Follows the generation: iterates over a `StatusResponse` for each change of position, progress or status, the
    /// last one terminal. A slow reader gets the latest change, not every one in between.
    fn updates(&self, py: Python<'_>) -> PyResult<AsyncUpdates> {
        AsyncUpdates::of(py, &self.0)
    }

    /// The result. Before the end there are only the fields of a status.
    fn result<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        async_generation::result(py, &self.0)
    }

    /// Saves every file of the result in the directory `dir`, as the `download` of a result does.
    ///
    /// It does not wait for the end: it raises `StillRunning` before it, and `GenerationFailed` or `GenerationCanceled`
    /// if there is no output.
    #[pyo3(signature = (dir, *, renditions = false, overwrite = false, on_progress = None))]
    fn download<'py>(
        &self,
        py: Python<'py>,
        dir: PathBuf,
        renditions: bool,
        overwrite: bool,
        on_progress: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Download { dir, renditions, overwrite, on_progress }.coroutine(py, &Files::of_handle(self.0.clone()))
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
