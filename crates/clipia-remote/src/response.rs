//! Reads a response: its body, or why the call did nothing.

use clipia_api::types::ErrorEnvelope;
use progenitor_client::{ByteStream, Error, ResponseValue};
use reqwest::{Response, StatusCode};
use serde::de::DeserializeOwned;

/// A call that did nothing, or whose response was lost.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The token cannot be sent.
    #[error(transparent)]
    Token(#[from] crate::NotAToken),
    /// The server refused the call. The same call would be refused again.
    #[error("{message}")]
    Refused {
        /// The status of the response.
        status: StatusCode,
        /// Why.
        message: String,
    },
    /// The server failed. The same call can be repeated.
    #[error("the server answered {status}: {message}")]
    Failed {
        /// The status of the response.
        status: StatusCode,
        /// What the server says.
        message: String,
    },
    /// The server cannot be reached, or its response broke off. The same call can be repeated.
    #[error("the server cannot be called: {0}")]
    Call(#[from] reqwest::Error),
    /// The response is not of this wire, as that of a proxy. The same call can be repeated.
    #[error("the response has another form: does a proxy answer, or a server of another version? ({0})")]
    Form(String),
}

impl CallError {
    /// Whether the lease is not in force, or is another session's.
    pub fn is_stale(&self) -> bool {
        matches!(self, Self::Refused { status: StatusCode::CONFLICT, .. })
    }

    /// The status with which the server itself refused the call or failed; none where no answer of its own came.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } | Self::Failed { status, .. } => Some(status.as_u16()),
            Self::Token(_) | Self::Call(_) | Self::Form(_) => None,
        }
    }

    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Token(_) => false,
            Self::Refused { status, .. } => {
                matches!(*status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
            }
            Self::Failed { .. } | Self::Call(_) | Self::Form(_) => true,
        }
    }
}

/// Reads the response to a call of the generated client.
pub(crate) async fn read<T: DeserializeOwned>(
    response: Response,
) -> Result<ResponseValue<T>, Error<ErrorEnvelope>> {
    if !response.status().is_success() {
        return Err(refused(response).await);
    }
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.bytes().await.map_err(Error::ResponseBodyError)?;
    let read = serde_json::from_slice(&body);
    let read = read.map_err(|error| Error::InvalidResponsePayload(body, error))?;
    Ok(ResponseValue::new(read, status, headers))
}

/// Reads the head of the response to a call that returns a file.
pub(crate) async fn stream(response: Response) -> Result<ResponseValue<ByteStream>, Error<ErrorEnvelope>> {
    match response.status().is_success() {
        true => Ok(ResponseValue::stream(response)),
        false => Err(refused(response).await),
    }
}

/// A response with success as it is, or why there is none.
pub(crate) async fn success(response: Response) -> Result<Response, CallError> {
    match response.status().is_success() {
        true => Ok(response),
        false => of(Err(refused(response).await)),
    }
}

/// The error of a response without success.
async fn refused(response: Response) -> Error<ErrorEnvelope> {
    let (status, headers) = (response.status(), response.headers().clone());
    match response.bytes().await {
        Ok(body) => match serde_json::from_slice(&body) {
            Ok(envelope) => Error::ErrorResponse(ResponseValue::new(envelope, status, headers)),
            Err(error) => Error::InvalidResponsePayload(body, error),
        },
        Err(error) => Error::ResponseBodyError(error),
    }
}

/// What a call of the generated client returns: the body, or why there is none.
pub(crate) fn of<T>(response: Result<ResponseValue<T>, Error<ErrorEnvelope>>) -> Result<T, CallError> {
    match response {
        Ok(response) => Ok(response.into_inner()),
        Err(Error::ErrorResponse(response)) => {
            let (status, envelope) = (response.status(), response.into_inner());
            let message = envelope.error.message.unwrap_or(envelope.error.code);
            Err(match status.is_server_error() {
                true => CallError::Failed { status, message },
                false => CallError::Refused { status, message },
            })
        }
        Err(Error::CommunicationError(error) | Error::ResponseBodyError(error)) => Err(error.into()),
        Err(Error::InvalidResponsePayload(_, error)) => Err(CallError::Form(error.to_string())),
        Err(other) => Err(CallError::Form(other.to_string())),
    }
}
