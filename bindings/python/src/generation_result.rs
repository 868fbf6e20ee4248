//! `GenerationResult`.

use crate::blocking;
use crate::files::Files;
use crate::result_response::ResultResponse;
use pyo3::prelude::*;
use std::path::PathBuf;

/// A `ResultResponse` whose files can be saved.
#[pyclass(frozen, extends = ResultResponse, module = "clipia_queue")]
pub(crate) struct GenerationResult(Files);

impl GenerationResult {
    pub(crate) fn new(
        py: Python<'_>,
        (answer, files): (clipia::ResultResponse, Files),
    ) -> PyResult<Py<Self>> {
        Py::new(py, PyClassInitializer::from(ResultResponse::new(answer)).add_subclass(Self(files)))
    }
}

#[pymethods]
impl GenerationResult {
    /// Saves every file in the directory `dir`, which is made if need be, and returns their paths.
    fn download(&self, py: Python<'_>, dir: PathBuf) -> PyResult<Vec<PathBuf>> {
        blocking::call(py, self.0.clone().save(dir))
    }
}
