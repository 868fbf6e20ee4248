//! Waiting for the SDK in asyncio.

use crate::deliveries::{self, Answer, Debt};
use crate::exceptions::raise;
use crate::interruption::{Interrupted, Underway};
use crate::{logging, runtime};
use clipia::{Error, Submit, Submitted};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use serde::Serialize;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use tokio::task::AbortHandle;

type Pending = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Awaited once by a coroutine of Python's. Nothing is sent before, as with any coroutine, and the loop that answers
/// is the one that awaits.
#[pyclass(frozen, module = "clipia_queue")]
pub(crate) struct Awaitable(Mutex<Option<Pending>>);

impl Awaitable {
    /// Runs `future`, and comes to what `convert` makes of it. Cancelling it drops the future.
    pub(crate) fn new<F, C, R>(future: F, convert: C) -> Self
    where
        F: Future<Output: Send> + Send + 'static,
        C: FnOnce(Python<'_>, F::Output) -> PyResult<R> + Send + 'static,
        R: for<'a> IntoPyObject<'a>,
    {
        let pending = async move {
            let output = future.await;
            Box::new(move |py: Python<'_>| convert(py, output)?.into_py_any(py)) as Answer
        };
        Self(Mutex::new(Some(Box::pin(pending))))
    }
}

#[pymethods]
impl Awaitable {
    fn __await__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        static RUNNING_LOOP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        logging::refresh(py)?;
        let event_loop = RUNNING_LOOP.import(py, "asyncio", "get_running_loop")?.call0()?;
        let pending = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let pending = pending.ok_or_else(|| PyRuntimeError::new_err("cannot await the same call twice"))?;
        let future = event_loop.call_method0(intern!(py, "create_future"))?;
        let debt = Debt::new(py, event_loop.unbind(), future.clone().unbind());
        let task = runtime::get(py)?.spawn(async move { debt.settle(pending.await) });
        future.call_method1(intern!(py, "add_done_callback"), (Abort(task.abort_handle()),))?;
        future.call_method0(intern!(py, "__await__"))
    }
}

/// Called when a future is done: of use where that is because it was cancelled.
#[pyclass(frozen, module = "clipia_queue")]
struct Abort(AbortHandle);

#[pymethods]
impl Abort {
    fn __call__(&self, _future: &Bound<'_, PyAny>) {
        self.0.abort();
        deliveries::aborted(&self.0);
    }
}

/// A coroutine that runs `future` and returns what `convert` makes of it. `interrupted` leaves in an exception that
/// interrupts the coroutine how to go on.
pub(crate) fn new<'py, F, C, R>(
    py: Python<'py>,
    future: F,
    interrupted: Option<Interrupted>,
    convert: C,
) -> PyResult<Bound<'py, PyAny>>
where
    F: Future<Output: Send> + Send + 'static,
    C: FnOnce(Python<'_>, F::Output) -> PyResult<R> + Send + 'static,
    R: for<'a> IntoPyObject<'a>,
{
    static RUN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let call = Awaitable::new(future, convert);
    RUN.import(py, "clipia_queue._coroutines", "run")?.call1((call, interrupted))
}

/// A coroutine that submits, and leaves in an exception that interrupts it the idempotency key, or the id.
pub(crate) fn submit<'py, C, R>(py: Python<'py>, submit: Submit, convert: C) -> PyResult<Bound<'py, PyAny>>
where
    C: FnOnce(Python<'_>, Submitted) -> PyResult<R> + Send + 'static,
    R: for<'a> IntoPyObject<'a>,
{
    let underway = Underway::submit(&submit);
    let submit = accepting(submit, underway.clone());
    new(py, submit, Some(underway.into()), |py, answer| {
        convert(py, answer.map_err(|error| raise(py, error))?)
    })
}

/// Submits, and notes the id for the exception: an answer that comes while the call is being cancelled is lost.
pub(crate) async fn accepting(submit: Submit, underway: Underway) -> Result<Submitted, Error> {
    let submitted = submit.await?;
    underway.accepted(submitted.id());
    Ok(submitted)
}

/// A coroutine that makes a call of the SDK, whose errors become exceptions.
pub(crate) fn call<'py, T, F, C, R>(py: Python<'py>, call: F, convert: C) -> PyResult<Bound<'py, PyAny>>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Error>> + Send + 'static,
    C: FnOnce(Python<'_>, T) -> PyResult<R> + Send + 'static,
    R: for<'a> IntoPyObject<'a>,
{
    new(py, call, None, |py, answer| convert(py, answer.map_err(|error| raise(py, error))?))
}

/// A coroutine that makes a call of the SDK, whose answer Python gets as a dict.
pub(crate) fn document<'py, T, F>(py: Python<'py>, document: F) -> PyResult<Bound<'py, PyAny>>
where
    T: Serialize + Send + 'static,
    F: Future<Output = Result<T, Error>> + Send + 'static,
{
    call(py, document, |py, answer| Ok(pythonize::pythonize(py, &answer)?.unbind()))
}
