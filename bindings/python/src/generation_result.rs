//! `GenerationResult` and `AsyncGenerationResult`.

use crate::document::{self, Pickled};
use crate::files::{self, Download, Files};
use crate::handle::Handle;
use crate::media_file::{AsyncMediaFile, MediaFile};
use crate::result_response::ResultResponse;
use crate::style::{Answer, Asyncio, Blocking, Style};
use pyo3::prelude::*;
use std::path::PathBuf;

macro_rules! generation_result {
    ($Class:ident, $Style:ident, $MediaFile:ident) => {
        /// A `ResultResponse` whose files can be saved.
        #[pyclass(frozen, extends = ResultResponse, module = "clipia_queue")]
        pub(crate) struct $Class(Files);

        impl $Class {
            pub(crate) fn new(
                py: Python<'_>,
                (response, files): (clipia::ResultResponse, Files),
            ) -> PyResult<Py<Self>> {
                let response = ResultResponse::new(response);
                Py::new(py, PyClassInitializer::from(response).add_subclass(Self(files)))
            }
        }

        #[pymethods]
        impl $Class {
            /// Saves every file in the directory `dir`, which is created if it is missing, and returns the paths.
            ///
            /// The files are in full quality or, with `renditions`, the smaller ones for display. `on_progress`, which may
            /// be a coroutine function for asyncio, is called with a `DownloadProgress` as each file arrives. After a break
            /// the next download into the same directory resumes. An existing file with other content is replaced only with
            /// `overwrite`.
            #[pyo3(signature = (dir, *, renditions = false, overwrite = false, on_progress = None))]
            fn download<'py>(
                &self,
                py: Python<'py>,
                dir: PathBuf,
                renditions: bool,
                overwrite: bool,
                on_progress: Option<Bound<'py, PyAny>>,
            ) -> PyResult<Answer<'py, $Style, Vec<PathBuf>>> {
                $Style::download(py, Download { dir, renditions, overwrite, on_progress }, &self.0)
            }

            /// The files of the output, to be fetched into memory: in full quality or, with `renditions`, the smaller ones
            /// for display. Raises `StillRunning`, `GenerationFailed` or `GenerationCanceled` if there is no output.
            #[pyo3(signature = (*, renditions = false))]
            fn files<'py>(
                &self,
                py: Python<'py>,
                renditions: bool,
            ) -> PyResult<Answer<'py, $Style, Vec<$MediaFile>>> {
                $Style::call(py, files::media_files(py, &self.0, renditions)?, |_, files| {
                    Ok(files.into_iter().map($MediaFile::new).collect::<Vec<_>>())
                })
            }

            #[staticmethod]
            fn _restore(
                py: Python<'_>,
                data: &Bound<'_, PyAny>,
                saved: &Bound<'_, PyAny>,
                base_url: String,
            ) -> PyResult<Py<Self>> {
                let response = document::read(data, "ResultResponse")?;
                Self::new(py, (response, Files::of_handle(Handle::unpickle(saved, base_url)?)))
            }

            /// A pickle does not contain the key: files are fetched with the key in `CLIPIA_KEY`.
            fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Pickled<'py>> {
                document::pickle_with(slf, &slf.get().0.handle)
            }
        }
    };
}

generation_result!(GenerationResult, Blocking, MediaFile);
generation_result!(AsyncGenerationResult, Asyncio, AsyncMediaFile);
