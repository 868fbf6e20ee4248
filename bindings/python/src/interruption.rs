//! What an exception that interrupts a call carries (from Ctrl-C, a signal handler or asyncio): how to resume a submit
//! or a wait that may be paid for.

use crate::exceptions::{interrupted, interrupted_submit};
use clipia::{RequestId, Submit};
use pyo3::prelude::*;
use std::sync::{Arc, Mutex, PoisonError};

/// How to resume a call: by the idempotency key of its submit, or by the id of its generation.
#[derive(Clone)]
pub(crate) struct ResumePoint(Arc<Mutex<Stage>>);

#[derive(Clone)]
enum Stage {
    /// Submits with this idempotency key.
    Submit(String),
    /// Waits for this generation.
    Wait(RequestId),
}

impl ResumePoint {
    pub(crate) fn submit(submit: &Submit) -> Self {
        Self::at(Stage::Submit(submit.get_idempotency_key().to_owned()))
    }

    pub(crate) fn wait(request_id: &RequestId) -> Self {
        Self::at(Stage::Wait(request_id.clone()))
    }

    fn at(stage: Stage) -> Self {
        Self(Arc::new(Mutex::new(stage)))
    }

    /// Records that the submit was accepted.
    pub(crate) fn accepted(&self, request_id: &RequestId) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Stage::Wait(request_id.clone());
    }

    /// Puts into an exception that ends the call how to resume it.
    pub(crate) fn interrupted(&self, py: Python<'_>, exception: PyErr) -> PyErr {
        let stage = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match stage {
            Stage::Submit(idempotency_key) => interrupted_submit(py, exception, idempotency_key),
            Stage::Wait(request_id) => interrupted(py, exception, &request_id),
        }
    }
}

/// A coroutine calls this with the exception that ends it.
#[pyclass(frozen, module = "clipia_queue")]
pub(crate) struct OnInterrupt(Box<dyn Fn(Python<'_>, PyErr) -> PyErr + Send + Sync>);

impl OnInterrupt {
    /// `add` puts into the exception how to resume.
    pub(crate) fn new(add: impl Fn(Python<'_>, PyErr) -> PyErr + Send + Sync + 'static) -> Self {
        Self(Box::new(add))
    }
}

impl From<ResumePoint> for OnInterrupt {
    fn from(resume: ResumePoint) -> Self {
        Self::new(move |py, exception| resume.interrupted(py, exception))
    }
}

#[pymethods]
impl OnInterrupt {
    fn __call__(&self, exception: Bound<'_, PyAny>) {
        let py = exception.py();
        drop((self.0)(py, PyErr::from_value(exception)));
    }
}
