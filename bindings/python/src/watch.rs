//! Telling Python of events, on the calling thread or in an event loop.

use crate::blocking;
use crate::coroutine::Awaitable;
use crate::events::{Event, Events};
use crate::interruption::Interrupted;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use std::sync::{Arc, PoisonError};
use tokio::sync::Mutex;

/// Who is told of what happens.
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

    /// Whether there are none.
    pub(crate) fn nobody(&self) -> bool {
        self.callback.is_none() && self.bar.is_none()
    }

    fn tell(&self, event: impl IntoPyObjectExt<'py>, py: Python<'py>) -> PyResult<()> {
        let event = event.into_bound_py_any(py)?;
        for listener in self.bar.iter().chain(&self.callback) {
            listener.call1((&event,))?;
        }
        Ok(())
    }
}

/// Waits on the calling thread, which also is where listeners are told. What one raises ends the call.
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
            Event::Told(told) => listeners.tell(event(told), py)?,
            Event::Ended(ended) => return Ok(ended),
        }
    };
    let ended = follow();
    if let Some(bar) = &listeners.bar {
        bar.call_method0("close")?;
    }
    ended
}

/// A coroutine that comes to what `ended` makes of how the call ended. Listeners are told in the task that awaits it, and
/// awaited where they are coroutine functions; what one raises ends the call.
pub(crate) fn coroutine<'py, T, O, R>(
    py: Python<'py>,
    events: Events<T, O>,
    listeners: Listeners<'py>,
    interrupted: Option<Interrupted>,
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
            Event::Told(told) => Ok((false, event(told).into_py_any(py)?)),
            Event::Ended(end) => Ok((true, ended(py, end)?)),
        })
    };
    let follow = FOLLOW.import(py, "clipia_queue._coroutines", "follow")?;
    follow.call1((
        Watch(std::sync::Mutex::new(Some(Box::new(next)))),
        listeners.callback,
        listeners.bar,
        interrupted,
    ))
}

/// A call whose events Python asks for one by one, until it is closed.
#[pyclass(frozen, module = "clipia_queue")]
struct Watch(std::sync::Mutex<Option<Next>>);

type Next = Box<dyn Fn() -> Awaitable + Send>;

#[pymethods]
impl Watch {
    /// Whether it has ended, and the result or else what changed.
    fn next(&self) -> PyResult<Awaitable> {
        let next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = next.as_ref().ok_or_else(|| PyRuntimeError::new_err("the call is closed"))?;
        Ok(next())
    }

    /// Ends the call, even where the traceback of an exception keeps this.
    fn close(&self) {
        let next = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(next);
    }
}
