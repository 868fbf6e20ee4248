//! `SubmitResponse`.

use crate::amount::Amount;
use crate::document;
use crate::document::{Document, Pickled};
use crate::input_warning::InputWarning;
use clipia::printable;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// What the API answered to a submit. Both clients return it with the means to go on: `Submitted`, `AsyncSubmitted`.
#[pyclass(frozen, subclass, module = "clipia_queue")]
pub(crate) struct SubmitResponse(Document<clipia::SubmitResponse>);

impl SubmitResponse {
    pub(crate) fn new(answer: clipia::SubmitResponse) -> Self {
        Self(Document::new(answer))
    }
}

#[pymethods]
impl SubmitResponse {
    /// Names the generation, for ever. Keep it: with it any process can go on from here.
    #[getter]
    fn request_id(&self) -> String {
        self.0.request_id.to_string()
    }

    /// Where it stood when it was accepted; in the sandbox `COMPLETED`.
    #[getter]
    fn status(&self) -> &str {
        self.0.status.as_str()
    }

    /// How many requests were ahead in the queue; 0 is next. `None` if the answer does not tell.
    #[getter]
    fn queue_position(&self) -> Option<u64> {
        self.0.queue_position
    }

    /// Where the API answers for its status. `None` if the answer does not tell.
    #[getter]
    fn status_url(&self) -> Option<&str> {
        self.0.status_url.as_deref()
    }

    /// Where the API answers for its result. `None` if the answer does not tell.
    #[getter]
    fn response_url(&self) -> Option<&str> {
        self.0.response_url.as_deref()
    }

    /// Credits reserved; for a sandbox key, what a live key would have paid. `None` if the answer does not tell.
    #[getter]
    fn cost(&self) -> Option<Amount> {
        self.0.cost.map(Amount::from)
    }

    /// Keys of the input that the model will not apply.
    #[getter]
    fn warnings(&self) -> Vec<InputWarning> {
        InputWarning::all(&self.0.warnings)
    }

    /// Whether it had ended by then.
    #[getter]
    fn is_terminal(&self) -> bool {
        self.0.status.is_terminal()
    }

    /// The whole answer, fields that this version does not know included.
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        self.0.dict(py)
    }

    /// The same from the JSON of an answer, as `data` has it.
    #[staticmethod]
    fn from_dict(data: &Bound<'_, PyAny>) -> PyResult<Self> {
        document::read(data, "SubmitResponse").map(Self::new)
    }

    fn __eq__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        document::same(slf, other)
    }

    /// Of its id, so that it can be a key of a dict.
    fn __hash__(slf: &Bound<'_, Self>) -> PyResult<isize> {
        slf.getattr("request_id")?.hash()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Pickled<'py>> {
        document::pickle(slf)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let (class, answer) = (slf.get_type().name()?, &slf.get().0);
        let mut repr = format!("{class}(request_id='{}', status='{}'", answer.request_id, answer.status);
        if let Some(position) = answer.queue_position {
            repr += &format!(", queue_position={position}");
        }
        if let Some(cost) = answer.cost {
            repr += &format!(", cost={cost}");
        }
        Ok(printable(&(repr + ")")).into_owned())
    }
}
