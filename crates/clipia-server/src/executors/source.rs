//! The source image of a generation: a file of this server, a `data:` URL, or an image on another host.

use super::JobError;
use super::source_hosts::SourceHosts;
use crate::media::MediaStore;
use crate::outbound::client::{BodyError, body, causes};
use crate::outbound::{Outbound, TimeLimit};
use crate::store::AccountId;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use clipia_queue::breaker::Sign;
use reqwest::Method;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// The largest source image, in bytes.
const IMAGE_BYTES_MAX: usize = clipia_render::SOURCE_BYTES_MAX;

/// The longest time of a fetch.
const FETCH_TIMEOUT: Duration = Duration::from_secs(30);

fn failed(why: &str) -> JobError {
    JobError::Failed(format!("`image_url` {why}"))
}

/// The encoded image at `url`, which is a `data:` URL or names a file of this server.
///
/// # Errors
/// [`JobError::Failed`] tells the caller what is wrong with the URL. [`JobError::Unavailable`] if this server has no open file or
/// no memory left.
pub(super) async fn local(url: &str, base_url: &str, media: &MediaStore) -> Result<Vec<u8>, JobError> {
    if let Some(data) = url.strip_prefix("data:") {
        let (_, encoded) =
            data.split_once(";base64,").ok_or_else(|| failed("is a data: URL that is not in base64"))?;
        return STANDARD.decode(encoded).map_err(|_| failed("is a data: URL that is not in base64"));
    }
    let path = media.own_file(url, base_url).ok_or_else(|| failed("names no file of this server"))?;
    own_file(path).await.map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory => {
            failed("names no file of this server")
        }
        _ if is_shortage(&error) => JobError::Unavailable(format!("cannot read media: {error}")),
        _ => failed("names a file of this server that cannot be read"),
    })
}

/// The encoded image at `url`, which is on another host.
///
/// # Errors
/// [`JobError::Failed`] tells the caller what is wrong with the URL or the image, or that its host is down.
/// [`JobError::Unavailable`] if this server has no open file or no memory left.
pub(super) async fn fetch(
    url: &str,
    account: &AccountId,
    hosts: &SourceHosts,
    outbound: &Outbound,
) -> Result<Bytes, JobError> {
    // An image may be public and without TLS. The allowed addresses are those of webhooks.
    let target = crate::outbound::Target { plain_http: true, ..outbound.target() };
    let url = target.parse(url).map_err(|refused| failed(&refused.to_string()))?;
    let fetching = hosts.begin(account, &url).map_err(|down| failed(&down.to_string()))?;
    let fetched = async {
        let unreachable = |error: reqwest::Error| match shortage(&error) {
            // A shortage here is no sign of the host's health.
            Some(shortage) => (None, JobError::Unavailable(format!("cannot fetch an image: {shortage}"))),
            None => (Some(Sign::Down), failed("cannot be reached")),
        };
        let response = outbound.call(Method::GET, url).send().await.map_err(unreachable)?;
        if !response.status().is_success() {
            return Err((Some(Sign::Alive), failed(&format!("was answered with {}", response.status()))));
        }
        body(response, IMAGE_BYTES_MAX).await.map_err(|error| {
            let sign = match error {
                BodyError::Length(_) => Sign::Alive,
                BodyError::Connection(_) => Sign::Down,
            };
            (Some(sign), failed(&format!("cannot be read: {error}")))
        })
    };
    let image = TimeLimit::new(FETCH_TIMEOUT).of(fetched).await.unwrap_or_else(|| {
        Err((Some(Sign::Down), failed(&format!("was not answered within {} s", FETCH_TIMEOUT.as_secs()))))
    });
    if let Some(sign) = image.as_ref().map_or_else(|(sign, _)| *sign, |_| Some(Sign::Alive)) {
        fetching.end(sign);
    }
    image.map_err(|(_, why)| why)
}

/// The shortage of this server that a call failed for, if there is one.
fn shortage<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e io::Error> {
    causes(error).filter_map(|cause| cause.downcast_ref()).find(|error| is_shortage(error))
}

/// Whether the process has no open file or no memory left, which would fail any request.
fn is_shortage(error: &io::Error) -> bool {
    /// The codes of too many open files, of the process (EMFILE) and of the system (ENFILE). The standard library has no kind
    /// for them.
    const OPEN_FILES: [i32; 2] = [24, 23];
    let open_files = cfg!(unix) && error.raw_os_error().is_some_and(|code| OPEN_FILES.contains(&code));
    open_files || error.kind() == ErrorKind::OutOfMemory
}

/// The content of a file of this server. Of a file that is too large, it is one byte more than allowed, and the decoder refuses
/// it.
async fn own_file(path: PathBuf) -> io::Result<Vec<u8>> {
    let mut image = Vec::new();
    let file = tokio::fs::File::open(path).await?;
    file.take(IMAGE_BYTES_MAX as u64 + 1).read_to_end(&mut image).await?;
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_is_found_inside_other_errors() {
        let system = io::Error::from_raw_os_error;
        let within = |error| io::Error::other(io::Error::other(error));
        for (error, short) in [
            (system(24), true),
            (within(system(23)), true),
            (within(ErrorKind::OutOfMemory.into()), true),
            (within(system(111)), false),
            (ErrorKind::TimedOut.into(), false),
        ] {
            assert_eq!(shortage(&error).is_some(), short, "{error:?}");
        }
    }
}
