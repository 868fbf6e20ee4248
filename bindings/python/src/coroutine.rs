//! Waiting for the SDK in asyncio.

use crate::exceptions::raise;
use clipia::Error;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use serde::Serialize;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

/// What a future comes to, as a step yet to be taken in Python: the threads of the runtime must not wait for the GIL.
struct Answer(Box<Convert>);

type Convert = dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send;

impl<'py> IntoPyObject<'py> for Answer {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Self::Output> {
        Ok((self.0)(py)?.into_bound(py))
    }
}

type Pending = Pin<Box<dyn Future<Output = PyResult<Answer>> + Send>>;

/// Awaited once by a coroutine of Python's. Nothing is sent before, as with any coroutine, and the loop that answers
/// is the one that awaits.
#[pyclass(frozen, module = "clipia_queue")]
struct Awaitable(Mutex<Option<Pending>>);

#[pymethods]
impl Awaitable {
    fn __await__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let pending = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let pending = pending.ok_or_else(|| PyRuntimeError::new_err("cannot await the same call twice"))?;
        pyo3_async_runtimes::tokio::future_into_py(py, pending)?.call_method0("__await__")
    }
}

/// A coroutine that runs `future` and returns what `convert` makes of it. Cancelling it drops the future.
pub(crate) fn new<'py, F, C, R>(py: Python<'py>, future: F, convert: C) -> PyResult<Bound<'py, PyAny>>
where
    F: Future<Output: Send> + Send + 'static,
    C: FnOnce(Python<'_>, F::Output) -> PyResult<R> + Send + 'static,
    R: for<'a> IntoPyObject<'a>,
{
    static RUN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let pending: Pending = Box::pin(async move {
        let output = future.await;
        Ok(Answer(Box::new(move |py| convert(py, output)?.into_py_any(py))))
    });
    let awaitable = Awaitable(Mutex::new(Some(pending)));
    RUN.import(py, "clipia_queue._coroutines", "run")?.call1((awaitable,))
}

/// The same for a call of the SDK, whose errors become exceptions.
pub(crate) fn call<'py, T, F, C, R>(py: Python<'py>, call: F, convert: C) -> PyResult<Bound<'py, PyAny>>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Error>> + Send + 'static,
    C: FnOnce(Python<'_>, T) -> PyResult<R> + Send + 'static,
    R: for<'a> IntoPyObject<'a>,
{
    new(py, call, |py, answer| convert(py, answer.map_err(|error| raise(py, error))?))
}

/// The same for a call whose answer Python gets as a dict.
pub(crate) fn document<'py, T, F>(py: Python<'py>, document: F) -> PyResult<Bound<'py, PyAny>>
where
    T: Serialize + Send + 'static,
    F: Future<Output = Result<T, Error>> + Send + 'static,
{
    call(py, document, |py, answer| Ok(pythonize::pythonize(py, &answer)?.unbind()))
}
