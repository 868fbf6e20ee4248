//! The program `clipia`.

use pyo3::prelude::*;
use std::ffi::OsString;

/// Runs the program `clipia` with a command line whose first word is the name it was called by, and returns its exit
/// code. For a process of its own, which Python's `clipia_queue.__main__` makes ready for it.
#[pyfunction]
pub(crate) fn run_program(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| clipia_cli::run(&arguments))
}
