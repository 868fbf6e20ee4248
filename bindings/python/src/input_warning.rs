//! `InputWarning`.

use pyo3::prelude::*;

/// An input key that the model will not apply. The request is accepted all the same.
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
        let warning = |warning: &clipia::InputWarning| Self {
            code: warning.code.clone(),
            parameter: warning.parameter.clone(),
            message: warning.message.clone(),
        };
        warnings.iter().map(warning).collect()
    }
}

#[pymethods]
impl InputWarning {
    fn __repr__(&self) -> String {
        format!("InputWarning(code='{}', parameter='{}')", self.code, self.parameter)
    }
}
