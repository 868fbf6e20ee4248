//! `AsyncModelsResource`.

use crate::arguments::Input;
use crate::coroutine;
use crate::estimate_response::EstimateResponse;
use crate::session::Session;
use pyo3::prelude::*;

/// The catalogue; `AsyncClipia.models`.
#[pyclass(frozen, module = "clipia_queue")]
pub(crate) struct AsyncModelsResource(Session);

impl AsyncModelsResource {
    pub(crate) fn new(session: Session) -> Self {
        Self(session)
    }
}

#[pymethods]
impl AsyncModelsResource {
    /// Every model, under `data`.
    fn list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        coroutine::document(py, self.0.models()?)
    }

    /// One model, with its price and its parameters.
    fn get<'py>(&self, py: Python<'py>, slug: String) -> PyResult<Bound<'py, PyAny>> {
        coroutine::document(py, self.0.model(slug)?)
    }

    /// The exact price of an input. Nothing is reserved.
    fn estimate<'py>(&self, py: Python<'py>, slug: String, input: Input) -> PyResult<Bound<'py, PyAny>> {
        coroutine::call(py, self.0.estimate(slug, input)?, |_, response| Ok(EstimateResponse::new(response)))
    }
}
