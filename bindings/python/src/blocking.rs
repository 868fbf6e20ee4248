//! Calls of the SDK that block the calling thread.

use crate::driven::Driven;
use crate::exceptions::raise;
use crate::interruption::ResumePoint;
use crate::{driver, greenlets, logging};
use clipia::{Error, Submit, Submitted};
use pyo3::prelude::*;
use std::future::{Future, IntoFuture};
use std::time::Duration;

/// How often a call checks for Ctrl-C: often enough to feel prompt, and rarely enough to cost nothing.
const SIGNALS_EVERY: Duration = Duration::from_millis(50);

/// Runs a future on the calling thread. Other Python threads run meanwhile. Signal handlers run on this thread, outside
/// of the runtime, because they may call the client themselves. An exception of a handler drops the future. In a program
/// that is patched for greenlets, the other greenlets of the thread run meanwhile too.
pub(crate) fn run<F>(py: Python<'_>, future: F) -> PyResult<F::Output>
where
    F: Future<Output: Send> + Send,
{
    if let Some(pause) = greenlets::pause(py)? {
        return greenlets::run(&pause, future);
    }
    let call = driver::get(py)?.begin();
    logging::refresh(py)?;
    let mut future = Driven::new(Box::pin(future));
    loop {
        let output = py.detach(|| call.drive_for(SIGNALS_EVERY, &mut future));
        logging::flush(py)?;
        match output {
            Some(output) => return Ok(output),
            None => py.check_signals()?,
        }
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
