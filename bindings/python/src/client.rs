//! `Clipia`.

use crate::account::AccountResource;
use crate::amount::MaxCost;
use crate::arguments::{Id, Input, Seconds};
use crate::blocking;
use crate::fleet::{AsCompleted, Fleet};
use crate::generation::Generation;
use crate::generation_result::GenerationResult;
use crate::input_warning::InputWarning;
use crate::models::ModelsResource;
use crate::session::{Address, Request, Session};
use crate::status_response::StatusResponse;
use crate::submitted::Submitted;
use crate::waiting::{self, Patience};
use crate::watch::Listeners;
use crate::webhooks::{Attached, Webhooks};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// A client of the queue API.
///
/// The key comes from `CLIPIA_KEY` or else `CLIPIA_API_KEY`, the base URL from `CLIPIA_BASE_URL`, and whether that may be
/// http to another machine from `CLIPIA_ALLOW_HTTP`, where they are not given. Proxies are those of `HTTPS_PROXY` and the
/// like, certificates those of the system, `SSL_CERT_FILE` and `REQUESTS_CA_BUNDLE`. Make one client for each key and
/// share it, between threads too: all its waits share the one request budget that a key has. Every call
/// is retried while that may help.
#[pyclass(frozen, module = "clipia_queue")]
pub(crate) struct Clipia(Session);

#[pymethods]
impl Clipia {
    #[new]
    #[pyo3(signature = (
        api_key = None, *, base_url = None, timeout = 30.0, max_retries = 5, retry_delay = 0.5,
        allow_http = None
    ))]
    fn new(
        py: Python<'_>,
        api_key: Option<String>,
        base_url: Option<String>,
        timeout: Option<f64>,
        max_retries: i64,
        retry_delay: f64,
        allow_http: Option<bool>,
    ) -> PyResult<Self> {
        let address = Address { api_key, base_url, allow_http };
        Session::open(py, address, timeout, max_retries, retry_delay).map(Self)
    }

    /// Where the API answers.
    #[getter]
    fn base_url(&self) -> &str {
        self.0.base_url()
    }

    /// How often a call is repeated after a failure that may pass.
    #[getter]
    fn max_retries(&self) -> u32 {
        self.0.max_retries()
    }

    /// The longest first pause between two tries, in seconds.
    #[getter]
    fn retry_delay(&self) -> f64 {
        self.0.retry_delay()
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
    ///
    /// With `max_cost`, in credits, the exact price is asked for first, and what is dearer is not submitted but raises
    /// `MaxCostExceeded`.
    #[pyo3(signature = (model, input, *, webhook_url = None, idempotency_key = None, max_cost = None))]
    fn submit(
        &self,
        py: Python<'_>,
        model: String,
        input: Input,
        webhook_url: Option<String>,
        idempotency_key: Option<String>,
        max_cost: Option<MaxCost>,
    ) -> PyResult<Py<Submitted>> {
        let submit = self.0.submit(Request { model, input, webhook_url, idempotency_key, max_cost })?;
        Submitted::new(py, blocking::submit(py, submit)?)
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
    /// `StatusResponse` at every change of position, progress or status; `progress` shows a bar. After `timeout`
    /// seconds it raises `ClipiaTimeoutError`, which has the `request_id` to go on with. When to ask for the
    /// generation is decided by what is known of its model and of the key's budget; `poll_interval` makes that no
    /// more often than once in so many seconds. `max_cost` is that of `submit`.
    #[pyo3(signature = (
        model, input, *, webhook_url = None, idempotency_key = None, on_queue_update = None,
        poll_interval = None, timeout = None, progress = false, max_cost = None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keywords, in Python")]
    fn subscribe<'py>(
        &self,
        py: Python<'py>,
        model: String,
        input: Input,
        webhook_url: Option<String>,
        idempotency_key: Option<String>,
        on_queue_update: Option<Bound<'py, PyAny>>,
        poll_interval: Option<Seconds>,
        timeout: Option<Seconds>,
        progress: bool,
        max_cost: Option<MaxCost>,
    ) -> PyResult<Py<GenerationResult>> {
        let patience = Patience::begin(timeout, poll_interval);
        let listeners = Listeners::new(py, on_queue_update, progress)?;
        let submit = self.0.submit(Request { model, input, webhook_url, idempotency_key, max_cost })?;
        let generation = blocking::submit(py, submit)?.into_generation();
        waiting::block(py, generation, patience, &listeners)
    }

    /// Waits for many generations at once, and returns their results in the order of `handles`: what `submit` or
    /// `generation` returned, and ids.
    ///
    /// After `timeout` seconds it raises `ClipiaTimeoutError`; that, and whatever else ends it, has in `request_ids`
    /// those that had not ended. They go on.
    #[pyo3(signature = (handles, timeout = None))]
    fn wait_all<'py>(
        &self,
        py: Python<'py>,
        handles: &Bound<'py, PyAny>,
        timeout: Option<Seconds>,
    ) -> PyResult<Vec<Py<GenerationResult>>> {
        Fleet::new(&self.0, handles, timeout)?.block(py)
    }

    /// Waits for many generations at once: iterates over their results in the order in which they end. `handles` are
    /// what `submit` or `generation` returned, and ids.
    ///
    /// `timeout` seconds after this call it raises `ClipiaTimeoutError`. That, and whatever else ends a wait, has in
    /// `request_ids` those whose results are missing; where one alone cannot be waited for, iterating further gives
    /// the others.
    #[pyo3(signature = (handles, timeout = None))]
    fn as_completed(&self, handles: &Bound<'_, PyAny>, timeout: Option<Seconds>) -> PyResult<AsCompleted> {
        Ok(AsCompleted::of(&Fleet::new(&self.0, handles, timeout)?))
    }

    /// Checks an input against what its model takes, before anything is paid. Returns a warning for each key that
    /// the model does not know, and raises `InputInvalid` with its `faults` where the model would refuse it.
    fn check(&self, py: Python<'_>, model: String, input: Input) -> PyResult<Vec<InputWarning>> {
        Ok(InputWarning::all(&blocking::call(py, self.0.check(model, input)?)?))
    }

    /// A handle on a generation by its id: of any process, any day. Nothing is sent.
    fn generation(&self, request_id: Id) -> PyResult<Generation> {
        self.0.generation(request_id.0).map(Generation::new)
    }

    /// Takes the deliveries of webhooks, and ends the waits of this client with them.
    ///
    /// `secret` is the account's webhook secret. While the account changes it pass both, the new one and the old one.
    #[pyo3(signature = (secret, *others))]
    fn webhooks(&self, py: Python<'_>, secret: String, others: Vec<String>) -> PyResult<Webhooks> {
        Attached::new(py, &self.0, secret, others).map(Webhooks::new)
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
