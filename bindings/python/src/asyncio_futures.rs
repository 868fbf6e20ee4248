//! Completion of asyncio futures. One thread completes the futures of all event loops, so that the threads of the
//! runtime never wait for the GIL. Calls that end together share one acquisition of the GIL, and wake their event loop
//! once.

use crate::logging;
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::task::AbortHandle;

/// Makes the value of an asyncio future, in the event loop that awaits it.
pub(crate) type MakeValue = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

/// The completer of this process, which lives as long as the process. The mutex is only locked by a thread that has the
/// GIL. A thread that forks has it, too, so a forked process finds the mutex unlocked.
static COMPLETER: Mutex<Option<&'static Completer>> = Mutex::new(None);

/// Whether Python is shutting down.
static SHUTTING_DOWN: AtomicBool = AtomicBool::new(false);

/// Calls that were cancelled and may not have ended yet. Such a call logs how to resume when it ends, which may be
/// after Python begins to shut down, as `asyncio.run` does after Ctrl-C.
static CANCELLED: Mutex<Vec<AbortHandle>> = Mutex::new(Vec::new());

/// How long shutting down waits for cancelled calls. They end as soon as a thread of the runtime is free.
const CANCELLED_WAIT: Duration = Duration::from_millis(500);

/// Cancelled calls that are listed before those that have ended are removed.
const CANCELLED_MAX: usize = 64;

thread_local! {
    /// The completer, on the threads of the runtime, which must not wait for the mutex of [`COMPLETER`].
    static OF_RUNTIME_THREAD: Cell<Option<&'static Completer>> = const { Cell::new(None) };
}

/// The thread that completes futures: its messages, and how it is stopped.
pub(crate) struct Completer {
    sender: Sender<Message>,
    /// Whether Python may still be called. A thread that calls Python during its shutdown crashes the process.
    open: Mutex<bool>,
}

enum Message {
    Complete(Completion),
    /// A greenlet is to be woken, by the method `wake` of what it waits with.
    Wake(Arc<Py<PyAny>>),
    /// The queue of `logging` has records.
    FlushLog,
}

struct Completion {
    event_loop: Py<PyAny>,
    future: Py<PyAny>,
    make_value: MakeValue,
}

