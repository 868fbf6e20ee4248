//! `POST /v1/uploads`: a file of the caller, streamed to the disk.

use super::App;
use super::base_url::BaseUrl;
use super::body::discard;
use super::caller::{Caller, may_generate};
use crate::api_error::ApiError;
use crate::clock::{now, timestamp, wall_at};
use crate::media::Incoming;
use crate::store::{AccountId, KeepRefused, NewUpload};
use axum::Json;
use axum::body::{Body, BodyDataStream, HttpBody};
use axum::extract::{Extension, RawQuery, State};
use bytes::{Bytes, BytesMut};
use clipia_api::error_code::ErrorCode;
use clipia_api::types::Upload;
use clipia_queue::uploads::{self, BYTES_MAX, Refused, UploadId};
use clipia_worker::content_type;
use clipia_worker::work::{SharedSlot, SharedSlots};
use file_format::FileFormat;
use futures_util::StreamExt;
use http::StatusCode;
use prometheus_client::metrics::gauge::Gauge;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// The route.
pub(super) const PATH: &str = "/v1/uploads";

/// The uploads that are received at once. With as many pieces in memory, these are 16 MiB.
const AT_ONCE: usize = 32;

/// The bytes that are written to the disk at once.
const PIECE_BYTES: usize = 512 * 1024;

/// How long an upload waits for a slot before it is refused.
const SLOT_WAIT_MAX: Duration = Duration::from_secs(15);

/// The time in which a file must arrive: this, and a second for so many bytes. So a client that sends a byte now and then does
/// not hold a slot for long.
const TIMEOUT: Duration = Duration::from_secs(60);
const BYTES_PER_SECOND_MIN: u64 = 64 * 1024;

/// How long the rest of a refused body is read, so that its sender reads the response.
const DISCARD_MAX: Duration = Duration::from_secs(30);

/// The longest time of a call: that of the longest file, and some for the rest.
pub(super) const CALL_TIMEOUT: Duration =
    Duration::from_secs(BYTES_MAX / BYTES_PER_SECOND_MIN + 3 * TIMEOUT.as_secs());

/// The `Retry-After` of an upload that found no slot, and of one that found no room on the disk.
const SLOT_RETRY_AFTER: Duration = Duration::from_secs(5);
const DISK_RETRY_AFTER: Duration = Duration::from_secs(10);

/// The slots of uploads, shared by all accounts.
pub(crate) fn slots() -> Arc<SharedSlots<AccountId>> {
    SharedSlots::new(AT_ONCE, Gauge::default(), Gauge::default())
}

