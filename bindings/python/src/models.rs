//! `ModelsResource`.

use crate::arguments::Input;
use crate::blocking;
use crate::estimate_response::EstimateResponse;
use crate::session::Session;
use pyo3::prelude::*;

/// The catalogue; `Clipia.models`.
#[pyclass(frozen, module = "clipia_queue")]
pub(crate) struct ModelsResource(Session);

impl ModelsResource {
    pub(crate) fn new(session: Session) -> Self {
        Self(session)
    }
}

#[pymethods]
impl ModelsResource {
    /// Every model, under `data`.
    fn list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(pythonize::pythonize(py, &blocking::call(py, self.0.models()?)?)?)
    }

    /// One model, with its price and its parameters.
    fn get<'py>(&self, py: Python<'py>, slug: String) -> PyResult<Bound<'py, PyAny>> {
        Ok(pythonize::pythonize(py, &blocking::call(py, self.0.model(slug)?)?)?)
    }

    /// The exact price of an input. Nothing is reserved.
    fn estimate(&self, py: Python<'_>, slug: String, input: Input) -> PyResult<EstimateResponse> {
        blocking::call(py, self.0.estimate(slug, input)?).map(EstimateResponse::new)
    }
}
