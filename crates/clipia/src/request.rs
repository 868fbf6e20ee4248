//! One call of the API: sends it, records it in the request budget, and retries it as `retry` decides.

use crate::budget::RateLimit;
use crate::client::Inner;
use crate::error::{ApiError, Error};
use crate::key::Key;
use crate::retry::{self, Attempts, Bounds};
use crate::retry_after::retry_after;
use crate::shared_budget::{Token, now};
use crate::wait::{self, Priority};
use clipia_api::types::{ErrorEnvelope, RequestId};
use clipia_api::{ResponseValue, foreign};
use reqwest::header::HeaderMap;
use serde_json::Value;
use std::borrow::Cow;
use std::future::Future;
use std::time::Duration;
use tracing::{Instrument, Span};

/// The outcome of a call of the generated client.
pub(crate) type WireResult<T> = Result<ResponseValue<T>, WireError>;
type WireError = clipia_api::Error<ErrorEnvelope>;

/// A call, as traces and errors name it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation<'a> {
    name: &'static str,
    request_id: Option<&'a RequestId>,
    model: Option<&'a str>,
    /// Set for a submit.
    idempotency_key: Option<&'a str>,
}

impl<'a> Operation<'a> {
    pub(crate) fn named(name: &'static str) -> Self {
        Self { name, request_id: None, model: None, idempotency_key: None }
    }

    pub(crate) fn about(name: &'static str, request_id: &'a RequestId) -> Self {
        Self { request_id: Some(request_id), ..Self::named(name) }
    }

    /// The same call, about this model if it is known.
    pub(crate) fn model(self, model: Option<&'a str>) -> Self {
        Self { model, ..self }
    }

    pub(crate) fn of_model(name: &'static str, model: &'a str) -> Self {
        Self { model: Some(model), ..Self::named(name) }
    }

    pub(crate) fn submit(model: &'a str, idempotency_key: &'a str) -> Self {
        Self { idempotency_key: Some(idempotency_key), ..Self::of_model("submit", model) }
    }

    fn priority(self) -> Priority {
        if self.idempotency_key.is_some() { Priority::Submit } else { Priority::Call }
    }

    /// The span of all attempts.
    pub(crate) fn span(self) -> Span {
        let request_id = self.request_id.map(tracing::field::display);
        tracing::info_span!("clipia", operation = self.name, model = self.model, request_id)
    }

    /// The error that ends the call. If it is a submit that may have been accepted, the error carries its idempotency
    /// key.
    fn ended(self, error: Error, attempts: Attempts) -> Error {
        if attempts.maybe_accepted { self.unanswered(error) } else { error }
    }

    /// The error of a submit that may have been accepted.
    fn unanswered(self, error: Error) -> Error {
        match self.idempotency_key {
            Some(key) if error.idempotency_key().is_none() => {
                Error::SubmitUnanswered { idempotency_key: key.to_owned(), source: Box::new(error) }
            }
            _ => error,
        }
    }
}

