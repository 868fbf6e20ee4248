//! Handing answers over to event loops. One thread does it for all of them, so that the threads of the runtime never
//! wait for the GIL, and answers that come together share one turn of it and wake their loop once.

use crate::logging;
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::task::AbortHandle;

/// The value of a future of asyncio's, made in the event loop that awaits it.
pub(crate) type Answer = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

/// Locked only by a thread that has the GIL, which one that forks has, too. What it holds lives as long as the process.
static DELIVERIES: Mutex<Option<&'static Deliveries>> = Mutex::new(None);

/// Whether Python shuts down.
static ENDED: AtomicBool = AtomicBool::new(false);

/// Calls that were cancelled and may not have ended yet. Such a call logs how to go on when it ends, which may be after
/// Python begins to shut down, as `asyncio.run` does after Ctrl-C.
static ABORTED: Mutex<Vec<AbortHandle>> = Mutex::new(Vec::new());

/// How long shutting down waits for these calls. They end as soon as a thread of the runtime is free.
const ABORTED_WAIT: Duration = Duration::from_millis(500);

/// Calls that are listed before those that have ended are taken out.
const ABORTED_MAX: usize = 64;

thread_local! {
    /// On the threads of the runtime, which must not wait for the lock of the above.
    static HERE: Cell<Option<&'static Deliveries>> = const { Cell::new(None) };
}

/// What the thread is given, and how it is stopped.
pub(crate) struct Deliveries {
    sender: Sender<Message>,
    /// Whether Python may still be called. A thread that calls it while it shuts down brings the process down.
    open: Mutex<bool>,
}

enum Message {
    Answer(Delivery),
    /// Something is noted for `logging`.
    Noted,
}

struct Delivery {
    event_loop: Py<PyAny>,
    future: Py<PyAny>,
    answer: Answer,
}

/// The thread is started with the runtime.
pub(crate) fn get(_: Python<'_>) -> &'static Deliveries {
    let mut current = DELIVERIES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(deliveries) = *current {
        return deliveries;
    }
    let (sender, receiver) = mpsc::channel();
    let open = Mutex::new(!ENDED.load(Ordering::Relaxed));
    let deliveries: &'static Deliveries = Box::leak(Box::new(Deliveries { sender, open }));
    // Without the thread the channel is closed and nothing is delivered; a process that is out of threads has
    // failed before, when it started the runtime.
    let deliver = move || deliver(&receiver, deliveries);
    let _ = thread::Builder::new().name("clipia-deliver".to_owned()).spawn(deliver);
    current.insert(deliveries)
}

/// Called on each thread of the runtime.
pub(crate) fn enter(deliveries: &'static Deliveries) {
    HERE.set(Some(deliveries));
}

/// Has what is noted for `logging` passed on. Does nothing on a thread of Python's, which soon does that itself.
pub(crate) fn nudge() {
    if let Some(deliveries) = HERE.get() {
        let _ = deliveries.sender.send(Message::Noted);
    }
}

fn deliver(receiver: &Receiver<Message>, deliveries: &Deliveries) {
    while let Ok(first) = receiver.recv() {
        let open = deliveries.open.lock().unwrap_or_else(PoisonError::into_inner);
        if !*open {
            return;
        }
        Python::attach(|py| {
            logging::flush(py);
            let mut batches: Vec<(Py<PyAny>, Vec<Owed>)> = Vec::new();
            for message in std::iter::once(first).chain(receiver.try_iter()) {
                let Message::Answer(Delivery { event_loop, future, answer }) = message else { continue };
                match batches.iter_mut().find(|(known, _)| known.is(&event_loop)) {
                    Some((_, batch)) => batch.push((future, answer)),
                    None => batches.push((event_loop, vec![(future, answer)])),
                }
            }
            for (event_loop, batch) in batches {
                let resolve = Resolve(Mutex::new(batch));
                // A loop that is closed takes nothing more, and nobody awaits it.
                let _ = event_loop.call_method1(py, intern!(py, "call_soon_threadsafe"), (resolve,));
            }
        });
    }
}

/// Lists a call that was cancelled, unless it has ended.
pub(crate) fn aborted(call: &AbortHandle) {
    if call.is_finished() {
        return;
    }
    let mut aborted = ABORTED.lock().unwrap_or_else(PoisonError::into_inner);
    if aborted.len() >= ABORTED_MAX {
        aborted.retain(|call| !call.is_finished());
    }
    aborted.push(call.clone());
}

fn wait_for_aborted() {
    let aborted = std::mem::take(&mut *ABORTED.lock().unwrap_or_else(PoisonError::into_inner));
    let end = Instant::now() + ABORTED_WAIT;
    while !aborted.iter().all(AbortHandle::is_finished) && Instant::now() < end {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Called when Python shuts down, while all of it still works.
#[pyfunction]
pub(crate) fn stop(py: Python<'_>) {
    py.detach(wait_for_aborted);
    ENDED.store(true, Ordering::Relaxed);
    let deliveries = *DELIVERIES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(deliveries) = deliveries {
        // Not with the GIL: the other thread may be waiting for it, with the lock.
        py.detach(|| *deliveries.open.lock().unwrap_or_else(PoisonError::into_inner) = false);
    }
    logging::flush(py);
}

/// Called in a process that was just forked: the thread is not in it, nor are the calls.
pub(crate) fn forget(_: Python<'_>) {
    ABORTED.lock().unwrap_or_else(PoisonError::into_inner).clear();
    *DELIVERIES.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// A future of asyncio's that is owed an answer.
pub(crate) struct Debt {
    deliveries: &'static Deliveries,
    owed: Option<(Py<PyAny>, Py<PyAny>)>,
}

impl Debt {
    pub(crate) fn new(py: Python<'_>, event_loop: Py<PyAny>, future: Py<PyAny>) -> Self {
        Self { deliveries: get(py), owed: Some((event_loop, future)) }
    }

    pub(crate) fn settle(mut self, answer: Answer) {
        self.deliver(answer);
    }

    fn deliver(&mut self, answer: Answer) {
        if let Some((event_loop, future)) = self.owed.take() {
            let _ = self.deliveries.sender.send(Message::Answer(Delivery { event_loop, future, answer }));
        }
    }
}

impl Drop for Debt {
    /// The call was cancelled, and nobody awaits it any more, or it panicked.
    fn drop(&mut self) {
        self.deliver(Box::new(|_| Err(PyRuntimeError::new_err("the call panicked"))));
    }
}

/// A future, and its answer.
type Owed = (Py<PyAny>, Answer);

/// Runs in the event loop.
#[pyclass(frozen, module = "clipia_queue")]
struct Resolve(Mutex<Vec<Owed>>);

#[pymethods]
impl Resolve {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let batch = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (future, answer) in batch {
            let future = future.bind(py);
            if future.call_method0(intern!(py, "done"))?.is_truthy()? {
                continue;
            }
            match answer(py) {
                Ok(value) => future.call_method1(intern!(py, "set_result"), (value,))?,
                Err(exception) => future.call_method1(intern!(py, "set_exception"), (exception,))?,
            };
        }
        Ok(())
    }
}
