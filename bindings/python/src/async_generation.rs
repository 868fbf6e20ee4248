//! `AsyncGeneration`.

use crate::arguments::Seconds;
use crate::async_generation_result::AsyncGenerationResult;
use crate::waiting;
use crate::{coroutine, files};
use pyo3::prelude::*;
use std::future::ready;
use std::path::PathBuf;

/// A handle on one generation, made from its id alone by `AsyncClipia.generation`. It outlives the client it came
/// from.
#[pyclass(frozen, module = "clipia_queue")]
pub(crate) struct AsyncGeneration(clipia::Generation);

impl AsyncGeneration {
    pub(crate) fn new(generation: clipia::Generation) -> Self {
        Self(generation)
    }
}

#[pymethods]
impl AsyncGeneration {
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
    fn wait<'py>(&self, py: Python<'py>, timeout: Option<Seconds>) -> PyResult<Bound<'py, PyAny>> {
        wait(py, &self.0, timeout)
    }

    /// What came out of it; while it runs, its lifecycle fields alone.
    fn result<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        result(py, &self.0)
    }

    /// Saves every file of its result in the directory `dir`, which is made if need be, and returns their paths.
    ///
    /// Waits for nothing: raises `StillRunning` before its end, and `GenerationFailed` or `GenerationCanceled` where
    /// it made nothing.
    fn download<'py>(&self, py: Python<'py>, dir: PathBuf) -> PyResult<Bound<'py, PyAny>> {
        download(py, &self.0, dir)
    }

    fn __repr__(&self) -> String {
        format!("AsyncGeneration(request_id='{}')", self.0.id())
    }
}

pub(crate) fn wait<'py>(
    py: Python<'py>,
    generation: &clipia::Generation,
    timeout: Option<Seconds>,
) -> PyResult<Bound<'py, PyAny>> {
    let begin = ready(Ok(generation.clone()));
    waiting::coroutine(py, begin, timeout, None)
}

pub(crate) fn result<'py>(py: Python<'py>, generation: &clipia::Generation) -> PyResult<Bound<'py, PyAny>> {
    coroutine::call(py, files::of_result(generation.clone()), AsyncGenerationResult::new)
}

pub(crate) fn download<'py>(
    py: Python<'py>,
    generation: &clipia::Generation,
    dir: PathBuf,
) -> PyResult<Bound<'py, PyAny>> {
    coroutine::call(py, generation.download(dir).into_future(), |_, paths| Ok(paths))
}
