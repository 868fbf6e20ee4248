//! `Submitted` and `AsyncSubmitted`.

use crate::arguments::{Seconds, call_options};
use crate::document::{self, Pickled};
use crate::files::{self, Download, Files};
use crate::generation_result::{AsyncGenerationResult, GenerationResult};
use crate::handle::Handle;
use crate::live::Live;
use crate::process_client::ProcessClient;
use crate::session::{Request, Session};
use crate::style::{Answer, Asyncio, Blocking, Style};
use crate::submit_response::SubmitResponse;
use crate::updates::{AsyncUpdates, Updates};
use crate::waiting::WaitOptions;
use crate::watch::Listeners;
use pyo3::prelude::*;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

macro_rules! submitted {
    ($Class:ident, $Style:ident, $GenerationResult:ident, $Updates:ident) => {
        /// An accepted generation: the API's response, and a handle. It outlives its client, and can be pickled.
        ///
        /// A pickle does not contain the key: a handle from a pickle calls the same server with the key in `CLIPIA_KEY`.
        #[pyclass(frozen, extends = SubmitResponse, module = "clipia_queue")]
        pub(crate) struct $Class(Handle);

        impl $Class {
            /// Submits with the client of `session`.
            pub(crate) fn submit<'py>(
                py: Python<'py>,
                session: &Session,
                request: Request,
            ) -> PyResult<Answer<'py, $Style, Py<Self>>> {
                let (submit, client) = (session.submit(request)?, session.client()?);
                $Style::submit(py, submit, |py, submitted| Self::new(py, client, submitted))
            }

            fn new(
                py: Python<'_>,
                client: Arc<ProcessClient>,
                submitted: clipia::Submitted,
            ) -> PyResult<Py<Self>> {
                let response = submitted.response().clone();
                Self::of(py, response, Handle::Live(Live::new(client, submitted.into_generation())))
            }

            fn of(py: Python<'_>, response: clipia::SubmitResponse, handle: Handle) -> PyResult<Py<Self>> {
                let response = SubmitResponse::new(response);
                Py::new(py, PyClassInitializer::from(response).add_subclass(Self(handle)))
            }

            pub(crate) fn handle(&self) -> &Handle {
                &self.0
            }
        }

        #[pymethods]
        impl $Class {
            /// Waits for the end of the generation, and returns the result, which is `COMPLETED`, `FAILED` or `CANCELED`.
            ///
            /// A transient error never ends a wait. After `timeout` seconds it raises `ClipiaTimeoutError`; the
            /// generation goes on. `progress` shows a bar on stderr, of tqdm or rich if one of them is installed.
            #[pyo3(signature = (timeout = None, *, progress = false))]
            fn wait<'py>(
                &self,
                py: Python<'py>,
                timeout: Option<Seconds>,
                progress: bool,
            ) -> PyResult<Answer<'py, $Style, Py<$GenerationResult>>> {
                let options = WaitOptions::begin(timeout, None);
                $Style::wait(py, &self.0, options, Listeners::new(py, None, progress)?)
            }

            /// Follows the generation: iterates over a `StatusResponse` for each change of position, progress or status,
            /// the last one terminal. A slow reader gets the latest change, not every one in between.
            fn updates(&self, py: Python<'_>) -> PyResult<$Updates> {
                $Updates::of(py, &self.0)
            }

            /// The result. Before the end there are only the fields of a status. `headers` and `call_timeout` are of this
            /// call.
            #[pyo3(signature = (*, headers = None, call_timeout = None))]
            fn result<'py>(
                &self,
                py: Python<'py>,
                headers: Option<HashMap<String, String>>,
                call_timeout: Option<Seconds>,
            ) -> PyResult<Answer<'py, $Style, Py<$GenerationResult>>> {
                let result = files::of_result(self.0.generation(py)?, call_options(headers, call_timeout));
                $Style::call(py, result, $GenerationResult::new)
            }

            /// Saves every file of the result in the directory `dir`, as the `download` of a result does.
            ///
            /// It does not wait for the end: it raises `StillRunning` before it, and `GenerationFailed` or
            /// `GenerationCanceled` if there is no output.
            #[pyo3(signature = (dir, *, renditions = false, overwrite = false, on_progress = None))]
            fn download<'py>(
                &self,
                py: Python<'py>,
                dir: PathBuf,
                renditions: bool,
                overwrite: bool,
                on_progress: Option<Bound<'py, PyAny>>,
            ) -> PyResult<Answer<'py, $Style, Vec<PathBuf>>> {
                let download = Download { dir, renditions, overwrite, on_progress };
                $Style::download(py, download, &Files::of_handle(self.0.clone()))
            }

            #[staticmethod]
            fn _restore(
                py: Python<'_>,
                data: &Bound<'_, PyAny>,
                saved: &Bound<'_, PyAny>,
                base_url: String,
            ) -> PyResult<Py<Self>> {
                Self::of(py, document::read(data, "SubmitResponse")?, Handle::unpickle(saved, base_url)?)
            }

            fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Pickled<'py>> {
                document::pickle_with(slf, &slf.get().0)
            }
        }
    };
}

submitted!(Submitted, Blocking, GenerationResult, Updates);
submitted!(AsyncSubmitted, Asyncio, AsyncGenerationResult, AsyncUpdates);
