//! `printable`, for the package's own use.

use pyo3::prelude::*;

/// `text` as a terminal may show it: without the control characters and changes of direction that it would obey.
#[pyfunction]
pub(crate) fn printable(text: &str) -> String {
    clipia::printable(text).into_owned()
}
