//! `Generation` and `AsyncGeneration`.

use crate::arguments::{Seconds, call_options};
use crate::document::Pickled;
use crate::files::{self, Download, Files};
use crate::generation_result::{AsyncGenerationResult, GenerationResult};
use crate::handle::Handle;
use crate::live::Live;
use crate::status_response::StatusResponse;
use crate::style::{Answer, Asyncio, Blocking, Style};
use crate::updates::{AsyncUpdates, Updates};
use crate::waiting::WaitOptions;
use crate::watch::Listeners;
use pyo3::prelude::*;
use std::collections::HashMap;
use std::path::PathBuf;

macro_rules! generation {
    ($Class:ident, $Style:ident, $GenerationResult:ident, $Updates:ident) => {
        /// A handle on one generation, made from its id alone by `generation` of a client. It outlives its client, and can be
        /// pickled.
        ///
        /// A pickle does not contain the key: a handle from a pickle calls the same server with the key in `CLIPIA_KEY`.
        #[pyclass(frozen, module = "clipia_queue")]
        pub(crate) struct $Class(Handle);

        impl $Class {
            pub(crate) fn new(generation: Live) -> Self {
                Self(Handle::Live(generation))
            }

            pub(crate) fn handle(&self) -> &Handle {
                &self.0
            }
        }

        #[pymethods]
        impl $Class {
            /// The id of the generation.
            #[getter]
            fn request_id(&self) -> String {
                self.0.id().to_string()
            }

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

            /// The status now. `headers` and `call_timeout` are of this call.
            #[pyo3(signature = (*, headers = None, call_timeout = None))]
            fn status<'py>(
                &self,
                py: Python<'py>,
                headers: Option<HashMap<String, String>>,
                call_timeout: Option<Seconds>,
            ) -> PyResult<Answer<'py, $Style, StatusResponse>> {
                let status = Handle::status(self.0.generation(py)?, call_options(headers, call_timeout));
                $Style::call(py, status, |_, response| Ok(StatusResponse::new(response)))
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

            fn __eq__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> bool {
                other.cast::<Self>().is_ok_and(|other| other.get().0.id() == slf.get().0.id())
            }

            fn __hash__(slf: &Bound<'_, Self>) -> PyResult<isize> {
                slf.getattr("request_id")?.hash()
            }

            #[staticmethod]
            fn _restore(saved: &Bound<'_, PyAny>, base_url: String) -> PyResult<Self> {
                Handle::unpickle(saved, base_url).map(Self)
            }

            fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Pickled<'py>> {
                Ok((slf.getattr("_restore")?, slf.get().0.pickle(slf.py())?))
            }

            fn __repr__(&self) -> String {
                format!(concat!(stringify!($Class), "(request_id='{}')"), self.0.id())
            }
        }
    };
}

generation!(Generation, Blocking, GenerationResult, Updates);
generation!(AsyncGeneration, Asyncio, AsyncGenerationResult, AsyncUpdates);
