//! `AsyncModelsResource`.

use crate::amount::MaxCost;
use crate::arguments::{Input, Seconds};
use crate::async_submitted::AsyncSubmitted;
use crate::estimate_response::EstimateResponse;
use crate::session::{Request, Session};
use crate::{coroutine, models};
use pyo3::prelude::*;
use std::collections::HashMap;

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
    /// Every model: a dict with the models under `data`, and also the list of them.
    fn list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        coroutine::call(py, self.0.models()?, |py, response| models::list(py, &response))
    }

    /// One model, with its price and its parameters.
    fn get<'py>(&self, py: Python<'py>, slug: String) -> PyResult<Bound<'py, PyAny>> {
        coroutine::document(py, self.0.model(slug)?)
    }

    /// The exact price of an input. Nothing is reserved.
    fn estimate<'py>(&self, py: Python<'py>, slug: String, input: Input) -> PyResult<Bound<'py, PyAny>> {
        coroutine::call(py, self.0.estimate(slug, input)?, |_, response| Ok(EstimateResponse::new(response)))
    }

    /// The same as `AsyncClipia.submit`.
    #[pyo3(signature = (
        model, input, *, webhook_url = None, idempotency_key = None, max_cost = None, headers = None,
        call_timeout = None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keywords, in Python")]
    fn submit<'py>(
        &self,
        py: Python<'py>,
        model: String,
        input: Input,
        webhook_url: Option<String>,
        idempotency_key: Option<String>,
        max_cost: Option<MaxCost>,
        headers: Option<HashMap<String, String>>,
        call_timeout: Option<Seconds>,
    ) -> PyResult<Bound<'py, PyAny>> {
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
        coroutine::submit(py, submit, |py, submitted| AsyncSubmitted::new(py, client, submitted))
    }
}
