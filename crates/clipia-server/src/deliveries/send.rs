//! One attempt at a delivery.

use crate::clock::wall;
use crate::outbound::client::{causes, start_of_body};
use crate::outbound::{LookupError, Outbound, TimeLimit};
use crate::store::{AttemptClass, DueDelivery};
use bytes::BytesMut;
use clipia_queue::breaker::Sign;
use clipia_queue::schedules::DELIVERY_TIMEOUT;
use clipia_webhook::{
    ID_HEADER, SIGNATURE_HEADER, STANDARD_ID_HEADER, STANDARD_SIGNATURE_HEADER, STANDARD_TIMESTAMP_HEADER,
    TIMESTAMP_HEADER,
};
use http::HeaderName;
use http::header::{DATE, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode};
use std::error::Error;
use std::time::{Duration, SystemTime};

/// How much of a receiver's answer is read, in bytes: what is shorter leaves the connection fit for the next delivery.
const REPLY_READ_MAX: usize = 16 * 1024;

/// How much of it is kept in the log, in bytes.
const REPLY_KEPT_MAX: usize = 2 * 1024;

/// How many characters of an error are kept: that of a certificate lists every name which the receiver has put in it.
const ERROR_KEPT_MAX: usize = 500;

/// What came of an attempt.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) class: AttemptClass,
    pub(super) status: Option<StatusCode>,
    pub(super) retry_after: Option<Duration>,
    pub(super) error: Option<String>,
    pub(super) reply: String,
}

impl Outcome {
    fn failed(class: AttemptClass, error: String) -> Self {
        let error = error.chars().take(ERROR_KEPT_MAX).collect();
        Self { class, status: None, retry_after: None, error: Some(error), reply: String::new() }
    }

    /// What the attempt tells of the host.
    pub(super) fn sign(&self) -> Sign {
        match self.class {
            AttemptClass::Delivered | AttemptClass::Status3xx => Sign::Alive,
            // It has enough to do. Every other refusal may be for this one path.
            AttemptClass::Status4xx if self.status == Some(StatusCode::TOO_MANY_REQUESTS) => Sign::Down,
            AttemptClass::Status4xx => Sign::Alive,
            _ => Sign::Down,
        }
    }
}

/// Sends a delivery: one limit of time for the name's lookup, the connection, TLS, the answer and what is read of it.
pub(super) async fn send(outbound: &Outbound, delivery: &DueDelivery) -> Outcome {
    let url = match outbound.target().parse(&delivery.url) {
        Ok(url) => url,
        // It was allowed at submit; the operator may have tightened the rules since.
        Err(refused) => {
            return Outcome::failed(AttemptClass::RefusedAddress, format!("the webhook URL {refused}"));
        }
    };
    // Signed at each attempt: receivers refuse a signature older than five minutes.
    let timestamp = u64::try_from(wall().as_micros() / 1_000_000).unwrap_or(0);
    let id = delivery.id.to_string();
    let signature = clipia_webhook::sign(&delivery.secrets, timestamp, &delivery.body);
    let mut request = outbound
        .call(Method::POST, url)
        .header("content-type", "application/json")
        .header(ID_HEADER, &id)
        .header(TIMESTAMP_HEADER, timestamp)
        .header(SIGNATURE_HEADER, signature);
    if let Some(signature) = clipia_webhook::sign_standard(&delivery.secrets, &id, timestamp, &delivery.body)
    {
        request = request
            .header(STANDARD_ID_HEADER, &id)
            .header(STANDARD_TIMESTAMP_HEADER, timestamp)
            .header(STANDARD_SIGNATURE_HEADER, signature);
    }
    let mut limit = TimeLimit::new(DELIVERY_TIMEOUT);
    match limit.of(request.body(delivery.body.clone()).send()).await {
        Some(Ok(response)) => answered(response, limit).await,
        Some(Err(error)) => failed(&error),
        None => Outcome::failed(
            AttemptClass::Timeout,
            format!("no answer within {} s", DELIVERY_TIMEOUT.as_secs()),
        ),
    }
}

/// The receiver has answered: its status decides, whatever becomes of the rest.
async fn answered(response: Response, mut limit: TimeLimit) -> Outcome {
    let status = response.status();
    let class = match status.as_u16() {
        200..300 => AttemptClass::Delivered,
        400..500 => AttemptClass::Status4xx,
        500.. => AttemptClass::Status5xx,
        _ => AttemptClass::Status3xx,
    };
    let text = |name: HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok());
    // By the receiver's clock as both dates are, they tell a duration, whatever the clock here says.
    let told_at = text(DATE).and_then(|date| httpdate::parse_http_date(date).ok());
    let retry_after =
        text(RETRY_AFTER).and_then(|value| retry_after(value, told_at.unwrap_or_else(SystemTime::now)));
    let mut body = BytesMut::new();
    let _ = limit.of(start_of_body(response, REPLY_READ_MAX, &mut body)).await;
    body.truncate(REPLY_KEPT_MAX);
    let error = (class != AttemptClass::Delivered).then(|| format!("the receiver answered {status}"));
    // A NUL is no text to every database.
    let reply = String::from_utf8_lossy(&body).replace('\0', "\u{fffd}");
    Outcome { class, status: Some(status), retry_after, error, reply }
}

/// `Retry-After` in either form: seconds, or a date.
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    httpdate::parse_http_date(value.trim()).ok()?.duration_since(now).ok()
}

/// There was no answer.
fn failed(error: &reqwest::Error) -> Outcome {
    let mut class = if error.is_connect() { AttemptClass::Connect } else { AttemptClass::Reset };
    let mut innermost: &dyn Error = error;
    for cause in causes(error) {
        class = class_of(cause).unwrap_or(class);
        innermost = cause;
    }
    // The outer ones name the URL.
    Outcome::failed(class, innermost.to_string())
}

fn class_of(cause: &(dyn Error + 'static)) -> Option<AttemptClass> {
    if let Some(lookup) = cause.downcast_ref::<LookupError>() {
        return Some(match lookup {
            LookupError::Refused => AttemptClass::RefusedAddress,
            LookupError::Failed(_) => AttemptClass::Dns,
        });
    }
    if cause.is::<rustls::Error>() {
        return Some(AttemptClass::Tls);
    }
    let http = cause.downcast_ref::<hyper::Error>()?;
    (http.is_parse() || http.is_parse_too_large()).then_some(AttemptClass::Protocol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_comes_in_seconds_or_as_a_date() {
        let now = httpdate::parse_http_date("Tue, 24 Nov 2026 10:00:00 GMT").unwrap();
        for (value, seconds) in [
            ("7", Some(7)),
            (" 7 ", Some(7)),
            ("Tue, 24 Nov 2026 10:01:00 GMT", Some(60)),
            ("Tue, 24 Nov 2026 09:59:00 GMT", None),
            ("-1", None),
            ("7.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now), seconds.map(Duration::from_secs), "{value}");
        }
    }
}
