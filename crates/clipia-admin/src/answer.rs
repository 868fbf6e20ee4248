//! Reads what the administration answers: the body of a call, or why the call did nothing.

use clipia_api::types::ErrorEnvelope;
use progenitor_client::{Error, ResponseValue};
use reqwest::Response;
use serde::de::DeserializeOwned;
use std::io;
use std::path::PathBuf;

/// A call to the administration that did nothing.
#[derive(Debug, thiserror::Error)]
pub enum AdministrationError {
    /// No server runs on the directory, or it is another user's.
    #[error("no server runs on `{}`: {source}", .data.display())]
    NotRunning {
        /// The directory.
        data: PathBuf,
        /// Why its access cannot be read.
        source: io::Error,
    },
    /// The server refused, and says why.
    #[error("{0}")]
    Refused(String),
    /// The server failed.
    #[error("{0}")]
    Failed(String),
    /// The server cannot be reached, or its response cannot be read.
    #[error("the server does not answer: {0}")]
    Call(#[from] reqwest::Error),
    /// An order or a response is not of the administration's form.
    #[error("the server answers in another form: is it of another version? ({0})")]
    Form(String),
}

/// Reads the answer of a call of the generated client.
pub(crate) async fn read<T: DeserializeOwned>(
    response: Response,
) -> Result<ResponseValue<T>, Error<ErrorEnvelope>> {
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.bytes().await.map_err(Error::ResponseBodyError)?;
    let unreadable = |error| Error::InvalidResponsePayload(body.clone(), error);
    if status.is_success() {
        let answer = serde_json::from_slice(&body).map_err(unreadable)?;
        return Ok(ResponseValue::new(answer, status, headers));
    }
    let envelope = serde_json::from_slice(&body).map_err(unreadable)?;
    Err(Error::ErrorResponse(ResponseValue::new(envelope, status, headers)))
}

/// What a call of the generated client returns: the body, or why there is none.
pub(crate) fn of<T>(
    answer: Result<ResponseValue<T>, Error<ErrorEnvelope>>,
) -> Result<T, AdministrationError> {
    match answer {
        Ok(answer) => Ok(answer.into_inner()),
        Err(Error::ErrorResponse(response)) => {
            let (status, envelope) = (response.status(), response.into_inner());
            let message = envelope.error.message.unwrap_or(envelope.error.code);
            Err(match status.is_server_error() {
                true => AdministrationError::Failed(message),
                false => AdministrationError::Refused(message),
            })
        }
        Err(Error::CommunicationError(error) | Error::ResponseBodyError(error)) => Err(error.into()),
        Err(Error::InvalidResponsePayload(_, error)) => Err(AdministrationError::Form(error.to_string())),
        Err(other) => Err(AdministrationError::Form(other.to_string())),
    }
}
