//! `MediaFile` and `AsyncMediaFile`, and the iterators over their bytes.

use crate::exceptions::{ClipiaError, raise};
use crate::iteration::Iteration;
use crate::style::{Answer, Asyncio, Blocking, Style};
use crate::{blocking, coroutine};
use clipia::Error;
use pyo3::exceptions::PyStopAsyncIteration;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::Arc;

/// The most bytes of `bytes()`, unless the caller says otherwise.
const BYTES_MAX: usize = 256 * 1024 * 1024;

/// A file of the SDK, of the process that asked for it.
struct File {
    file: clipia::MediaFile,
    /// The id of the process whose connections the file has.
    process: u32,
}

impl File {
    fn new(file: clipia::MediaFile) -> Self {
        Self { file, process: std::process::id() }
    }

    /// The name of the file, without an extension.
    fn name(&self) -> &str {
        self.file.name()
    }

    fn url(&self) -> &str {
        self.file.url()
    }

    /// The file, in the process that asked for it.
    fn in_this_process(&self) -> PyResult<&clipia::MediaFile> {
        if self.process == std::process::id() {
            return Ok(&self.file);
        }
        Err(ClipiaError::new_err("the process was forked since: ask for the files of the result again"))
    }

    fn bytes(
        &self,
        bytes_max: usize,
    ) -> PyResult<impl Future<Output = Result<Received, Error>> + Send + use<>> {
        let file = self.in_this_process()?.clone();
        Ok(async move { file.bytes(bytes_max).await.map(Received) })
    }

    fn stream(&self) -> PyResult<Arc<Iteration<Result<bytes::Bytes, Error>>>> {
        Ok(Iteration::new(self.in_this_process()?.stream()))
    }
}

/// Bytes that become those of Python.
pub(crate) struct Received(bytes::Bytes);

impl<'py> IntoPyObject<'py> for Received {
    type Target = PyBytes;
    type Output = Bound<'py, PyBytes>;
    type Error = std::convert::Infallible;

    fn into_pyobject(self, py: Python<'py>) -> Result<Self::Output, Self::Error> {
        Ok(PyBytes::new(py, &self.0))
    }
}

macro_rules! media_file {
    ($Class:ident, $Style:ident, $MediaPieces:ident) => {
        /// A file of an output, fetched into memory or piece by piece. It is checked as a download is; a transfer that breaks is
        /// resumed.
        #[pyclass(frozen, module = "clipia_queue")]
        pub(crate) struct $Class(File);

        impl $Class {
            pub(crate) fn new(file: clipia::MediaFile) -> Self {
                Self(File::new(file))
            }
        }

        #[pymethods]
        impl $Class {
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
            fn bytes<'py>(
                &self,
                py: Python<'py>,
                max_bytes: usize,
            ) -> PyResult<Answer<'py, $Style, Received>> {
                $Style::call(py, self.0.bytes(max_bytes)?, |_, bytes| Ok(bytes))
            }

            /// Iterates over the bytes of the file as they arrive. The file is whole if the iteration ends without an
            /// exception.
            fn stream(&self) -> PyResult<$MediaPieces> {
                self.0.stream().map($MediaPieces)
            }

            fn __repr__(&self) -> String {
                format!(concat!(stringify!($Class), "(name='{}')"), self.0.name())
            }
        }
    };
}

media_file!(MediaFile, Blocking, MediaPieces);
media_file!(AsyncMediaFile, Asyncio, AsyncMediaPieces);

/// The bytes of a file as they arrive.
#[pyclass(frozen, module = "clipia_queue")]
pub(crate) struct MediaPieces(Arc<Iteration<Result<bytes::Bytes, Error>>>);

#[pymethods]
impl MediaPieces {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Received>> {
        piece(py, blocking::run(py, self.0.next())?.take())
    }
}

/// The same for asyncio.
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

fn piece(py: Python<'_>, piece: Option<Result<bytes::Bytes, Error>>) -> PyResult<Option<Received>> {
    piece.map(|piece| piece.map(Received).map_err(|error| raise(py, error))).transpose()
}
