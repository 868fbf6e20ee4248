//! The image that a generation starts from: a file of this server, a `data:` URL, or one fetched from elsewhere.

use super::NotMade;
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

/// The largest image that is taken, in bytes.
const IMAGE_BYTES_MAX: usize = clipia_render::SOURCE_BYTES_MAX;

/// How long a fetch may take in all.
const FETCH_TIMEOUT: Duration = Duration::from_secs(30);

fn failed(why: &str) -> NotMade {
    NotMade::Failed(format!("`image_url` {why}"))
}

/// The encoded image at `url`, which is a file of this server or has it in itself.
///
/// # Errors
/// [`NotMade::Failed`] tells the caller what is wrong with it; [`NotMade::NotNow`] where this server has no file to give or no
/// memory for it.
pub(super) async fn at_hand(url: &str, base_url: &str, media: &MediaStore) -> Result<Vec<u8>, NotMade> {
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
        _ if is_short_of_means(&error) => NotMade::NotNow(format!("cannot read media: {error}")),
        _ => failed("names a file of this server that cannot be read"),
    })
}

/// The encoded image at `url`, which is elsewhere.
///
/// # Errors
/// [`NotMade::Failed`] tells the caller what is wrong with it, or that its host is left alone for now; [`NotMade::NotNow`] where
/// this server has no means to call.
pub(super) async fn fetch(
    url: &str,
    account: &AccountId,
    hosts: &SourceHosts,
    outbound: &Outbound,
) -> Result<Bytes, NotMade> {
    // An image may be public and without TLS; where it may lead is held as for a webhook.
    let target = crate::outbound::Target { plain_http: true, ..outbound.target() };
    let url = target.parse(url).map_err(|refused| failed(&refused.to_string()))?;
    let fetching = hosts.begin(account, &url).map_err(|down| failed(&down.to_string()))?;
    let fetched = async {
        let unreachable = |error: reqwest::Error| match shortage(&error) {
            // That tells nothing of the host.
            Some(shortage) => (None, NotMade::NotNow(format!("cannot fetch an image: {shortage}"))),
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

/// What this server was short of, if a call failed for that.
fn shortage<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e io::Error> {
    causes(error).filter_map(|cause| cause.downcast_ref()).find(|error| is_short_of_means(error))
}

/// Whether the process has no open file or no memory left, which would strike any request.
fn is_short_of_means(error: &io::Error) -> bool {
    /// Too many open files, of the process and of the system. The standard library has no kind for it.
    const OPEN_FILES: [i32; 2] = [24, 23];
    let open_files = cfg!(unix) && error.raw_os_error().is_some_and(|code| OPEN_FILES.contains(&code));
    open_files || error.kind() == ErrorKind::OutOfMemory
}

/// A file of this server, read until it is too large, which its decoder says.
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
    fn a_shortage_is_found_however_deep_it_lies() {
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
