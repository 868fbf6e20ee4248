//! One request to the API: sends it, reads the response into a result or an error, and records it in the request budget.

use crate::budget::RateLimit;
use crate::connection::Connection;
use crate::error::{ApiError, Error};
use crate::key::Key;
use crate::limits::Limit;
use crate::retry::Attempts;
use crate::retry_after::retry_after;
use crate::shared_budget::{Token, now};
use clipia_api::types::{ErrorEnvelope, RequestId};
use clipia_api::{ResponseValue, foreign};
use reqwest::header::HeaderMap;
use serde_json::Value;
use std::borrow::Cow;
use std::future::Future;
use std::time::Duration;
use tracing::Span;

/// The outcome of a call of the generated client.
pub(crate) type WireResult<T> = Result<ResponseValue<T>, WireError>;
type WireError = clipia_api::Error<ErrorEnvelope>;

/// The priority of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Priority {
    /// A call of the user. It goes first.
    Call,
    /// A submit.
    Submit,
}

impl Priority {
    /// The name in logs.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Submit => "submit",
        }
    }
}

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

    pub(crate) fn priority(self) -> Priority {
        if self.idempotency_key.is_some() { Priority::Submit } else { Priority::Call }
    }

    /// The span of all attempts.
    pub(crate) fn span(self) -> Span {
        let request_id = self.request_id.map(tracing::field::display);
        tracing::info_span!("clipia", operation = self.name, model = self.model, request_id)
    }

    /// The error that ends the call. If it is a submit that may have been accepted, the error carries its idempotency
    /// key.
    pub(crate) fn ended(self, error: Error, attempts: Attempts) -> Error {
        if attempts.maybe_accepted { self.unanswered(error) } else { error }
    }

    /// The error of a submit that may have been accepted.
    pub(crate) fn unanswered(self, error: Error) -> Error {
        match self.idempotency_key {
            Some(key) if error.idempotency_key().is_none() => {
                Error::SubmitUnanswered { idempotency_key: key.to_owned(), cause: Box::new(error) }
            }
            _ => error,
        }
    }
}

impl Connection {
    /// Sends a call once, and records the response in the request budget.
    pub(crate) async fn attempt<T, F: Future<Output = WireResult<T>>>(
        &self,
        mut token: Token,
        operation: Operation<'_>,
        send: impl FnOnce() -> F,
    ) -> Result<T, Error> {
        token.sent();
        match traced(operation, &self.key, send).await {
            Ok(response) => {
                token.accepted(rate_limit(response.headers()));
                Ok(response.into_inner())
            }
            Err(error) => Err(error_of(error, operation, self, token)),
        }
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
fn error_of(error: WireError, operation: Operation<'_>, connection: &Connection, token: Token) -> Error {
    use clipia_api::Error as Wire;
    let request_id = operation.request_id.cloned();
    match error {
        Wire::ErrorResponse(response) => {
            let limits = rate_limit(response.headers());
            let error = response_error(response, limits, request_id, &connection.key);
            if Limit::of(&error) == Some(Limit::Rate) {
                token.refused(limits, error.retry_after());
            } else {
                token.answered(limits);
            }
            error
        }
        Wire::CommunicationError(source) | Wire::ResponseBodyError(source) | Wire::InvalidUpgrade(source) => {
            connection_error(source.without_url(), request_id, connection)
        }
        // The idempotency key is the only header with a value of the caller.
        Wire::InvalidRequest(_) => Error::argument(
            "idempotency_key",
            "the idempotency key cannot be sent in a header",
            "use visible ASCII characters, as a UUID has",
        ),
        // `clipia_api` reads every response itself, and makes none of these.
        other @ (Wire::InvalidResponsePayload(..) | Wire::UnexpectedResponse(_) | Wire::Custom(_)) => {
            let (attempts, elapsed) = (1, Duration::ZERO);
            Error::Connection { request_id, attempts, elapsed, cause: other.to_string().into() }
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
fn connection_error(source: reqwest::Error, request_id: Option<RequestId>, connection: &Connection) -> Error {
    let (attempts, elapsed) = (1, Duration::ZERO);
    if source.is_builder() {
        let message = format!("cannot build the call: {source}");
        return Error::argument("call", message, "check the base URL and the arguments");
    }
    if source.is_connect() {
        let server = connection.base_url.as_str().trim_end_matches('/').to_owned();
        return Error::Unreachable { request_id, server, attempts, elapsed, cause: Box::new(source) };
    }
    if source.is_timeout() {
        return Error::Timeout { request_id, attempts, elapsed };
    }
    Error::Connection { request_id, attempts, elapsed, cause: Box::new(source) }
}

/// The envelope with the key masked, because a server or a proxy may repeat the key.
fn without_key(key: &Key, mut envelope: ErrorEnvelope) -> ErrorEnvelope {
    let hide = |text: &mut String| {
        if let Cow::Owned(hidden) = key.hide(text) {
            *text = hidden;
        }
    };
    let ErrorEnvelope { error, extra, .. } = &mut envelope;
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