/// The completer of this process. Its thread is started with the runtime.
pub(crate) fn get(_: Python<'_>) -> &'static Completer {
    let mut current = COMPLETER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(completer) = *current {
        return completer;
    }
    let (sender, receiver) = mpsc::channel();
    let open = Mutex::new(!SHUTTING_DOWN.load(Ordering::Relaxed));
    let completer: &'static Completer = Box::leak(Box::new(Completer { sender, open }));
    // Without the thread the channel is closed, and no future completes. But a process that cannot start threads has
    // already failed to start the runtime.
    let run = move || run(&receiver, completer);
    let _ = thread::Builder::new().name("clipia-deliver".to_owned()).spawn(run);
    current.insert(completer)
}

/// Called on each new thread of the runtime.
pub(crate) fn on_runtime_thread(completer: &'static Completer) {
    OF_RUNTIME_THREAD.set(Some(completer));
}

/// Has the log records flushed by the completer. Does nothing on a Python thread, which soon flushes them itself.
pub(crate) fn flush_log() {
    if let Some(completer) = OF_RUNTIME_THREAD.get() {
        let _ = completer.sender.send(Message::FlushLog);
    }
}

fn run(receiver: &Receiver<Message>, completer: &Completer) {
    while let Ok(first) = receiver.recv() {
        let open = completer.open.lock().unwrap_or_else(PoisonError::into_inner);
        if !*open {
            return;
        }
        Python::attach(|py| {
            // Signals interrupt the main thread only, and this is another.
            let _ = logging::flush(py);
            let mut batches: Vec<(Py<PyAny>, Vec<FutureValue>)> = Vec::new();
            for message in std::iter::once(first).chain(receiver.try_iter()) {
                let Completion { event_loop, future, make_value } = match message {
                    Message::Complete(completion) => completion,
                    Message::Wake(pause) => {
                        // Fails if the greenlet has just ended.
                        let _ = pause.call_method0(py, intern!(py, "wake"));
                        continue;
                    }
                    Message::FlushLog => continue,
                };
                match batches.iter_mut().find(|(known, _)| known.is(&event_loop)) {
                    Some((_, batch)) => batch.push((future, make_value)),
                    None => batches.push((event_loop, vec![(future, make_value)])),
                }
            }
            for (event_loop, batch) in batches {
                let complete = CompleteBatch(Mutex::new(batch));
                // Fails if the loop is closed. Nobody awaits its futures then.
                let _ = event_loop.call_method1(py, intern!(py, "call_soon_threadsafe"), (complete,));
            }
        });
    }
}

impl Completer {
    /// Wakes a greenlet.
    pub(crate) fn wake(&self, pause: Arc<Py<PyAny>>) {
        let _ = self.sender.send(Message::Wake(pause));
    }
}

/// Lists a call that was cancelled, unless it has ended.
pub(crate) fn cancelled(call: &AbortHandle) {
    if call.is_finished() {
        return;
    }
    let mut cancelled = CANCELLED.lock().unwrap_or_else(PoisonError::into_inner);
    if cancelled.len() >= CANCELLED_MAX {
        cancelled.retain(|call| !call.is_finished());
    }
    cancelled.push(call.clone());
}

fn wait_for_cancelled() {
    let cancelled = std::mem::take(&mut *CANCELLED.lock().unwrap_or_else(PoisonError::into_inner));
    let end = Instant::now() + CANCELLED_WAIT;
    while !cancelled.iter().all(AbortHandle::is_finished) && Instant::now() < end {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Called when Python begins to shut down, while all of it still works.
#[pyfunction]
pub(crate) fn stop(py: Python<'_>) {
    py.detach(wait_for_cancelled);
    SHUTTING_DOWN.store(true, Ordering::Relaxed);
    let completer = *COMPLETER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(completer) = completer {
        // Without the GIL, because the completer's thread may hold the lock and wait for the GIL.
        py.detach(|| *completer.open.lock().unwrap_or_else(PoisonError::into_inner) = false);
    }
    // Python ends anyway.
    let _ = logging::flush(py);
}

/// Called in a process that was just forked. It has neither the thread nor the calls of its parent.
pub(crate) fn forget(_: Python<'_>) {
    CANCELLED.lock().unwrap_or_else(PoisonError::into_inner).clear();
    *COMPLETER.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// An asyncio future that has no value yet.
pub(crate) struct PendingFuture {
    completer: &'static Completer,
    /// The event loop and the future; none once a value was sent.
    pending: Option<(Py<PyAny>, Py<PyAny>)>,
}

impl PendingFuture {
    pub(crate) fn new(py: Python<'_>, event_loop: Py<PyAny>, future: Py<PyAny>) -> Self {
        Self { completer: get(py), pending: Some((event_loop, future)) }
    }

    pub(crate) fn complete(mut self, make_value: MakeValue) {
        self.send(make_value);
    }

    fn send(&mut self, make_value: MakeValue) {
        if let Some((event_loop, future)) = self.pending.take() {
            let completion = Completion { event_loop, future, make_value };
            let _ = self.completer.sender.send(Message::Complete(completion));
        }
    }
}

impl Drop for PendingFuture {
    /// The call has panicked; or it was cancelled, and nobody awaits its future.
    fn drop(&mut self) {
        self.send(Box::new(|_| Err(PyRuntimeError::new_err("the call panicked"))));
    }
}

/// A future, and what makes its value.
type FutureValue = (Py<PyAny>, MakeValue);

/// Completes futures in their event loop.
#[pyclass(frozen, module = "clipia_queue")]
struct CompleteBatch(Mutex<Vec<FutureValue>>);

#[pymethods]
impl CompleteBatch {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let batch = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (future, make_value) in batch {
            let future = future.bind(py);
            if future.call_method0(intern!(py, "done"))?.is_truthy()? {
                continue;
            }
            match make_value(py) {
                Ok(value) => future.call_method1(intern!(py, "set_result"), (value,))?,
                Err(exception) => future.call_method1(intern!(py, "set_exception"), (exception,))?,
            };
        }
        Ok(())
    }
}
