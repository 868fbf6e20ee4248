//! Waiting for the SDK on the calling thread.

use crate::exceptions::raise;
use crate::runtime;
use clipia::Error;
use pyo3::prelude::*;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;
use tokio::time::timeout;

/// How often a call looks whether Ctrl-C was pressed: soon enough to feel prompt, and rarely enough to cost nothing.
const SIGNALS_EVERY: Duration = Duration::from_millis(50);

/// What a future comes to. Other threads of Python run meanwhile. Signal handlers run here, outside of the runtime,
/// since they may call the client themselves; an exception of theirs drops the future.
pub(crate) fn run<F>(py: Python<'_>, future: F) -> PyResult<F::Output>
where
    F: Future<Output: Send> + Send,
{
    let runtime = runtime::get(py)?;
    let mut future = pin!(future);
    loop {
        let some_time =
            py.detach(|| runtime.block_on(async { timeout(SIGNALS_EVERY, future.as_mut()).await }));
        match some_time {
            Ok(output) => return Ok(output),
            Err(_) => py.check_signals()?,
        }
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
