//! The error type, with a variant per cause.

mod api;
#[rustfmt::skip]
mod generated_of_code;
mod input;
mod tries;

use crate::failed::{Canceled, Failed};
use crate::printable::printable;
use clipia_api::error_code::ErrorCode;
use clipia_api::types::RequestId;
use clipia_api::{Credits, Progress, Status};
use clipia_webhook::SecretRefused;
use std::error::Error as StdError;
use std::path::PathBuf;
use std::time::Duration;
use tries::{seconds, tries};

pub use api::ApiError;
pub use input::{FoundBy, InputError};

/// An error of another crate, kept for its message.
pub(crate) type Source = Box<dyn StdError + Send + Sync>;

/// Why a call, a wait or a download failed.
///
/// There are four groups of variants: errors found before anything is sent; errors of the API, which all carry an
/// [`ApiError`] (see [`Error::api`]); errors of the connection; and errors about one generation.
/// No error contains the API key. Of an input an error contains only the wrong values, cut short.
///
/// What the caller passed wrongly is [`Input`](Self::Input), whoever finds it: the codes `invalid_request`, `webhook_url_invalid` and
/// `model_input_invalid` have no variant of their own.
///
/// `Display` is whole: where a variant has a `cause`, the message says it, and `source` does not repeat it. Only
/// [`Deadline`](Self::Deadline) has a `source`, which its message leaves out: the error of the latest poll.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No API key was given.
    #[error("no API key: set `CLIPIA_KEY` or `CLIPIA_API_KEY`, or pass one with `Clipia::builder().key(…)`")]
    KeyMissing,
    /// The API key is malformed.
    #[error("malformed API key: {reason}")]
    KeyMalformed {
        /// What is wrong with the key.
        reason: &'static str,
    },
    /// No webhook secret was given, or an empty one.
    #[error("no webhook secret: pass the account's; with an empty one anybody could sign deliveries")]
    WebhookSecretMissing,
    /// The webhook secret is shorter than [`SECRET_LENGTH_MIN`](crate::webhook::SECRET_LENGTH_MIN).
    #[error("{}", SecretRefused::Weak)]
    WebhookSecretWeak,
    /// The base URL is malformed, or not safe for a key.
    #[error("cannot use the base URL `{url}`: {reason}")]
    BaseUrl {
        /// The URL, without user, password and query; `…` if the text is not a URL.
        url: String,
        /// What is wrong with the URL.
        reason: &'static str,
    },
    /// An argument cannot be taken: an input that the model does not accept or that is not a JSON object, an impossible model slug,
    /// header or webhook URL. [`InputError::found_by`] says whether the SDK found it before the call or the server refused it with
    /// `invalid_request`, `model_input_invalid` or `webhook_url_invalid`.
    #[error("{0}")]
    Input(Box<InputError>),
    /// The generation costs more than [`Submit::max_cost`](crate::Submit::max_cost) allows.
    #[error(
        "this costs {estimate} credits, more than the {max_cost} allowed by `max_cost`; nothing was submitted"
    )]
    MaxCost {
        /// The slug of the model.
        model: String,
        /// The price, by the server's estimate.
        estimate: Credits,
        /// The highest price that the caller allows.
        max_cost: Credits,
    },
    /// An environment variable that names a proxy, or [`Builder::proxy`](crate::Builder::proxy), cannot be read. The client does not connect directly instead, because
    /// that could show the network what the proxy is to hide.
    #[error("cannot use the proxy in `{variable}`: {reason}")]
    Proxy {
        /// The variable, or `Builder::proxy`. Its value may hold a password, and is not shown.
        variable: &'static str,
        /// What is wrong with the value.
        reason: &'static str,
    },
    /// An environment variable for certificates, or [`Builder::certificates`](crate::Builder::certificates), leads to none.
    #[error("cannot use the certificates in `{variable}`: {reason}")]
    Certificates {
        /// The variable, such as `SSL_CERT_FILE`, or `Builder::certificates`.
        variable: &'static str,
        /// What is wrong with the value, and the path.
        reason: String,
    },
    /// A file that is to be uploaded cannot be read.
    #[error("cannot read `{}`: {cause}", printable(&path.display().to_string()))]
    UploadFile {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        cause: std::io::Error,
    },
    /// The server takes no uploads, and the file is too large for an input.
    #[error(
        "{server} takes no uploads, and `{}` has {} MiB, too many for an input: put it at an https address, and name that",
        printable(file_name), bytes.div_ceil(1024 * 1024)
    )]
    UploadUnsupported {
        /// The base URL.
        server: String,
        /// The name of the file.
        file_name: String,
        /// The length of the file.
        bytes: u64,
    },
    /// The [file of pending generations](crate::Builder::pending_file) cannot be used: of the kind `WouldBlock` if another client has it. In
    /// the error of a submit: nothing was sent.
    #[error("cannot use the file of pending generations `{}`: {cause}", printable(&path.display().to_string()))]
    PendingFile {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        cause: std::io::Error,
    },
    /// The client could not be built: for instance the system has no root certificates, or a blocking client got no
    /// thread.
    #[error("cannot set up the client: {}", deepest(cause.as_ref()))]
    Setup {
        /// The cause.
        cause: Source,
    },

    // generated from spec/openapi.yaml: errors by code
    /// 401 `invalid_api_key`: the API key is missing, wrong or revoked.
    /// Use a key that this server issued.
    #[error("{0}")]
    InvalidApiKey(Box<ApiError>),
    /// 402 `insufficient_credits`: the generation costs more credits than the account or its key has.
    /// Nothing was charged. Add credits, or use a key with a larger budget.
    #[error("{0}")]
    InsufficientCredits(Box<ApiError>),
    /// 402 `subscription_required`: the model needs a subscription.
    /// Nothing was charged. Subscribe, or use another model.
    #[error("{0}")]
    SubscriptionRequired(Box<ApiError>),
    /// 403 `insufficient_scope`: the API key lacks the scope that the call needs.
    /// Use a key that has the scope.
    #[error("{0}")]
    InsufficientScope(Box<ApiError>),
    /// 404 `not_found`: the request or the path does not exist for this account.
    /// Check the id. Only a key of the account that submitted a request finds it.
    #[error("{0}")]
    NotFound(Box<ApiError>),
    /// 404 `model_not_found`: the server has no model with this slug.
    /// Use a slug from the list of models.
    #[error("{0}")]
    ModelNotFound(Box<ApiError>),
    /// 409 `idempotency_key_reuse`: the idempotency key was used with other parameters.
    /// Use a new key for another submit.
    #[error("{0}")]
    IdempotencyKeyReuse(Box<ApiError>),
    /// 409 `request_in_progress`: the first submit of the idempotency key is still being processed.
    /// Repeat the submit with the same key in a moment.
    #[error("{0}")]
    RequestInProgress(Box<ApiError>),
    /// 429 `rate_limit_exceeded`: the API key made too many requests in this minute.
    /// Repeat the call after `Retry-After`.
    #[error("{0}")]
    RateLimitExceeded(Box<ApiError>),
    /// 429 `concurrency_limit_exceeded`: the API key has too many generations in flight.
    /// Submit again when one of the generations has ended.
    #[error("{0}")]
    ConcurrencyLimitExceeded(Box<ApiError>),
    /// 413 `upload_too_large`: the file is longer than an upload may be.
    /// Upload a shorter file. A self-hosted server takes 100 MiB.
    #[error("{0}")]
    UploadTooLarge(Box<ApiError>),
    /// 403 `upload_limit_exceeded`: the account keeps as many uploads as it may, in number or in bytes.
    /// Wait until some expire, 24 hours after they came.
    #[error("{0}")]
    UploadLimitExceeded(Box<ApiError>),
    /// 500 `internal_error`: the server failed.
    /// Repeat the call with growing pauses, a submit with its own idempotency key.
    #[error("{0}")]
    InternalError(Box<ApiError>),
    /// 503 `service_unavailable`: the server cannot serve the call now.
    /// Repeat the call after `Retry-After`, a submit with its own idempotency key.
    #[error("{0}")]
    ServiceUnavailable(Box<ApiError>),
    // end of what is generated: errors by code
    /// Any other error of the API: a code that this version does not know.
    #[error("{0}")]
    Api(Box<ApiError>),
    /// The response is not the API's: a page of a proxy, a redirect, an empty body, a content coding that was not asked
    /// for, JSON without an essential field. [`ApiError::beginning`] has the start of its body.
    #[error("{0}")]
    UnexpectedAnswer(Box<ApiError>),

    /// No connection to the server could be made, because of the address, the network, the server or its certificate.
    /// The server has received nothing of the call.
    #[error("no connection to the server at {server}{}: {}", tries(*attempts, *elapsed), deepest(cause.as_ref()))]
    Unreachable {
        /// The request id, if the call was about one request.
        request_id: Option<RequestId>,
        /// The base URL.
        server: String,
        /// How many attempts the call took.
        attempts: u32,
        /// How long all attempts took, pauses included.
        elapsed: Duration,
        /// The cause.
        cause: Source,
    },
    /// The connection broke before the whole response arrived. The server may have processed the call.
    #[error("the connection to the server broke{}: {}", tries(*attempts, *elapsed), deepest(cause.as_ref()))]
    Connection {
        /// The request id, if the call was about one request.
        request_id: Option<RequestId>,
        /// How many attempts the call took.
        attempts: u32,
        /// How long all attempts took, pauses included.
        elapsed: Duration,
        /// The cause.
        cause: Source,
    },
    /// One HTTP call took longer than the client's timeout. The server may have processed the call.
    #[error("the server did not answer in time{}", tries(*attempts, *elapsed))]
    Timeout {
        /// The request id, if the call was about one request.
        request_id: Option<RequestId>,
        /// How many attempts the call took.
        attempts: u32,
        /// How long all attempts took, pauses included.
        elapsed: Duration,
    },
    /// No attempt of a submit got a response that says whether it was accepted. It may have been accepted, and paid
    /// for. Submit the same with the same [`idempotency_key`](crate::Submit::idempotency_key) within 24 hours: that
    /// finds the generation or makes it, and is charged once.
    #[error(
        "{cause}; nobody knows whether this submit was accepted: the same again with \
             `.idempotency_key({idempotency_key:?})` within 24 hours charges once"
    )]
    SubmitUnanswered {
        /// The idempotency key of the submit, set by the caller or made by the client.
        idempotency_key: String,
        /// The last error.
        cause: Box<Self>,
    },
    /// A webhook delivery is genuine, but does not say how the generation ended. Ask for its result.
    #[error(
        "the webhook delivery for {} says `{}` and not how it ended: ask for the result",
        printable(request_id.as_str()),
        printable(status)
    )]
    DeliveryInconclusive {
        /// The id of the generation.
        request_id: RequestId,
        /// The status in the delivery.
        status: String,
    },

    /// The deadline of the wait passed. The generation goes on: resume with its id.
    #[error("gave up waiting for {0} after {1} s; {2}: resume with client.generation(\"{0}\").wait()",
        printable(request_id.as_str()), seconds(*waited), last_known(.status, .progress))]
    Deadline {
        /// The id of the generation.
        request_id: RequestId,
        /// How long the wait lasted.
        waited: Duration,
        /// The last known status of the generation, if any.
        status: Option<Status>,
        /// The last known progress of the generation.
        progress: Option<Progress>,
        /// The error of the latest poll, if it failed.
        source: Option<Box<Self>>,
    },
    /// The generation failed, and its credits were returned. Made only where success is required, as by
    /// [`Outcome::completed`](crate::Outcome::completed).
    #[error("generation {} failed: {} ({})", printable(.0.id().as_str()), printable(.0.message()), printable(.0.code()))]
    Failed(Box<Failed>),
    /// The generation was canceled, and its credits were returned. Made only where success is required.
    #[error("generation {} was canceled", printable(.0.id().as_str()))]
    Canceled(Box<Canceled>),
    /// The generation has not ended, but the call needs its end.
    #[error("generation {} has not ended: {}", printable(request_id.as_str()),
        last_known(&Some(status.clone()), .progress))]
    StillRunning {
        /// The id of the generation.
        request_id: RequestId,
        /// The status of the generation.
        status: Status,
        /// The progress of the generation.
        progress: Option<Progress>,
    },
    /// A file of a result could not be fetched.
    #[error("cannot download {}: {}", printable(url), printable(reason))]
    Download {
        /// The id of the generation.
        request_id: RequestId,
        /// The URL of the file, without its query (which may hold a signature).
        url: String,
        /// The cause.
        reason: String,
        /// Whether another download may succeed.
        transient: bool,
        /// How long the media host asked to wait before the next attempt.
        retry_after: Option<Duration>,
    },
    /// A file of a result could not be written.
    #[error("cannot write `{}`: {cause}", printable(&path.display().to_string()))]
    Io {
        /// The id of the generation.
        request_id: RequestId,
        /// The file or directory.
        path: PathBuf,
        /// The error of the operating system.
        cause: std::io::Error,
    },
}

