//! `Generation`.

use crate::arguments::Seconds;
use crate::blocking;
use crate::document::Pickled;
use crate::files::{self, Download, Files};
use crate::generation_result::GenerationResult;
use crate::handle::Handle;
use crate::live::Live;
use crate::status_response::StatusResponse;
use crate::updates::Updates;
use crate::waiting::{self, WaitOptions};
use crate::watch::Listeners;
use clipia::CallOptions;
use pyo3::prelude::*;
use std::path::PathBuf;

/// A handle on one generation, made from its id alone by `Clipia.generation`. It outlives its client, and can be
/// pickled.
///
/// A pickle does not contain the key: a handle from a pickle calls the same server with the key in `CLIPIA_KEY`.
#[pyclass(frozen, module = "clipia_queue")]
pub(crate) struct Generation(Handle);

impl Generation {
    pub(crate) fn new(generation: Live) -> Self {
        Self(Handle::Live(generation))
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.0
    }
}

#[pymethods]
impl Generation {
    /// The id of the generation.
    #[getter]
    fn request_id(&self) -> String {
        self.0.id().to_string()
    }

    /// Waits for the end of the generation, and returns the result, which is `COMPLETED`, `FAILED` or `CANCELED`.
    ///
    /// A transient error never ends a wait. After `timeout` seconds it raises `ClipiaTimeoutError`; the
    /// generation goes on. `progress` shows a bar on stderr, of tqdm or rich if one of them is installed.
    #[pyo3(signature = (timeout = None, *, progress = false))]
    fn wait(
        &self,
        py: Python<'_>,
        timeout: Option<Seconds>,
        progress: bool,
    ) -> PyResult<Py<GenerationResult>> {
        wait(py, &self.0, timeout, progress)
    }

    /// Follows the generation: iterates over a `StatusResponse` for each change of position, progress or status, the
    /// last one terminal. A slow reader gets the latest change, not every one in between.
    fn updates(&self, py: Python<'_>) -> PyResult<Updates> {
        Updates::of(py, &self.0)
    }

    /// The status now.
    fn status(&self, py: Python<'_>) -> PyResult<StatusResponse> {
        blocking::call(py, Handle::status(self.0.generation(py)?)).map(StatusResponse::new)
    }

    /// The result. Before the end there are only the fields of a status.
    fn result(&self, py: Python<'_>) -> PyResult<Py<GenerationResult>> {
        result(py, &self.0)
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
    ) -> PyResult<Vec<PathBuf>> {
        Download { dir, renditions, overwrite, on_progress }.block(py, &Files::of_handle(self.0.clone()))
    }

    fn __eq__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| other.get().0.id() == slf.get().0.id())
    }

    fn __hash__(slf: &Bound<'_, Self>) -> PyResult<isize> {
        slf.getattr("request_id")?.hash()
    }

    #[staticmethod]
    fn _restore(saved: &Bound<'_, PyAny>, base_url: String) -> PyResult<Self> {
        Handle::unpickle(saved, base_url).map(Self)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Pickled<'py>> {
        Ok((slf.getattr("_restore")?, slf.get().0.pickle(slf.py())?))
    }

    fn __repr__(&self) -> String {
        format!("Generation(request_id='{}')", self.0.id())
    }
}

pub(crate) fn wait(
    py: Python<'_>,
    handle: &Handle,
    timeout: Option<Seconds>,
    progress: bool,
) -> PyResult<Py<GenerationResult>> {
    let options = WaitOptions::begin(timeout, None);
    waiting::block(py, handle.generation(py)?, options, &Listeners::new(py, None, progress)?)
}

pub(crate) fn result(py: Python<'_>, handle: &Handle) -> PyResult<Py<GenerationResult>> {
    GenerationResult::new(
        py,
        blocking::call(py, files::of_result(handle.generation(py)?, CallOptions::new()))?,
    )
}
