//! Calls of the SDK that block the calling thread.

use crate::exceptions::raise;
use crate::interruption::ResumePoint;
use crate::{logging, runtime};
use clipia::{Error, Submit, Submitted};
use pyo3::prelude::*;
use std::future::{Future, IntoFuture};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How often a call checks for Ctrl-C: often enough to feel prompt, and rarely enough to cost nothing.
const SIGNALS_EVERY: Duration = Duration::from_millis(50);

/// Runs a future on the calling thread. Other Python threads run meanwhile. Signal handlers run on this thread, outside
/// of the runtime, because they may call the client themselves. An exception of a handler drops the future.
pub(crate) fn run<F>(py: Python<'_>, future: F) -> PyResult<F::Output>
where
    F: Future<Output: Send> + Send,
{
    let runtime = runtime::get(py)?;
    logging::refresh(py)?;
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Sleeper(thread::current())));
    loop {
        let polled = py.detach(|| {
            let _entered = runtime.enter();
            poll_for(SIGNALS_EVERY, future.as_mut(), &waker)
        });
        logging::flush(py);
        match polled {
            Poll::Ready(output) => return Ok(output),
            Poll::Pending => py.check_signals()?,
        }
    }
}

/// Drives a future on this thread for some time. A timer of the runtime would wake one of its threads at each call, so
/// this parks the thread with a timeout instead.
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

/// Wakes the thread that drives a future.
struct Sleeper(Thread);

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// Makes a call of the SDK, whose error becomes an exception.
pub(crate) fn call<T, F>(py: Python<'_>, call: F) -> PyResult<T>
where
    T: Send,
    F: Future<Output = Result<T, Error>> + Send,
{
    run(py, call)?.map_err(|error| raise(py, error))
}

/// Submits. An exception that interrupts the submit gets its idempotency key.
pub(crate) fn submit(py: Python<'_>, submit: Submit) -> PyResult<Submitted> {
    let resume = ResumePoint::submit(&submit);
    let ended = run(py, submit.into_future()).map_err(|exception| resume.interrupted(py, exception))?;
    ended.map_err(|error| raise(py, error))
}
