//! Conversion of Python arguments to types of the SDK.

use crate::exceptions::ClipiaValueError;
use crate::json;
use clipia::{CallOptions, RequestId};
use pyo3::prelude::*;
use serde_json::Value;
use std::collections::HashMap;
use std::time::Duration;

/// The id of a generation, from its text.
pub(crate) struct Id(pub(crate) RequestId);

impl<'py> FromPyObject<'_, 'py> for Id {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        Self::parse(object.extract()?).map(Self)
    }
}

impl Id {
    pub(crate) fn parse(text: &str) -> PyResult<RequestId> {
        match text {
            "" => Err(ClipiaValueError::new_err("a request id is a text that is not empty")),
            text => Ok(text.into()),
        }
    }
}

/// A length of time, from a number of seconds.
#[derive(Clone, Copy)]
pub(crate) struct Seconds(pub(crate) Duration);

impl<'py> FromPyObject<'_, 'py> for Seconds {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        Self::of(object.extract()?)
    }
}

impl Seconds {
    pub(crate) fn of(seconds: f64) -> PyResult<Self> {
        let impossible =
            |_| ClipiaValueError::new_err(format!("a time of {seconds} seconds is not possible"));
        Duration::try_from_secs_f64(seconds).map(Self).map_err(impossible)
    }
}

/// The options of one call.
pub(crate) fn call_options(
    headers: Option<HashMap<String, String>>,
    call_timeout: Option<Seconds>,
) -> CallOptions {
    let options = headers
        .into_iter()
        .flatten()
        .fold(CallOptions::new(), |options, (name, value)| options.header(name, value));
    match call_timeout {
        Some(Seconds(timeout)) => options.timeout(timeout),
        None => options,
    }
}

/// The input of a generation, from a mapping that can be written as JSON.
pub(crate) struct Input(pub(crate) Value);

impl<'py> FromPyObject<'_, 'py> for Input {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        json::read(&object, "input", json::INPUT_DEPTH_MAX).map(Self)
    }
}
