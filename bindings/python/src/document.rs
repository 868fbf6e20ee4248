//! A JSON document of the wire, which Python reads by field and as a dict, compares and pickles.

use crate::exceptions::ClipiaValueError;
use crate::handle::Handle;
use crate::json;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};
use serde::Serialize;
use serde::de::DeserializeOwned;
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

/// An answer from its dict.
pub(crate) fn read<T: DeserializeOwned>(data: &Bound<'_, PyAny>, class: &str) -> PyResult<T> {
    let malformed = |error: serde_json::Error| {
        ClipiaValueError::new_err(format!("this is not the data of a `{class}`: {error}"))
    };
    let document = json::read(data, "data", json::ANSWER_DEPTH_MAX)?;
    serde_json::from_value(document).map_err(malformed)
}

/// Whether two answers are of one class and say the same.
pub(crate) fn same(this: &Bound<'_, PyAny>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(this.get_type().is(other.get_type()) && this.getattr("data")?.eq(other.getattr("data")?)?)
}

/// What pickle makes an object of: a callable and its arguments.
pub(crate) type Pickled<'py> = (Bound<'py, PyAny>, Bound<'py, PyTuple>);

/// An answer as pickle keeps it.
pub(crate) fn pickle<'py>(answer: &Bound<'py, PyAny>) -> PyResult<Pickled<'py>> {
    let data = (answer.getattr("data")?,).into_pyobject(answer.py())?;
    Ok((answer.get_type().getattr("from_dict")?, data))
}

/// The same of an answer with the means to go on, which is made of its data and of what its handle is made of.
pub(crate) fn pickle_with<'py>(answer: &Bound<'py, PyAny>, handle: &Handle) -> PyResult<Pickled<'py>> {
    let data = (answer.getattr("data")?,).into_pyobject(answer.py())?;
    let arguments = data.as_sequence().concat(handle.pickle(answer.py())?.as_sequence())?.to_tuple()?;
    Ok((answer.get_type().getattr("_restore")?, arguments))
}
