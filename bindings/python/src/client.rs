//! `Clipia`.

use crate::account::AccountResource;
use crate::arguments::{Id, Input, Seconds};
use crate::generation::Generation;
use crate::generation_result::GenerationResult;
use crate::models::ModelsResource;
use crate::session::{Request, Session};
use crate::status_response::StatusResponse;
use crate::submitted::Submitted;
use crate::waiting::{self, Patience};
use crate::{blocking, files};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::future::IntoFuture;

/// A client of the queue API.
///
/// The key and the base URL come from `CLIPIA_KEY` and `CLIPIA_BASE_URL` where they are not given. Make one client for
/// each key and share it, between threads too: all its waits share the one request budget that a key has. Every call
/// is retried while that may help.
#[pyclass(frozen, module = "clipia_queue")]
pub(crate) struct Clipia(Session);

#[pymethods]
impl Clipia {
    #[new]
    #[pyo3(signature = (api_key = None, *, base_url = None, timeout = 30.0, max_retries = 2))]
    fn new(
        py: Python<'_>,
        api_key: Option<String>,
        base_url: Option<String>,
        timeout: f64,
        max_retries: i64,
    ) -> PyResult<Self> {
        Session::open(py, api_key, base_url, timeout, max_retries).map(Self)
    }

    /// The catalogue.
    #[getter]
    fn models(&self) -> ModelsResource {
        ModelsResource::new(self.0.clone())
    }

    /// The account behind the key.
    #[getter]
    fn account(&self) -> AccountResource {
        AccountResource::new(self.0.clone())
    }

    /// Submits a generation. It is charged once however often the connection breaks.
    #[pyo3(signature = (model, input, *, webhook_url = None, idempotency_key = None))]
    fn submit(
        &self,
        py: Python<'_>,
        model: String,
        input: Input,
        webhook_url: Option<String>,
        idempotency_key: Option<String>,
    ) -> PyResult<Py<Submitted>> {
        let submit = self.0.submit(Request { model, input, webhook_url, idempotency_key })?;
        Submitted::new(py, blocking::call(py, submit.into_future())?)
    }

    /// Where a generation stands now.
    fn status(&self, py: Python<'_>, request_id: Id) -> PyResult<StatusResponse> {
        blocking::call(py, self.0.status(request_id.0)?).map(StatusResponse::new)
    }

    /// What came out of a generation; while it runs, its lifecycle fields alone.
    fn result(&self, py: Python<'_>, request_id: Id) -> PyResult<Py<GenerationResult>> {
        GenerationResult::new(py, blocking::call(py, self.0.result(request_id.0)?)?)
    }

    /// Submits a generation and waits for its end.
    ///
    /// Returns the result, be it `COMPLETED`, `FAILED` or `CANCELED`. `on_queue_update` is called with a
    /// `StatusResponse` at every change of position, progress or status. After `timeout` seconds it raises
    /// `ClipiaTimeoutError`, which has the `request_id` to go on with.
    #[pyo3(signature = (
        model, input, *, webhook_url = None, idempotency_key = None, on_queue_update = None, timeout = None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keywords, in Python")]
    fn subscribe(
        &self,
        py: Python<'_>,
        model: String,
        input: Input,
        webhook_url: Option<String>,
        idempotency_key: Option<String>,
        on_queue_update: Option<&Bound<'_, PyAny>>,
        timeout: Option<Seconds>,
    ) -> PyResult<Py<GenerationResult>> {
        let patience = Patience::begin(timeout);
        let submit = self.0.submit(Request { model, input, webhook_url, idempotency_key })?;
        let generation = blocking::call(py, submit.into_future())?.into_generation();
        let outcome = waiting::block(py, &generation, patience, on_queue_update)?;
        GenerationResult::new(py, files::of_outcome(outcome))
    }

    /// A handle on a generation by its id: of any process, any day. Nothing is sent.
    fn generation(&self, request_id: Id) -> PyResult<Generation> {
        self.0.generation(request_id.0).map(Generation::new)
    }

    /// Ends the client. Generations that came of it go on, and so do their handles.
    fn close(&self) {
        self.0.close();
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, _exception: &Bound<'_, PyTuple>) {
        self.0.close();
    }

    fn __repr__(&self) -> String {
        self.0.repr("Clipia")
    }
}