/// Receives a file. The caller is authenticated already.
pub(super) async fn upload(
    State(app): State<Arc<App>>,
    Extension(Caller(key)): Extension<Caller>,
    base: BaseUrl,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<(StatusCode, Json<Upload>), ApiError> {
    may_generate(&key)?;
    let given = file_name(query.as_deref());
    let announced = body.size_hint().exact();
    let mut stream = body.into_data_stream();
    match receive(&app, &key.account, &given, announced, &mut stream).await {
        Ok(kept) => Ok((StatusCode::CREATED, Json(kept.response(&base)))),
        Err(refused) => {
            // A sender that is still writing would not read the response. One that is too slow for that is not waited for.
            let _ = timeout(DISCARD_MAX, discard(&mut stream)).await;
            Err(refused)
        }
    }
}

/// Keeps a file that has arrived as an upload of an account; returns its URL.
///
/// # Errors
/// As the call.
pub(crate) async fn keep(
    app: &App,
    account: &AccountId,
    name: &str,
    content: Bytes,
    base_url: &str,
) -> Result<String, ApiError> {
    let announced = u64::try_from(content.len()).ok();
    let mut stream = Body::from(content).into_data_stream();
    let kept = receive(app, account, name, announced, &mut stream).await?;
    Ok(format!("{base_url}{}", kept.address))
}

/// A file that is kept.
struct Kept {
    /// Its path on the server.
    address: String,
    name: String,
    bytes: u64,
    expires_at: clipia_queue::Moment,
}

impl Kept {
    fn response(self, base: &BaseUrl) -> Upload {
        let content_type = content_type(&self.name);
        Upload {
            url: format!("{}{}", base.0, self.address),
            file_name: Some(self.name),
            content_type: Some(content_type.to_owned()),
            file_size: Some(self.bytes),
            expires_at: Some(timestamp(wall_at(self.expires_at))),
            extra: Default::default(),
        }
    }
}

async fn receive(
    app: &App,
    account: &AccountId,
    given: &str,
    announced: Option<u64>,
    stream: &mut BodyDataStream,
) -> Result<Kept, ApiError> {
    // Checked before the body is read. An account's other uploads may end meanwhile, so it is checked again at the end.
    let usage = app.store.upload_usage(account).await?;
    uploads::keep(usage, announced.unwrap_or(1), now())?;
    if let Some(reason) = app.media.pause().reason() {
        return Err(no_room(&reason));
    }
    let _slot = slot(app, account).await?;
    let mut incoming = app.media.receive().await.map_err(|error| no_room(&error))?;
    let extension = read(stream, &mut incoming).await?;
    let bytes = incoming.bytes();
    if bytes == 0 {
        return Err(Refused::Empty.into());
    }
    let id = UploadId(uuid::Uuid::new_v4());
    let name = uploads::file_name(given, extension.as_deref());
    let placed = incoming.place(id, name.clone()).await.map_err(|error| no_room(&error))?;
    let expires_at = app.store.keep_upload(NewUpload { id, account: account.clone(), bytes }).await?;
    tracing::info!(bytes, "a file was uploaded");
    Ok(Kept { address: placed.keep(), name, bytes, expires_at })
}

/// Waits for a slot of the account's share.
async fn slot(app: &App, account: &AccountId) -> Result<SharedSlot<AccountId>, ApiError> {
    let waiting = timeout(SLOT_WAIT_MAX, app.upload_slots.wait(account.clone())).await;
    waiting.map_err(|_| {
        let (code, message) = match app.upload_slots.shares().held(account) {
            0 => (ErrorCode::ServiceUnavailable, "the server receives as many uploads as it can"),
            _ => (
                ErrorCode::ConcurrencyLimitExceeded,
                "this account sends as many uploads as it may: send this one again when another has ended",
            ),
        };
        ApiError::new(code, message).after(SLOT_RETRY_AFTER)
    })
}

/// Writes the body to the file, piece by piece. Returns the extension that its first bytes tell.
async fn read(stream: &mut BodyDataStream, incoming: &mut Incoming) -> Result<Option<String>, ApiError> {
    let start = Instant::now();
    let (mut piece, mut extension) = (BytesMut::new(), None);
    loop {
        let come = incoming.bytes() + piece.len() as u64;
        let until = start + TIMEOUT + Duration::from_secs(come / BYTES_PER_SECOND_MIN);
        let chunk = timeout_at(until, stream.next()).await;
        let chunk = chunk.map_err(|_| ApiError::invalid("the file took too long to arrive"))?;
        let chunk = chunk.transpose().map_err(|_| ApiError::invalid("the body broke off"))?;
        let is_end = chunk.is_none();
        piece.extend_from_slice(&chunk.unwrap_or_default());
        if incoming.bytes() + piece.len() as u64 > BYTES_MAX {
            return Err(Refused::TooLong.into());
        }
        if piece.len() >= PIECE_BYTES || is_end && !piece.is_empty() {
            let full: Bytes = std::mem::take(&mut piece).freeze();
            if incoming.bytes() == 0 {
                extension = extension_of(&full);
            }
            incoming.write(full).await.map_err(|error| no_room(&error))?;
        }
        if is_end {
            return Ok(extension);
        }
    }
}

/// The extension of the format that a file begins like, if it is a known one.
fn extension_of(beginning: &[u8]) -> Option<String> {
    match FileFormat::from_bytes(beginning) {
        FileFormat::ArbitraryBinaryData | FileFormat::Empty => None,
        format => Some(format.extension().to_owned()),
    }
}

/// The value of `file_name` in a query; empty where there is none.
fn file_name(query: Option<&str>) -> String {
    let mut pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.find(|(name, _)| name == "file_name").map(|(_, name)| name.into_owned()).unwrap_or_default()
}

/// The error of a file that cannot be written now. Generations do not pause for it: they need less room than an upload may.
fn no_room(error: &dyn std::fmt::Display) -> ApiError {
    tracing::warn!(%error, "an upload cannot be written");
    let message = "the server cannot keep a file now; the upload can be repeated";
    ApiError::new(ErrorCode::ServiceUnavailable, message).after(DISK_RETRY_AFTER)
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        let code = match refused {
            Refused::Empty => ErrorCode::InvalidRequest,
            Refused::TooLong => ErrorCode::UploadTooLarge,
            Refused::TooMany | Refused::NoRoom => ErrorCode::UploadLimitExceeded,
        };
        Self::new(code, refused.to_string())
    }
}

impl From<KeepRefused> for ApiError {
    fn from(refused: KeepRefused) -> Self {
        match refused {
            KeepRefused::Bound(refused) => refused.into(),
            KeepRefused::Store(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_from_the_query() {
        for (query, name) in [
            (None, ""),
            (Some(""), ""),
            (Some("file_name=fox.png"), "fox.png"),
            (Some("a=b&file_name=my%20fox%2F1.png&file_name=c"), "my fox/1.png"),
        ] {
            assert_eq!(file_name(query), name);
        }
    }

    #[test]
    fn the_first_bytes_tell_an_extension() {
        assert_eq!(extension_of(b"\x89PNG\r\n\x1a\n"), Some("png".to_owned()));
        assert_eq!(extension_of(&[0xff, 0xd8, 0xff, 0xe0]), Some("jpg".to_owned()));
        assert_eq!(extension_of(&[7, 0, 1]), None);
    }
}
