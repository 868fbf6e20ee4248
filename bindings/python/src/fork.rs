//! What happens where Python forks: with `os.fork`, `multiprocessing`, or as a server that loads a program before it
//! forks its workers.
//!
//! A forked process has one thread, and locks that another held stay locked. So the child leaves everything of the
//! parent's behind and makes its own when it is first needed; clients are renewed by the SDK
//! ([`clipia::Clipia::in_this_process`]).

use crate::{deliveries, logging, runtime};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyModule};

/// Has Python call the functions below.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let os = module.py().import("os")?;
    // There is no such thing on Windows, which does not fork.
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
    deliveries::forget(py);
    logging::clear();
    logging::release();
}
