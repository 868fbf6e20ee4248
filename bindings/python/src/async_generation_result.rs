//! `AsyncGenerationResult`.

use crate::async_media_file::AsyncMediaFile;
use crate::coroutine;
use crate::document::{self, Pickled};
use crate::files::{self, Download, Files};
use crate::handle::Handle;
use crate::result_response::ResultResponse;
use pyo3::prelude::*;
use std::path::PathBuf;

/// A `ResultResponse` whose files can be saved.
#[pyclass(frozen, extends = ResultResponse, module = "clipia_queue")]
pub(crate) struct AsyncGenerationResult(Files);

impl AsyncGenerationResult {
    pub(crate) fn new(
        py: Python<'_>,
        (response, files): (clipia::ResultResponse, Files),
    ) -> PyResult<Py<Self>> {
        Py::new(py, PyClassInitializer::from(ResultResponse::new(response)).add_subclass(Self(files)))
    }
}

#[pymethods]
impl AsyncGenerationResult {
    /// Saves every file in the directory `dir`, which is created if it is missing, and returns the paths.
    ///
    /// The files are in full quality or, with `renditions`, the smaller ones for display. `on_progress` is called with
    /// a `DownloadProgress` as each file arrives, and may be a coroutine function. After a break the next download into
    /// the same directory resumes. An existing file with other content is replaced only with `overwrite`.
    #[pyo3(signature = (dir, *, renditions = false, overwrite = false, on_progress = None))]
    fn download<'py>(
        &self,
        py: Python<'py>,
        dir: PathBuf,
        renditions: bool,
        overwrite: bool,
        on_progress: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Download { dir, renditions, overwrite, on_progress }.coroutine(py, &self.0)
    }

    /// The files of the output, to be fetched into memory: in full quality or, with `renditions`, the smaller ones for display. Raises
    /// `StillRunning`, `GenerationFailed` or `GenerationCanceled` if there is no output.
    #[pyo3(signature = (*, renditions = false))]
    fn files<'py>(&self, py: Python<'py>, renditions: bool) -> PyResult<Bound<'py, PyAny>> {
        coroutine::call(py, files::media_files(py, &self.0, renditions)?, |_, files| {
            Ok(files.into_iter().map(AsyncMediaFile::new).collect::<Vec<_>>())
        })
    }

    #[staticmethod]
    fn _restore(
        py: Python<'_>,
        data: &Bound<'_, PyAny>,
        saved: &Bound<'_, PyAny>,
        base_url: String,
    ) -> PyResult<Py<Self>> {
        let response = document::read(data, "ResultResponse")?;
        Self::new(py, (response, Files::of_handle(Handle::unpickle(saved, base_url)?)))
    }

    /// A pickle does not contain the key: files are fetched with the key in `CLIPIA_KEY`.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Pickled<'py>> {
        document::pickle_with(slf, &slf.get().0.handle)
    }
}
