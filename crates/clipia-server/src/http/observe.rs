//! The log and the metrics of each call.

use super::{App, caller};
use crate::metrics::{Metrics, method_name};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use clipia_queue::RequestId;
use std::sync::Arc;
use std::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument, Span};

/// The route of a call to a path that does not exist. The path itself is not logged: a client may send any text.
const NOWHERE: &str = "none";

/// The route of a call for a file.
pub(super) const FILE: &str = "/media/{file}";

/// Observes a call for a file. The path is not logged: it is the file's secret.
pub(super) async fn observe_file(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    watch(&app.metrics, FILE, request, |request| next.run(request)).await
}

/// Observes a call that needs a key.
pub(super) async fn observe_and_admit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or(NOWHERE, MatchedPath::as_str);
    watch(&app.metrics, route, request, |request| caller::admit(&app, request, next)).await
}

/// Runs a call in a span, and counts it. The span has the route, and the key or the worker and the request once they are known.
pub(crate) async fn watch<F: Future<Output = Response>>(
    metrics: &Metrics,
    route: &str,
    request: Request,
    run: impl FnOnce(Request) -> F,
) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let method_name = method_name(&method);
    let span = tracing::info_span!(
        "call",
        method = method_name,
        route,
        key_id = Empty,
        worker = Empty,
        request_id = Empty
    );
    let response = run(request).instrument(span.clone()).await;
    let (status, elapsed) = (response.status().as_u16(), started.elapsed());
    metrics.called(route, &method, status, elapsed);
    span.in_scope(|| tracing::debug!(status, seconds = elapsed.as_secs_f64(), "answered"));
    response
}

/// Adds the key's id to the span of the current call.
pub(super) fn key(id: &str) {
    Span::current().record("key_id", id);
}

/// Adds the worker's name to the span of the current call.
pub(crate) fn worker(name: &str) {
    Span::current().record("worker", name);
}

/// Adds the request's id to the span of the current call.
pub(crate) fn request(id: RequestId) {
    Span::current().record("request_id", tracing::field::display(id));
}
