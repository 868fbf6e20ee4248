//! Waiting for the SDK on the calling thread.

use crate::exceptions::raise;
use crate::interruption::Underway;
use crate::{logging, runtime};
use clipia::{Error, Submit, Submitted};
use pyo3::prelude::*;
use std::future::{Future, IntoFuture};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How often a call looks whether Ctrl-C was pressed: soon enough to feel prompt, and rarely enough to cost nothing.
const SIGNALS_EVERY: Duration = Duration::from_millis(50);

/// What a future comes to. Other threads of Python run meanwhile. Signal handlers run here, outside of the runtime,
/// since they may call the client themselves; an exception of theirs drops the future.
pub(crate) fn run<F>(py: Python<'_>, future: F) -> PyResult<F::Output>
where
    F: Future<Output: Send> + Send,
{
    let runtime = runtime::get(py)?;
    logging::refresh(py)?;
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Sleeper(thread::current())));
    loop {
        let some_time = py.detach(|| {
            let _entered = runtime.enter();
            poll_for(SIGNALS_EVERY, future.as_mut(), &waker)
        });
        logging::flush(py);
        match some_time {
            Poll::Ready(output) => return Ok(output),
            Poll::Pending => py.check_signals()?,
        }
    }
}

/// Drives a future on this thread, for so long. The clock of the runtime would do, too, but its timers wake one of its
/// threads at each call.
fn poll_for<F: Future>(time: Duration, mut future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    let end = Instant::now() + time;
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(waker)) {
            return Poll::Ready(output);
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Poll::Pending;
        }
        thread::park_timeout(left);
    }
}

/// The thread that drives a future, asleep.
struct Sleeper(Thread);

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// What a call of the SDK answers.
pub(crate) fn call<T, F>(py: Python<'_>, call: F) -> PyResult<T>
where
    T: Send,
    F: Future<Output = Result<T, Error>> + Send,
{
    run(py, call)?.map_err(|error| raise(py, error))
}

/// Runs a submit, and leaves its idempotency key in the exception that interrupts it.
pub(crate) fn submit(py: Python<'_>, submit: Submit) -> PyResult<Submitted> {
    let underway = Underway::submit(&submit);
    let ended = run(py, submit.into_future()).map_err(|exception| underway.interrupted(py, exception))?;
    ended.map_err(|error| raise(py, error))
}
