//! Iterators over the changes of a generation.

use crate::blocking;
use crate::coroutine;
use crate::exceptions::{interrupted, raise};
use crate::handle::Handle;
use crate::interruption::ResumePoint;
use crate::iteration::Iteration;
use crate::status_response::StatusResponse;
use clipia::{Error, RequestId, Update};
use pyo3::exceptions::PyStopAsyncIteration;
use pyo3::prelude::*;
use std::sync::Arc;

type Changes = Arc<Iteration<Result<Update, Error>>>;

/// The changes of a generation, the last one terminal.
#[pyclass(frozen, module = "clipia_queue")]
pub(crate) struct Updates {
    request_id: RequestId,
    changes: Changes,
}

impl Updates {
    pub(crate) fn of(py: Python<'_>, handle: &Handle) -> PyResult<Self> {
        Ok(Self {
            request_id: handle.id().clone(),
            changes: Iteration::new(handle.generation(py)?.updates()),
        })
    }
}

#[pymethods]
impl Updates {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<StatusResponse>> {
        let next = blocking::run(py, self.changes.next())
            .map_err(|exception| interrupted(py, exception, &self.request_id))?;
        change(py, next.take())
    }
}

/// The same for asyncio.
#[pyclass(frozen, module = "clipia_queue")]
pub(crate) struct AsyncUpdates {
    request_id: RequestId,
    changes: Changes,
}

impl AsyncUpdates {
    pub(crate) fn of(py: Python<'_>, handle: &Handle) -> PyResult<Self> {
        Ok(Self {
            request_id: handle.id().clone(),
            changes: Iteration::new(handle.generation(py)?.updates()),
        })
    }
}

#[pymethods]
impl AsyncUpdates {
    fn __aiter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __anext__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let resume = ResumePoint::wait(&self.request_id);
        coroutine::new(py, self.changes.next(), Some(resume.into()), |py, next| {
            change(py, next.take())?.ok_or_else(|| PyStopAsyncIteration::new_err(()))
        })
    }
}

fn change(py: Python<'_>, change: Option<Result<Update, Error>>) -> PyResult<Option<StatusResponse>> {
    change.map(|change| Ok(StatusResponse::of(change.map_err(|error| raise(py, error))?))).transpose()
}
