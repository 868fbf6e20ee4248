//! JSON documents of the wire, which Python reads by field and as a dict, compares and pickles.

use crate::exceptions::ClipiaValueError;
use crate::handle::Handle;
use crate::json;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ops::Deref;

/// A response of the API. Its dict is made when it is first needed, and is then always the same object.
pub(crate) struct Document<T> {
    wire: T,
    dict: PyOnceLock<Py<PyDict>>,
}

impl<T: Serialize> Document<T> {
    pub(crate) fn new(wire: T) -> Self {
        Self { wire, dict: PyOnceLock::new() }
    }

    /// The whole response, including fields that this version does not know.
    pub(crate) fn dict<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        let dict = || Ok::<_, PyErr>(pythonize::pythonize(py, &self.wire)?.cast_into()?.unbind());
        Ok(self.dict.get_or_try_init(py, dict)?.bind(py))
    }

    /// A field of the response, if it is there.
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

/// A response that Python has only as a dict or a list.
pub(crate) fn of<T: Serialize>(py: Python<'_>, response: &T) -> PyResult<Py<PyAny>> {
    Ok(pythonize::pythonize(py, response)?.unbind())
}

/// A response from its dict.
pub(crate) fn read<T: DeserializeOwned>(data: &Bound<'_, PyAny>, class: &str) -> PyResult<T> {
    let malformed = |error: serde_json::Error| {
        ClipiaValueError::new_err(format!("this is not the data of a `{class}`: {error}"))
    };
    let document = json::read(data, "data", json::RESPONSE_DEPTH_MAX)?;
    serde_json::from_value(document).map_err(malformed)
}

/// Whether two responses have the same class and the same data.
pub(crate) fn same(this: &Bound<'_, PyAny>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(this.get_type().is(other.get_type()) && this.getattr("data")?.eq(other.getattr("data")?)?)
}

/// What pickle needs of an object: a callable and its arguments.
pub(crate) type Pickled<'py> = (Bound<'py, PyAny>, Bound<'py, PyTuple>);

/// A response as pickle needs it.
pub(crate) fn pickle<'py>(response: &Bound<'py, PyAny>) -> PyResult<Pickled<'py>> {
    let data = (response.getattr("data")?,).into_pyobject(response.py())?;
    Ok((response.get_type().getattr("from_dict")?, data))
}

/// A response with a handle as pickle needs it: the arguments are the data of both.
pub(crate) fn pickle_with<'py>(response: &Bound<'py, PyAny>, handle: &Handle) -> PyResult<Pickled<'py>> {
    let data = (response.getattr("data")?,).into_pyobject(response.py())?;
    let arguments = data.as_sequence().concat(handle.pickle(response.py())?.as_sequence())?.to_tuple()?;
    Ok((response.get_type().getattr("_restore")?, arguments))
}
