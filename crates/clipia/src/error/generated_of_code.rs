// Generated from spec/openapi.yaml by `cargo xtask generate`. Do not edit.

use super::{ApiError, Error};
use clipia_api::error_code::ErrorCode;

impl Error {
    /// The error with this code, which is none of an input. A code that this version does not know gives [`Error::Api`].
    pub(super) fn of_code(code: Option<ErrorCode>, api: Box<ApiError>) -> Self {
        match code {
            Some(ErrorCode::InvalidApiKey) => Self::InvalidApiKey(api),
            Some(ErrorCode::InsufficientCredits) => Self::InsufficientCredits(api),
            Some(ErrorCode::SubscriptionRequired) => Self::SubscriptionRequired(api),
            Some(ErrorCode::InsufficientScope) => Self::InsufficientScope(api),
            Some(ErrorCode::NotFound) => Self::NotFound(api),
            Some(ErrorCode::ModelNotFound) => Self::ModelNotFound(api),
            Some(ErrorCode::IdempotencyKeyReuse) => Self::IdempotencyKeyReuse(api),
            Some(ErrorCode::RequestInProgress) => Self::RequestInProgress(api),
            Some(ErrorCode::RateLimitExceeded) => Self::RateLimitExceeded(api),
            Some(ErrorCode::ConcurrencyLimitExceeded) => Self::ConcurrencyLimitExceeded(api),
            Some(ErrorCode::UploadTooLarge) => Self::UploadTooLarge(api),
            Some(ErrorCode::UploadLimitExceeded) => Self::UploadLimitExceeded(api),
            Some(ErrorCode::InternalError) => Self::InternalError(api),
            Some(ErrorCode::ServiceUnavailable) => Self::ServiceUnavailable(api),
            _ => Self::Api(api),
        }
    }

    /// The API's error, of a variant that stands for a code.
    pub(super) fn api_of_code(&self) -> Option<&ApiError> {
        match self {
            Self::InvalidApiKey(api)
            | Self::InsufficientCredits(api)
            | Self::SubscriptionRequired(api)
            | Self::InsufficientScope(api)
            | Self::NotFound(api)
            | Self::ModelNotFound(api)
            | Self::IdempotencyKeyReuse(api)
            | Self::RequestInProgress(api)
            | Self::RateLimitExceeded(api)
            | Self::ConcurrencyLimitExceeded(api)
            | Self::UploadTooLarge(api)
            | Self::UploadLimitExceeded(api)
            | Self::InternalError(api)
            | Self::ServiceUnavailable(api) => Some(api),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub(super) fn api_of_code_mut(&mut self) -> Option<&mut ApiError> {
        match self {
            Self::InvalidApiKey(api)
            | Self::InsufficientCredits(api)
            | Self::SubscriptionRequired(api)
            | Self::InsufficientScope(api)
            | Self::NotFound(api)
            | Self::ModelNotFound(api)
            | Self::IdempotencyKeyReuse(api)
            | Self::RequestInProgress(api)
            | Self::RateLimitExceeded(api)
            | Self::ConcurrencyLimitExceeded(api)
            | Self::UploadTooLarge(api)
            | Self::UploadLimitExceeded(api)
            | Self::InternalError(api)
            | Self::ServiceUnavailable(api) => Some(api),
            _ => None,
        }
    }
}
