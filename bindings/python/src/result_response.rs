//! `ResultResponse`.

use crate::amount::Amount;
use crate::document;
use crate::document::{Document, Pickled};
use crate::exceptions::{GenerationCanceled, GenerationFailed, StillRunning};
use clipia::{Status, Timestamp, printable};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use std::time::SystemTime;

/// The result of a generation. Before its end there are only the fields of a status. The clients return subclasses that
/// can save the files: `GenerationResult`, `AsyncGenerationResult`.
#[pyclass(frozen, subclass, module = "clipia_queue")]
pub(crate) struct ResultResponse(Document<clipia::ResultResponse>);

impl ResultResponse {
    pub(crate) fn new(response: clipia::ResultResponse) -> Self {
        Self(Document::new(response))
    }
}

#[pymethods]
impl ResultResponse {
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

    /// The slug of the model.
    #[getter]
    fn model(&self) -> Option<&str> {
        self.0.model.as_deref()
    }

    /// The output: `images`, `video`, `audio`, `audios`, `files`, and fields of a newer API. `original_url` is the
    /// file in full quality. A self-hosted server lists files of any other type in `files`.
    #[getter]
    fn output<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.get(py, "output")
    }

    /// The cause of a failure: `code` and `message`.
    #[getter]
    fn error<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.get(py, "error")
    }

    /// Credits: reserved while the generation runs, charged once it has completed, 0 if it failed or was canceled.
    #[getter]
    fn cost(&self) -> Option<Amount> {
        self.0.cost.map(Amount::from)
    }

    /// When the generation was accepted.
    #[getter]
    fn created_at(&self) -> Option<SystemTime> {
        self.0.created_at.and_then(time)
    }

    /// When the generation ended.
    #[getter]
    fn completed_at(&self) -> Option<SystemTime> {
        self.0.completed_at.and_then(time)
    }

    /// When the server removed the files of the output. They cannot be downloaded any more.
    #[getter]
    fn expired_at(&self) -> Option<SystemTime> {
        self.0.expired_at.and_then(time)
    }

    /// Whether the generation has not ended yet.
    #[getter]
    fn pending(&self) -> bool {
        !self.is_terminal()
    }

    /// Whether the generation has ended.
    #[getter]
    fn is_terminal(&self) -> bool {
        self.0.status.is_terminal()
    }

    /// Returns this result if it is `COMPLETED`. Otherwise raises `GenerationFailed`, `GenerationCanceled`, or
    /// `StillRunning` if the generation has not ended.
    fn raise_for_status<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        let response = &slf.get().0;
        let id = response.request_id.to_string();
        match &response.status {
            Status::Completed => Ok(slf),
            Status::Failed => {
                let (code, message) = clipia::why_failed(response);
                Err(GenerationFailed::new_err((id, code.to_owned(), message.to_owned())))
            }
            Status::Canceled => Err(GenerationCanceled::new_err(id)),
            running => Err(StillRunning::new_err((id, running.to_string()))),
        }
    }

    /// Shows the first file in a notebook. The browser fetches it from its URL.
    fn _repr_html_<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        static HTML: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        HTML.import(slf.py(), "clipia_queue._notebook", "html")?.call1((slf,))
    }

    /// The whole response, including fields that this version does not know.
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        self.0.dict(py)
    }

    /// Makes the object from the JSON of a response, such as `data`.
    #[staticmethod]
    fn from_dict(data: &Bound<'_, PyAny>) -> PyResult<Self> {
        document::read(data, "ResultResponse").map(Self::new)
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

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let (class, response) = (slf.get_type().name()?, &slf.get().0);
        let mut repr = format!("{class}(request_id='{}', status='{}'", response.request_id, response.status);
        if let Some(model) = &response.model {
            repr += &format!(", model='{model}'");
        }
        if let Some(progress) = response.progress {
            repr += &format!(", progress={}", progress.percent());
        }
        if let Some(cost) = response.cost {
            repr += &format!(", cost={cost}");
        }
        if response.status == Status::Failed {
            repr += &format!(", error='{}'", clipia::why_failed(response).0);
        }
        Ok(printable(&(repr + ")")).into_owned())
    }
}

/// A time, converted to a `datetime` in UTC.
pub(crate) fn time(timestamp: Timestamp) -> Option<SystemTime> {
    // pyo3 cannot convert times before the epoch. The API sends none.
    SystemTime::try_from(timestamp.max(Timestamp::UNIX_EPOCH)).ok()
}
