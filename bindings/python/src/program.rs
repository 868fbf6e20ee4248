//! The program `clipia`.

use pyo3::prelude::*;
use std::ffi::OsString;

/// Runs the program `clipia` and returns its exit code. The first word of the command line is the name of the program.
/// It needs a process of its own, which `clipia_queue.__main__` prepares.
#[pyfunction]
pub(crate) fn run_program(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| clipia_cli::run(&arguments))
}
