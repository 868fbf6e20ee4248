//! Speaks HTTP with one client.

use super::pace::Paced;
use super::places::{Place, SPARE_HEAD};
use super::standing::{Phase, Slot};
use crate::health;
use crate::http::ApiError;
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
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// When a call that found no room may be repeated: by then, clients that do not read have lost theirs.
const ROOM_SOON: Duration = Duration::from_secs(2);

/// Speaks with one client until it or the server has had enough.
pub(super) async fn speak(stream: TcpStream, router: Router, slot: Arc<Slot>, stop: CancellationToken) {
    // Small answers go out at once, not when the kernel has gathered more.
    let _ = stream.set_nodelay(true);
    let bounds = slot.places.bounds;
    let stream = Paced::new(stream, Arc::clone(&slot), &bounds);
    let spare = slot.is_spare();
    let asked = Arc::clone(&slot);
    let service = service_fn(move |request| answer(request, router.clone(), Arc::clone(&asked)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(if spare { bounds.head.min(SPARE_HEAD) } else { bounds.head })
        // A spare place is for one call.
        .keep_alive(!spare)
        // Who has said all may close that side. Otherwise each call that waits reads on, to see whether the client is there.
        .half_close(true)
        .max_buf_size(bounds.head_bytes)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::trace!(%error, "a connection broke off");
                }
                return;
            }
            () = slot.standing.closing.cancelled() => return,
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Answers a call, if there is room for it.
async fn answer(
    request: Request<Incoming>,
    router: Router,
    slot: Arc<Slot>,
) -> Result<Response<Answer>, Infallible> {
    if !slot.enter(Phase::Works) {
        // Closed a moment ago: this ends with the connection, and nothing was begun.
        std::future::pending::<()>().await;
    }
    let path = request.uri().path();
    if slot.is_spare() && !health::PATHS.contains(&path) {
        slot.stand_at(Place::None);
        match slot.places.seek().await {
            Some(place) => slot.stand_at(place),
            None => {
                return Ok(refuse(slot, "the server has as many connections as it can serve: call again"));
            }
        }
    }
    let room = if is_media(path) {
        let Some(room) = slot.places.media().await else {
            return Ok(refuse(slot, "the server sends as many files as it can: call again"));
        };
        slot.is_media(true);
        Some(room)
    } else {
        None
    };
    let asked = Arc::clone(&slot);
    let request = request.map(|body| Body::new(Asked { body, slot: asked, waits: false }));
    let response: Response<Body> = router.oneshot(request).await?;
    slot.enter(Phase::Answers);
    Ok(response.map(|body| Answer { body, slot, room }))
}

fn is_media(path: &str) -> bool {
    path.strip_prefix(media::PATH).is_some_and(|below| below.starts_with('/'))
}

fn refuse(slot: Arc<Slot>, message: &str) -> Response<Answer> {
    slot.places.metrics.calls_refused.inc();
    let refused = ApiError::new(ErrorCode::ServiceUnavailable, message).after(ROOM_SOON);
    slot.enter(Phase::Answers);
    refused.into_response().map(|body| Answer { body, slot, room: None })
}

/// The body of a call. The server waits for the client while it does not come.
struct Asked {
    body: Incoming,
    slot: Arc<Slot>,
    waits: bool,
}

impl HttpBody for Asked {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if frame.is_pending() != self.waits {
            self.waits = frame.is_pending();
            let phase = if self.waits { Phase::Asked } else { Phase::Works };
            if !self.slot.enter(phase) {
                // Closed a moment ago: the call ends with its connection.
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

impl Drop for Asked {
    fn drop(&mut self) {
        // The handler has had enough of waiting, and works on.
        if self.waits {
            self.slot.enter(Phase::Works);
        }
    }
}

/// The body of an answer. The call ends with it.
struct Answer {
    body: Body,
    slot: Arc<Slot>,
    /// Of a file.
    room: Option<OwnedSemaphorePermit>,
}

impl HttpBody for Answer {
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

impl Drop for Answer {
    fn drop(&mut self) {
        if self.room.is_some() {
            self.slot.is_media(false);
        }
        self.slot.enter(Phase::Idle);
    }
}
