//! `InputWarning`.

use crate::document;
use pyo3::prelude::*;
use pyo3::types::PyType;

/// An input key that the model ignores. The request is accepted all the same.
#[pyclass(frozen, get_all, eq, hash, module = "clipia_queue")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct InputWarning {
    /// `unknown_parameter` (often a typing error) or `unsupported_parameter`.
    code: String,
    /// The key of the input.
    parameter: String,
    /// A sentence for people.
    message: String,
}

impl InputWarning {
    pub(crate) fn all(warnings: &[clipia::InputWarning]) -> Vec<Self> {
        warnings.iter().map(Self::of).collect()
    }

    fn of(warning: &clipia::InputWarning) -> Self {
        Self {
            code: warning.code.clone(),
            parameter: warning.parameter.clone(),
            message: warning.message.clone(),
        }
    }
}

#[pymethods]
impl InputWarning {
    #[new]
    fn new(code: String, parameter: String, message: String) -> Self {
        Self { code, parameter, message }
    }

    /// Makes the object from its JSON.
    #[staticmethod]
    fn from_dict(data: &Bound<'_, PyAny>) -> PyResult<Self> {
        document::read(data, "InputWarning").map(|warning| Self::of(&warning))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyType>, (String, String, String)) {
        let Self { code, parameter, message } = slf.get();
        (slf.get_type(), (code.clone(), parameter.clone(), message.clone()))
    }

    fn __repr__(&self) -> String {
        format!(
            "InputWarning(code={:?}, parameter={:?}, message={:?})",
            self.code, self.parameter, self.message
        )
    }
}
