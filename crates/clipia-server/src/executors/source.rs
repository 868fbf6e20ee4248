//! The image that a generation starts from: a file of this server, a `data:` URL, or one fetched from elsewhere.

use super::NotMade;
use crate::media::MediaStore;
use crate::outbound::Outbound;
use crate::outbound::client::body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// The largest image that is taken, in bytes.
const IMAGE_BYTES_MAX: usize = super::render::SOURCE_BYTES_MAX;

/// How long a fetch may take in all.
const FETCH_TIMEOUT: Duration = Duration::from_secs(30);

/// The encoded image at `url`.
///
/// # Errors
/// [`NotMade::Failed`] tells the caller what is wrong with it.
pub(super) async fn fetch(
    url: &str,
    base_url: &str,
    media: &MediaStore,
    outbound: &Outbound,
) -> Result<Vec<u8>, NotMade> {
    let failed = |why: &str| NotMade::Failed(format!("`image_url` {why}"));
    if let Some(path) = media.own_file(url, base_url) {
        return own_file(path).await.map_err(|_| failed("names no file of this server"));
    }
    if let Some(data) = url.strip_prefix("data:") {
        let (_, encoded) =
            data.split_once(";base64,").ok_or_else(|| failed("is a data: URL that is not in base64"))?;
        return STANDARD.decode(encoded).map_err(|_| failed("is a data: URL that is not in base64"));
    }
    // An image may be public and without TLS; where it may lead is held as for a webhook.
    let target = crate::outbound::Target { plain_http: true, ..outbound.target() };
    let url = target.parse(url).map_err(|refused| failed(&refused.to_string()))?;
    let fetched = async {
        let response =
            outbound.call(Method::GET, url).send().await.map_err(|_| failed("cannot be reached"))?;
        if !response.status().is_success() {
            return Err(failed(&format!("was answered with {}", response.status())));
        }
        body(response, IMAGE_BYTES_MAX).await.map_err(|error| failed(&format!("cannot be read: {error}")))
    };
    let image = tokio::time::timeout(FETCH_TIMEOUT, fetched).await;
    Ok(image
        .map_err(|_| failed(&format!("was not answered within {} s", FETCH_TIMEOUT.as_secs())))??
        .to_vec())
}

/// A file of this server, read until it is too large, which its decoder says.
async fn own_file(path: PathBuf) -> io::Result<Vec<u8>> {
    let mut image = Vec::new();
    let file = tokio::fs::File::open(path).await?;
    file.take(IMAGE_BYTES_MAX as u64 + 1).read_to_end(&mut image).await?;
    Ok(image)
}
