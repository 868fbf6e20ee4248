//! Errors that the API sent.

use super::tries::tries;
use crate::printable::printable;
use clipia_api::error_code::ErrorCode;
use clipia_api::foreign;
use clipia_api::types::{ErrorEnvelope, RequestId};
use std::fmt;
use std::time::Duration;

/// An error response of the API: the HTTP status, the error envelope, and the headers that matter.
#[derive(Clone, Debug)]
pub struct ApiError {
    pub(crate) http_status: u16,
    pub(crate) envelope: ErrorEnvelope,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) request_id: Option<RequestId>,
    /// The key of the call, masked.
    pub(crate) key: String,
    /// The rate limit in requests a minute, if the response names it.
    pub(crate) limit: Option<u64>,
    pub(crate) attempts: u32,
    pub(crate) elapsed: Duration,
}

impl ApiError {
    /// An error response with nothing but a status and a code.
    #[cfg(test)]
    pub(crate) fn bare(http_status: u16, code: &str) -> Self {
        let error = clipia_api::types::ErrorBody {
            type_: None,
            code: code.to_owned(),
            message: None,
            extra: Default::default(),
        };
        Self {
            http_status,
            envelope: ErrorEnvelope { error, extra: Default::default() },
            retry_after: None,
            request_id: None,
            key: "clipia_live_…k3Qz".to_owned(),
            limit: None,
            attempts: 1,
            elapsed: Duration::ZERO,
        }
    }

    /// The HTTP status of the response.
    pub fn http_status(&self) -> u16 {
        self.http_status
    }

    /// The cause, a word for programs; `http_502` and the like if the response is not the API's.
    pub fn code(&self) -> &str {
        &self.envelope.error.code
    }

    /// The server's sentence for people. If the response is not the API's: what it is instead.
    pub fn message(&self) -> &str {
        self.envelope.error.message.as_deref().unwrap_or_default()
    }

    /// The first thousand characters of the body, if the response is not the API's and has a body.
    pub fn beginning(&self) -> Option<&str> {
        foreign::beginning(&self.envelope)
    }

    /// The value of `type`: the family of causes, such as `rate_limit_error`.
    pub fn family(&self) -> &str {
        self.envelope.error.type_.as_deref().unwrap_or_default()
    }

    /// The whole error body, fields that this version does not know included.
    pub fn envelope(&self) -> &ErrorEnvelope {
        &self.envelope
    }

    /// How long the server asked to wait before the next attempt.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The id of the generation that the call was about. For a submit whose response is not the API's: the first UUID
    /// in the response.
    pub fn request_id(&self) -> Option<&RequestId> {
        self.request_id.as_ref()
    }

    /// How many attempts the call took.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// How long all attempts took, pauses included.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Whether the response is the API's, and not that of something between server and client.
    pub(crate) fn is_genuine(&self) -> bool {
        !foreign::is_foreign(&self.envelope)
    }

    /// Facts and advice for the message, in clauses. A clause that the server's own message contains is not shown
    /// again.
    fn advice(&self) -> Vec<String> {
        let key = &self.key;
        let pause = self.retry_after.map(|pause| pause.as_secs_f64().ceil());
        let again = || pause.map(|seconds| format!("try again in {seconds} s"));
        let clause = match ErrorCode::from_code(self.code()) {
            Some(ErrorCode::InvalidApiKey) => {
                Some(format!("the key sent is {key}: set one of this server in `CLIPIA_KEY`"))
            }
            Some(ErrorCode::InsufficientCredits) => Some(
                "nothing was charged: the account needs more credits, or the key a larger budget".to_owned(),
            ),
            Some(ErrorCode::SubscriptionRequired) => {
                Some("nothing was charged: subscribe, or use another model".to_owned())
            }
            Some(ErrorCode::InsufficientScope) => {
                Some(format!("use a key that has it: the key sent is {key}"))
            }
            Some(ErrorCode::NotFound) => self.request_id.as_ref().map(|id| {
                format!(
                    "{} was asked for with {key}: only a key of the account that submitted it finds it",
                    printable(id.as_str())
                )
            }),
            Some(ErrorCode::RequestInProgress) if pause.is_none() => {
                Some("submit the same with the same key in a moment".to_owned())
            }
            Some(ErrorCode::RateLimitExceeded) => {
                let limit =
                    self.limit.map_or("the limit".to_owned(), |limit| format!("{limit} requests a minute"));
                let next = pause.map(|seconds| format!("next request in {seconds} s"));
                return [Some(format!("{limit} on key {key}")), next].into_iter().flatten().collect();
            }
            Some(ErrorCode::ConcurrencyLimitExceeded) if pause.is_none() => {
                Some("submit again when one of them has ended".to_owned())
            }
            _ => None,
        };
        [clause, again()].into_iter().flatten().collect()
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = match self.message() {
            "" => "the server gave no reason",
            message => message,
        };
        f.write_str(&printable(message))?;
        for clause in self.advice() {
            if !message.contains(&clause) {
                write!(f, "; {clause}")?;
            }
        }
        write!(f, " ({} {}{})", self.http_status, printable(self.code()), tries(self.attempts, self.elapsed))
    }
}