impl Inner {
    /// Makes a call of the user: waits for the request budget, sends, and retries as `retry` decides.
    pub(crate) async fn call<T, S, F>(&self, operation: Operation<'_>, send: S) -> Result<T, Error>
    where
        S: Fn() -> F,
        F: Future<Output = WireResult<T>>,
    {
        self.call_in(operation.span(), operation, send).await
    }

    /// The same in a span of the caller, who records more fields in it.
    pub(crate) async fn call_in<T, S, F>(
        &self,
        span: Span,
        operation: Operation<'_>,
        send: S,
    ) -> Result<T, Error>
    where
        S: Fn() -> F,
        F: Future<Output = WireResult<T>>,
    {
        let send = &send;
        let attempt = |_| async move {
            let token = wait::token(self, operation.priority()).await;
            let result = self.attempt(token, operation, send).await;
            if operation.priority() == Priority::Submit {
                self.scheduler.submitted(result.as_ref().err());
            }
            match result {
                // The submit seems to be accepted. A retry with the same key finds the id, and is not charged.
                Err(error @ Error::UnexpectedAnswer(_)) if retry::seems_accepted(&error) => {
                    Err(operation.unanswered(error))
                }
                result => result,
            }
        };
        retrying(operation, self.bounds, attempt).instrument(span).await
    }

    /// Sends a call once, and records the response in the request budget.
    pub(crate) async fn attempt<T, F: Future<Output = WireResult<T>>>(
        &self,
        mut token: Token,
        operation: Operation<'_>,
        send: impl FnOnce() -> F,
    ) -> Result<T, Error> {
        token.sent();
        let result = match traced(operation, &self.key, send).await {
            Ok(response) => {
                token.accepted(rate_limit(response.headers()));
                Ok(response.into_inner())
            }
            Err(error) => Err(error_of(error, operation, self, token)),
        };
        self.scheduler.budget_changed();
        result
    }
}

/// Repeats an attempt until it succeeds, or until `retry` ends the call. `attempt` takes the number of attempts before
/// it.
pub(crate) async fn retrying<T, A, F>(
    operation: Operation<'_>,
    bounds: Bounds,
    mut attempt: A,
) -> Result<T, Error>
where
    A: FnMut(u32) -> F,
    F: Future<Output = Result<T, Error>>,
{
    // The time counts from the first response, because waiting for the request budget is no attempt.
    let (mut begun, mut attempts) = (None, Attempts::default());
    loop {
        let error = match attempt(attempts.count()).await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        attempts = attempts.with(&error);
        let elapsed = now().saturating_duration_since(*begun.get_or_insert_with(now));
        let Some(pause) = retry::decide(&error, attempts, elapsed, bounds, rand::random()) else {
            return Err(operation.ended(error.after(attempts.count(), elapsed), attempts));
        };
        let (tries, pause_ms) = (attempts.count(), pause.as_millis() as u64);
        let (elapsed_ms, waits_for) = (elapsed.as_millis() as u64, retry::waits_for(&error));
        tracing::info!(%error, tries, elapsed_ms, pause_ms, waits_for, "trying again");
        tokio::time::sleep(pause).await;
    }
}

/// Logs an attempt with its response and its duration.
async fn traced<T, F: Future<Output = WireResult<T>>>(
    operation: Operation<'_>,
    key: &Key,
    send: impl FnOnce() -> F,
) -> WireResult<T> {
    let begun = now();
    let result = send().await;
    let (http_status, code) = match &result {
        Ok(response) => (Some(response.status()), None),
        Err(clipia_api::Error::ErrorResponse(response)) => {
            (Some(response.status()), Some(key.hide(&response.error.code)))
        }
        Err(error) => (error.status(), None),
    };
    tracing::debug!(
        operation = operation.name,
        request_id = operation.request_id.map(tracing::field::display),
        http_status = http_status.map(|status| status.as_u16()),
        code = code.as_deref(),
        duration_ms = now().saturating_duration_since(begun).as_millis() as u64,
        "tried"
    );
    result
}

/// The SDK's error for an error of the generated client. Records an error response in the request budget.
fn error_of(error: WireError, operation: Operation<'_>, inner: &Inner, token: Token) -> Error {
    use clipia_api::Error as Wire;
    let request_id = operation.request_id.cloned();
    match error {
        Wire::ErrorResponse(response) => {
            let limits = rate_limit(response.headers());
            let error = response_error(response, limits, request_id, &inner.key);
            if retry::is_rate_limit(&error) {
                token.refused(limits, error.retry_after());
            } else {
                token.answered(limits);
            }
            error
        }
        Wire::CommunicationError(source) | Wire::ResponseBodyError(source) | Wire::InvalidUpgrade(source) => {
            connection_error(source.without_url(), request_id, inner)
        }
        // The idempotency key is the only header with a value of the caller.
        Wire::InvalidRequest(_) => {
            Error::Input { message: "the idempotency key cannot be sent in a header".to_owned() }
        }
        // `clipia_api` reads every response itself, and makes none of these.
        other @ (Wire::InvalidResponsePayload(..) | Wire::UnexpectedResponse(_) | Wire::Custom(_)) => {
            let (attempts, elapsed) = (1, Duration::ZERO);
            Error::Connection { request_id, attempts, elapsed, source: other.to_string().into() }
        }
    }
}

/// The error for an error response.
fn response_error(
    response: ResponseValue<ErrorEnvelope>,
    limits: RateLimit,
    request_id: Option<RequestId>,
    key: &Key,
) -> Error {
    Error::from_api(ApiError {
        http_status: response.status().as_u16(),
        retry_after: retry_after(response.headers()),
        request_id: request_id.or_else(|| foreign::request_id(&response).map(RequestId::from)),
        envelope: without_key(key, response.into_inner()),
        key: key.masked(),
        limit: limits.limit,
        attempts: 1,
        elapsed: Duration::ZERO,
    })
}

/// The error for a call without a complete response.
fn connection_error(source: reqwest::Error, request_id: Option<RequestId>, inner: &Inner) -> Error {
    let (attempts, elapsed) = (1, Duration::ZERO);
    if source.is_builder() {
        return Error::Input { message: format!("cannot build the call: {source}") };
    }
    if source.is_connect() {
        let server = inner.base_url.as_str().trim_end_matches('/').to_owned();
        return Error::Unreachable { request_id, server, attempts, elapsed, source: Box::new(source) };
    }
    if source.is_timeout() {
        return Error::Timeout { request_id, attempts, elapsed };
    }
    Error::Connection { request_id, attempts, elapsed, source: Box::new(source) }
}

/// The envelope with the key masked, because a server or a proxy may repeat the key.
fn without_key(key: &Key, mut envelope: ErrorEnvelope) -> ErrorEnvelope {
    let hide = |text: &mut String| {
        if let Cow::Owned(hidden) = key.hide(text) {
            *text = hidden;
        }
    };
    let ErrorEnvelope { error, extra } = &mut envelope;
    let texts = [Some(&mut error.code), error.message.as_mut(), error.type_.as_mut()];
    texts.into_iter().flatten().for_each(hide);
    error.extra.values_mut().chain(extra.values_mut()).for_each(|value| hide_within(value, &hide));
    envelope
}

fn hide_within(value: &mut Value, hide: &impl Fn(&mut String)) {
    match value {
        Value::String(text) => hide(text),
        Value::Array(entries) => entries.iter_mut().for_each(|entry| hide_within(entry, hide)),
        Value::Object(fields) => {
            // A field whose name contains the key is removed.
            fields.retain(|name, _| {
                let mut shown = name.clone();
                hide(&mut shown);
                shown == *name
            });
            fields.values_mut().for_each(|field| hide_within(field, hide));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The `RateLimit-*` headers, read in one pass: one look-up for each would cost as much as the rest of a call's
/// accounting.
fn rate_limit(headers: &HeaderMap) -> RateLimit {
    let mut limits = RateLimit::default();
    for (name, value) in headers {
        let part = match name.as_str() {
            "ratelimit-limit" => &mut limits.limit,
            "ratelimit-remaining" => &mut limits.remaining,
            "ratelimit-reset" => &mut limits.reset,
            _ => continue,
        };
        *part = part.or_else(|| number(value.as_bytes()));
    }
    limits
}

/// The number at the start of a header. Drafts of `RateLimit-*` allow parameters after it (`120, 120;w=60`).
fn number(value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii_start();
    let digits = &value[..value.iter().take_while(|byte| byte.is_ascii_digit()).count()];
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(http_status: u16, code: &str, retry_after: Option<u64>) -> Error {
        let retry_after = retry_after.map(Duration::from_secs);
        Error::from_api(ApiError { retry_after, ..ApiError::bare(http_status, code) })
    }

    async fn submit(
        bounds: Bounds,
        mut respond: impl FnMut(u32) -> Result<(), Error>,
    ) -> (Result<(), Error>, Duration) {
        let begun = now();
        let ended =
            retrying(Operation::submit("m", "mine"), bounds, |tries| std::future::ready(respond(tries)));
        (ended.await, now() - begun)
    }

    const BOUNDS: Bounds =
        Bounds { retries: 5, within: Duration::from_secs(600), pause_first: Duration::from_millis(500) };

    #[tokio::test(start_paused = true)]
    async fn a_fleet_beyond_the_limit_gets_through_while_there_is_time() {
        let (ended, took) = submit(BOUNDS, |tries| match tries {
            0..60 => Err(api(429, "concurrency_limit_exceeded", Some(5))),
            _ => Ok(()),
        })
        .await;
        assert!(ended.is_ok() && (300..320).contains(&took.as_secs()), "{ended:?} {took:?}");

        let (ended, took) = submit(BOUNDS, |_| Err(api(429, "concurrency_limit_exceeded", Some(5)))).await;
        let error = ended.unwrap_err();
        assert!(matches!(error, Error::ConcurrencyLimitExceeded(_)), "{error:?}");
        assert!((590..=600).contains(&took.as_secs()), "{took:?}");
        let api = error.api().unwrap();
        assert!(api.attempts() > 100 && api.elapsed() == took, "{api:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn failures_end_the_call_by_count_or_by_time() {
        let (ended, _) = submit(BOUNDS, |_| Err(api(503, "service_unavailable", None))).await;
        assert_eq!(ended.unwrap_err().api().unwrap().attempts(), 6);
        let short = Bounds { within: Duration::from_secs(12), ..BOUNDS };
        let (ended, took) = submit(short, |_| Err(api(503, "service_unavailable", Some(5)))).await;
        assert_eq!(ended.unwrap_err().api().unwrap().attempts(), 3);
        assert!(took <= Duration::from_secs(12), "{took:?}");
    }
}
