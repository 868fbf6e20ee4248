//! Exceptions of `clipia_queue` for the errors of the SDK.

use crate::amount::Amount;
use crate::generated_exceptions::{self, InvalidRequest, ModelInputInvalid, WebhookUrlInvalid};
use crate::input_warning::InputWarning;
use crate::logging;
use clipia::webhook::Refusal;
use clipia::{ApiError, Error, ErrorCode, InputError, InputFault, RequestId};
use pyo3::exceptions::{PyFileExistsError, PyOSError};
use pyo3::import_exception;
use pyo3::prelude::*;
use std::io;
use std::path::Path;
use std::time::Duration;

import_exception!(clipia_queue._exceptions, ClipiaError);
import_exception!(clipia_queue._exceptions, ClipiaValueError);
import_exception!(clipia_queue._exceptions, ClipiaConnectionError);
import_exception!(clipia_queue._exceptions, ClipiaApiError);
import_exception!(clipia_queue._exceptions, UnexpectedAnswer);
import_exception!(clipia_queue._exceptions, ClipiaTimeoutError);
import_exception!(clipia_queue._exceptions, GenerationFailed);
import_exception!(clipia_queue._exceptions, GenerationCanceled);
import_exception!(clipia_queue._exceptions, StillRunning);
import_exception!(clipia_queue._exceptions, DownloadFailed);
import_exception!(clipia_queue._exceptions, UploadFailed);
import_exception!(clipia_queue._exceptions, WebhookRefused);
import_exception!(clipia_queue._exceptions, SignatureMalformed);
import_exception!(clipia_queue._exceptions, SignatureExpired);
import_exception!(clipia_queue._exceptions, SignatureMismatch);
import_exception!(clipia_queue._exceptions, DeliveryMalformed);
import_exception!(clipia_queue._exceptions, InputInvalid);
import_exception!(clipia_queue._exceptions, MaxCostExceeded);

/// The exception for an error.
pub(crate) fn raise(py: Python<'_>, error: Error) -> PyErr {
    exception(py, error, None).unwrap_or_else(|failure| failure)
}

/// The exception for the error of a wait with this timeout.
pub(crate) fn raise_after(py: Python<'_>, error: Error, timeout: Option<Duration>) -> PyErr {
    exception(py, error, timeout).unwrap_or_else(|failure| failure)
}

fn exception(py: Python<'_>, error: Error, timeout: Option<Duration>) -> PyResult<PyErr> {
    let (request_id, message) = (error.request_id().cloned(), error.to_string());
    let of_code = generated_exceptions::of_code(&error);
    let exception = match error {
        error if let Some(of_code) = of_code => match error.api() {
            Some(api) => of_code(fields(py, api)?),
            None => ClipiaError::new_err(message),
        },
        Error::SubmitUnanswered { idempotency_key, cause } => {
            let exception = exception(py, *cause, timeout)?;
            exception.value(py).setattr("idempotency_key", &idempotency_key)?;
            note(py, &exception, submit_again(&idempotency_key));
            exception
        }
        Error::KeyMissing => ClipiaValueError::new_err(
            "no API key: set `CLIPIA_KEY` or `CLIPIA_API_KEY`, or pass one as `api_key`",
        ),
        Error::KeyMalformed { .. }
        | Error::BaseUrl { .. }
        | Error::Proxy { .. }
        | Error::Certificates { .. }
        | Error::WebhookSecretMissing
        | Error::WebhookSecretWeak => ClipiaValueError::new_err(message),
        Error::Input(input) => wrong_input(py, &input, message)?,
        Error::MaxCost { model, estimate, max_cost } => {
            MaxCostExceeded::new_err((model, Amount::from(estimate), Amount::from(max_cost), message))
        }
        Error::Api(api) => ClipiaApiError::new_err(fields(py, &api)?),
        Error::UnexpectedAnswer(api) => UnexpectedAnswer::new_err(fields(py, &api)?),
        Error::Unreachable { .. } | Error::Connection { .. } | Error::Timeout { .. } => {
            ClipiaConnectionError::new_err(message)
        }
        Error::Deadline { request_id, waited, .. } => {
            let timeout = timeout.unwrap_or(waited).as_secs_f64();
            ClipiaTimeoutError::new_err((request_id.to_string(), timeout, message))
        }
        Error::Failed(failed) => {
            let (code, reason) = (failed.code().to_owned(), failed.message().to_owned());
            GenerationFailed::new_err((failed.id().to_string(), code, reason))
        }
        Error::Canceled(canceled) => GenerationCanceled::new_err(canceled.id().to_string()),
        Error::StillRunning { request_id, status, .. } => {
            StillRunning::new_err((request_id.to_string(), status.to_string()))
        }
        Error::UploadUnsupported { .. } => UploadFailed::new_err(message),
        Error::UploadFile { path, cause } => {
            let exception = UploadFailed::new_err(message);
            exception.set_cause(py, Some(os_error(&path, &cause)));
            exception
        }
        Error::Download { .. } => DownloadFailed::new_err(message),
        Error::Io { path, cause, .. } => {
            let exception = DownloadFailed::new_err(message);
            exception.set_cause(py, Some(os_error(&path, &cause)));
            exception
        }
        _ => ClipiaError::new_err(message),
    };
    if let Some(request_id) = request_id {
        exception.value(py).setattr("request_id", request_id.to_string())?;
    }
    Ok(exception)
}

