//! The compiled part of the Python package `clipia_queue`: the SDK `clipia` for Python.
//!
//! Each class has a file of its own, and so has each pair of a class for `Clipia` and one for `AsyncClipia`, which a macro writes in
//! both styles. A method converts its arguments, calls the SDK and converts the response. `blocking` waits for the SDK on behalf of
//! `Clipia` and its objects, `coroutine` on behalf of `AsyncClipia`. The
//! package in `python/clipia_queue` exports the names for users, and has the exceptions.
//!
//! What must never be here: a rule (when to poll, what to retry, the message of an error), which is the SDK's.

mod account;
mod amount;
mod arguments;
mod asyncio_futures;
mod blocking;
mod client;
mod coroutine;
mod delivery;
mod document;
mod download_progress;
mod driven;
mod driver;
mod estimate_response;
mod events;
mod exceptions;
mod files;
mod fleet;
mod fork;
#[rustfmt::skip]
mod generated_exceptions;
mod generation;
mod generation_result;
mod greenlets;
mod handle;
mod input_warning;
mod interruption;
mod iteration;
mod json;
mod live;
mod logging;
mod media_file;
mod models;
mod pending;
mod pickled_clients;
mod printable;
mod process_client;
mod program;
mod result_response;
mod runtime;
mod session;
mod status_response;
mod style;
mod submit_response;
mod submitted;
mod updates;
mod upload;
mod waiting;
mod watch;
mod webhooks;

use pyo3::prelude::*;

/// The compiled part of `clipia_queue`. Import `clipia_queue` instead.
///
/// It needs the GIL: what a fork may find locked is guarded by it alone. A free-threaded Python switches it on.
#[pymodule(gil_used = true)]
mod _clipia_queue {
    use pyo3::exceptions::PyRuntimeWarning;
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::account::AccountResource;
    #[pymodule_export]
    use crate::account::AsyncAccountResource;
    #[pymodule_export]
    use crate::client::AsyncClipia;
    #[pymodule_export]
    use crate::client::Clipia;
    #[pymodule_export]
    use crate::delivery::AsyncDelivery;
    #[pymodule_export]
    use crate::delivery::Delivery;
    #[pymodule_export]
    use crate::download_progress::DownloadProgress;
    #[pymodule_export]
    use crate::estimate_response::EstimateResponse;
    #[pymodule_export]
    use crate::generation::AsyncGeneration;
    #[pymodule_export]
    use crate::generation::Generation;
    #[pymodule_export]
    use crate::generation_result::AsyncGenerationResult;
    #[pymodule_export]
    use crate::generation_result::GenerationResult;
    #[pymodule_export]
    use crate::input_warning::InputWarning;
    #[pymodule_export]
    use crate::media_file::AsyncMediaFile;
    #[pymodule_export]
    use crate::media_file::MediaFile;
    #[pymodule_export]
    use crate::models::AsyncModelsResource;
    #[pymodule_export]
    use crate::models::ModelsResource;
    #[pymodule_export]
    use crate::pending::Pending;
    #[pymodule_export]
    use crate::printable::printable;
    #[pymodule_export]
    use crate::program::run_program;
    #[pymodule_export]
    use crate::result_response::ResultResponse;
    #[pymodule_export]
    use crate::status_response::StatusResponse;
    #[pymodule_export]
    use crate::submit_response::SubmitResponse;
    #[pymodule_export]
    use crate::submitted::AsyncSubmitted;
    #[pymodule_export]
    use crate::submitted::Submitted;
    #[pymodule_export]
    use crate::upload::Upload;
    #[pymodule_export]
    use crate::webhooks::AsyncWebhooks;
    #[pymodule_export]
    use crate::webhooks::Webhooks;
    #[pymodule_export]
    use crate::webhooks::verify_signature;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        let stop = wrap_pyfunction!(crate::asyncio_futures::stop, module)?;
        module.py().import("atexit")?.call_method1("register", (stop,))?;
        crate::logging::install(module.py())?;
        crate::fork::register(module)?;
        if cfg!(debug_assertions) {
            let message =
                c"clipia_queue was built without optimisation and is slow; build it with `--release`";
            PyErr::warn(module.py(), &module.py().get_type::<PyRuntimeWarning>(), message, 1)?;
        }
        Ok(())
    }
}
