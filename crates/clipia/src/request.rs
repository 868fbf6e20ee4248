//! One call of the API: sends it, accounts for it, and sends it again where `retry` says so. Decides nothing.

use crate::budget::RateLimit;
use crate::client::Inner;
use crate::error::{ApiError, Error};
use crate::retry;
use crate::spending::Token;
use crate::wait::{self, Class};
use clipia_api::ResponseValue;
use clipia_api::types::{ErrorEnvelope, RequestId};
use reqwest::header::HeaderMap;
use std::future::Future;
use std::time::SystemTime;
use tracing::Instrument;

/// What the generated client answers.
pub(crate) type Answer<T> = Result<ResponseValue<T>, clipia_api::Error<ErrorEnvelope>>;

/// A call as logs and errors name it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) request_id: Option<RequestId>,
    pub(crate) class: Class,
}

impl Operation {
    pub(crate) fn named(name: &'static str) -> Self {
        Self { name, request_id: None, class: Class::Call }
    }

    pub(crate) fn about(name: &'static str, request_id: RequestId) -> Self {
        Self { name, request_id: Some(request_id), class: Class::Call }
    }

    pub(crate) fn submit() -> Self {
        Self { name: "submit", request_id: None, class: Class::Submit }
    }

    fn span(self) -> tracing::Span {
        let span = tracing::debug_span!("clipia", operation = self.name, request_id = tracing::field::Empty);
        if let Some(id) = self.request_id {
            span.record("request_id", tracing::field::display(id));
        }
        span
    }
}

impl Inner {
    /// A call of the user's own: in its turn, and again as `retry` allows.
    pub(crate) async fn call<T, S, F>(&self, operation: Operation, send: S) -> Result<T, Error>
    where
        S: Fn() -> F,
        F: Future<Output = Answer<T>>,
    {
        let send = &send;
        let attempt = |_| async move {
            let token = wait::token(self, operation.class).await;
            self.attempt(token, operation, send()).await
        };
        retrying(self.max_retries, attempt).instrument(operation.span()).await
    }

    /// Sends a call once and tells the budget what came back.
    pub(crate) async fn attempt<T>(
        &self,
        mut token: Token,
        operation: Operation,
        send: impl Future<Output = Answer<T>>,
    ) -> Result<T, Error> {
        token.used();
        let answer = match send.await {
            Ok(response) => {
                token.answered(rate_limit(response.headers()));
                Ok(response.into_inner())
            }
            Err(error) => Err(refusal(error, operation, token)),
        };
        self.scheduler.budget_changed();
        answer
    }
}

/// Tries until it works, until `retry` says that it will not, or until it was repeated `max_retries` times.
pub(crate) async fn retrying<T, A, F>(max_retries: u32, mut attempt: A) -> Result<T, Error>
where
    A: FnMut(u32) -> F,
    F: Future<Output = Result<T, Error>>,
{
    let mut tries = 0;
    loop {
        let error = match attempt(tries).await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        tries += 1;
        let pause = if tries > max_retries { None } else { retry::pause(&error, tries, rand::random()) };
        let Some(pause) = pause else { return Err(error.after(tries)) };
        tracing::debug!(%error, tries, pause_ms = pause.as_millis() as u64, "trying again");
        tokio::time::sleep(pause).await;
    }
}

fn refusal(error: clipia_api::Error<ErrorEnvelope>, operation: Operation, token: Token) -> Error {
    use clipia_api::Error as Wire;
    let request_id = operation.request_id;
    match error {
        Wire::ErrorResponse(response) => {
            let told = rate_limit(response.headers());
            let api = ApiError {
                http_status: response.status().as_u16(),
                retry_after: retry_after(response.headers()),
                envelope: response.into_inner(),
                request_id,
                attempts: 1,
            };
            let retry_after = api.retry_after;
            let error = Error::from_api(api);
            match error.http_status() {
                Some(429) if !matches!(error, Error::ConcurrencyLimitExceeded(_)) => {
                    token.refused(told, retry_after);
                }
                _ => token.answered(told),
            }
            error
        }
        Wire::CommunicationError(source) | Wire::ResponseBodyError(source) | Wire::InvalidUpgrade(source) => {
            if source.is_timeout() {
                return Error::Timeout { request_id, attempts: 1 };
            }
            if source.is_builder() {
                return Error::Input { message: format!("cannot build the call: {}", source.without_url()) };
            }
            Error::Connection { request_id, attempts: 1, source: Box::new(source.without_url()) }
        }
        Wire::InvalidResponsePayload(_, reason) => {
            token.answered(RateLimit::default());
            Error::Decode { request_id, reason: reason.to_string() }
        }
        Wire::UnexpectedResponse(response) => {
            token.answered(rate_limit(response.headers()));
            let reason = format!("HTTP status {} is not one of the API's", response.status());
            Error::Decode { request_id, reason }
        }
        // The only header made of what a caller passes.
        Wire::InvalidRequest(_) => {
            Error::Input { message: "the idempotency key cannot be sent in a header".to_owned() }
        }
        Wire::Custom(message) => Error::Input { message },
    }
}

fn rate_limit(headers: &HeaderMap) -> RateLimit {
    RateLimit {
        limit: number(headers, "ratelimit-limit"),
        remaining: number(headers, "ratelimit-remaining"),
        reset: number(headers, "ratelimit-reset"),
    }
}

/// The number that a header begins with: drafts of `RateLimit-*` allow parameters after it (`120, 120;w=60`).
fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    let value = headers.get(name)?.to_str().ok()?.trim_start();
    value.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

pub(crate) fn retry_after(headers: &HeaderMap) -> Option<std::time::Duration> {
    let value = headers.get(reqwest::header::RETRY_AFTER)?.to_str().ok()?;
    retry::retry_after(value, SystemTime::now())
}
