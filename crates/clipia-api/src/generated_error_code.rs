// Generated from spec/openapi.yaml by `cargo xtask generate`. Do not edit.

/// A cause of a refusal or a failure that the API names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// 400 `invalid_request`: the call does not have the form of the API.
    /// Correct the call as the message says.
    InvalidRequest,
    /// 400 `webhook_url_invalid`: the server may not call this webhook URL.
    /// Pass an https URL with a public address.
    WebhookUrlInvalid,
    /// 401 `invalid_api_key`: the API key is missing, wrong or revoked.
    /// Use a key that this server issued.
    InvalidApiKey,
    /// 402 `insufficient_credits`: the generation costs more credits than the account or its key has.
    /// Nothing was charged. Add credits, or use a key with a larger budget.
    InsufficientCredits,
    /// 402 `subscription_required`: the model needs a subscription.
    /// Nothing was charged. Subscribe, or use another model.
    SubscriptionRequired,
    /// 403 `insufficient_scope`: the API key lacks the scope that the call needs.
    /// Use a key that has the scope.
    InsufficientScope,
    /// 404 `not_found`: the request or the path does not exist for this account.
    /// Check the id. Only a key of the account that submitted a request finds it.
    NotFound,
    /// 404 `model_not_found`: the server has no model with this slug.
    /// Use a slug from the list of models.
    ModelNotFound,
    /// 409 `idempotency_key_reuse`: the idempotency key was used with other parameters.
    /// Use a new key for another submit.
    IdempotencyKeyReuse,
    /// 409 `request_in_progress`: the first submit of the idempotency key is still being processed.
    /// Repeat the submit with the same key in a moment.
    RequestInProgress,
    /// 422 `model_input_invalid`: the model does not accept this input.
    /// Correct the input as the message says. Some servers send this code with 400.
    ModelInputInvalid,
    /// 429 `rate_limit_exceeded`: the API key made too many requests in this minute.
    /// Repeat the call after `Retry-After`.
    RateLimitExceeded,
    /// 429 `concurrency_limit_exceeded`: the API key has too many generations in flight.
    /// Submit again when one of the generations has ended.
    ConcurrencyLimitExceeded,
    /// 413 `upload_too_large`: the file is longer than an upload may be.
    /// Upload a shorter file. A self-hosted server takes 100 MiB.
    UploadTooLarge,
    /// 403 `upload_limit_exceeded`: the account keeps as many uploads as it may, in number or in bytes.
    /// Wait until some expire, 24 hours after they came.
    UploadLimitExceeded,
    /// 500 `internal_error`: the server failed.
    /// Repeat the call with growing pauses, a submit with its own idempotency key.
    InternalError,
    /// 503 `service_unavailable`: the server cannot serve the call now.
    /// Repeat the call after `Retry-After`, a submit with its own idempotency key.
    ServiceUnavailable,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: &'static [Self] = &[
        Self::InvalidRequest,
        Self::WebhookUrlInvalid,
        Self::InvalidApiKey,
        Self::InsufficientCredits,
        Self::SubscriptionRequired,
        Self::InsufficientScope,
        Self::NotFound,
        Self::ModelNotFound,
        Self::IdempotencyKeyReuse,
        Self::RequestInProgress,
        Self::ModelInputInvalid,
        Self::RateLimitExceeded,
        Self::ConcurrencyLimitExceeded,
        Self::UploadTooLarge,
        Self::UploadLimitExceeded,
        Self::InternalError,
        Self::ServiceUnavailable,
    ];

    /// The value of `code` on the wire.
    pub const fn code(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::WebhookUrlInvalid => "webhook_url_invalid",
            Self::InvalidApiKey => "invalid_api_key",
            Self::InsufficientCredits => "insufficient_credits",
            Self::SubscriptionRequired => "subscription_required",
            Self::InsufficientScope => "insufficient_scope",
            Self::NotFound => "not_found",
            Self::ModelNotFound => "model_not_found",
            Self::IdempotencyKeyReuse => "idempotency_key_reuse",
            Self::RequestInProgress => "request_in_progress",
            Self::ModelInputInvalid => "model_input_invalid",
            Self::RateLimitExceeded => "rate_limit_exceeded",
            Self::ConcurrencyLimitExceeded => "concurrency_limit_exceeded",
            Self::UploadTooLarge => "upload_too_large",
            Self::UploadLimitExceeded => "upload_limit_exceeded",
            Self::InternalError => "internal_error",
            Self::ServiceUnavailable => "service_unavailable",
        }
    }

    /// The HTTP status that a server sends the code with.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::InvalidRequest => 400,
            Self::WebhookUrlInvalid => 400,
            Self::InvalidApiKey => 401,
            Self::InsufficientCredits => 402,
            Self::SubscriptionRequired => 402,
            Self::InsufficientScope => 403,
            Self::NotFound => 404,
            Self::ModelNotFound => 404,
            Self::IdempotencyKeyReuse => 409,
            Self::RequestInProgress => 409,
            Self::ModelInputInvalid => 422,
            Self::RateLimitExceeded => 429,
            Self::ConcurrencyLimitExceeded => 429,
            Self::UploadTooLarge => 413,
            Self::UploadLimitExceeded => 403,
            Self::InternalError => 500,
            Self::ServiceUnavailable => 503,
        }
    }

    /// The value of `type` on the wire.
    pub const fn family(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request_error",
            Self::WebhookUrlInvalid => "invalid_request_error",
            Self::InvalidApiKey => "authentication_error",
            Self::InsufficientCredits => "billing_error",
            Self::SubscriptionRequired => "billing_error",
            Self::InsufficientScope => "permission_error",
            Self::NotFound => "invalid_request_error",
            Self::ModelNotFound => "invalid_request_error",
            Self::IdempotencyKeyReuse => "invalid_request_error",
            Self::RequestInProgress => "invalid_request_error",
            Self::ModelInputInvalid => "invalid_request_error",
            Self::RateLimitExceeded => "rate_limit_error",
            Self::ConcurrencyLimitExceeded => "rate_limit_error",
            Self::UploadTooLarge => "invalid_request_error",
            Self::UploadLimitExceeded => "permission_error",
            Self::InternalError => "api_error",
            Self::ServiceUnavailable => "api_error",
        }
    }

    /// Whether the same call can succeed later.
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::RequestInProgress
                | Self::RateLimitExceeded
                | Self::ConcurrencyLimitExceeded
                | Self::InternalError
                | Self::ServiceUnavailable
        )
    }

    /// The cause of a code; `None` of a code that this version does not know.
    pub fn from_code(code: &str) -> Option<Self> {
        Some(match code {
            "invalid_request" => Self::InvalidRequest,
            "webhook_url_invalid" => Self::WebhookUrlInvalid,
            "invalid_api_key" => Self::InvalidApiKey,
            "insufficient_credits" => Self::InsufficientCredits,
            "subscription_required" => Self::SubscriptionRequired,
            "insufficient_scope" => Self::InsufficientScope,
            "not_found" => Self::NotFound,
            "model_not_found" => Self::ModelNotFound,
            "idempotency_key_reuse" => Self::IdempotencyKeyReuse,
            "request_in_progress" => Self::RequestInProgress,
            "model_input_invalid" => Self::ModelInputInvalid,
            "rate_limit_exceeded" => Self::RateLimitExceeded,
            "concurrency_limit_exceeded" => Self::ConcurrencyLimitExceeded,
            "upload_too_large" => Self::UploadTooLarge,
            "upload_limit_exceeded" => Self::UploadLimitExceeded,
            "internal_error" => Self::InternalError,
            "service_unavailable" => Self::ServiceUnavailable,
            _ => return None,
        })
    }
}
