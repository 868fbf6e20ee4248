//! Forks of a Python process: by `os.fork`, by `multiprocessing`, or by a server that loads a program before it
//! forks its workers.
//!
//! A forked process has a single thread, and a lock that another thread held stays locked. So the child abandons the
//! parent's state and makes its own when it is first needed. [`crate::process_client`] renews the
//! clients.

use crate::{asyncio_futures, driver, logging, runtime};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyModule};

/// Registers the functions below with Python.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let os = module.py().import("os")?;
    // Windows has no fork.
    if !os.hasattr("register_at_fork")? {
        return Ok(());
    }
    let hooks = PyDict::new(module.py());
    hooks.set_item("before", wrap_pyfunction!(before, module)?)?;
    hooks.set_item("after_in_parent", wrap_pyfunction!(after_in_parent, module)?)?;
    hooks.set_item("after_in_child", wrap_pyfunction!(after_in_child, module)?)?;
    os.call_method("register_at_fork", (), Some(&hooks))?;
    Ok(())
}

#[pyfunction]
fn before() {
    logging::hold();
}

#[pyfunction]
fn after_in_parent() {
    logging::release();
}

#[pyfunction]
fn after_in_child(py: Python<'_>) {
    runtime::forget(py);
    driver::forget(py);
    asyncio_futures::forget(py);
    logging::clear();
    logging::release();
}
