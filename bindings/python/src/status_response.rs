//! `StatusResponse`.

use crate::document;
use crate::document::{Document, Pickled};
use clipia::{Update, printable};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The status of a generation.
#[pyclass(frozen, module = "clipia_queue")]
pub(crate) struct StatusResponse(Document<clipia::StatusResponse>);

impl StatusResponse {
    pub(crate) fn new(response: clipia::StatusResponse) -> Self {
        Self(Document::new(response))
    }

    /// From an update of a wait.
    pub(crate) fn of(update: Update) -> Self {
        Self::new(update.into())
    }
}

#[pymethods]
impl StatusResponse {
    /// The id of the generation.
    #[getter]
    fn request_id(&self) -> String {
        self.0.request_id.to_string()
    }

    /// `IN_QUEUE`, `IN_PROGRESS`, `COMPLETED`, `FAILED`, `CANCELED`, or a status of a newer API.
    #[getter]
    fn status(&self) -> &str {
        self.0.status.as_str()
    }

    /// The number of requests ahead in the queue, while the generation is queued; 0 is next.
    #[getter]
    fn queue_position(&self) -> Option<u64> {
        self.0.queue_position
    }

    /// Percent done, while the generation runs.
    #[getter]
    fn progress(&self) -> Option<u8> {
        self.0.progress.map(clipia::Progress::percent)
    }

    /// The last lines or records that the model has logged, if any. A self-hosted server gives strings, 50 at most.
    #[getter]
    fn logs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self.0.get(py, "logs")? {
            Some(logs) => Ok(logs),
            None => Ok(pyo3::types::PyList::empty(py).into_any()),
        }
    }

    /// Whether the generation has ended.
    #[getter]
    fn is_terminal(&self) -> bool {
        self.0.status.is_terminal()
    }

    /// The whole response, including fields that this version does not know.
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        self.0.dict(py)
    }

    /// Makes the object from the JSON of a response, such as `data`.
    #[staticmethod]
    fn from_dict(data: &Bound<'_, PyAny>) -> PyResult<Self> {
        document::read(data, "StatusResponse").map(Self::new)
    }

    fn __eq__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        document::same(slf, other)
    }

    /// The hash of the id, so that the object can be a key of a dict.
    fn __hash__(slf: &Bound<'_, Self>) -> PyResult<isize> {
        slf.getattr("request_id")?.hash()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Pickled<'py>> {
        document::pickle(slf)
    }

    fn __repr__(&self) -> String {
        let mut repr =
            format!("StatusResponse(request_id='{}', status='{}'", self.0.request_id, self.0.status);
        if let Some(position) = self.0.queue_position {
            repr += &format!(", queue_position={position}");
        }
        if let Some(progress) = self.0.progress {
            repr += &format!(", progress={}", progress.percent());
        }
        printable(&(repr + ")")).into_owned()
    }
}
