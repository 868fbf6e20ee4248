//! Finding out whether there is room for media again.

use super::MediaStore;
use crate::blocking;
use std::io;
use tokio_util::sync::CancellationToken;

/// Tries to write whenever media pause, ever more rarely, and ends the pause when it can be done. Until `stop`.
pub(crate) async fn watch(media: MediaStore, stop: CancellationToken) {
    let watching = async {
        loop {
            media.pause().begun().await;
            if media.pause().trial().await.is_none() {
                continue;
            }
            let probed = media.clone();
            let probed = blocking::run(move || probed.probe()).await;
            match probed.map_err(io::Error::other).and_then(|probed| probed) {
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
