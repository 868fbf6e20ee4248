//! `printable`, for internal use of the package.

use pyo3::prelude::*;

/// `text` with escapes in place of the control characters and direction overrides that a terminal obeys.
#[pyfunction]
pub(crate) fn printable(text: &str) -> String {
    clipia::printable(text).into_owned()
}
