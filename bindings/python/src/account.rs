//! `AccountResource`.

use crate::blocking;
use crate::session::Session;
use pyo3::prelude::*;

/// The account of the key; `Clipia.account`.
#[pyclass(frozen, module = "clipia_queue")]
pub(crate) struct AccountResource(Session);

impl AccountResource {
    pub(crate) fn new(session: Session) -> Self {
        Self(session)
    }
}

#[pymethods]
impl AccountResource {
    /// The credits of the account, and its recent usage.
    fn get<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(pythonize::pythonize(py, &blocking::call(py, self.0.account()?)?)?)
    }
}
