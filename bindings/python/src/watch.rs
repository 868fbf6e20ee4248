//! Passing events to Python callbacks, on the calling thread or in an event loop.

use crate::blocking;
use crate::coroutine::Awaitable;
use crate::events::{Event, Events};
use crate::interruption::OnInterrupt;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use std::sync::{Arc, PoisonError};
use tokio::sync::Mutex;

/// The callback and the progress bar that get the events.
pub(crate) struct Listeners<'py> {
    callback: Option<Bound<'py, PyAny>>,
    bar: Option<Bound<'py, PyAny>>,
}

impl<'py> Listeners<'py> {
    pub(crate) fn new(
        py: Python<'py>,
        callback: Option<Bound<'py, PyAny>>,
        progress: bool,
    ) -> PyResult<Self> {
        static BAR: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let bar = || BAR.import(py, "clipia_queue._progress", "Bar")?.call0();
        Ok(Self { callback, bar: progress.then(bar).transpose()? })
    }

    /// Whether there is neither.
    pub(crate) fn is_empty(&self) -> bool {
        self.callback.is_none() && self.bar.is_none()
    }

    fn notify(&self, event: impl IntoPyObjectExt<'py>, py: Python<'py>) -> PyResult<()> {
        let event = event.into_bound_py_any(py)?;
        for listener in self.bar.iter().chain(&self.callback) {
            listener.call1((&event,))?;
        }
        Ok(())
    }
}

/// Waits on the calling thread, and notifies the listeners there. An exception of a listener ends the call.
pub(crate) fn block<'py, T, O, R>(
    py: Python<'py>,
    mut events: Events<T, O>,
    listeners: &Listeners<'py>,
    event: impl Fn(T) -> R,
) -> PyResult<O>
where
    T: Send,
    O: Send,
    R: IntoPyObjectExt<'py>,
{
    let mut follow = || loop {
        match blocking::run(py, events.next())? {
            Event::Changed(change) => listeners.notify(event(change), py)?,
            Event::Ended(ended) => return Ok(ended),
        }
    };
    let ended = follow();
    if let Some(bar) = &listeners.bar {
        bar.call_method0("close")?;
    }
    ended
}

/// A coroutine that returns what `ended` makes of the output of the call. Listeners are notified in the task that
/// awaits the coroutine. A listener that is a coroutine function is awaited. An exception of a listener ends the call.
pub(crate) fn coroutine<'py, T, O, R>(
    py: Python<'py>,
    events: Events<T, O>,
    listeners: Listeners<'py>,
    on_interrupt: Option<OnInterrupt>,
    event: fn(T) -> R,
    ended: fn(Python<'_>, O) -> PyResult<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>>
where
    T: Send + 'static,
    O: Send + 'static,
    R: for<'a> IntoPyObject<'a> + 'static,
{
    static FOLLOW: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let events = Arc::new(Mutex::new(events));
    let next = move || {
        let events = events.clone();
        let next = async move { events.lock().await.next().await };
        Awaitable::new(next, move |py, next| match next {
            Event::Changed(change) => Ok((false, event(change).into_py_any(py)?)),
            Event::Ended(output) => Ok((true, ended(py, output)?)),
        })
    };
    let follow = FOLLOW.import(py, "clipia_queue._coroutines", "follow")?;
    follow.call1((
        Watch(std::sync::Mutex::new(Some(Box::new(next)))),
        listeners.callback,
        listeners.bar,
        on_interrupt,
    ))
}

/// A call that Python follows event by event, until it is closed.
#[pyclass(frozen, module = "clipia_queue")]
struct Watch(std::sync::Mutex<Option<Next>>);

type Next = Box<dyn Fn() -> Awaitable + Send>;

#[pymethods]
impl Watch {
    /// The next event: whether the call has ended, and the result or else the change.
    fn next(&self) -> PyResult<Awaitable> {
        let next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = next.as_ref().ok_or_else(|| PyRuntimeError::new_err("the call is closed"))?;
        Ok(next())
    }

    /// Ends the call, even if the traceback of an exception keeps this object alive.
    fn close(&self) {
        let next = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(next);
    }
}
