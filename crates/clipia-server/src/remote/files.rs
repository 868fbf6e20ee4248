//! The pieces of an output's files.

use super::attempts::Attempt;
use super::authorization::Caller;
use super::piece::Piece;
use super::staging::NotKept;
use super::{Remote, attempt_of};
use crate::api_error::ApiError;
use crate::http::discard;
use axum::Json;
use axum::body::{Body, BodyDataStream};
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use clipia_api::error_code::ErrorCode;
use clipia_remote::types::FileReceived;
use http::HeaderMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// The pieces that are received at once. With as many bytes before they are written, these are 32 MiB.
pub(super) const AT_ONCE: usize = 64;

/// How long a piece waits for a slot before it is refused.
const SLOT_WAIT_MAX: Duration = Duration::from_secs(15);

/// How long the rest of a refused body is read, so that its sender reads the response.
const DISCARD_MAX: Duration = Duration::from_secs(30);

/// The `Retry-After` of a piece that found no slot, and of one that found no room on the disk.
const SLOT_RETRY_AFTER: Duration = Duration::from_secs(5);
const DISK_RETRY_AFTER: Duration = Duration::from_secs(10);

pub(super) async fn put(
    State(remote): State<Arc<Remote>>,
    Extension(caller): Extension<Caller>,
    path: Result<Path<(String, String, String)>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<FileReceived>, ApiError> {
    let mut stream = body.into_data_stream();
    let received = async {
        let Path((request, epoch, name)) = path.map_err(|_| ApiError::invalid("the path is not UTF-8"))?;
        let attempt = remote.in_force(&caller, attempt_of(&request, &epoch)?).await?;
        crate::http::note_request(attempt.id.id);
        remote.receive(&attempt, &name, Piece::announced(&headers)?, &mut stream).await
    };
    let received = received.await;
    // A sender that is still writing would not read the response. One that is too slow for that is not waited for.
    let _ = timeout(DISCARD_MAX, discard(&mut stream)).await;
    Ok(Json(FileReceived { received: received? }))
}

impl Remote {
    async fn receive(
        &self,
        attempt: &Attempt,
        name: &str,
        piece: Piece,
        body: &mut BodyDataStream,
    ) -> Result<u64, ApiError> {
        let slot = timeout(SLOT_WAIT_MAX, self.pieces.acquire()).await;
        let _slot = slot.map_err(|_| {
            let message = "the server receives as many files as it can: send this piece again";
            ApiError::new(ErrorCode::ServiceUnavailable, message).after(SLOT_RETRY_AFTER)
        })?;
        let receiving = async {
            let files = attempt.files().await?;
            files.receive(name, piece, body).await
        };
        let received = tokio::select! {
            received = receiving => received,
            () = attempt.ended.cancelled() => return Err(attempt.lost()),
        };
        received.map_err(|error| match error {
            NotKept::Refused(refused) => refused,
            // Its directory was removed meanwhile.
            NotKept::Disk(_) if attempt.ended.is_cancelled() => attempt.lost(),
            NotKept::Disk(error) => self.no_room(piece.bytes, error),
        })
    }

    /// The error of a file that cannot be written now. Nothing is claimed until it can be.
    pub(super) fn no_room(&self, bytes: u64, error: io::Error) -> ApiError {
        let error = self.media.unwritable(bytes, error);
        tracing::warn!(%error, "a file of a worker elsewhere cannot be written");
        let message = "the server cannot keep a file now; the call can be repeated";
        ApiError::new(ErrorCode::ServiceUnavailable, message).after(DISK_RETRY_AFTER)
    }
}