/// The exception for an argument that the SDK or the server does not take. The server's codes have classes of their own.
fn wrong_input(py: Python<'_>, input: &InputError, message: String) -> PyResult<PyErr> {
    let exception = match (input.api(), input.model()) {
        (Some(api), _) => {
            let new = match ErrorCode::from_code(api.code()) {
                Some(ErrorCode::ModelInputInvalid) => ModelInputInvalid::new_err,
                Some(ErrorCode::WebhookUrlInvalid) => WebhookUrlInvalid::new_err,
                _ => InvalidRequest::new_err,
            };
            new(fields(py, api)?)
        }
        (None, Some(model)) => {
            let fault = |fault: &InputFault| (fault.parameter.clone(), fault.message.clone());
            let faults: Vec<_> = input.faults().iter().map(fault).collect();
            InputInvalid::new_err((model.to_owned(), message, faults, InputWarning::all(input.warnings())))
        }
        (None, None) => ClipiaValueError::new_err(message),
    };
    exception.value(py).setattr("argument", input.argument())?;
    Ok(exception)
}

/// The `OSError` for an error of the operating system. Python makes a `PermissionError` and the like from its number.
fn os_error(path: &Path, error: &io::Error) -> PyErr {
    let arguments = (error.raw_os_error(), error.to_string(), path.display().to_string());
    match error.kind() {
        io::ErrorKind::AlreadyExists => PyFileExistsError::new_err(arguments),
        _ => PyOSError::new_err(arguments),
    }
}

/// The advice for a submit that may have been accepted.
fn submit_again(idempotency_key: &str) -> String {
    format!(
        "nobody knows whether this submit was accepted: the same again with \
         idempotency_key={idempotency_key:?} within 24 hours charges once"
    )
}

/// The exception for a delivery that is not genuine.
pub(crate) fn refused(refusal: &Refusal) -> PyErr {
    let message = refusal.to_string();
    match refusal {
        Refusal::Malformed { .. } => SignatureMalformed::new_err(message),
        Refusal::OutsideTolerance { .. } => SignatureExpired::new_err(message),
        Refusal::NoMatch => SignatureMismatch::new_err(message),
        Refusal::Body(_) => DeliveryMalformed::new_err(message),
        _ => WebhookRefused::new_err(message),
    }
}

/// The arguments of a `ClipiaApiError`.
pub(crate) type Fields = (u16, String, String, String, Py<PyAny>, Option<f64>);

fn fields(py: Python<'_>, api: &ApiError) -> PyResult<Fields> {
    Ok((
        api.http_status(),
        api.code().to_owned(),
        api.message().to_owned(),
        api.family().to_owned(),
        pythonize::pythonize(py, api.envelope())?.unbind(),
        api.retry_after().map(|pause| pause.as_secs_f64()),
    ))
}

/// Puts the id of a generation into an exception that ends its wait, such as `KeyboardInterrupt`, so that another wait
/// can resume.
pub(crate) fn interrupted(py: Python<'_>, exception: PyErr, request_id: &RequestId) -> PyErr {
    let resume = format!("{request_id} goes on: resume with client.generation(\"{request_id}\").wait()");
    // Fails for an exception without attributes, which stays as it is.
    let _ = exception.value(py).setattr("request_id", request_id.to_string());
    logging::warn(py, &format!("wait cut short: {resume}"));
    note(py, &exception, resume);
    exception
}

/// Puts the idempotency key of a submit into an exception that ends the submit before its response. The SDK logs the
/// key if anything was sent.
pub(crate) fn interrupted_submit(py: Python<'_>, exception: PyErr, idempotency_key: String) -> PyErr {
    // An exception is on its way already.
    let _ = logging::flush(py);
    let again = submit_again(&idempotency_key);
    // Fails for an exception without attributes, which stays as it is.
    let _ = exception.value(py).setattr("idempotency_key", idempotency_key);
    note(py, &exception, again);
    exception
}

/// Puts the ids of generations into an exception that ends the wait for many.
pub(crate) fn interrupted_fleet(py: Python<'_>, exception: PyErr, request_ids: Vec<String>) -> PyErr {
    let resume =
        format!("{} generations go on: resume with client.wait_all(error.request_ids)", request_ids.len());
    logging::warn(py, &format!("wait cut short: {resume}: {}", request_ids.join(", ")));
    set_request_ids(py, &exception, request_ids);
    note(py, &exception, resume);
    exception
}

/// Puts into an exception the ids of the generations that have not ended.
pub(crate) fn set_request_ids(py: Python<'_>, exception: &PyErr, request_ids: Vec<String>) {
    // Fails for an exception without attributes, which stays as it is.
    let _ = exception.value(py).setattr("request_ids", request_ids);
}

fn note(py: Python<'_>, exception: &PyErr, note: String) {
    // Fails in Python 3.10, which has no notes.
    let _ = exception.value(py).call_method1("add_note", (note,));
}
