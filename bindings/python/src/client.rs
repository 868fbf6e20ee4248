//! `Clipia` and `AsyncClipia`.

use crate::account::{AccountResource, AsyncAccountResource};
use crate::amount::MaxCost;
use crate::arguments::{Id, Input, Seconds, call_options};
use crate::coroutine;
use crate::fleet::{AsCompleted, AsyncAsCompleted, Fleet};
use crate::generation::{AsyncGeneration, Generation};
use crate::generation_result::{AsyncGenerationResult, GenerationResult};
use crate::input_warning::InputWarning;
use crate::models::{AsyncModelsResource, ModelsResource};
use crate::pending::Pending;
use crate::session::{Request, Server, Session};
use crate::status_response::StatusResponse;
use crate::style::{Answer, Asyncio, Blocking, Style};
use crate::submitted::{AsyncSubmitted, Submitted};
use crate::upload::{Upload, UploadFile};
use crate::waiting::WaitOptions;
use crate::watch::Listeners;
use crate::webhooks::{AsyncWebhooks, Receiver, Webhooks};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::collections::HashMap;
use std::future::ready;
use std::path::PathBuf;

macro_rules! client {
    (
        $(#[$doc:meta])*
        $Class:ident, $Style:ident, $ModelsResource:ident, $AccountResource:ident, $Submitted:ident, $Generation:ident,
        $GenerationResult:ident, $AsCompleted:ident, $Webhooks:ident,
        { $($own:tt)* }
    ) => {
        $(#[$doc])*
        #[pyclass(frozen, module = "clipia_queue")]
        pub(crate) struct $Class(Session);

        #[pymethods]
        impl $Class {
            #[new]
            #[pyo3(signature = (
                api_key = None, *, base_url = None, timeout = 30.0, max_retries = 5, retry_delay = 0.5,
                allow_http = None, headers = None, proxy = None, certificates = None, pending_file = None
            ))]
            #[expect(clippy::too_many_arguments, reason = "keywords, in Python")]
            fn new(
                py: Python<'_>,
                api_key: Option<String>,
                base_url: Option<String>,
                timeout: Option<f64>,
                max_retries: i64,
                retry_delay: f64,
                allow_http: Option<bool>,
                headers: Option<HashMap<String, String>>,
                proxy: Option<String>,
                certificates: Option<PathBuf>,
                pending_file: Option<PathBuf>,
            ) -> PyResult<Self> {
                let server = Server { api_key, base_url, allow_http, headers, proxy, certificates, pending_file };
                Session::open(py, server, timeout, max_retries, retry_delay).map(Self)
            }

            /// The base URL of the API.
            #[getter]
            fn base_url(&self) -> &str {
                self.0.base_url()
            }

            /// How often a call is retried after a failure that may pass.
            #[getter]
            fn max_retries(&self) -> u32 {
                self.0.max_retries()
            }

            /// The longest first pause between two attempts, in seconds.
            #[getter]
            fn retry_delay(&self) -> f64 {
                self.0.retry_delay()
            }

            /// The catalogue.
            #[getter]
            fn models(&self) -> $ModelsResource {
                $ModelsResource::new(self.0.clone())
            }

            /// The account of the key.
            #[getter]
            fn account(&self) -> $AccountResource {
                $AccountResource::new(self.0.clone())
            }

            /// Submits a generation. It is charged once however often the connection breaks.
            ///
            /// With `max_cost`, in credits, the client asks for the exact price first. If the price is higher, it submits
            /// nothing and raises `MaxCostExceeded`. `headers` go with the submit and its retries, beside those of the client, and
            /// `call_timeout` is the timeout of each of its HTTP calls, in seconds.
            #[pyo3(signature = (
                model, input, *, webhook_url = None, idempotency_key = None, max_cost = None, headers = None,
                call_timeout = None
            ))]
            #[expect(clippy::too_many_arguments, reason = "keywords, in Python")]
            fn submit<'py>(
                &self,
                py: Python<'py>,
                model: String,
                input: Input,
                webhook_url: Option<String>,
                idempotency_key: Option<String>,
                max_cost: Option<MaxCost>,
                headers: Option<HashMap<String, String>>,
                call_timeout: Option<Seconds>,
            ) -> PyResult<Answer<'py, $Style, Py<$Submitted>>> {
                let request =
                    Request { model, input, webhook_url, idempotency_key, max_cost, headers, call_timeout };
                $Submitted::submit(py, &self.0, request)
            }

            /// The status of a generation. `headers` and `call_timeout` are of this call.
            #[pyo3(signature = (request_id, *, headers = None, call_timeout = None))]
            fn status<'py>(
                &self,
                py: Python<'py>,
                request_id: Id,
                headers: Option<HashMap<String, String>>,
                call_timeout: Option<Seconds>,
            ) -> PyResult<Answer<'py, $Style, StatusResponse>> {
                let options = call_options(headers, call_timeout);
                $Style::call(py, self.0.status(request_id.0, options)?, |_, status| Ok(StatusResponse::new(status)))
            }

            /// The result of a generation. Before its end there are only the fields of a status. `headers` and `call_timeout` are of this call.
            #[pyo3(signature = (request_id, *, headers = None, call_timeout = None))]
            fn result<'py>(
                &self,
                py: Python<'py>,
                request_id: Id,
                headers: Option<HashMap<String, String>>,
                call_timeout: Option<Seconds>,
            ) -> PyResult<Answer<'py, $Style, Py<$GenerationResult>>> {
                let options = call_options(headers, call_timeout);
                $Style::call(py, self.0.result(request_id.0, options)?, $GenerationResult::new)
            }

            /// Submits a generation and waits for its end.
            ///
            /// Returns the result, which is `COMPLETED`, `FAILED` or `CANCELED`. `on_queue_update`, which may
            /// be a coroutine function for asyncio, is called with a `StatusResponse` at every change of position, progress or status. `progress` shows a bar. After `timeout`
            /// seconds it raises `ClipiaTimeoutError`, whose `request_id` lets you resume. The client decides when to poll,
            /// from the durations of the model and the request budget of the key. `poll_interval` is the shortest time between
            /// two polls, in seconds. `max_cost`, `headers` and
            /// `call_timeout` are those of `submit`.
            #[pyo3(signature = (
                model, input, *, webhook_url = None, idempotency_key = None, on_queue_update = None,
                poll_interval = None, timeout = None, progress = false, max_cost = None, headers = None, call_timeout = None
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
                headers: Option<HashMap<String, String>>,
                call_timeout: Option<Seconds>,
            ) -> PyResult<Answer<'py, $Style, Py<$GenerationResult>>> {
                let options = WaitOptions::begin(timeout, poll_interval);
                let listeners = Listeners::new(py, on_queue_update, progress)?;
                let request =
                    Request { model, input, webhook_url, idempotency_key, max_cost, headers, call_timeout };
                $Style::subscribe(py, self.0.submit(request)?, self.0.client()?, options, listeners)
            }

            /// Waits for many generations at once, and returns their results in the order of `handles`. A handle is what
            /// `submit` or `generation` returned, or an id.
            ///
            /// After `timeout` seconds it raises `ClipiaTimeoutError`. This and any other exception that ends the wait has
            /// `request_ids`, the ids of the generations that have not ended. They go on.
            #[pyo3(signature = (handles, timeout = None))]
            fn wait_all<'py>(
                &self,
                py: Python<'py>,
                handles: &Bound<'py, PyAny>,
                timeout: Option<Seconds>,
            ) -> PyResult<Answer<'py, $Style, Vec<Py<$GenerationResult>>>> {
                $Style::wait_all(py, Fleet::new(&self.0, handles, timeout)?)
            }

            /// Waits for many generations at once, and iterates over their results in the order in which they end. A handle is
            /// what `submit` or `generation` returned, or an id.
            ///
            /// `timeout` seconds after this call it raises `ClipiaTimeoutError`. This and any other exception that ends a wait
            /// has `request_ids`, the ids of the generations whose results are missing. After the error of one generation,
            /// iterating further gives the others.
            #[pyo3(signature = (handles, timeout = None))]
            fn as_completed(&self, handles: &Bound<'_, PyAny>, timeout: Option<Seconds>) -> PyResult<$AsCompleted> {
                Ok($AsCompleted::of(&Fleet::new(&self.0, handles, timeout)?))
            }

            /// Checks an input against the parameters of its model, before anything is paid. Returns a warning for each key
            /// that the model does not know. Raises `InputInvalid` with its `faults` if the model would refuse the input.
            fn check<'py>(&self, py: Python<'py>, model: String, input: Input) -> PyResult<Answer<'py, $Style, Vec<InputWarning>>> {
                $Style::call(py, self.0.check(model, input)?, |_, warnings| Ok(InputWarning::all(&warnings)))
            }

            /// Uploads a file, for an input: its `url` is the value of a parameter of the type `image`, `video` or `audio`. `file`
            /// is a path, or the bytes themselves. `file_name` is the name of the bytes; its extension tells their type.
            ///
            /// A self-hosted server keeps the file for 24 hours. For a server that takes no uploads, such as Clipia itself, a
            /// file of at most 4 MiB becomes a `data:` URL. Raises `UploadFailed` if the file cannot be read, or is larger there.
            #[pyo3(signature = (file, *, file_name = None))]
            fn upload<'py>(&self, py: Python<'py>, file: UploadFile, file_name: Option<String>) -> PyResult<Answer<'py, $Style, Upload>> {
                $Style::call(py, self.0.upload(file, file_name)?, |_, upload| Ok(Upload::new(upload)))
            }

            /// A handle on a generation by its id. Any process can make one at any time. Nothing is sent.
            fn generation(&self, request_id: Id) -> PyResult<$Generation> {
                self.0.generation(request_id.0).map($Generation::new)
            }

            /// What this client has submitted and not seen end, in the order of the submits: also what was submitted by a call or followed by a wait
            /// that was interrupted or cancelled. Nothing is sent. The list has the latest hundred thousand, and ends with the client, unless it was made with a
            /// `pending_file`.
            fn pending(&self) -> PyResult<Vec<Pending>> {
                Ok(self.0.clipia()?.pending().into_iter().map(Pending::of).collect())
            }

            /// Receives the deliveries of webhooks, and ends the waits of this client with them.
            ///
            /// `secret` is the account's webhook secret. While the account changes its secret, pass the new one and the old
            /// one.
            #[pyo3(signature = (secret, *others))]
            fn webhooks(&self, py: Python<'_>, secret: String, others: Vec<String>) -> PyResult<$Webhooks> {
                Receiver::new(py, &self.0, secret, others).map($Webhooks::new)
            }

            $($own)*

            fn __repr__(&self) -> String {
                self.0.repr(stringify!($Class))
            }
        }
    };
}

