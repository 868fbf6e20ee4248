//! The runtime that the SDK runs on, one for all clients of the process.

use crate::deliveries;
use pyo3::prelude::*;
use std::num::NonZero;
use std::sync::{Mutex, PoisonError};
use std::thread;
use tokio::runtime::{Builder, Runtime};

/// Threads that drive connections. They only move bytes and read JSON; more of them than this wait for Python.
const THREADS_MAX: usize = 4;

/// Locked only by a thread that has the GIL, which one that forks has, too. What it holds lives as long as the process.
static RUNTIME: Mutex<Option<&'static Runtime>> = Mutex::new(None);

/// Started by the first call.
pub(crate) fn get(py: Python<'_>) -> PyResult<&'static Runtime> {
    let mut runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(runtime) = *runtime {
        return Ok(runtime);
    }
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX);
    let deliveries = deliveries::get(py);
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(threads).thread_name("clipia").enable_all();
    let started = builder.on_thread_start(move || deliveries::enter(deliveries)).build()?;
    Ok(*runtime.insert(Box::leak(Box::new(started))))
}

/// Called in a process that was just forked: the threads of the runtime are not in it.
pub(crate) fn forget(_: Python<'_>) {
    *RUNTIME.lock().unwrap_or_else(PoisonError::into_inner) = None;
}
