//! `Upload`.

use crate::document;
use crate::document::{Document, Pickled};
use crate::result_response::time;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyDict;
use std::path::PathBuf;
use std::time::SystemTime;

/// What is uploaded: a path, or bytes.
#[derive(FromPyObject)]
pub(crate) enum UploadFile {
    /// Tried first: neither a text nor a path is bytes.
    Bytes(PyBackedBytes),
    Path(PathBuf),
}

/// A file that the server keeps for inputs. Whoever knows its URL can read it.
#[pyclass(frozen, module = "clipia_queue")]
pub(crate) struct Upload(Document<clipia::Upload>);

impl Upload {
    pub(crate) fn new(response: clipia::Upload) -> Self {
        Self(Document::new(response))
    }
}

#[pymethods]
impl Upload {
    /// The URL for an input: of the file, or a `data:` URL with the file in it.
    #[getter]
    fn url(&self) -> &str {
        &self.0.url
    }

    /// The name of the file.
    #[getter]
    fn file_name(&self) -> Option<&str> {
        self.0.file_name.as_deref()
    }

    /// The media type, such as `image/png`.
    #[getter]
    fn content_type(&self) -> Option<&str> {
        self.0.content_type.as_deref()
    }

    /// The length in bytes.
    #[getter]
    fn file_size(&self) -> Option<u64> {
        self.0.file_size
    }

    /// Until when a new request may name the file; `None` for a `data:` URL.
    #[getter]
    fn expires_at(&self) -> Option<SystemTime> {
        self.0.expires_at.and_then(time)
    }

    /// The whole response, including fields that this version does not know.
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        self.0.dict(py)
    }

    /// Makes the object from the JSON of a response, such as `data`.
    #[staticmethod]
    fn from_dict(data: &Bound<'_, PyAny>) -> PyResult<Self> {
        document::read(data, "Upload").map(Self::new)
    }

    fn __eq__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        document::same(slf, other)
    }

    fn __hash__(slf: &Bound<'_, Self>) -> PyResult<isize> {
        slf.repr()?.hash()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Pickled<'py>> {
        document::pickle(slf)
    }

    fn __repr__(&self) -> String {
        let name = self.0.file_name.as_deref().unwrap_or_default();
        format!("Upload(file_name={name:?}, file_size={})", self.0.file_size.unwrap_or_default())
    }
}
