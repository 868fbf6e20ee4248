//! Handing answers over to event loops. One thread does it for all of them, so that the threads of the runtime never
//! wait for the GIL, and answers that come together share one turn of it.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;

/// The value of a future of asyncio's, made in the event loop that awaits it.
pub(crate) type Answer = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

/// Whether Python may still be called. A thread that calls it while it shuts down brings the process down.
static OPEN: Mutex<bool> = Mutex::new(true);

static DELIVERIES: LazyLock<Sender<Delivery>> = LazyLock::new(|| {
    let (sender, deliveries) = mpsc::channel();
    // Without the thread the channel is closed and nothing is delivered; a process that is out of threads has
    // failed before, when it started the runtime.
    let _ = thread::Builder::new().name("clipia-deliver".to_owned()).spawn(move || deliver(&deliveries));
    sender
});

struct Delivery {
    event_loop: Py<PyAny>,
    future: Py<PyAny>,
    answer: Answer,
}

fn deliver(deliveries: &Receiver<Delivery>) {
    while let Ok(first) = deliveries.recv() {
        let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if !*open {
            return;
        }
        Python::attach(|py| {
            for delivery in std::iter::once(first).chain(deliveries.try_iter()) {
                let resolve = Resolve { future: delivery.future, answer: Mutex::new(Some(delivery.answer)) };
                // A loop that is closed takes nothing more, and nobody awaits it.
                let _ = delivery.event_loop.call_method1(py, "call_soon_threadsafe", (resolve,));
            }
        });
    }
}

/// Called when Python shuts down, while all of it still works.
#[pyfunction]
pub(crate) fn stop(py: Python<'_>) {
    // Not with the GIL: the other thread may be waiting for it, with the lock.
    py.detach(|| *OPEN.lock().unwrap_or_else(PoisonError::into_inner) = false);
}

/// A future of asyncio's that is owed an answer.
pub(crate) struct Debt(Option<(Py<PyAny>, Py<PyAny>)>);

impl Debt {
    pub(crate) fn new(event_loop: Py<PyAny>, future: Py<PyAny>) -> Self {
        Self(Some((event_loop, future)))
    }

    pub(crate) fn settle(mut self, answer: Answer) {
        self.deliver(answer);
    }

    fn deliver(&mut self, answer: Answer) {
        if let Some((event_loop, future)) = self.0.take() {
            let _ = DELIVERIES.send(Delivery { event_loop, future, answer });
        }
    }
}

impl Drop for Debt {
    /// The call was cancelled, and nobody awaits it any more, or it panicked.
    fn drop(&mut self) {
        self.deliver(Box::new(|_| Err(PyRuntimeError::new_err("the call panicked"))));
    }
}

/// Runs in the event loop.
#[pyclass(frozen, module = "clipia_queue")]
struct Resolve {
    future: Py<PyAny>,
    answer: Mutex<Option<Answer>>,
}

#[pymethods]
impl Resolve {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let future = self.future.bind(py);
        if let Some(answer) = answer
            && !future.call_method0("done")?.is_truthy()?
        {
            match answer(py) {
                Ok(value) => future.call_method1("set_result", (value,))?,
                Err(exception) => future.call_method1("set_exception", (exception,))?,
            };
        }
        Ok(())
    }
}
