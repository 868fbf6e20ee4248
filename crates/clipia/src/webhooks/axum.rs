//! Deliveries in an axum application: a route that needs nothing more, and an extractor for handlers of one's own.

use super::{Received, Webhooks};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRef, FromRequest, Request};
use axum::http::StatusCode;
use axum::routing::{MethodRouter, post};

/// The longest body that is read. A delivery holds addresses of files, not files: it is a few kilobytes, and whoever
/// sends more than this has no signature.
const BODY_MAX: usize = 1024 * 1024;

impl Webhooks {
    /// The route for the address that deliveries are sent to. Feature `axum`.
    ///
    /// Answers 204 to what is genuine, repeats included; to anything else 400, or 413 to a body over 1 MiB, and
    /// traces the reason as a warning.
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

/// A genuine delivery, for a handler that does more than end waits. Feature `axum`. What is refused never reaches the
/// handler: it is answered as [`Webhooks::into_route`] does.
///
/// ```
/// use axum::{Router, http::StatusCode, routing::post};
/// use clipia::{Clipia, Received};
///
/// async fn delivered(received: Received) -> StatusCode {
///     println!("{} is {}", received.request_id(), received.delivery().status); // store it, then answer
///     StatusCode::NO_CONTENT
/// }
///
/// # fn teach(clipia: Clipia, secret: &str) -> Result<(), clipia::Error> {
/// // Or a state of your own that `Webhooks` is `FromRef` of.
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
