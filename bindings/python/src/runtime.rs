//! The Tokio runtime of the coroutines, shared by all asyncio clients of the process. [`crate::driver`] has that of the
//! blocking calls.

use crate::asyncio_futures;
use pyo3::prelude::*;
use std::num::NonZero;
use std::sync::{Mutex, PoisonError};
use std::thread;
use tokio::runtime::{Builder, Runtime};

/// Threads that drive connections. They only move bytes and read JSON; with more threads Python would be the
/// bottleneck.
const THREADS_MAX: usize = 4;

/// The runtime, which lives as long as the process. The mutex is only locked by a thread that has the GIL. A thread
/// that forks has it, too, so a forked process finds the mutex unlocked.
static RUNTIME: Mutex<Option<&'static Runtime>> = Mutex::new(None);

/// The runtime. The first call starts it.
pub(crate) fn get(py: Python<'_>) -> PyResult<&'static Runtime> {
    let mut runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(runtime) = *runtime {
        return Ok(runtime);
    }
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX);
    let completer = asyncio_futures::get(py);
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(threads).thread_name("clipia").enable_all();
    let started = builder.on_thread_start(move || asyncio_futures::on_runtime_thread(completer)).build()?;
    Ok(*runtime.insert(Box::leak(Box::new(started))))
}

/// Called in a process that was just forked. It has none of the runtime's threads.
pub(crate) fn forget(_: Python<'_>) {
    *RUNTIME.lock().unwrap_or_else(PoisonError::into_inner) = None;
}