impl Error {
    /// How long the server asked to wait before the next attempt.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Download { retry_after, .. } => *retry_after,
            other => other.api()?.retry_after(),
        }
    }

    /// The idempotency key of a submit that may have been accepted. The same submit with this key finds the generation.
    pub fn idempotency_key(&self) -> Option<&str> {
        match self {
            Self::SubmitUnanswered { idempotency_key, .. } => Some(idempotency_key),
            _ => None,
        }
    }

    /// The id of the generation that the error is about. A submit that was refused or not answered has none.
    pub fn request_id(&self) -> Option<&RequestId> {
        match self {
            Self::Unreachable { request_id, .. }
            | Self::Connection { request_id, .. }
            | Self::Timeout { request_id, .. } => request_id.as_ref(),
            Self::Deadline { request_id, .. }
            | Self::DeliveryInconclusive { request_id, .. }
            | Self::StillRunning { request_id, .. }
            | Self::Download { request_id, .. }
            | Self::Io { request_id, .. } => Some(request_id),
            Self::Failed(failed) => Some(failed.id()),
            Self::Canceled(canceled) => Some(canceled.id()),
            other => other.api()?.request_id(),
        }
    }

    /// The code of the cause on the wire: of the error envelope, or of a failed generation.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Input(input) => input.code(),
            Self::Failed(failed) => Some(failed.code()),
            other => Some(other.api()?.code()),
        }
    }

    /// The code as a type, if this version of the crate knows it. A failed generation has none.
    pub fn error_code(&self) -> Option<ErrorCode> {
        match self {
            Self::Input(input) => ErrorCode::from_code(input.code()?),
            other => ErrorCode::from_code(other.api()?.code()),
        }
    }

    /// The HTTP status of the response, if there was one.
    pub fn http_status(&self) -> Option<u16> {
        Some(self.api()?.http_status())
    }

    /// The API's error, if the error came from the API.
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            Self::Api(api) | Self::UnexpectedAnswer(api) => Some(api),
            Self::Input(input) => input.api(),
            Self::SubmitUnanswered { cause, .. } => cause.api(),
            other => other.api_of_code(),
        }
    }

    /// The error for an error response, by its code.
    pub(crate) fn from_api(api: ApiError) -> Self {
        if !api.is_genuine() {
            return Self::UnexpectedAnswer(Box::new(api));
        }
        match InputError::of_server(api) {
            Ok(input) => Self::Input(Box::new(input)),
            Err(api) => Self::of_code(ErrorCode::from_code(api.code()), api),
        }
    }

    /// The error about an argument that cannot be sent.
    pub(crate) fn argument(argument: &'static str, message: impl Into<String>, remedy: &'static str) -> Self {
        Self::Input(Box::new(InputError::of_argument(argument, message.into(), remedy)))
    }

    /// The error with the number of attempts, and with the time that they took.
    pub(crate) fn after(mut self, attempts: u32, elapsed: Duration) -> Self {
        self.set_attempts(attempts, elapsed);
        self
    }

    fn set_attempts(&mut self, tried: u32, took: Duration) {
        match self {
            Self::Unreachable { attempts, elapsed, .. }
            | Self::Connection { attempts, elapsed, .. }
            | Self::Timeout { attempts, elapsed, .. } => (*attempts, *elapsed) = (tried, took),
            Self::Api(api) | Self::UnexpectedAnswer(api) => (api.attempts, api.elapsed) = (tried, took),
            Self::SubmitUnanswered { cause, .. } => cause.set_attempts(tried, took),
            other => {
                if let Some(api) = other.api_of_code_mut()
                    && ErrorCode::from_code(api.code()).is_some_and(ErrorCode::is_retryable)
                {
                    (api.attempts, api.elapsed) = (tried, took);
                }
            }
        }
    }
}

/// The message of the root cause: `Connection refused` says more than `error sending request`.
pub(crate) fn deepest(error: &(dyn StdError + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    printable(&cause.to_string()).into_owned()
}

fn last_known(status: &Option<Status>, progress: &Option<Progress>) -> String {
    match (status, progress) {
        (None, _) => "nothing is known of it yet".to_owned(),
        (Some(status), None) => format!("it is still {}", printable(status.as_str())),
        (Some(status), Some(progress)) => format!("it is still {} ({progress})", printable(status.as_str())),
    }
}

#[cfg(test)]
mod tests;
