//! The error response of a call: one envelope for all errors, which reveals nothing of the server's inside.

use crate::executors::JobError;
use crate::executors::sandbox::NoSample;
use crate::store::{Fault, StoreError, SubmitRefused};
use axum::Json;
use axum::response::{IntoResponse, Response};
use clipia_api::error_code::ErrorCode;
use clipia_api::types::{ErrorBody, ErrorEnvelope};
use clipia_queue::ledger;
use http::{HeaderValue, StatusCode, header};
use std::time::Duration;

/// The `Retry-After` where another program holds the store. It rarely does so for longer than a statement.
const BUSY_WAIT: Duration = Duration::from_secs(2);

/// The `Retry-After` where an operator must act first, as when the disk is full.
const FAULT_WAIT: Duration = Duration::from_secs(10);

/// The longest message of an error, in bytes. Some messages quote what the client sent.
const MESSAGE_BYTES_MAX: usize = 2_000;

/// The error that a call gets in place of its result: one envelope, with the status and the type of its code.
///
/// ```
/// use axum::response::IntoResponse;
/// use clipia_api::error_code::ErrorCode;
/// use clipia_server::ApiError;
/// use std::time::Duration;
///
/// let error = ApiError::new(ErrorCode::RateLimitExceeded, "too many calls").after(Duration::from_secs(2));
/// let response = error.into_response();
/// assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (429, &"2".parse().unwrap()));
/// ```
#[derive(Debug)]
pub struct ApiError {
    code: ErrorCode,
    message: String,
    retry_after: Option<Duration>,
    status: Option<StatusCode>,
}

impl ApiError {
    /// An error with this code. A message that is too long is cut.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > MESSAGE_BYTES_MAX {
            message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
            message.push('…');
        }
        Self { code, message, retry_after: None, status: None }
    }

    /// The error of a malformed call.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidRequest, message)
    }

    /// The error of a key that is not in force.
    pub(crate) fn key_refused() -> Self {
        Self::new(ErrorCode::InvalidApiKey, "this API key is not in force: it is wrong or was revoked")
    }

    /// The error of a request that does not exist, or is not the caller's.
    pub(crate) fn no_such_request() -> Self {
        Self::new(ErrorCode::NotFound, "there is no such request on this account")
    }

    /// The error of a failure in the server. The cause is in the log only.
    pub(crate) fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a call could not be answered");
        Self::new(ErrorCode::InternalError, "the server failed; the call can be repeated")
    }

    /// The error of a call that took too long. Its command may have been done.
    pub(crate) fn too_slow() -> Self {
        tracing::error!("a call took too long");
        let message = "the server did not get to this call in time; it can be repeated";
        Self::new(ErrorCode::ServiceUnavailable, message).after(Duration::from_secs(5))
    }

    /// The status of the response.
    pub(crate) fn status(&self) -> StatusCode {
        let of_code =
            || StatusCode::from_u16(self.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self.status.unwrap_or_else(of_code)
    }

    /// The message.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Adds a `Retry-After`.
    pub fn after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// Replaces the status of the code by a more exact one.
    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status: Some(status), ..self }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        let body = ErrorBody {
            type_: Some(self.code.family().to_owned()),
            code: self.code.code().to_owned(),
            message: Some(self.message),
            extra: Default::default(),
        };
        let envelope = ErrorEnvelope { error: body, extra: Default::default() };
        let mut response = (status, Json(envelope)).into_response();
        if let Some(wait) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        response
    }
}

/// A duration in seconds, rounded up: a client that waits so long has waited long enough.
pub(crate) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Closed => Self::new(ErrorCode::ServiceUnavailable, "the server is shutting down")
                .after(Duration::from_secs(5)),
            // The store has logged its backend's error.
            StoreError::Backend { fault, .. } if fault.is_transient() => {
                let message = format!("{fault}; the call can be repeated");
                let wait = if fault == Fault::Busy { BUSY_WAIT } else { FAULT_WAIT };
                Self::new(ErrorCode::ServiceUnavailable, message).after(wait)
            }
            other => Self::internal(&other),
        }
    }
}

impl From<SubmitRefused> for ApiError {
    fn from(refused: SubmitRefused) -> Self {
        match refused {
            SubmitRefused::IdempotencyKeyReuse => Self::new(
                ErrorCode::IdempotencyKeyReuse,
                "this `Idempotency-Key` was used with other parameters: use a new one for another submit",
            ),
            SubmitRefused::KeyRevoked => Self::key_refused(),
            SubmitRefused::InFlight(most) => Self::new(
                ErrorCode::ConcurrencyLimitExceeded,
                format!("{most} generations of this key are in flight: submit when one has ended"),
            )
            .after(Duration::from_secs(5)),
            SubmitRefused::Credits(refused @ ledger::Refused::Insufficient { .. }) => {
                Self::new(ErrorCode::InsufficientCredits, refused.to_string())
            }
            SubmitRefused::Credits(other) => Self::internal(&other),
            SubmitRefused::Budget(over) => Self::new(ErrorCode::InsufficientCredits, over.to_string()),
            SubmitRefused::Upload(gone) => Self::new(ErrorCode::ModelInputInvalid, gone.to_string()),
            SubmitRefused::Store(error) => error.into(),
        }
    }
}

impl From<NoSample> for ApiError {
    fn from(no_sample: NoSample) -> Self {
        let error = match no_sample {
            NoSample::NoSampler => return Self::invalid(no_sample.to_string()),
            NoSample::Failed(error) => error,
        };
        match error {
            JobError::Unavailable(_) | JobError::Stopped => Self::new(
                ErrorCode::ServiceUnavailable,
                "the server cannot make anything at the moment; the call can be repeated",
            )
            .after(Duration::from_secs(5)),
            JobError::Failed(why) | JobError::FailedWithCode { why, .. } | JobError::Lost(why) => {
                Self::internal(&why)
            }
        }
    }
}

/// The response for a path that does not exist.
pub(crate) async fn no_such_path() -> ApiError {
    ApiError::new(ErrorCode::NotFound, "there is nothing at this path: see the API's description")
}

/// The response to every call at a server that does not have the role `api`.
pub(crate) async fn no_calls() -> ApiError {
    ApiError::new(ErrorCode::NotFound, "this server takes no calls: it does not have the role `api`")
}

/// The response for a path that does not take the method.
pub(crate) async fn no_such_method() -> ApiError {
    ApiError::invalid("this path does not take this method").with_status(StatusCode::METHOD_NOT_ALLOWED)
}
