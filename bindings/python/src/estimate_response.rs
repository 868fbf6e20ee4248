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
    pub(crate) fn new(response: clipia::EstimateResponse) -> Self {
        Self(Document::new(response))
    }
}

#[pymethods]
impl EstimateResponse {
    /// The price of a submit of the same input.
    #[getter]
    fn credits(&self) -> Amount {
        self.0.credits.into()
    }

    /// Warnings about keys of the input that the model ignores.
    #[getter]
    fn warnings(&self) -> Vec<InputWarning> {
        InputWarning::all(&self.0.warnings)
    }

    /// The whole response, including fields that this version does not know.
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        self.0.dict(py)
    }

    /// Makes the object from the JSON of a response, such as `data`.
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
