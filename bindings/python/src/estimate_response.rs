//! `EstimateResponse`.

use crate::amount::Amount;
use crate::document;
use crate::document::{Document, Pickled};
use crate::input_warning::InputWarning;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The price of an input. Nothing is reserved.
#[pyclass(frozen, module = "clipia_queue")]
pub(crate) struct EstimateResponse(Document<clipia::EstimateResponse>);

impl EstimateResponse {
    pub(crate) fn new(answer: clipia::EstimateResponse) -> Self {
        Self(Document::new(answer))
    }
}

#[pymethods]
impl EstimateResponse {
    /// What a submit of the same input costs.
    #[getter]
    fn credits(&self) -> Amount {
        self.0.credits.into()
    }

    /// Keys of the input that the model will not apply.
    #[getter]
    fn warnings(&self) -> Vec<InputWarning> {
        InputWarning::all(&self.0.warnings)
    }

    /// The whole answer, fields that this version does not know included.
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        self.0.dict(py)
    }

    /// The same from the JSON of an answer, as `data` has it.
    #[staticmethod]
    fn from_dict(data: &Bound<'_, PyAny>) -> PyResult<Self> {
        document::read(data, "EstimateResponse").map(Self::new)
    }

    fn __eq__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        document::same(slf, other)
    }

    fn __hash__(slf: &Bound<'_, Self>) -> PyResult<isize> {
        slf.repr()?.hash()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Pickled<'py>> {
        document::pickle(slf)
    }

    fn __repr__(&self) -> String {
        format!("EstimateResponse(credits={})", self.0.credits)
    }
}
