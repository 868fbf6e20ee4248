//! The error codes of the contract, each with the HTTP status and the family that it is sent with.
//!
//! ```
//! use clipia_api::error_code::ErrorCode;
//!
//! let code = ErrorCode::from_code("insufficient_credits").unwrap();
//! assert_eq!((code.http_status(), code.family()), (402, "billing_error"));
//! ```

macro_rules! error_codes {
    ($($(#[$meta:meta])* $variant:ident = $code:literal, $status:literal, $family:literal;)*) => {
        /// A cause that the contract names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$meta])* $variant,)*
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The value of `code` on the wire.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The HTTP status that it is sent with.
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// The value of `type` on the wire.
            pub const fn family(self) -> &'static str {
                match self { $(Self::$variant => $family,)* }
            }

            /// The cause of a code, or `None` for one that this version does not know.
            pub fn from_code(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

error_codes! {
    /// The call is not of the API's form.
    InvalidRequest = "invalid_request", 400, "invalid_request_error";
    /// The webhook address is not one that may be called.
    WebhookUrlInvalid = "webhook_url_invalid", 400, "invalid_request_error";
    /// No key, or one that is not in force.
    InvalidApiKey = "invalid_api_key", 401, "authentication_error";
    /// The account has fewer credits than the generation costs.
    InsufficientCredits = "insufficient_credits", 402, "billing_error";
    /// The model needs a subscription.
    SubscriptionRequired = "subscription_required", 402, "billing_error";
    /// The key lacks the scope.
    InsufficientScope = "insufficient_scope", 403, "permission_error";
    /// No such request, or none of this account's.
    NotFound = "not_found", 404, "invalid_request_error";
    /// No such model.
    ModelNotFound = "model_not_found", 404, "invalid_request_error";
    /// The idempotency key was used with other parameters.
    IdempotencyKeyReuse = "idempotency_key_reuse", 409, "invalid_request_error";
    /// The first submit of the idempotency key is still being processed.
    RequestInProgress = "request_in_progress", 409, "invalid_request_error";
    /// The input is not what the model takes.
    ModelInputInvalid = "model_input_invalid", 422, "invalid_request_error";
    /// Too many requests in this minute.
    RateLimitExceeded = "rate_limit_exceeded", 429, "rate_limit_error";
    /// Too many generations in flight.
    ConcurrencyLimitExceeded = "concurrency_limit_exceeded", 429, "rate_limit_error";
    /// The server failed.
    InternalError = "internal_error", 500, "api_error";
    /// The server cannot answer now.
    ServiceUnavailable = "service_unavailable", 503, "api_error";
}
