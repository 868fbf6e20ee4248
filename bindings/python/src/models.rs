//! `ModelsResource` and `AsyncModelsResource`.

use crate::amount::MaxCost;
use crate::arguments::{Input, Seconds};
use crate::document;
use crate::estimate_response::EstimateResponse;
use crate::session::{ModelList, Request, Session};
use crate::style::{Answer, Asyncio, Blocking, Style};
use crate::submitted::{AsyncSubmitted, Submitted};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use std::collections::HashMap;

macro_rules! models_resource {
    ($Class:ident, $Style:ident, $Submitted:ident) => {
        /// The catalogue; `models` of a client.
        #[pyclass(frozen, module = "clipia_queue")]
        pub(crate) struct $Class(Session);

        impl $Class {
            pub(crate) fn new(session: Session) -> Self {
                Self(session)
            }
        }

        #[pymethods]
        impl $Class {
            /// Every model: a dict with the models under `data`, and also the list of them.
            fn list<'py>(&self, py: Python<'py>) -> PyResult<Answer<'py, $Style, Py<PyAny>>> {
                $Style::call(py, self.0.models()?, |py, models| list(py, &models))
            }

            /// One model, with its price and its parameters.
            fn get<'py>(&self, py: Python<'py>, slug: String) -> PyResult<Answer<'py, $Style, Py<PyAny>>> {
                $Style::call(py, self.0.model(slug)?, |py, model| document::of(py, &model))
            }

            /// The exact price of an input. Nothing is reserved.
            fn estimate<'py>(
                &self,
                py: Python<'py>,
                slug: String,
                input: Input,
            ) -> PyResult<Answer<'py, $Style, EstimateResponse>> {
                $Style::call(py, self.0.estimate(slug, input)?, |_, price| Ok(EstimateResponse::new(price)))
            }

            /// The same as `submit` of the client.
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
            ) -> PyResult<Answer<'py, $Style, Py<$Submitted>>> {
                let request =
                    Request { model, input, webhook_url, idempotency_key, max_cost, headers, call_timeout };
                $Submitted::submit(py, &self.0, request)
            }
        }
    };
}

models_resource!(ModelsResource, Blocking, Submitted);
models_resource!(AsyncModelsResource, Asyncio, AsyncSubmitted);

/// The catalogue as Python has it.
fn list(py: Python<'_>, models: &ModelList) -> PyResult<Py<PyAny>> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let class = CLASS.import(py, "clipia_queue._model_list", "ModelList")?;
    Ok(class.call1((document::of(py, models)?,))?.unbind())
}
