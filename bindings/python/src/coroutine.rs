//! Coroutines for calls of the SDK.

use crate::asyncio_futures::{self, MakeValue, PendingFuture};
use crate::exceptions::raise;
use crate::interruption::{OnInterrupt, ResumePoint};
use crate::{logging, runtime};
use clipia::{Error, Submit, Submitted};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use tokio::task::AbortHandle;

type Pending = Pin<Box<dyn Future<Output = MakeValue> + Send>>;

/// A call that a Python coroutine awaits once. Nothing is sent before that, as with any coroutine, and the event loop
/// that awaits it gets the value.
#[pyclass(frozen, module = "clipia_queue")]
pub(crate) struct Awaitable(Mutex<Option<Pending>>);

impl Awaitable {
    /// Runs `future`, and makes the value with `convert`. Cancelling the await drops the future.
    pub(crate) fn new<F, C, R>(future: F, convert: C) -> Self
    where
        F: Future<Output: Send> + Send + 'static,
        C: FnOnce(Python<'_>, F::Output) -> PyResult<R> + Send + 'static,
        R: for<'a> IntoPyObject<'a>,
    {
        let pending = async move {
            let output = future.await;
            Box::new(move |py: Python<'_>| convert(py, output)?.into_py_any(py)) as MakeValue
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
        let pending_future = PendingFuture::new(py, event_loop.unbind(), future.clone().unbind());
        let task = runtime::get(py)?.spawn(async move { pending_future.complete(pending.await) });
        future.call_method1(intern!(py, "add_done_callback"), (Abort(task.abort_handle()),))?;
        future.call_method0(intern!(py, "__await__"))
    }
}

/// Ends a call. An asyncio future calls this when it is done, which matters if it was cancelled.
#[pyclass(frozen, module = "clipia_queue")]
struct Abort(AbortHandle);

#[pymethods]
impl Abort {
    fn __call__(&self, _future: &Bound<'_, PyAny>) {
        self.0.abort();
        asyncio_futures::cancelled(&self.0);
    }
}

/// A coroutine that runs `future` and returns what `convert` makes of its output. `on_interrupt` is called with an
/// exception that interrupts the coroutine.
pub(crate) fn new<'py, F, C, R>(
    py: Python<'py>,
    future: F,
    on_interrupt: Option<OnInterrupt>,
    convert: C,
) -> PyResult<Bound<'py, PyAny>>
where
    F: Future<Output: Send> + Send + 'static,
    C: FnOnce(Python<'_>, F::Output) -> PyResult<R> + Send + 'static,
    R: for<'a> IntoPyObject<'a>,
{
    static RUN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let call = Awaitable::new(future, convert);
    RUN.import(py, "clipia_queue._coroutines", "run")?.call1((call, on_interrupt))
}

/// Submits, and records the id in `resume`, because a response that arrives while the call is being cancelled is lost.
pub(crate) async fn accepting(submit: Submit, resume: ResumePoint) -> Result<Submitted, Error> {
    let submitted = submit.await?;
    resume.accepted(submitted.id());
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
    new(py, call, None, |py, result| convert(py, result.map_err(|error| raise(py, error))?))
}
