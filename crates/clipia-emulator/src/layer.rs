//! The layer over the server's router: it applies scripts and faults to calls, and notes them.
//!
//! A call that no script and no fault is about passes through as it is. A response that was bent says so in the header
//! `X-Emulator-Fault`.

mod bend;
mod body;
mod read;
mod submit;
#[cfg(test)]
mod tests;

use crate::emulation::Emulation;
use crate::journal::{JournalCall, JournalKey, SeenResponse};
use crate::{Called, CallerKey, Fault, Operation};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use bend::Bent;
use body::Received;
use clipia_api::Status;
use clipia_server::credentials::{self, LIVE, TEST};
use clipia_server::{ApiError, Client, Reset};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use url::form_urlencoded;

/// The header of a response that was bent. Its value is the fault, or the words that did it.
pub const FAULT: HeaderName = HeaderName::from_static("x-emulator-fault");

/// How secrets begin.
const SECRETS: [&str; 3] = [LIVE, TEST, "whsec_"];

/// The names of a query that stand for secrets.
const SECRET_NAMES: [&str; 6] = ["key", "api_key", "apikey", "token", "access_token", "secret"];

/// The router with the layer over it.
pub fn layered(router: Router, emulation: Arc<Emulation>) -> Router {
    router.layer(from_fn_with_state(emulation, emulate))
}

/// A call on its way.
struct Call {
    emulation: Arc<Emulation>,
    client: Option<Client>,
    next: Next,
    parts: Parts,
    note: JournalCall,
}

/// What was made of a call, before faults of the way back.
struct Made {
    response: Received,
    /// The words that bent the response.
    bent_by: Option<String>,
}

async fn emulate(State(emulation): State<Arc<Emulation>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let called = Called::of(&parts.method, parts.uri.path());
    let key = credentials::of_headers(&parts.headers).map(str::to_owned);
    let note = JournalCall {
        at: emulation.server.now(),
        began: emulation.passed(),
        took: Duration::ZERO,
        operation: called.operation,
        method: parts.method.to_string(),
        route: called.route,
        key: key
            .as_deref()
            .map(|key| JournalKey { hash: credentials::hash(key), hint: credentials::hint(key) }),
        model: called.model,
        request: called.request,
        idempotency_key: text(&parts.headers, "idempotency-key"),
        input: None,
        response: None,
        fault: None,
        script: None,
        secret_in: secret_in(&parts.uri),
    };
    let client = parts.extensions.get::<Client>().cloned();
    let call = Call { client, next, parts, note, emulation: Arc::clone(&emulation) };
    // Each key of the right form is an account of its own. The server refuses the others.
    if let Some(key) = key.as_deref().and_then(|key| key.parse::<CallerKey>().ok())
        && let Err(error) = emulation.server.open_account(&key).await
    {
        return call.end(Received::whole(error.into_response()).await);
    }
    match called.operation {
        Some(Operation::Submit) => submit::submit(call, body).await,
        Some(operation) => call.with_faults(operation, body).await,
        None => {
            let response = call.run(body).await;
            call.end(response)
        }
    }
}

impl Call {
    /// Runs the server's part of the call.
    async fn run(&self, body: Body) -> Received {
        let request = Request::from_parts(self.parts.clone(), body);
        let response = self.next.clone().run(request).await;
        Received::of(response, self.note.operation).await
    }

    /// Runs the call with the fault that it has, if any.
    async fn with_faults(mut self, operation: Operation, body: Body) -> Response {
        let fault = self.emulation.fault(operation);
        if let Some(fault) = &fault
            && let Some(bent) = bend::before(fault)
        {
            return self.end_bent(fault, bent).await;
        }
        let made = match (operation, self.note.request) {
            (Operation::Status | Operation::Result, Some(request)) => {
                read::read(&mut self, request, body).await
            }
            _ => Made { response: self.run(body).await, bent_by: None },
        };
        self.end_made(fault, made).await
    }

