//! One call of the API: sends it, accounts for it, and sends it again where `retry` says so. Decides nothing.

use crate::budget::RateLimit;
use crate::client::Inner;
use crate::error::{ApiError, Error};
use crate::key::Key;
use crate::retry::{self, Bounds, Tried};
use crate::spending::{Token, now};
use crate::wait::{self, Class};
use clipia_api::types::{ErrorEnvelope, RequestId};
use clipia_api::{ResponseValue, foreign};
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use serde_json::Value;
use std::borrow::Cow;
use std::future::Future;
use std::time::{Duration, SystemTime};
use tracing::{Instrument, Span};

/// What the generated client answers.
pub(crate) type Answer<T> = Result<ResponseValue<T>, clipia_api::Error<ErrorEnvelope>>;

/// A call as traces and errors name it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation<'a> {
    name: &'static str,
    request_id: Option<&'a RequestId>,
    model: Option<&'a str>,
    /// Of a submit.
    idempotency_key: Option<&'a str>,
}

impl<'a> Operation<'a> {
    pub(crate) fn named(name: &'static str) -> Self {
        Self { name, request_id: None, model: None, idempotency_key: None }
    }

    pub(crate) fn about(name: &'static str, request_id: &'a RequestId) -> Self {
        Self { request_id: Some(request_id), ..Self::named(name) }
    }

    /// The same, where its model is known.
    pub(crate) fn model(self, model: Option<&'a str>) -> Self {
        Self { model, ..self }
    }

    pub(crate) fn of_model(name: &'static str, model: &'a str) -> Self {
        Self { model: Some(model), ..Self::named(name) }
    }

    pub(crate) fn submit(model: &'a str, idempotency_key: &'a str) -> Self {
        Self { idempotency_key: Some(idempotency_key), ..Self::of_model("submit", model) }
    }

    /// Whose turn it is.
    fn class(self) -> Class {
        if self.idempotency_key.is_some() { Class::Submit } else { Class::Call }
    }

    /// The span of all its tries.
    pub(crate) fn span(self) -> Span {
        let request_id = self.request_id.map(tracing::field::display);
        tracing::info_span!("clipia", operation = self.name, model = self.model, request_id)
    }

