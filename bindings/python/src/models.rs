//! `ModelsResource`.

use crate::amount::MaxCost;
use crate::arguments::{Input, Seconds};
use crate::blocking;
use crate::estimate_response::EstimateResponse;
use crate::session::{ModelList, Request, Session};
use crate::submitted::Submitted;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use std::collections::HashMap;

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
    /// Every model: a dict with the models under `data`, and also the list of them.
    fn list(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        list(py, &blocking::call(py, self.0.models()?)?)
    }

    /// One model, with its price and its parameters.
    fn get<'py>(&self, py: Python<'py>, slug: String) -> PyResult<Bound<'py, PyAny>> {
        Ok(pythonize::pythonize(py, &blocking::call(py, self.0.model(slug)?)?)?)
    }

    /// The exact price of an input. Nothing is reserved.
    fn estimate(&self, py: Python<'_>, slug: String, input: Input) -> PyResult<EstimateResponse> {
        blocking::call(py, self.0.estimate(slug, input)?).map(EstimateResponse::new)
    }

    /// The same as `Clipia.submit`.
    #[pyo3(signature = (
        model, input, *, webhook_url = None, idempotency_key = None, max_cost = None, headers = None,
        call_timeout = None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keywords, in Python")]
    fn submit(
        &self,
        py: Python<'_>,
        model: String,
        input: Input,
        webhook_url: Option<String>,
        idempotency_key: Option<String>,
        max_cost: Option<MaxCost>,
        headers: Option<HashMap<String, String>>,
        call_timeout: Option<Seconds>,
    ) -> PyResult<Py<Submitted>> {
        let submit = self.0.submit(Request {
            model,
            input,
            webhook_url,
            idempotency_key,
            max_cost,
            headers,
            call_timeout,
        })?;
        let client = self.0.client()?;
        Submitted::new(py, client, blocking::submit(py, submit)?)
    }
}

/// The catalogue as Python has it.
pub(crate) fn list(py: Python<'_>, models: &ModelList) -> PyResult<Py<PyAny>> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let class = CLASS.import(py, "clipia_queue._model_list", "ModelList")?;
    Ok(class.call1((pythonize::pythonize(py, models)?,))?.unbind())
}
