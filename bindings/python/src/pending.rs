//! `Pending`.

use crate::result_response::time;
use clipia::Timestamp;
use pyo3::prelude::*;
use std::time::SystemTime;

/// A generation that was submitted and was not seen to end.
#[pyclass(frozen, eq, module = "clipia_queue")]
#[derive(PartialEq, Eq)]
pub(crate) struct Pending {
    #[pyo3(get)]
    model: String,
    #[pyo3(get)]
    idempotency_key: String,
    #[pyo3(get)]
    request_id: Option<String>,
    submitted_at: Timestamp,
}

impl Pending {
    pub(crate) fn of(pending: clipia::Pending) -> Self {
        Self {
            model: pending.model,
            idempotency_key: pending.idempotency_key,
            request_id: pending.request_id.map(|id| id.to_string()),
            submitted_at: pending.submitted_at,
        }
    }
}

#[pymethods]
impl Pending {
    /// When it was submitted, by this machine's clock.
    #[getter]
    fn submitted_at(&self) -> Option<SystemTime> {
        time(self.submitted_at)
    }

    fn __repr__(&self) -> String {
        let id = self.request_id.as_ref().map_or("None".to_owned(), |id| format!("{id:?}"));
        format!(
            "Pending(model={:?}, idempotency_key={:?}, request_id={id}, submitted_at='{}')",
            self.model, self.idempotency_key, self.submitted_at
        )
    }
}