client! {
    /// A client of the queue API.
    ///
    /// Arguments that are not given come from the environment: the key from `CLIPIA_KEY` or else `CLIPIA_API_KEY`, the base
    /// URL from `CLIPIA_BASE_URL`, and whether it may be http to another machine from `CLIPIA_ALLOW_HTTP`. The proxies are
    /// those of `HTTPS_PROXY` and the like. The certificates are those of the system, `SSL_CERT_FILE` and
    /// `REQUESTS_CA_BUNDLE`. `headers` go with every call of the API, `proxy` is used in place of those of the environment, and
    /// `certificates` (a file or a directory) are trusted too. `pending_file` keeps the list of `pending()` for the next process.
    /// Make one client for each key and share it, between threads too: its waits share the request
    /// budget of the key. Every call is retried while that may help.
    Clipia, Blocking, ModelsResource, AccountResource, Submitted, Generation, GenerationResult, AsCompleted, Webhooks,
    {
        /// Closes the client. Its generations go on, and their handles still work.
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
    }
}

client! {
    /// A client of the queue API for asyncio.
    ///
    /// Arguments that are not given come from the environment: the key from `CLIPIA_KEY` or else `CLIPIA_API_KEY`, the base
    /// URL from `CLIPIA_BASE_URL`, and whether it may be http to another machine from `CLIPIA_ALLOW_HTTP`. The proxies are
    /// those of `HTTPS_PROXY` and the like. The certificates are those of the system, `SSL_CERT_FILE` and
    /// `REQUESTS_CA_BUNDLE`. `headers` go with every call of the API, `proxy` is used in place of those of the environment, and
    /// `certificates` (a file or a directory) are trusted too. `pending_file` keeps the list of `pending()` for the next process.
    /// Make one client for each key and share it, between event loops too: its waits share the
    /// request budget of the key. Every call is retried while that may help. Cancelling a wait ends the wait; the
    /// generation goes on.
    AsyncClipia, Asyncio, AsyncModelsResource, AsyncAccountResource, AsyncSubmitted, AsyncGeneration, AsyncGenerationResult,
    AsyncAsCompleted, AsyncWebhooks,
    {
        /// Closes the client. Its generations go on, and their handles still work.
        fn close<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
            let session = self.0.clone();
            coroutine::new(py, ready(session), None, |py, session| {
                session.close();
                Ok(py.None())
            })
        }

        fn __aenter__<'py>(slf: Py<Self>, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
            coroutine::new(py, ready(slf), None, |_, slf| Ok(slf))
        }

        #[pyo3(signature = (*_exception))]
        fn __aexit__<'py>(
            &self,
            py: Python<'py>,
            _exception: &Bound<'_, PyTuple>,
        ) -> PyResult<Bound<'py, PyAny>> {
            self.close(py)
        }
    }
}
