//! Calls in the greenlets of gevent and eventlet. A greenlet polls its call itself, and between two polls it yields to the
//! other greenlets of its thread.

use crate::asyncio_futures::{self, Completer};
use crate::driven::Driven;
use crate::{logging, runtime};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

/// How the greenlet that calls waits; `None` if the call may block its thread.
pub(crate) fn pause(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    static PAUSE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let pause = PAUSE.import(py, "clipia_queue._greenlets", "pause")?.call0()?;
    Ok(if pause.is_none() { None } else { Some(pause) })
}

/// Runs a future in a greenlet. An exception that ends the greenlet drops the future.
pub(crate) fn run<F>(pause: &Bound<'_, PyAny>, future: F) -> PyResult<F::Output>
where
    F: Future<Output: Send> + Send,
{
    // On the heap, since the stack of a greenlet moves.
    let ended = poll(pause, Driven::new(Box::pin(future)));
    pause.call_method0(intern!(pause.py(), "close"))?;
    ended
}

fn poll<F>(pause: &Bound<'_, PyAny>, mut future: Driven<F>) -> PyResult<F::Output>
where
    F: Future<Output: Send> + Send,
{
    let py = pause.py();
    let runtime = runtime::get(py)?;
    logging::refresh(py)?;
    let wakeup = Wakeup { pause: Arc::new(pause.clone().unbind()), completer: asyncio_futures::get(py) };
    let waker = Waker::from(Arc::new(wakeup));
    loop {
        let polled = py.detach(|| {
            let _entered = runtime.enter();
            Pin::new(&mut future).poll(&mut Context::from_waker(&waker))
        });
        logging::flush(py)?;
        match polled {
            Poll::Ready(output) => return Ok(output),
            Poll::Pending => pause.call_method0(intern!(py, "wait"))?,
        };
    }
}

/// Wakes a greenlet, from any thread and without the GIL.
struct Wakeup {
    pause: Arc<Py<PyAny>>,
    completer: &'static Completer,
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.completer.wake(self.pause.clone());
    }
}