    /// Ends a call that has a response, with the fault of its way back.
    async fn end_made(mut self, fault: Option<Fault>, made: Made) -> Response {
        let Made { mut response, bent_by } = made;
        if let Some(words) = bent_by {
            response.mark(&words);
        }
        let Some(fault) = fault else { return self.end(response) };
        if let Fault::Slow(time) = fault {
            self.emulation.hold(tokio::time::sleep(time)).await;
        }
        match bend::after(&fault, response) {
            Bent::Response(response) => {
                self.note.fault = Some(fault.to_string());
                self.end(response)
            }
            bent => self.end_bent(&fault, bent).await,
        }
    }

    /// Ends a call that a fault has bent.
    async fn end_bent(mut self, fault: &Fault, bent: Bent) -> Response {
        self.note.fault = Some(fault.to_string());
        match bent {
            Bent::Response(mut response) => {
                response.mark(&fault.to_string());
                self.end(response)
            }
            Bent::Reset => {
                self.note_end(None);
                axum::Extension(Reset).into_response()
            }
            Bent::Hang => {
                let (client, emulation) = (self.client.clone(), Arc::clone(&self.emulation));
                self.note_end(None);
                let gone = async {
                    match client {
                        Some(client) => client.gone().await,
                        None => std::future::pending().await,
                    }
                };
                emulation.hold(gone).await;
                axum::Extension(Reset).into_response()
            }
        }
    }

    /// Ends a call with a response.
    fn end(self, response: Received) -> Response {
        let seen = response.seen();
        self.note_end(Some(seen));
        response.into_response()
    }

    fn note_end(self, response: Option<SeenResponse>) {
        let Self { emulation, mut note, .. } = self;
        note.took = emulation.passed().saturating_sub(note.began);
        note.response = response;
        emulation.note(note);
    }
}

impl Received {
    /// What a caller gets by this response.
    fn seen(&self) -> SeenResponse {
        let headers = &self.parts.headers;
        let number = |name| text(headers, name).and_then(|text| text.trim().parse::<u64>().ok());
        let text_at = |pointer: &str| Some(self.json.as_ref()?.pointer(pointer)?.as_str()?.to_owned());
        SeenResponse {
            status: self.parts.status.as_u16(),
            code: text_at("/error/code"),
            request_status: text_at("/status"),
            retry_after: number("retry-after").map(Duration::from_secs),
            remaining: number("ratelimit-remaining"),
        }
    }

    /// Marks a response that was bent.
    fn mark(&mut self, by: &str) {
        if let Ok(value) = HeaderValue::from_str(by) {
            self.parts.headers.insert(FAULT, value);
        }
    }

    /// Whether it is about a request that has not ended.
    fn is_unfinished(&self) -> bool {
        let status = self.json.as_ref().and_then(|json| json.get("status")).and_then(Value::as_str);
        self.parts.status.is_success() && status.is_some_and(|status| !Status::from(status).is_terminal())
    }
}

/// The error that a script or a fault makes. `wait` is its `Retry-After`.
fn refused(refusal: crate::Refusal, wait: Option<Duration>, why: String) -> Response {
    let error = ApiError::new(refusal.code(), why);
    let error = match http::StatusCode::from_u16(refusal.status()) {
        Ok(status) => error.with_status(status),
        Err(_) => error,
    };
    // A server that limits says when it is free again.
    let at_once = matches!(refusal.status(), 429 | 503).then_some(Duration::ZERO);
    match wait.or(at_once) {
        Some(wait) => error.after(wait).into_response(),
        None => error.into_response(),
    }
}

/// A header as text.
fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

/// Where an address has a secret. The path of a file is its secret, and is meant to be shared.
fn secret_in(uri: &Uri) -> Option<&'static str> {
    let query = uri.query().unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    if has_secret(uri.path()) {
        Some("its path")
    } else if pairs.any(|(name, value)| SECRET_NAMES.contains(&&*name.to_lowercase()) || has_secret(&value)) {
        Some("its query")
    } else {
        None
    }
}

fn has_secret(text: &str) -> bool {
    SECRETS.iter().any(|start| text.contains(start))
}
