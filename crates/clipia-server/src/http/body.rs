//! The body of a call: how it arrives, and where it is read.

use super::admission::{Room, SMALL_BYTES_MAX, Share};
use super::{ApiError, App};
use crate::blocking;
use crate::store::AccountId;
use axum::body::{Body, BodyDataStream, HttpBody};
use bytes::BytesMut;
use futures_util::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use tracing::Span;

/// The longest body that is taken, in bytes. An image may be in it as a `data:` URL.
pub(super) const BYTES_MAX: usize = 6 * 1024 * 1024;

/// How much more of a body that is refused is read and thrown away, so that its sender gets to read the answer.
const DISCARDED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How long a body may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A body that has arrived.
pub(super) struct Arrived {
    bytes: BytesMut,
    /// Of a large one.
    taken: Option<Taken>,
}

/// What a large body takes of its account's share.
struct Taken {
    share: Arc<Share>,
    body: Room,
}

/// What was read of a body, and the room that it takes until its call is answered.
pub(super) struct Checked<T> {
    pub(super) read: T,
    pub(super) room: Option<(Room, Room)>,
}

/// Reads a body.
///
/// # Errors
/// `invalid_request` for one that is too long, too slow or broken off; what [`Admission::body`](super::admission) says where
/// there is no room for a large one.
pub(super) async fn arrive(app: &App, account: &AccountId, body: Body) -> Result<Arrived, ApiError> {
    let read = tokio::time::timeout(TIMEOUT, read(app, account, body)).await;
    read.map_err(|_| ApiError::invalid("the body took too long to arrive"))?
}

async fn read(app: &App, account: &AccountId, body: Body) -> Result<Arrived, ApiError> {
    // `Content-Length`, if there is one.
    let told = body.size_hint().exact().map(|told| usize::try_from(told).unwrap_or(usize::MAX));
    let mut stream = body.into_data_stream();
    let (mut bytes, mut taken) = (BytesMut::new(), None);
    let mut length = told.unwrap_or_default();
    loop {
        if length > BYTES_MAX {
            drop((bytes, taken));
            let most = BYTES_MAX / 1024 / 1024;
            return Err(
                discard(stream, ApiError::invalid(format!("the body is longer than {most} MiB"))).await
            );
        }
        if length > SMALL_BYTES_MAX && taken.is_none() {
            let share = app.admission.share(account);
            match app.admission.body(&share, told.unwrap_or(BYTES_MAX)).await {
                Ok(body) => taken = Some(Taken { share, body }),
                Err(refused) => {
                    drop(bytes);
                    return Err(discard(stream, refused).await);
                }
            }
            bytes.reserve(told.unwrap_or(BYTES_MAX));
        }
        let Some(chunk) = stream.next().await else { break };
        let chunk = chunk.map_err(|_| ApiError::invalid("the body broke off"))?;
        bytes.extend_from_slice(&chunk);
        length = bytes.len();
        if taken.is_some() {
            // What has come of a long body would be read at one go, and all other calls would wait for that.
            tokio::task::yield_now().await;
        }
    }
    Ok(Arrived { bytes, taken })
}

/// Throws the rest of a body away, and refuses it.
async fn discard(mut stream: BodyDataStream, refused: ApiError) -> ApiError {
    let mut discarded = 0;
    while let Some(Ok(chunk)) = stream.next().await {
        discarded += chunk.len();
        if discarded > DISCARDED_BYTES_MAX {
            break;
        }
    }
    refused
}

impl Arrived {
    /// Has `check` read the body: at once if it is small, otherwise in its account's turn and on a thread that no other call
    /// waits for.
    ///
    /// # Errors
    /// Those of `check`.
    pub(super) async fn check<T: Send + 'static>(
        self,
        app: &App,
        check: impl FnOnce(&[u8]) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<Checked<T>, ApiError> {
        let Self { bytes, taken } = self;
        let Some(Taken { share, body }) = taken else {
            return Ok(Checked { read: check(&bytes)?, room: None });
        };
        let turn = app.admission.check(&share, bytes.len()).await?;
        let span = Span::current();
        // Holds what it takes, even where nobody waits for it any more.
        let checking = move || span.in_scope(|| (check(&bytes), (body, turn)));
        let (read, room) = blocking::compute(checking).await.map_err(|lost| ApiError::internal(&lost))?;
        Ok(Checked { read: read?, room: Some(room) })
    }
}
