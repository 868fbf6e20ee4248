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

/// What came out of a generation; while it runs, its lifecycle fields alone. Both clients return it with the means to
/// save its files: `GenerationResult`, `AsyncGenerationResult`.
#[pyclass(frozen, subclass, module = "clipia_queue")]
pub(crate) struct ResultResponse(Document<clipia::ResultResponse>);

impl ResultResponse {
    pub(crate) fn new(answer: clipia::ResultResponse) -> Self {
        Self(Document::new(answer))
    }
}

#[pymethods]
impl ResultResponse {
    /// Names the generation, for ever.
    #[getter]
    fn request_id(&self) -> String {
        self.0.request_id.to_string()
    }

    /// `IN_QUEUE`, `IN_PROGRESS`, `COMPLETED`, `FAILED`, `CANCELED`, or a word of a newer API.
    #[getter]
    fn status(&self) -> &str {
        self.0.status.as_str()
    }

    /// How many requests are ahead in the queue, while it waits; 0 is next.
    #[getter]
    fn queue_position(&self) -> Option<u64> {
        self.0.queue_position
    }

    /// Percent done, while it runs.
    #[getter]
    fn progress(&self) -> Option<u8> {
        self.0.progress.map(clipia::Progress::percent)
    }

    /// The slug of the model.
    #[getter]
    fn model(&self) -> Option<&str> {
        self.0.model.as_deref()
    }

    /// What it made: `images`, `video`, `audio`, `audios`, and what a newer API adds. `original_url` is the file in
    /// full quality.
    #[getter]
    fn output<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.get(py, "output")
    }

    /// Why it failed: `code` and `message`.
    #[getter]
    fn error<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.get(py, "error")
    }

    /// Credits: reserved while it runs, charged once it has ended, 0 unless it completed.
    #[getter]
    fn cost(&self) -> Option<Amount> {
        self.0.cost.map(Amount::from)
    }

    /// When it was accepted.
    #[getter]
    fn created_at(&self) -> Option<SystemTime> {
        self.0.created_at.and_then(time)
    }

    /// When it ended.
    #[getter]
    fn completed_at(&self) -> Option<SystemTime> {
        self.0.completed_at.and_then(time)
    }

    /// When the server removed the files of the output: they cannot be downloaded any more.
    #[getter]
    fn expired_at(&self) -> Option<SystemTime> {
        self.0.expired_at.and_then(time)
    }

    /// Whether it has not ended yet.
    #[getter]
    fn pending(&self) -> bool {
        !self.is_terminal()
    }

    /// Whether it has ended.
    #[getter]
    fn is_terminal(&self) -> bool {
        self.0.status.is_terminal()
    }

    /// Returns this very result if it is `COMPLETED`; otherwise raises `GenerationFailed`, `GenerationCanceled`, or
    /// `StillRunning` where it has not ended.
    fn raise_for_status<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        let answer = &slf.get().0;
        let id = answer.request_id.to_string();
        match &answer.status {
            Status::Completed => Ok(slf),
            Status::Failed => {
                let (code, message) = clipia::why_failed(answer);
                Err(GenerationFailed::new_err((id, code.to_owned(), message.to_owned())))
            }
            Status::Canceled => Err(GenerationCanceled::new_err(id)),
            running => Err(StillRunning::new_err((id, running.to_string()))),
        }
    }

    /// Shows the first file in a notebook: the browser fetches it from its URL.
    fn _repr_html_<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        static HTML: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        HTML.import(slf.py(), "clipia_queue._notebook", "html")?.call1((slf,))
    }

    /// The whole answer, fields that this version does not know included.
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        self.0.dict(py)
    }

    /// The same from the JSON of an answer, as `data` has it.
    #[staticmethod]
    fn from_dict(data: &Bound<'_, PyAny>) -> PyResult<Self> {
        document::read(data, "ResultResponse").map(Self::new)
    }

    fn __eq__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        document::same(slf, other)
    }

    /// Of its id, so that it can be a key of a dict.
    fn __hash__(slf: &Bound<'_, Self>) -> PyResult<isize> {
        slf.getattr("request_id")?.hash()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Pickled<'py>> {
        document::pickle(slf)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let (class, answer) = (slf.get_type().name()?, &slf.get().0);
        let mut repr = format!("{class}(request_id='{}', status='{}'", answer.request_id, answer.status);
        if let Some(model) = &answer.model {
            repr += &format!(", model='{model}'");
        }
        if let Some(progress) = answer.progress {
            repr += &format!(", progress={}", progress.percent());
        }
        if let Some(cost) = answer.cost {
            repr += &format!(", cost={cost}");
        }
        if answer.status == Status::Failed {
            repr += &format!(", error='{}'", clipia::why_failed(answer).0);
        }
        Ok(printable(&(repr + ")")).into_owned())
    }
}

/// Python reads it as a `datetime` in UTC.
fn time(timestamp: Timestamp) -> Option<SystemTime> {
    // pyo3 cannot convert what is before the epoch, and the API is younger than that.
    SystemTime::try_from(timestamp.max(Timestamp::UNIX_EPOCH)).ok()
}
