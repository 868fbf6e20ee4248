//! The end of a media pause: probes whether files can be written again.

use super::MediaStore;
use tokio_util::sync::CancellationToken;

/// During each pause of the media, writes a probe after each backoff, and ends the pause when the write succeeds. Runs until
/// `stop`.
pub(crate) async fn resume_when_writable(media: MediaStore, stop: CancellationToken) {
    let watching = async {
        loop {
            media.pause().until_on().await;
            if media.pause().trial().await.is_none() {
                continue;
            }
            match media.probe().await {
                Ok(()) => media.pause().end(),
                Err(error) => media.pause().prolong(&error),
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = watching => {}
    }
}
