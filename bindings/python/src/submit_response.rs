//! `SubmitResponse`.

use crate::amount::Amount;
use crate::document;
use crate::document::{Document, Pickled};
use crate::input_warning::InputWarning;
use clipia::printable;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The response to a submit. The clients return subclasses that are handles, too: `Submitted`, `AsyncSubmitted`.
#[pyclass(frozen, subclass, module = "clipia_queue")]
pub(crate) struct SubmitResponse(Document<clipia::SubmitResponse>);

impl SubmitResponse {
    pub(crate) fn new(response: clipia::SubmitResponse) -> Self {
        Self(Document::new(response))
    }
}

#[pymethods]
impl SubmitResponse {
    /// The id of the generation. Keep it: with the id any process can resume.
    #[getter]
    fn request_id(&self) -> String {
        self.0.request_id.to_string()
    }

    /// The status when the generation was accepted; in the sandbox `COMPLETED`.
    #[getter]
    fn status(&self) -> &str {
        self.0.status.as_str()
    }

    /// The number of requests that were ahead in the queue; 0 is next. `None` if the response has no position.
    #[getter]
    fn queue_position(&self) -> Option<u64> {
        self.0.queue_position
    }

    /// The URL of the status. `None` if the response has none.
    #[getter]
    fn status_url(&self) -> Option<&str> {
        self.0.status_url.as_deref()
    }

    /// The URL of the result. `None` if the response has none.
    #[getter]
    fn response_url(&self) -> Option<&str> {
        self.0.response_url.as_deref()
    }

    /// Credits reserved; for a sandbox key, what a live key would have paid. `None` if the response has no cost.
    #[getter]
    fn cost(&self) -> Option<Amount> {
        self.0.cost.map(Amount::from)
    }

    /// Warnings about keys of the input that the model ignores.
    #[getter]
    fn warnings(&self) -> Vec<InputWarning> {
        InputWarning::all(&self.0.warnings)
    }

    /// Whether the generation had ended when it was accepted.
    #[getter]
    fn is_terminal(&self) -> bool {
        self.0.status.is_terminal()
    }

    /// The whole response, including fields that this version does not know.
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        self.0.dict(py)
    }

    /// Makes the object from the JSON of a response, such as `data`.
    #[staticmethod]
    fn from_dict(data: &Bound<'_, PyAny>) -> PyResult<Self> {
        document::read(data, "SubmitResponse").map(Self::new)
    }

    fn __eq__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        document::same(slf, other)
    }

    /// The hash of the id, so that the object can be a key of a dict.
    fn __hash__(slf: &Bound<'_, Self>) -> PyResult<isize> {
        slf.getattr("request_id")?.hash()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Pickled<'py>> {
        document::pickle(slf)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let (class, response) = (slf.get_type().name()?, &slf.get().0);
        let mut repr = format!("{class}(request_id='{}', status='{}'", response.request_id, response.status);
        if let Some(position) = response.queue_position {
            repr += &format!(", queue_position={position}");
        }
        if let Some(cost) = response.cost {
            repr += &format!(", cost={cost}");
        }
        Ok(printable(&(repr + ")")).into_owned())
    }
}
