//! `AsyncAccountResource`.

use crate::coroutine;
use crate::session::Session;
use pyo3::prelude::*;

/// The account of the key; `AsyncClipia.account`.
#[pyclass(frozen, module = "clipia_queue")]
pub(crate) struct AsyncAccountResource(Session);

impl AsyncAccountResource {
    pub(crate) fn new(session: Session) -> Self {
        Self(session)
    }
}

#[pymethods]
impl AsyncAccountResource {
    /// The credits of the account, and its recent usage.
    fn get<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        coroutine::document(py, self.0.account()?)
    }
}
