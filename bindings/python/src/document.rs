//! A JSON document of the wire, which Python reads by field and as a dict.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use serde::Serialize;
use std::ops::Deref;

/// An answer of the API. The dict is made when it is first asked for, and then is always the same one.
pub(crate) struct Document<T> {
    wire: T,
    dict: PyOnceLock<Py<PyDict>>,
}

impl<T: Serialize> Document<T> {
    pub(crate) fn new(wire: T) -> Self {
        Self { wire, dict: PyOnceLock::new() }
    }

    /// All of it, fields that this version does not know included.
    pub(crate) fn dict<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        let dict = || Ok::<_, PyErr>(pythonize::pythonize(py, &self.wire)?.cast_into()?.unbind());
        Ok(self.dict.get_or_try_init(py, dict)?.bind(py))
    }

    /// One field of it, if it is there.
    pub(crate) fn get<'py>(&self, py: Python<'py>, field: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.dict(py)?.get_item(field)
    }
}

impl<T> Deref for Document<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.wire
    }
}
