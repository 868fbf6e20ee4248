//! `Generation`.

use crate::arguments::Seconds;
use crate::blocking;
use crate::files;
use crate::generation_result::GenerationResult;
use crate::waiting::{self, Patience};
use pyo3::prelude::*;
use std::path::PathBuf;

/// A handle on one generation, made from its id alone by `Clipia.generation`. It outlives the client it came from.
#[pyclass(frozen, module = "clipia_queue")]
pub(crate) struct Generation(clipia::Generation);

impl Generation {
    pub(crate) fn new(generation: clipia::Generation) -> Self {
        Self(generation)
    }
}

#[pymethods]
impl Generation {
    /// Names the generation, for ever.
    #[getter]
    fn request_id(&self) -> String {
        self.0.id().to_string()
    }

    /// Waits for its end, and returns the result, be it `COMPLETED`, `FAILED` or `CANCELED`.
    ///
    /// What fails for the moment never ends a wait. After `timeout` seconds it raises `ClipiaTimeoutError`; the
    /// generation goes on.
    #[pyo3(signature = (timeout = None))]
    fn wait(&self, py: Python<'_>, timeout: Option<Seconds>) -> PyResult<Py<GenerationResult>> {
        wait(py, &self.0, timeout)
    }

    /// What came out of it; while it runs, its lifecycle fields alone.
    fn result(&self, py: Python<'_>) -> PyResult<Py<GenerationResult>> {
        result(py, &self.0)
    }

    /// Saves every file of its result in the directory `dir`, which is made if need be, and returns their paths.
    ///
    /// Waits for nothing: raises `StillRunning` before its end, and `GenerationFailed` or `GenerationCanceled` where
    /// it made nothing.
    fn download(&self, py: Python<'_>, dir: PathBuf) -> PyResult<Vec<PathBuf>> {
        download(py, &self.0, dir)
    }

    fn __repr__(&self) -> String {
        format!("Generation(request_id='{}')", self.0.id())
    }
}

pub(crate) fn wait(
    py: Python<'_>,
    generation: &clipia::Generation,
    timeout: Option<Seconds>,
) -> PyResult<Py<GenerationResult>> {
    let outcome = waiting::block(py, generation, Patience::begin(timeout), None)?;
    GenerationResult::new(py, files::of_outcome(outcome))
}

pub(crate) fn result(py: Python<'_>, generation: &clipia::Generation) -> PyResult<Py<GenerationResult>> {
    GenerationResult::new(py, blocking::call(py, files::of_result(generation.clone()))?)
}

pub(crate) fn download(
    py: Python<'_>,
    generation: &clipia::Generation,
    dir: PathBuf,
) -> PyResult<Vec<PathBuf>> {
    blocking::call(py, generation.download(dir).into_future())
}
