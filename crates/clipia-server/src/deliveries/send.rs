//! One attempt at a delivery.

use super::tamper::{Outgoing, Tamper};
use crate::clock::wall;
use crate::outbound::client::{causes, start_of_body};
use crate::outbound::{LookupError, Outbound, TimeLimit};
use crate::store::{AttemptClass, DueDelivery};
use bytes::{Bytes, BytesMut};
use clipia_queue::breaker::Sign;
use clipia_queue::schedules::DELIVERY_TIMEOUT;
use clipia_webhook::signed_headers;
use futures_util::stream;
use http::HeaderName;
use http::header::{DATE, RETRY_AFTER};
use reqwest::{Body, Method, Response, StatusCode};
use std::convert::Infallible;
use std::error::Error;
use std::time::{Duration, Instant, SystemTime};

/// The most bytes of a receiver's response that are read. A response that is read to its end leaves the connection usable for
/// the next delivery.
const REPLY_READ_MAX: usize = 16 * 1024;

/// The most bytes of a response that are stored with the attempt.
const REPLY_KEPT_MAX: usize = 2 * 1024;

/// The most characters of an error that are stored. The error of a certificate lists all names in it.
const ERROR_KEPT_MAX: usize = 500;

/// The outcome of an attempt.
#[derive(Debug)]
pub(super) struct SendOutcome {
    pub(super) class: AttemptClass,
    pub(super) status: Option<StatusCode>,
    pub(super) retry_after: Option<Duration>,
    pub(super) error: Option<String>,
    pub(super) reply: String,
}

impl SendOutcome {
    fn failed(class: AttemptClass, error: String) -> Self {
        let error = error.chars().take(ERROR_KEPT_MAX).collect();
        Self { class, status: None, retry_after: None, error: Some(error), reply: String::new() }
    }

    /// The outcome of a delivery that an emulator lost: its sender takes it for accepted.
    fn lost_on_its_way() -> Self {
        let status = Some(StatusCode::OK);
        Self { class: AttemptClass::Delivered, status, retry_after: None, error: None, reply: String::new() }
    }

    /// The sign of the host's health, for its breaker.
    pub(super) fn sign(&self) -> Sign {
        match self.class {
            AttemptClass::Delivered | AttemptClass::Status3xx => Sign::Alive,
            // A host that sends a 429 is overloaded. Any other 4xx may be about this one path.
            AttemptClass::Status4xx if self.status == Some(StatusCode::TOO_MANY_REQUESTS) => Sign::Down,
            AttemptClass::Status4xx => Sign::Alive,
            _ => Sign::Down,
        }
    }
}

/// Sends a delivery, or what `tamper` makes of it.
pub(super) async fn send(
    outbound: &Outbound,
    delivery: &DueDelivery,
    tamper: Option<&dyn Tamper>,
) -> SendOutcome {
    // Each attempt is signed anew: receivers refuse a signature older than five minutes.
    let signed_at = u64::try_from(wall().as_micros() / 1_000_000).unwrap_or(0);
    let outgoing = Outgoing::of(delivery, signed_at);
    let Some(tamper) = tamper else {
        return send_once(outbound, delivery, outgoing).await;
    };
    let mut first = None;
    for outgoing in tamper.in_place_of(outgoing).await {
        let start = Instant::now();
        let outcome = send_once(outbound, delivery, outgoing.clone()).await;
        tamper.responded(&outgoing, outcome.status.map(|status| status.as_u16()), start.elapsed());
        first.get_or_insert(outcome);
    }
    first.unwrap_or_else(SendOutcome::lost_on_its_way)
}

/// Sends a delivery once. One time limit covers the name lookup, the connection, TLS, and reading the response.
async fn send_once(outbound: &Outbound, delivery: &DueDelivery, outgoing: Outgoing) -> SendOutcome {
    let url = match outbound.target().parse(&delivery.url) {
        Ok(url) => url,
        // The URL was allowed at submit. The operator may have restricted the addresses since.
        Err(refused) => {
            return SendOutcome::failed(AttemptClass::RefusedAddress, format!("the webhook URL {refused}"));
        }
    };
    let Outgoing { body, secrets, signed_at: timestamp, pause_before_byte, .. } = outgoing;
    let id = delivery.id.to_string();
    let mut request = outbound.call(Method::POST, url).header("content-type", "application/json");
    for (name, value) in signed_headers(&secrets, &id, timestamp, &body) {
        request = request.header(name, value);
    }
    let mut limit = TimeLimit::new(DELIVERY_TIMEOUT);
    let body = match pause_before_byte {
        None => body.into(),
        Some(pause) => slowly(body, pause),
    };
    match limit.of(request.body(body).send()).await {
        Some(Ok(response)) => outcome_of_response(response, limit).await,
        Some(Err(error)) => outcome_of_error(&error),
        None => SendOutcome::failed(
            AttemptClass::Timeout,
            format!("no answer within {} s", DELIVERY_TIMEOUT.as_secs()),
        ),
    }
}

/// A body that is sent byte by byte.
fn slowly(body: Bytes, pause: Duration) -> Body {
    let bytes = stream::unfold(body, move |mut left| async move {
        if left.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let byte = left.split_to(1);
        Some((Ok::<_, Infallible>(byte), left))
    });
    Body::wrap_stream(bytes)
}

/// The outcome of an attempt with a response. The status decides, also if the body breaks off.
async fn outcome_of_response(response: Response, mut limit: TimeLimit) -> SendOutcome {
    let status = response.status();
    let class = match status.as_u16() {
        200..300 => AttemptClass::Delivered,
        400..500 => AttemptClass::Status4xx,
        500.. => AttemptClass::Status5xx,
        _ => AttemptClass::Status3xx,
    };
    let text = |name: HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok());
    // Both dates are by the receiver's clock. So their difference is right, even if the clock here is not.
    let sent_at = text(DATE).and_then(|date| httpdate::parse_http_date(date).ok());
    let retry_after =
        text(RETRY_AFTER).and_then(|value| retry_after(value, sent_at.unwrap_or_else(SystemTime::now)));
    let mut body = BytesMut::new();
    let _ = limit.of(start_of_body(response, REPLY_READ_MAX, &mut body)).await;
    body.truncate(REPLY_KEPT_MAX);
    let error = (class != AttemptClass::Delivered).then(|| format!("the receiver answered {status}"));
    // Some databases refuse a NUL in a text.
    let reply = String::from_utf8_lossy(&body).replace('\0', "\u{fffd}");
    SendOutcome { class, status: Some(status), retry_after, error, reply }
}

/// The wait in `Retry-After`, which is in seconds or a date.
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    httpdate::parse_http_date(value.trim()).ok()?.duration_since(now).ok()
}

/// The outcome of an attempt without a response.
fn outcome_of_error(error: &reqwest::Error) -> SendOutcome {
    let mut class = if error.is_connect() { AttemptClass::Connect } else { AttemptClass::Reset };
    let mut innermost: &dyn Error = error;
    for cause in causes(error) {
        class = class_of(cause).unwrap_or(class);
        innermost = cause;
    }
    // The innermost error only: the outer ones have the URL in them.
    SendOutcome::failed(class, innermost.to_string())
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
