//! What an interrupted call leaves in its exception, be it of Ctrl-C, of a signal handler or of asyncio: how to go on
//! with what may be paid for.

use crate::exceptions::{interrupted, interrupted_submit};
use clipia::{RequestId, Submit};
use pyo3::prelude::*;
use std::sync::{Arc, Mutex, PoisonError};

/// A submit and the wait for what it makes, or the wait alone: how far they have come.
#[derive(Clone)]
pub(crate) struct Underway(Arc<Mutex<Stage>>);

#[derive(Clone)]
enum Stage {
    /// Being submitted with this idempotency key.
    Submit(String),
    /// Accepted.
    Wait(RequestId),
}

impl Underway {
    pub(crate) fn submit(submit: &Submit) -> Self {
        Self::at(Stage::Submit(submit.get_idempotency_key().to_owned()))
    }

    pub(crate) fn wait(request_id: &RequestId) -> Self {
        Self::at(Stage::Wait(request_id.clone()))
    }

    fn at(stage: Stage) -> Self {
        Self(Arc::new(Mutex::new(stage)))
    }

    /// The submit was accepted.
    pub(crate) fn accepted(&self, request_id: &RequestId) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Stage::Wait(request_id.clone());
    }

    /// The exception that ends it, with what it takes to go on.
    pub(crate) fn interrupted(&self, py: Python<'_>, exception: PyErr) -> PyErr {
        let stage = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match stage {
            Stage::Submit(idempotency_key) => interrupted_submit(py, exception, idempotency_key),
            Stage::Wait(request_id) => interrupted(py, exception, &request_id),
        }
    }
}

/// Called by a coroutine with the exception that ends it.
#[pyclass(frozen, module = "clipia_queue")]
pub(crate) struct Interrupted(Box<dyn Fn(Python<'_>, PyErr) -> PyErr + Send + Sync>);

impl Interrupted {
    /// `leave` puts into the exception what it takes to go on.
    pub(crate) fn new(leave: impl Fn(Python<'_>, PyErr) -> PyErr + Send + Sync + 'static) -> Self {
        Self(Box::new(leave))
    }
}

impl From<Underway> for Interrupted {
    fn from(underway: Underway) -> Self {
        Self::new(move |py, exception| underway.interrupted(py, exception))
    }
}

#[pymethods]
impl Interrupted {
    fn __call__(&self, exception: Bound<'_, PyAny>) {
        let py = exception.py();
        drop((self.0)(py, PyErr::from_value(exception)));
    }
}