    /// The error that ends it, of which a submit's caller must learn the key where it may have been accepted.
    fn ended(self, error: Error, tried: Tried) -> Error {
        if tried.open { self.unanswered(error) } else { error }
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
    /// A call of the user's own: in its turn, and again as `retry` allows.
    pub(crate) async fn call<T, S, F>(&self, operation: Operation<'_>, send: S) -> Result<T, Error>
    where
        S: Fn() -> F,
        F: Future<Output = Answer<T>>,
    {
        self.call_in(operation.span(), operation, send).await
    }

    /// The same, in a span that the caller has more to say to.
    pub(crate) async fn call_in<T, S, F>(
        &self,
        span: Span,
        operation: Operation<'_>,
        send: S,
    ) -> Result<T, Error>
    where
        S: Fn() -> F,
        F: Future<Output = Answer<T>>,
    {
        let send = &send;
        let attempt = |_| async move {
            let token = wait::token(self, operation.class()).await;
            let answer = self.attempt(token, operation, send).await;
            if operation.class() == Class::Submit {
                self.scheduler.submitted(answer.as_ref().err());
            }
            match answer {
                // The submit seems to be accepted: the same key again finds the id, and charges nothing.
                Err(error @ Error::UnexpectedAnswer(_)) if retry::seems_accepted(&error) => {
                    Err(operation.unanswered(error))
                }
                answer => answer,
            }
        };
        retrying(operation, self.bounds, attempt).instrument(span).await
    }

    /// Sends a call once and tells the budget what came back.
    pub(crate) async fn attempt<T, F: Future<Output = Answer<T>>>(
        &self,
        mut token: Token,
        operation: Operation<'_>,
        send: impl FnOnce() -> F,
    ) -> Result<T, Error> {
        token.used();
        let answer = match traced(operation, &self.key, send).await {
            Ok(response) => {
                token.accepted(rate_limit(response.headers()));
                Ok(response.into_inner())
            }
            Err(error) => Err(refusal(error, operation, self, token)),
        };
        self.scheduler.budget_changed();
        answer
    }
}

/// Tries until it works, or until `retry` says that it will not.
pub(crate) async fn retrying<T, A, F>(
    operation: Operation<'_>,
    bounds: Bounds,
    mut attempt: A,
) -> Result<T, Error>
where
    A: FnMut(u32) -> F,
    F: Future<Output = Result<T, Error>>,
{
    // From the first answer on: what was spent in line for the budget is no trying.
    let (mut begun, mut tried) = (None, Tried::default());
    loop {
        let error = match attempt(tried.times()).await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        tried = tried.and(&error);
        let elapsed = now().saturating_duration_since(*begun.get_or_insert_with(now));
        let Some(pause) = retry::decide(&error, tried, elapsed, bounds, rand::random()) else {
            return Err(operation.ended(error.after(tried.times(), elapsed), tried));
        };
        let (tries, pause_ms) = (tried.times(), pause.as_millis() as u64);
        let (elapsed_ms, waits_for) = (elapsed.as_millis() as u64, retry::waits_for(&error));
        tracing::info!(%error, tries, elapsed_ms, pause_ms, waits_for, "trying again");
        tokio::time::sleep(pause).await;
    }
}

/// Traces one try: what was answered, how soon.
async fn traced<T, F: Future<Output = Answer<T>>>(
    operation: Operation<'_>,
    key: &Key,
    send: impl FnOnce() -> F,
) -> Answer<T> {
    let begun = now();
    let answer = send().await;
    let (http_status, code) = match &answer {
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
    answer
}

fn refusal(
    error: clipia_api::Error<ErrorEnvelope>,
    operation: Operation<'_>,
    inner: &Inner,
    token: Token,
) -> Error {
    use clipia_api::Error as Wire;
    let request_id = operation.request_id.cloned();
    let (attempts, elapsed) = (1, Duration::ZERO);
    match error {
        Wire::ErrorResponse(response) => {
            let told = rate_limit(response.headers());
            let api = ApiError {
                http_status: response.status().as_u16(),
                retry_after: retry_after(response.headers()),
                request_id: request_id.or_else(|| foreign::request_id(&response).map(RequestId::from)),
                envelope: without_key(&inner.key, response.into_inner()),
                key: inner.key.masked(),
                limit: told.limit,
                attempts,
                elapsed,
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
            let source = source.without_url();
            if source.is_builder() {
                return Error::Input { message: format!("cannot build the call: {source}") };
            }
            if source.is_connect() {
                let server = inner.base_url.as_str().trim_end_matches('/').to_owned();
                return Error::Unreachable {
                    request_id,
                    server,
                    attempts,
                    elapsed,
                    source: Box::new(source),
                };
            }
            if source.is_timeout() {
                return Error::Timeout { request_id, attempts, elapsed };
            }
            Error::Connection { request_id, attempts, elapsed, source: Box::new(source) }
        }
        // The only header made of what a caller passes.
        Wire::InvalidRequest(_) => {
            Error::Input { message: "the idempotency key cannot be sent in a header".to_owned() }
        }
        // `clipia_api` makes none of these of an answer.
        other @ (Wire::InvalidResponsePayload(..) | Wire::UnexpectedResponse(_) | Wire::Custom(_)) => {
            Error::Connection { request_id, attempts, elapsed, source: other.to_string().into() }
        }
    }
}

/// The envelope with the key masked, wherever a server or a proxy repeats it.
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
            // A field whose name holds the key is left out.
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

/// What the headers tell, in one pass: a look-up of each would cost as much as all the rest of a call's accounting.
fn rate_limit(headers: &HeaderMap) -> RateLimit {
    let mut told = RateLimit::default();
    for (name, value) in headers {
        let part = match name.as_str() {
            "ratelimit-limit" => &mut told.limit,
            "ratelimit-remaining" => &mut told.remaining,
            "ratelimit-reset" => &mut told.reset,
            _ => continue,
        };
        *part = part.or_else(|| number(value.as_bytes()));
    }
    told
}

/// The number that a header begins with: drafts of `RateLimit-*` allow parameters after it (`120, 120;w=60`).
fn number(value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii_start();
    let digits = &value[..value.iter().take_while(|byte| byte.is_ascii_digit()).count()];
    std::str::from_utf8(digits).ok()?.parse().ok()
}

pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    // By the server's clock as both dates are, they tell a duration, whatever the clock here says.
    let told_at = text(DATE).and_then(|date| httpdate::parse_http_date(date).ok());
    retry::retry_after(text(RETRY_AFTER)?, told_at.unwrap_or_else(SystemTime::now))
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
        mut answer: impl FnMut(u32) -> Result<(), Error>,
    ) -> (Result<(), Error>, Duration) {
        let begun = now();
        let ended =
            retrying(Operation::submit("m", "mine"), bounds, |tries| std::future::ready(answer(tries)));
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
    async fn failures_end_with_the_count_or_with_the_time() {
        let (ended, _) = submit(BOUNDS, |_| Err(api(503, "service_unavailable", None))).await;
        assert_eq!(ended.unwrap_err().api().unwrap().attempts(), 6);
        let short = Bounds { within: Duration::from_secs(12), ..BOUNDS };
        let (ended, took) = submit(short, |_| Err(api(503, "service_unavailable", Some(5)))).await;
        assert_eq!(ended.unwrap_err().api().unwrap().attempts(), 3);
        assert!(took <= Duration::from_secs(12), "{took:?}");
    }
}
