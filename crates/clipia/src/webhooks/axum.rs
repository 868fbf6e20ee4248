//! Deliveries in an axum application: a route that is complete, and an extractor for your own handlers.

use super::{Received, Webhooks};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRef, FromRequest, Request};
use axum::http::StatusCode;
use axum::routing::{MethodRouter, post};

/// Bytes of the longest body that is read. A delivery contains URLs of files, not files: it is a few kilobytes. A
/// longer body cannot be genuine.
const BODY_MAX: usize = 1024 * 1024;

impl Webhooks {
    /// The route for the URL of the webhook. Feature `axum`.
    ///
    /// It responds with 204 to a genuine delivery, repeats included, with 413 to a body over 1 MiB, and with 400 to
    /// anything else. It logs the reason of a refusal as a warning.
    ///
    /// ```
    /// # fn teach(clipia: clipia::Clipia, secret: &str) -> Result<(), clipia::Error> {
    /// let app: axum::Router = axum::Router::new().route("/clipia", clipia.webhooks(secret)?.into_route());
    /// # Ok(()) }
    /// ```
    pub fn into_route<S>(self) -> MethodRouter<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        post(async move |request: Request| match receive(&self, request).await {
            Ok(_) => StatusCode::NO_CONTENT,
            Err(refused) => refused,
        })
    }
}

/// A genuine delivery, for a handler that does more than end waits. Feature `axum`. A refused delivery does not reach
/// the handler; the response to it is that of [`Webhooks::into_route`].
///
/// ```
/// use axum::{Router, http::StatusCode, routing::post};
/// use clipia::{Clipia, Received};
///
/// async fn delivered(received: Received) -> StatusCode {
///     println!("{} is {}", received.request_id(), received.delivery().status); // store it, then respond
///     StatusCode::NO_CONTENT
/// }
///
/// # fn teach(clipia: Clipia, secret: &str) -> Result<(), clipia::Error> {
/// // Or your own state, from which `Webhooks` can be taken by `FromRef`.
/// let app: Router = Router::new().route("/clipia", post(delivered)).with_state(clipia.webhooks(secret)?);
/// # Ok(()) }
/// ```
impl<S> FromRequest<S> for Received
where
    Webhooks: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = StatusCode;

    async fn from_request(request: Request, state: &S) -> Result<Self, StatusCode> {
        receive(&Webhooks::from_ref(state), request).await
    }
}

async fn receive(webhooks: &Webhooks, mut request: Request) -> Result<Received, StatusCode> {
    DefaultBodyLimit::max(BODY_MAX).apply(&mut request);
    let headers = std::mem::take(request.headers_mut());
    let body = Bytes::from_request(request, &()).await.map_err(|rejection| {
        tracing::warn!(reason = rejection.body_text(), "webhook refused");
        rejection.status()
    })?;
    webhooks.receive(&headers, &body).map_err(|refusal| {
        tracing::warn!(%refusal, "webhook refused");
        StatusCode::BAD_REQUEST
    })
}
