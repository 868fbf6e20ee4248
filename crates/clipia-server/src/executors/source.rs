//! The source image of a generation: a file of this server, a `data:` URL, or an image on another host.

use super::JobError;
use super::fetching::{Arriving, SILENCE_MAX, Wanted, failed};
use super::input_hosts::InputHosts;
use super::inputs::unreadable;
use crate::media::{Located, MediaStore};
use crate::outbound::Outbound;
use crate::store::AccountId;
use bytes::{Bytes, BytesMut};
use clipia_worker::DataUrl;
use std::io;

/// The parameter that names it.
pub(super) const PARAMETER: &str = "image_url";

/// The largest source image, in bytes.
const IMAGE_BYTES_MAX: usize = clipia_render::SOURCE_BYTES_MAX;

/// The encoded image at `url`, which is a `data:` URL or names a file of this server.
///
/// # Errors
/// [`JobError::Failed`] tells the caller what is wrong with the URL. [`JobError::Unavailable`] if this server has no open file or
/// no memory left.
pub(super) async fn local(url: &str, base_url: &str, media: &MediaStore) -> Result<Vec<u8>, JobError> {
    if let Some(data) = DataUrl::read(PARAMETER, url) {
        return data.map(|data| data.bytes);
    }
    let located = media.own_file(url, base_url);
    let located = located.ok_or_else(|| failed(PARAMETER, "names no file of this server"))?;
    own_file(located).await.map_err(|error| unreadable(PARAMETER, &error))
}

/// The encoded image at `url`, which is on another host.
///
/// # Errors
/// [`JobError::Failed`] tells the caller what is wrong with the URL or the image, or that its host is down.
/// [`JobError::Unavailable`] if this server has no open file or no memory left.
pub(super) async fn fetch(
    url: &str,
    account: &AccountId,
    hosts: &InputHosts,
    outbound: &Outbound,
) -> Result<Bytes, JobError> {
    let bytes_max = IMAGE_BYTES_MAX as u64;
    let wanted = Wanted { parameter: PARAMETER, url, account, bytes_max, time_max: SILENCE_MAX };
    let mut arriving = Arriving::begin(wanted, hosts, outbound).await?;
    // The buffer has its full length at once: growing it would hold the image twice. Both lengths are below `bytes_max`.
    let mut image = BytesMut::with_capacity(usize::try_from(arriving.announced()).unwrap_or(0));
    while let Some(piece) = arriving.piece().await? {
        image.extend_from_slice(&piece);
    }
    Ok(image.freeze())
}

/// The content of a file of this server. Of a file that is too large, it is one byte more than allowed, and the decoder refuses
/// it.
async fn own_file(located: Located) -> io::Result<Vec<u8>> {
    let mut file = located.open().await?;
    let most =
        usize::try_from(file.length()).map_or(IMAGE_BYTES_MAX + 1, |length| length.min(IMAGE_BYTES_MAX + 1));
    let mut image = Vec::with_capacity(most);
    while image.len() < most
        && let Some(chunk) = file.chunk().await?
    {
        image.extend_from_slice(&chunk[..chunk.len().min(most - image.len())]);
    }
    Ok(image)
}
