//! `AccountResource`.

use crate::blocking;
use crate::session::Session;
use pyo3::prelude::*;

/// The account behind the key; `Clipia.account`.
#[pyclass(frozen, module = "clipia_queue")]
pub(crate) struct AccountResource(Session);

impl AccountResource {
    pub(crate) fn new(session: Session) -> Self {
        Self(session)
    }
}

#[pymethods]
impl AccountResource {
    /// Its credits, and what it used lately.
    fn get<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(pythonize::pythonize(py, &blocking::call(py, self.0.account()?)?)?)
    }
}
