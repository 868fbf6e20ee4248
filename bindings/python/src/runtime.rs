//! The runtime that the SDK runs on, one for all clients of the process.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use tokio::runtime::{Builder, Runtime};

/// Started by the first call.
pub(crate) fn get(py: Python<'_>) -> PyResult<&Runtime> {
    static RUNTIME: PyOnceLock<Runtime> = PyOnceLock::new();
    let start = || Builder::new_multi_thread().thread_name("clipia").enable_all().build();
    Ok(RUNTIME.get_or_try_init(py, start)?)
}
