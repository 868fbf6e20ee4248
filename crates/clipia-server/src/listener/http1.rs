//! Serves the calls of one connection.

use super::connection::{Connection, Phase};
use super::min_rate::MinRate;
use super::reset::{Reset, WasReset};
use super::slots::{SPARE_HEAD, Slot};
use super::stream::{Client, SharedStream};
use crate::api_error::ApiError;
use crate::health;
use crate::media;
use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::response::IntoResponse;
use clipia_api::error_code::ErrorCode;
use http::{Request, Response};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// The `Retry-After` of a refused call. By then, the connections of clients that do not read have been closed.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Serves one connection until the client closes it, or until the server does.
pub(super) async fn serve_connection(
    stream: TcpStream,
    router: Router,
    connection: Arc<Connection>,
    stop: CancellationToken,
) {
    // The kernel sends small responses at once, and does not wait for more data.
    let _ = stream.set_nodelay(true);
    let limits = connection.slots.limits;
    let stream = SharedStream::new(stream);
    let client = stream.client();
    let stream = MinRate::new(stream, Arc::clone(&connection), &limits);
    let spare = connection.is_spare();
    let of_calls = Arc::clone(&connection);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(client.clone());
        respond(request, router.clone(), client.clone(), Arc::clone(&of_calls))
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(if spare { limits.head_timeout.min(SPARE_HEAD) } else { limits.head_timeout })
        // A spare slot is for one call.
        .keep_alive(!spare)
        // A client may close its sending side after its call. Without this, hyper polls for the end of the stream during each
        // call.
        .half_close(true)
        .max_buf_size(limits.head_bytes_max)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = pin!(serving);
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = serving.as_mut() => {
                if let Err(error) = ended {
                    tracing::trace!(%error, "a connection broke off");
                }
                return;
            }
            () = connection.state.closing.cancelled() => return,
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                serving.as_mut().graceful_shutdown();
            }
        }
    }
}

/// The response to a call; a refusal where there is no slot or no permit for it. The error resets the connection.
async fn respond(
    request: Request<Incoming>,
    router: Router,
    client: Client,
    connection: Arc<Connection>,
) -> Result<Response<ResponseBody>, WasReset> {
    if !connection.enter(Phase::Working) {
        // The connection was closed a moment ago. This call ends with it, before anything was done.
        std::future::pending::<()>().await;
    }
    let path = request.uri().path();
    if connection.is_spare() && !health::PATHS.contains(&path) {
        connection.move_to(Slot::None);
        match connection.slots.wait().await {
            Some(slot) => connection.move_to(slot),
            None => {
                return Ok(refuse(
                    connection,
                    "the server has as many connections as it can serve: call again",
                ));
            }
        }
    }
    let media_permit = if is_media(path) {
        let Some(media_permit) = connection.slots.acquire_media().await else {
            return Ok(refuse(connection, "the server sends as many files as it can: call again"));
        };
        connection.set_media(true);
        Some(media_permit)
    } else {
        None
    };
    let of_body = Arc::clone(&connection);
    let request = request.map(|body| Body::new(RequestBody { body, connection: of_body, waits: false }));
    let response: Response<Body> = router.oneshot(request).await.unwrap_or_else(|never| match never {});
    if response.extensions().get::<Reset>().is_some() {
        client.reset_at_end();
        return Err(WasReset);
    }
    connection.enter(Phase::Responding);
    Ok(response.map(|body| ResponseBody { body, connection, media_permit }))
}

fn is_media(path: &str) -> bool {
    path.strip_prefix(media::PATH).is_some_and(|below| below.starts_with('/'))
}

fn refuse(connection: Arc<Connection>, message: &str) -> Response<ResponseBody> {
    connection.slots.metrics.calls_refused.inc();
    let refused = ApiError::new(ErrorCode::ServiceUnavailable, message).after(RETRY_AFTER);
    connection.enter(Phase::Responding);
    refused.into_response().map(|body| ResponseBody { body, connection, media_permit: None })
}

/// The body of a call. While it does not arrive, the connection waits for its client.
struct RequestBody {
    body: Incoming,
    connection: Arc<Connection>,
    waits: bool,
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if frame.is_pending() != self.waits {
            self.waits = frame.is_pending();
            let phase = if self.waits { Phase::ReadingBody } else { Phase::Working };
            if !self.connection.enter(phase) {
                // The connection was closed a moment ago. The call ends with it.
                return Poll::Pending;
            }
        }
        Poll::Ready(ready!(frame))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        // The handler has stopped reading the body, and works on.
        if self.waits {
            self.connection.enter(Phase::Working);
        }
    }
}

/// The body of a response. Dropping it ends the call.
struct ResponseBody {
    body: Body,
    connection: Arc<Connection>,
    /// The permit of a response with a file.
    media_permit: Option<OwnedSemaphorePermit>,
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if self.media_permit.is_some() {
            self.connection.set_media(false);
        }
        self.connection.enter(Phase::Idle);
    }
}
