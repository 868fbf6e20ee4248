//! The body of a call: reading it from the connection, and checking it on the right thread.

use super::App;
use super::admission::{Permits, SMALL_BYTES_MAX, Share};
use crate::api_error::ApiError;
use crate::blocking;
use crate::store::AccountId;
use axum::body::{Body, BodyDataStream, HttpBody};
use bytes::BytesMut;
use futures_util::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use tracing::Span;

/// The longest body that is accepted, in bytes. It may have an image as a `data:` URL.
pub(super) const BYTES_MAX: usize = 6 * 1024 * 1024;

/// The most bytes of a refused body that are read and dropped. A sender that is still writing would not read the response.
const DISCARDED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The longest time in which a body must arrive.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A body that has arrived.
pub(super) struct Arrived {
    bytes: BytesMut,
    /// The permits of a large body.
    held: Option<Held>,
}

/// The permits that a large body holds of its account's share.
struct Held {
    share: Arc<Share>,
    body: Permits,
}

/// The value that a check made of a body, and the permits that the body holds until its response.
pub(super) struct Checked<T> {
    pub(super) value: T,
    pub(super) permits: Option<(Permits, Permits)>,
}

/// Reads a body.
///
/// # Errors
/// `invalid_request` for a body that is too long, too slow or broken off. For a large body also the errors of
/// [`Admission::body`](super::Admission::body).
pub(super) async fn arrive(app: &App, account: &AccountId, body: Body) -> Result<Arrived, ApiError> {
    let read = tokio::time::timeout(TIMEOUT, read(app, account, body)).await;
    read.map_err(|_| ApiError::invalid("the body took too long to arrive"))?
}

async fn read(app: &App, account: &AccountId, body: Body) -> Result<Arrived, ApiError> {
    // `Content-Length`, if there is one.
    let announced = body.size_hint().exact().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    let mut stream = body.into_data_stream();
    let (mut bytes, mut held) = (BytesMut::new(), None);
    let mut length = announced.unwrap_or_default();
    loop {
        if length > BYTES_MAX {
            drop((bytes, held));
            let most = BYTES_MAX / 1024 / 1024;
            discard(&mut stream).await;
            return Err(ApiError::invalid(format!(
                "the body is longer than {most} MiB: send a file with `POST /v1/uploads`, and its URL in the input"
            )));
        }
        if length > SMALL_BYTES_MAX && held.is_none() {
            let share = app.admission.share(account);
            match app.admission.body(&share, announced.unwrap_or(BYTES_MAX)).await {
                Ok(body) => held = Some(Held { share, body }),
                Err(refused) => {
                    drop(bytes);
                    discard(&mut stream).await;
                    return Err(refused);
                }
            }
            bytes.reserve(announced.unwrap_or(BYTES_MAX));
        }
        let Some(chunk) = stream.next().await else { break };
        let chunk = chunk.map_err(|_| ApiError::invalid("the body broke off"))?;
        bytes.extend_from_slice(&chunk);
        length = bytes.len();
        if held.is_some() {
            // Lets other calls run between two chunks: a long body may have many chunks ready at once.
            tokio::task::yield_now().await;
        }
    }
    Ok(Arrived { bytes, held })
}

/// Reads and drops what is left of a refused body.
pub(crate) async fn discard(stream: &mut BodyDataStream) {
    let mut discarded = 0;
    while let Some(Ok(chunk)) = stream.next().await {
        discarded += chunk.len();
        if discarded > DISCARDED_BYTES_MAX {
            break;
        }
    }
}

impl Arrived {
    /// Runs `check` on the body. A small body is checked at once. A large one waits for its account's permits, and is checked
    /// on a thread of its own, so that other calls do not wait for it.
    ///
    /// # Errors
    /// Those of `check`.
    pub(super) async fn check<T: Send + 'static>(
        self,
        app: &App,
        check: impl FnOnce(&[u8]) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<Checked<T>, ApiError> {
        let Self { bytes, held } = self;
        let Some(Held { share, body }) = held else {
            return Ok(Checked { value: check(&bytes)?, permits: None });
        };
        let checks = app.admission.check(&share, bytes.len()).await?;
        let span = Span::current();
        // The closure owns the permits: it holds memory until it ends, even after its call was dropped.
        let checking = move || span.in_scope(|| (check(&bytes), (body, checks)));
        let (value, permits) = blocking::compute(checking).await.map_err(|lost| ApiError::internal(&lost))?;
        Ok(Checked { value: value?, permits: Some(permits) })
    }
}
