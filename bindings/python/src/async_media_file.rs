//! `AsyncMediaFile` and the iterator over its bytes.

use crate::coroutine;
use crate::iteration::Iteration;
use crate::media_file::{BYTES_MAX, File, piece};
use clipia::Error;
use pyo3::exceptions::PyStopAsyncIteration;
use pyo3::prelude::*;
use std::sync::Arc;

/// A file of an output, fetched into memory or piece by piece. It is checked as a download is; a transfer that breaks is resumed.
#[pyclass(frozen, module = "clipia_queue")]
pub(crate) struct AsyncMediaFile(File);

impl AsyncMediaFile {
    pub(crate) fn new(file: clipia::MediaFile) -> Self {
        Self(File::new(file))
    }
}

#[pymethods]
impl AsyncMediaFile {
    /// A name for the file, without an extension: the id, the kind and a number.
    #[getter]
    fn name(&self) -> &str {
        self.0.name()
    }

    /// The URL, as in the output. It may hold a signature.
    #[getter]
    fn url(&self) -> &str {
        self.0.url()
    }

    /// The whole file. Raises `DownloadFailed` if it has more than `max_bytes`.
    #[pyo3(signature = (*, max_bytes = BYTES_MAX))]
    fn bytes<'py>(&self, py: Python<'py>, max_bytes: usize) -> PyResult<Bound<'py, PyAny>> {
        coroutine::call(py, self.0.bytes(max_bytes)?, |_, bytes| Ok(bytes))
    }

    /// Iterates over the bytes of the file as they arrive. The file is whole if the iteration ends without an exception.
    fn stream(&self) -> PyResult<AsyncMediaPieces> {
        self.0.stream().map(AsyncMediaPieces)
    }

    fn __repr__(&self) -> String {
        format!("AsyncMediaFile(name='{}')", self.0.name())
    }
}

/// The bytes of a file as they arrive.
#[pyclass(frozen, module = "clipia_queue")]
pub(crate) struct AsyncMediaPieces(Arc<Iteration<Result<bytes::Bytes, Error>>>);

#[pymethods]
impl AsyncMediaPieces {
    fn __aiter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __anext__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        coroutine::new(py, self.0.next(), None, |py, next| {
            piece(py, next.take())?.ok_or_else(|| PyStopAsyncIteration::new_err(()))
        })
    }
}
